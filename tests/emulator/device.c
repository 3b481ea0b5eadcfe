/* The driver's calls about the device, contexts, streams, events and errors, and how the emulator reports mistakes. */

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"

/* ---- The lock, and mistakes ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void enter(void) { pthread_mutex_lock(&lock); }
void leave(void) { pthread_mutex_unlock(&lock); }

const char *running_kernel;

void mistake(const char *format, ...)
{
    fputs("emulator: ", stderr);
    if (running_kernel)
        fprintf(stderr, "kernel %s: ", running_kernel);
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    abort();
}

/* ---- One device ---- */

EXPORT CUresult cuInit(unsigned flags) { return flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS; }

EXPORT CUresult cuDriverGetVersion(int *version)
{
    *version = 12000;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count)
{
    *count = 1;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(int *device, int ordinal)
{
    if (ordinal != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, int device)
{
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    snprintf(name, (size_t)length, "Emulated");
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    *bytes = memory_size();
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, int device)
{
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    switch (attribute) {
    case 1: *value = 1024; break; /* threads of a block */
    case 16: *value = 1; break;   /* multiprocessors */
    case 75: *value = 9; break;   /* compute capability, major */
    case 76: *value = 0; break;   /* compute capability, minor */
    case 115: *value = 1; break;  /* memory pools supported */
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

/* ---- One context, current or not in each thread ---- */

static int primary;
static __thread void *current;

int has_context(void) { return current == &primary; }

EXPORT CUresult cuDevicePrimaryCtxRetain(void **context, int device)
{
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    *context = &primary;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(int device)
{
    return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

EXPORT CUresult cuCtxSetCurrent(void *context)
{
    if (context && context != &primary)
        return CUDA_ERROR_INVALID_CONTEXT;
    current = context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(void **context)
{
    *context = current;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSynchronize(void) { return has_context() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT; }

/* ---- Streams and events: all work is done when its call returns, so there is nothing to wait for ---- */

static int stream_or_event;

static CUresult create(void **handle)
{
    *handle = &stream_or_event;
    return has_context() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

EXPORT CUresult cuStreamCreate(void **stream, unsigned flags) { return (void)flags, create(stream); }
EXPORT CUresult cuStreamDestroy_v2(void *stream) { return (void)stream, CUDA_SUCCESS; }
EXPORT CUresult cuStreamSynchronize(void *stream) { return (void)stream, CUDA_SUCCESS; }
EXPORT CUresult cuStreamWaitEvent(void *stream, void *event, unsigned flags)
{
    return (void)stream, (void)event, (void)flags, CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(void **event, unsigned flags) { return (void)flags, create(event); }
EXPORT CUresult cuEventDestroy_v2(void *event) { return (void)event, CUDA_SUCCESS; }
EXPORT CUresult cuEventRecord(void *event, void *stream) { return (void)event, (void)stream, CUDA_SUCCESS; }
EXPORT CUresult cuEventElapsedTime(float *milliseconds, void *start, void *end)
{
    *milliseconds = 0;
    return (void)start, (void)end, CUDA_SUCCESS;
}

/* ---- Names of errors ---- */

#define NAME(name, number, text) \
    case number: *string = #name; return CUDA_SUCCESS;
#define TEXT(name, number, text) \
    case number: *string = text; return CUDA_SUCCESS;

EXPORT CUresult cuGetErrorName(int result, const char **string)
{
    switch (result) { RESULTS(NAME) }
    return CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGetErrorString(int result, const char **string)
{
    switch (result) { RESULTS(TEXT) }
    return CUDA_ERROR_INVALID_VALUE;
}
