/* What the parts of the emulator share. */

#ifndef DRIVER_H
#define DRIVER_H

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

typedef unsigned long long CUdeviceptr;

#define RESULTS(RESULT)                                                                  \
    RESULT(CUDA_SUCCESS, 0, "no error")                                                  \
    RESULT(CUDA_ERROR_INVALID_VALUE, 1, "invalid argument")                              \
    RESULT(CUDA_ERROR_OUT_OF_MEMORY, 2, "out of memory")                                 \
    RESULT(CUDA_ERROR_INVALID_DEVICE, 101, "invalid device ordinal")                     \
    RESULT(CUDA_ERROR_INVALID_CONTEXT, 201, "invalid device context")                    \
    RESULT(CUDA_ERROR_INVALID_PTX, 218, "a PTX JIT compilation failed")                  \
    RESULT(CUDA_ERROR_NOT_FOUND, 500, "named symbol not found")

#define ENUMERATE(name, number, text) name = number,
typedef enum { RESULTS(ENUMERATE) } CUresult;

/* device.c: one lock around everything that touches device memory; whether this thread has a current context. */
void enter(void);
void leave(void);
int has_context(void);

/* device.c: says what is wrong, in which kernel if one is running, and aborts. */
extern const char *running_kernel;
__attribute__((noreturn, format(printf, 1, 2))) void mistake(const char *format, ...);

/* memory.c: the size of the device's memory in bytes. */
size_t memory_size(void);

/* memory.c: aborts unless `bytes` bytes at `address` lie in one allocation whose guards are whole. */
void check_range(const char *what, CUdeviceptr address, size_t bytes);

/* memory.c: aborts unless `address` is null, or points into a live allocation whose guards are whole. */
void check_pointer(const char *what, CUdeviceptr address);

/* memory.c: launches, copies to the device and their bytes, copies from the device and their bytes. */
enum { LAUNCHES, COPIES_IN, BYTES_IN, COPIES_OUT, BYTES_OUT, COUNTS };
extern _Thread_local unsigned long long counts[COUNTS];

#endif
