/* Kernels that try the emulator itself: each way to run, and each mistake that it must catch. */

KERNEL test_axpy(REAL *y, const REAL *x, long long count, double factor)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        y[i] += (REAL)factor * x[i];
}

/* Where thread (x, y, z) of block (x, y, z) stands among all, and the shape of the launch. */
KERNEL test_positions(unsigned *at, // by number of the thread
                      int blocks /* of the launch */)
{
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    if (blocks == (int)(gridDim.x * gridDim.y * gridDim.z))
        at[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = block * 1000 + thread;
}

KERNEL test_last_thread(unsigned *last)
{
    *last = blockIdx.x * blockDim.x + threadIdx.x;
}

DEVICE REAL test_sum(REAL a, REAL b)
{
    return a + b;
}

/* The sum of each block's 64 elements, by halves. */
BARRIER_KERNEL test_block_sums(const REAL *x, REAL *sums)
{
    __shared__ REAL partial[64];
    partial[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
    for (unsigned half = 32; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            partial[threadIdx.x] = test_sum(partial[threadIdx.x], partial[threadIdx.x + half]);
    }
    if (threadIdx.x == 0)
        sums[blockIdx.x] = partial[0];
}

/* Reads shared memory that only another block has written. */
BARRIER_KERNEL test_stale_shared(REAL *seen)
{
    __shared__ REAL value[1];
    seen[blockIdx.x] = value[0];
    value[0] = 1;
}

KERNEL test_write(REAL *x, long long at)
{
    x[at] = 1;
}

BARRIER_KERNEL test_uneven_barrier(REAL *x)
{
    if (threadIdx.x != 3)
        __syncthreads();
    x[threadIdx.x] = 1;
}

BARRIER_KERNEL test_two_barriers(REAL *x)
{
    if (threadIdx.x < 3)
        __syncthreads();
    else
        __syncthreads();
    x[threadIdx.x] = 1;
}

KERNEL test_undeclared_barrier(REAL *x)
{
    x[threadIdx.x] = 1;
    __syncthreads();
}
