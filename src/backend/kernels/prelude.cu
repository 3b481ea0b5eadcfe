// What all kernels share. The text is C that is also CUDA C++: REAL is float or double, one compilation each.
//
// Sums have a fixed order: every thread adds its own part in order, and a tree of fixed shape adds the threads' sums.

#ifndef EMULATED
// A compiler at run time has no headers of C.
#define HUGE_VAL __longlong_as_double(0x7ff0000000000000LL)
#define KERNEL extern "C" __global__ void
#define BARRIER_KERNEL extern "C" __global__ void
#define DEVICE static __device__
#endif

// Counts and places of elements: no buffer has 2^31 of them.
typedef unsigned Index;

#ifdef REAL_IS_FLOAT
#define EXP expf
#define LOG1P log1pf
#define LOG logf
#define TANH tanhf
#define SQRT sqrtf
#define ABS fabsf
#define SMALLEST_NORMAL 1.17549435e-38f
#else
#define EXP exp
#define LOG1P log1p
#define LOG log
#define TANH tanh
#define SQRT sqrt
#define ABS fabs
#define SMALLEST_NORMAL 2.2250738585072014e-308
#endif

// Threads of a block, for kernels that add what its threads found.
#define BLOCK 256

// Every i below n, whatever the number of threads.
#define EACH(i, n) for (Index i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

// Every i below n, divided over the threads of one block.
#define EACH_IN_BLOCK(i, n) for (Index i = threadIdx.x; i < (n); i += blockDim.x)

// shared[0] = the sum of shared[0 .. BLOCK], for all threads of a block of BLOCK to call.
DEVICE void add_over_block(double *shared) {
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            shared[threadIdx.x] += shared[threadIdx.x + half];
        }
    }
    __syncthreads();
}
