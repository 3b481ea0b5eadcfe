/* Device memory: the host's, with guards around each allocation, and copies that must stay inside one. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

/* ---- Guards ---- */

/* Bytes before and after each allocation. They hold words that are a NaN both as f32 and as f64, so that reading them
   shows as well as writing them. */
#define GUARD 4096
static const uint32_t GUARD_WORD = 0xFFFABADE;
static const int UNINITIALISED = 0xFF;

/* What a guard holds from any address on: the pattern is a word long, and starts at a multiple of it. */
static const unsigned char *guard_at(const unsigned char *address)
{
    static uint32_t words[GUARD / 4 + 1];
    if (words[0] == 0)
        for (size_t i = 0; i <= GUARD / 4; i++)
            words[i] = GUARD_WORD;
    return (unsigned char *)words + (uintptr_t)address % 4;
}

/* ---- Live allocations, in the order of their addresses ---- */

struct allocation {
    unsigned char *start;
    size_t size;
};

static struct allocation *allocations;
static size_t live, room, used;

/* How many allocations start at `address` or before it. */
static size_t up_to(CUdeviceptr address)
{
    size_t low = 0, high = live;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((CUdeviceptr)allocations[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct allocation *containing(CUdeviceptr address)
{
    size_t before = up_to(address);
    struct allocation *last = allocations + before - 1;
    return before && address <= (CUdeviceptr)last->start + last->size ? last : NULL;
}

static void check_guards(const char *what, const struct allocation *of)
{
    const unsigned char *before = of->start - GUARD, *after = of->start + of->size;
    if (memcmp(before, guard_at(before), GUARD))
        mistake("%s: something wrote before the start of an allocation of %zu bytes", what, of->size);
    if (memcmp(after, guard_at(after), GUARD))
        mistake("%s: something wrote beyond the end of an allocation of %zu bytes", what, of->size);
}

void check_range(const char *what, CUdeviceptr address, size_t bytes)
{
    if (bytes == 0)
        return;
    struct allocation *of = containing(address);
    if (!of)
        mistake("%s: no live allocation at address %#llx", what, address);
    size_t offset = address - (CUdeviceptr)of->start;
    if (bytes > of->size - offset)
        mistake("%s: %zu bytes from byte %zu on go beyond an allocation of %zu bytes", what, bytes, offset, of->size);
    check_guards(what, of);
}

void check_pointer(const char *what, CUdeviceptr address)
{
    if (!address)
        return;
    struct allocation *of = containing(address);
    if (!of)
        mistake("%s: no live allocation at address %#llx", what, address);
    check_guards(what, of);
}

/* ---- Allocating and freeing ---- */

/* The size of the device's memory in bytes: EMULATED_MEMORY, so that tests can run out of it. */
size_t memory_size(void)
{
    const char *limit = getenv("EMULATED_MEMORY");
    return limit ? strtoull(limit, NULL, 10) : (size_t)8 << 30;
}

/* What this thread allocated and has not freed, and the most of it since it last asked. */
static _Thread_local long long held, peak;

EXPORT long long emulated_peak(void)
{
    long long most = peak;
    peak = held;
    return most;
}

static CUresult insert(struct allocation new)
{
    if (live == room) {
        size_t more = room ? 2 * room : 256;
        struct allocation *moved = realloc(allocations, more * sizeof *moved);
        if (!moved)
            return CUDA_ERROR_OUT_OF_MEMORY;
        allocations = moved;
        room = more;
    }
    size_t place = up_to((CUdeviceptr)new.start);
    memmove(allocations + place + 1, allocations + place, (live - place) * sizeof new);
    allocations[place] = new;
    live += 1;
    used += new.size;
    held += (long long)new.size;
    peak = held > peak ? held : peak;
    return CUDA_SUCCESS;
}

static CUresult allocate(CUdeviceptr *address, size_t bytes)
{
    size_t limit = memory_size();
    if (used > limit || bytes > limit - used)
        return CUDA_ERROR_OUT_OF_MEMORY;
    /* CUDA aligns to 256 bytes. */
    unsigned char *block = aligned_alloc(256, (bytes + 2 * GUARD + 255) / 256 * 256);
    if (!block)
        return CUDA_ERROR_OUT_OF_MEMORY;
    struct allocation new = { block + GUARD, bytes };
    memcpy(block, guard_at(block), GUARD);
    memset(new.start, UNINITIALISED, bytes);
    memcpy(new.start + bytes, guard_at(new.start + bytes), GUARD);
    *address = (CUdeviceptr)new.start;
    return insert(new);
}

static CUresult release(CUdeviceptr address)
{
    struct allocation *of = containing(address);
    if (!of || (CUdeviceptr)of->start != address)
        mistake("free: no live allocation starts at address %#llx", address);
    check_guards("free", of);
    used -= of->size;
    held -= (long long)of->size;
    free(of->start - GUARD);
    live -= 1;
    memmove(of, of + 1, (size_t)(allocations + live - of) * sizeof *of);
    return CUDA_SUCCESS;
}

/* ---- Copies, and what they count ---- */

_Thread_local unsigned long long counts[COUNTS];

/* Launches, copies to the device and their bytes, copies from the device and their bytes, since the start of the
   thread that asks, by that thread. */
EXPORT void emulated_counts(unsigned long long out[COUNTS])
{
    enter();
    memcpy(out, counts, sizeof counts);
    leave();
}

static CUresult copy_in(CUdeviceptr to, const void *from, size_t bytes)
{
    check_range("copy to the device", to, bytes);
    memcpy((void *)to, from, bytes);
    counts[COPIES_IN] += 1;
    counts[BYTES_IN] += bytes;
    return CUDA_SUCCESS;
}

static CUresult copy_out(void *to, CUdeviceptr from, size_t bytes)
{
    check_range("copy from the device", from, bytes);
    memcpy(to, (const void *)from, bytes);
    counts[COPIES_OUT] += 1;
    counts[BYTES_OUT] += bytes;
    return CUDA_SUCCESS;
}

static CUresult copy_inside(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    check_range("copy inside the device, source", from, bytes);
    check_range("copy inside the device, destination", to, bytes);
    memmove((void *)to, (const void *)from, bytes);
    return CUDA_SUCCESS;
}

static CUresult fill(CUdeviceptr at, unsigned char byte, size_t bytes)
{
    check_range("memset", at, bytes);
    memset((void *)at, byte, bytes);
    return CUDA_SUCCESS;
}

static CUresult information(size_t *available, size_t *total)
{
    *total = memory_size();
    *available = *total > used ? *total - used : 0;
    return CUDA_SUCCESS;
}

/* ---- The driver's calls: all work is done before they return, asynchronous or not ---- */

#define CALL(name, parameters, work)           \
    EXPORT CUresult name parameters            \
    {                                          \
        if (!has_context())                    \
            return CUDA_ERROR_INVALID_CONTEXT; \
        enter();                               \
        CUresult result = work;                \
        leave();                               \
        return result;                         \
    }
#define STREAM __attribute__((unused)) void *stream

CALL(cuMemGetInfo_v2, (size_t *available, size_t *total), information(available, total))

CALL(cuMemAlloc_v2, (CUdeviceptr *address, size_t bytes), allocate(address, bytes))
CALL(cuMemAllocAsync, (CUdeviceptr *address, size_t bytes, STREAM), allocate(address, bytes))
CALL(cuMemFree_v2, (CUdeviceptr address), release(address))
CALL(cuMemFreeAsync, (CUdeviceptr address, STREAM), release(address))

CALL(cuMemcpyHtoD_v2, (CUdeviceptr to, const void *from, size_t bytes), copy_in(to, from, bytes))
CALL(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, STREAM), copy_in(to, from, bytes))
CALL(cuMemcpyDtoH_v2, (void *to, CUdeviceptr from, size_t bytes), copy_out(to, from, bytes))
CALL(cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, STREAM), copy_out(to, from, bytes))
CALL(cuMemcpyDtoD_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes), copy_inside(to, from, bytes))
CALL(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, STREAM), copy_inside(to, from, bytes))

CALL(cuMemsetD8_v2, (CUdeviceptr at, unsigned char byte, size_t bytes), fill(at, byte, bytes))
CALL(cuMemsetD8Async, (CUdeviceptr at, unsigned char byte, size_t bytes, STREAM), fill(at, byte, bytes))
