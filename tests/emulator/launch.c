/* Modules, and launches of their kernels: the threads of a launch run one at a time. */

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "driver.h"
#include "emulator.h"

/* ---- Modules: "f32" or "f64" stands for the compiled text, whose kernels are already here ---- */

EXPORT CUresult cuModuleLoadData(const void **module, const char *image)
{
    if (!has_context())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (strcmp(image, "f32") == 0)
        *module = emulated_f32;
    else if (strcmp(image, "f64") == 0)
        *module = emulated_f64;
    else
        return CUDA_ERROR_INVALID_PTX;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(const struct emulated_kernel **function, const void *module, const char *name)
{
    for (const struct emulated_kernel *kernel = module; kernel->name; kernel++)
        if (strcmp(kernel->name, name) == 0) {
            *function = kernel;
            return CUDA_SUCCESS;
        }
    return CUDA_ERROR_NOT_FOUND;
}

EXPORT CUresult cuModuleUnload(void *module) { return (void)module, CUDA_SUCCESS; }

/* ---- The launch that runs, and the order of its blocks and threads ---- */

struct emulated_index threadIdx, blockIdx, blockDim, gridDim;

static const struct emulated_kernel *kernel;
static void **arguments;
static int reversed;

static size_t size_of(struct emulated_index shape) { return (size_t)shape.x * shape.y * shape.z; }

/* The number of the block or thread that runs at a turn: kernels must not depend on the order. */
static size_t at_turn(size_t turn, size_t turns) { return reversed ? turns - 1 - turn : turn; }

static struct emulated_index position(size_t number, struct emulated_index shape)
{
    return (struct emulated_index){ number % shape.x, number / shape.x % shape.y, number / shape.x / shape.y };
}

#define MOST_THREADS 1024

/* The threads of a block at their turns, the same for each block. */
static struct emulated_index threads[MOST_THREADS];
static size_t thread_count;

static void run_block(void)
{
    for (size_t turn = 0; turn < thread_count; turn++) {
        threadIdx = threads[turn];
        kernel->run(arguments);
    }
}

/* ---- Fibers: a thread with a stack of its own, that can pause at a barrier. Each serves one launch after another ---- */

#define STACK (64 << 10)

static struct fiber {
    jmp_buf here;
    int started;
    int line; /* of the barrier where it waits; 0 when its thread has ended */
} fibers[MOST_THREADS];

static struct fiber *running;
static jmp_buf scheduler;

static void pause_at(int line)
{
    running->line = line;
    if (_setjmp(running->here) == 0)
        _longjmp(scheduler, 1);
}

static void live(void)
{
    for (;;) {
        kernel->run(arguments);
        pause_at(0);
    }
}

/* Contexts start a fiber; jumps resume it, as they ask nothing of the operating system. */
static void start(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *stack = mmap(NULL, page + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, page, PROT_NONE))
        mistake("no memory for the stack of a thread");
    ucontext_t context;
    getcontext(&context);
    /* Stacks that all began at one place of a page would all be kept at one place of the processor's cache. */
    size_t shift = (size_t)(running - fibers) % 32 * 128;
    context.uc_stack.ss_sp = stack + page;
    context.uc_stack.ss_size = STACK - shift;
    context.uc_link = NULL;
    makecontext(&context, live, 0);
    setcontext(&context);
}

static void resume(struct fiber *fiber)
{
    running = fiber;
    if (_setjmp(scheduler))
        return;
    if (fiber->started)
        _longjmp(fiber->here, 1);
    fiber->started = 1;
    start();
}

/* ---- Barriers ---- */

/* The bounds of all `__shared__` arrays, from the linker. */
extern char __start_emulated_shared[] __attribute__((weak)) HIDDEN, __stop_emulated_shared[] __attribute__((weak)) HIDDEN;

void emulated_barrier(int line)
{
    if (!kernel->has_barriers)
        mistake("it has barriers and is not declared as BARRIER_KERNEL");
    pause_at(line);
}

