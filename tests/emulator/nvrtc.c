/* nvrtc: the text of the kernels was compiled with the emulator, so a program only has to say in which element type. */

#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { NVRTC_SUCCESS = 0, NVRTC_OUT_OF_MEMORY = 1, NVRTC_INVALID_PROGRAM = 4, NVRTC_COMPILATION = 6 };

/* What is made of a program, and what its compilation says. */
struct program {
    const char *element; /* by the first line of its text */
    const char *ptx;
    const char *log;
};

EXPORT int nvrtcVersion(int *major, int *minor)
{
    *major = 12;
    *minor = 0;
    return NVRTC_SUCCESS;
}

static int begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

EXPORT int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                              const char *const *header_texts, const char *const *header_names)
{
    (void)name, (void)headers, (void)header_texts, (void)header_names;
    *program = calloc(1, sizeof **program);
    if (!*program)
        return NVRTC_OUT_OF_MEMORY;
    (*program)->log = "";
    if (begins(source, "#define REAL float\n"))
        (*program)->element = "f32";
    if (begins(source, "#define REAL double\n"))
        (*program)->element = "f64";
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcDestroyProgram(struct program **program)
{
    free(*program);
    *program = NULL;
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcCompileProgram(struct program *program, int count, const char *const *options)
{
    (void)count, (void)options;
    program->ptx = program->element;
    if (program->ptx)
        return NVRTC_SUCCESS;
    program->log = "the text must begin by defining REAL as float or double";
    return NVRTC_COMPILATION;
}

/* Sizes count the ending zero. */

EXPORT int nvrtcGetPTXSize(struct program *program, size_t *size)
{
    if (!program->ptx)
        return NVRTC_INVALID_PROGRAM;
    *size = strlen(program->ptx) + 1;
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcGetPTX(struct program *program, char *ptx)
{
    if (!program->ptx)
        return NVRTC_INVALID_PROGRAM;
    strcpy(ptx, program->ptx);
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcGetProgramLogSize(struct program *program, size_t *size)
{
    *size = strlen(program->log) + 1;
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcGetProgramLog(struct program *program, char *log)
{
    strcpy(log, program->log);
    return NVRTC_SUCCESS;
}
