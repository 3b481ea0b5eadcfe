/* What the text of the kernels sees in place of CUDA. It is included before that text, once for each element type. */

#ifndef EMULATOR_H
#define EMULATOR_H

#include <math.h>

#define KERNEL static void
#define BARRIER_KERNEL static void
#define DEVICE static

/* Blocks run one after another, so one array serves them all. The section lets the emulator spoil it between blocks. */
#define __shared__ static __attribute__((section("emulated_shared")))

/* The line tells one barrier from another: all threads of a block must wait at the same one. */
#define __syncthreads() emulated_barrier(__LINE__)

#define HIDDEN __attribute__((visibility("hidden")))

struct emulated_index {
    unsigned x, y, z;
};

extern struct emulated_index threadIdx HIDDEN, blockIdx HIDDEN, blockDim HIDDEN, gridDim HIDDEN;

void emulated_barrier(int line);

/* A kernel of the text. `run` runs one thread of it, given the addresses of its arguments as a launch has them. */
struct emulated_kernel {
    const char *name;
    void (*run)(void **arguments);
    int has_barriers;
    const char *parameters; /* a letter each: 'p' for a pointer, 'v' for a value */
};

/* All kernels of the text in each element type, ended by one without a name. */
extern const struct emulated_kernel emulated_f32[] HIDDEN, emulated_f64[] HIDDEN;

/* C that C++ refuses would fail only where CUDA's compiler is. */
#ifdef REAL
#pragma GCC diagnostic error "-Wc++-compat"
#pragma GCC diagnostic error "-Wimplicit-function-declaration"
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wdiscarded-qualifiers"
#pragma GCC diagnostic error "-Wint-conversion"
#pragma GCC diagnostic error "-Wuninitialized"
#endif

#endif