/* Runs each thread to its next barrier, or to its end, until all have ended. */
static void run_block_with_barriers(void)
{
    memset(__start_emulated_shared, 0xFF, (size_t)(__stop_emulated_shared - __start_emulated_shared));
    do {
        for (size_t turn = 0; turn < thread_count; turn++) {
            threadIdx = threads[turn];
            resume(fibers + turn);
            if (fibers[turn].line != fibers[0].line)
                mistake("only some threads of a block reach a barrier: the first waits at line %d, thread (%u, %u, %u)"
                        " at line %d (0: it has ended)", fibers[0].line, threads[turn].x, threads[turn].y,
                        threads[turn].z, fibers[turn].line);
        }
    } while (fibers[0].line);
}

/* ---- Launches ---- */

static struct sigaction before;

/* As `mistake`, on the little stack that a fault leaves. */
static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        abort();
}

/* Names the kernel that made an access so wild that no guard saw it. Other faults are left to whom they belonged. */
static void on_fault(int signal)
{
    if (running_kernel) {
        say("emulator: kernel ");
        say(running_kernel);
        say(": it touches memory that does not exist\n");
        abort();
    }
    sigaction(signal, &before, NULL);
}

static void watch_faults(void)
{
    static int watching;
    if (watching)
        return;
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
    sigaction(SIGSEGV, &action, &before);
    watching = 1;
}

static void check_shape(size_t shared)
{
    if (!size_of(gridDim) || !size_of(blockDim))
        mistake("a launch of no threads: grid %u x %u x %u, block %u x %u x %u", gridDim.x, gridDim.y, gridDim.z,
                blockDim.x, blockDim.y, blockDim.z);
    if (gridDim.x > 0x7FFFFFFF || gridDim.y > 65535 || gridDim.z > 65535)
        mistake("a grid too large: %u x %u x %u blocks", gridDim.x, gridDim.y, gridDim.z);
    if (blockDim.x > 1024 || blockDim.y > 1024 || blockDim.z > 64 || size_of(blockDim) > MOST_THREADS)
        mistake("a block too large: %u x %u x %u threads", blockDim.x, blockDim.y, blockDim.z);
    if (shared)
        mistake("dynamic shared memory: kernels declare arrays of constant size");
}

/* The guards are checked before the launch, so that what they tell after it is its own doing. */
static void check_arguments(const char *when)
{
    for (size_t i = 0; kernel->parameters[i]; i++)
        if (kernel->parameters[i] == 'p')
            check_pointer(when, *(CUdeviceptr *)arguments[i]);
}

EXPORT CUresult cuLaunchKernel(const struct emulated_kernel *function, unsigned grid_x, unsigned grid_y,
                               unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                               void *stream, void **parameters, void **extra)
{
    (void)stream;
    if (!has_context())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (extra)
        return CUDA_ERROR_INVALID_VALUE;
    enter();
    watch_faults();
    const char *order = getenv("EMULATED_ORDER");
    reversed = order && strcmp(order, "reversed") == 0;
    kernel = function;
    running_kernel = kernel->name;
    arguments = parameters;
    gridDim = (struct emulated_index){ grid_x, grid_y, grid_z };
    blockDim = (struct emulated_index){ block_x, block_y, block_z };
    check_shape(shared);
    check_arguments("before the launch");

    thread_count = size_of(blockDim);
    for (size_t turn = 0; turn < thread_count; turn++)
        threads[turn] = position(at_turn(turn, thread_count), blockDim);
    size_t blocks = size_of(gridDim);
    for (size_t turn = 0; turn < blocks; turn++) {
        blockIdx = position(at_turn(turn, blocks), gridDim);
        if (kernel->has_barriers)
            run_block_with_barriers();
        else
            run_block();
    }

    check_arguments("after the launch");
    counts[LAUNCHES] += 1;
    running_kernel = NULL;
    leave();
    return CUDA_SUCCESS;
}
