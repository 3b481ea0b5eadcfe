/* nvrtc: the text of the kernels was compiled with the emulator, so a program only has to say in which element type. */

#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { NVRTC_SUCCESS = 0, NVRTC_OUT_OF_MEMORY = 1, NVRTC_INVALID_PROGRAM = 4, NVRTC_COMPILATION = 6 };

/* What the options of a program make of it, and what its compilation says. */
struct program {
    const char *ptx;
    const char *log;
};

EXPORT int nvrtcVersion(int *major, int *minor)
{
    *major = 12;
    *minor = 0;
    return NVRTC_SUCCESS;
}

EXPORT int nvrtcCreateProgram(struct program **program, const char *source, const char *name, int headers,
                              const char *const *header_texts, const char *const *header_names)
{
    (void)source, (void)name, (void)headers, (void)header_texts, (void)header_names;
    *program = calloc(1, sizeof **program);
    if (!*program)
        return NVRTC_OUT_OF_MEMORY;
    (*program)->log = "";
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
    for (int i = 0; i < count; i++) {
        if (strcmp(options[i], "-DREAL=float") == 0)
            program->ptx = "f32";
        if (strcmp(options[i], "-DREAL=double") == 0)
            program->ptx = "f64";
    }
    if (program->ptx)
        return NVRTC_SUCCESS;
    program->log = "one of the options must be -DREAL=float or -DREAL=double";
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
