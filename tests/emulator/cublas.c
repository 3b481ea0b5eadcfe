/* cuBLAS: products of matrices, for both element types. */

#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { CUBLAS_SUCCESS = 0, CUBLAS_INVALID_VALUE = 7 };

static int handle;

EXPORT int cublasCreate_v2(void **created)
{
    *created = &handle;
    return CUBLAS_SUCCESS;
}

EXPORT int cublasDestroy_v2(void *destroyed) { return (void)destroyed, CUBLAS_SUCCESS; }
EXPORT int cublasSetStream_v2(void *of, void *stream) { return (void)of, (void)stream, CUBLAS_SUCCESS; }
EXPORT int cublasSetMathMode(void *of, int mode) { return (void)of, (void)mode, CUBLAS_SUCCESS; }

/* A matrix as cuBLAS takes it: columns one after another, each `leading` elements from the last. */
struct matrix {
    CUdeviceptr at;
    int rows, columns, leading;
    long long stride; /* from one matrix of a batch to the next */
};

/* How a matrix lies whose transpose, or itself, has this shape. */
static struct matrix stored(const void *at, int transposed, int rows, int columns, int leading, long long stride)
{
    return (struct matrix){ (CUdeviceptr)at, transposed ? columns : rows, transposed ? rows : columns, leading, stride };
}

static int well_formed(struct matrix of)
{
    return of.rows >= 0 && of.columns >= 0 && of.leading >= (of.rows > 1 ? of.rows : 1);
}

static void check_matrix(const char *what, struct matrix of, int batch, size_t element)
{
    if (batch == 0 || of.rows == 0 || of.columns == 0)
        return;
    size_t last = (size_t)of.stride * (size_t)(batch - 1) + (size_t)of.leading * (size_t)(of.columns - 1);
    check_range(what, of.at, (last + (size_t)of.rows) * element);
}

#define REAL float
#define GEMM cublasSgemm_v2
#define BATCHED cublasSgemmStridedBatched
#define MULTIPLY multiply_f32
#define PRODUCTS products_f32
#include "gemm.h"

#undef REAL
#undef GEMM
#undef BATCHED
#undef MULTIPLY
#undef PRODUCTS
#define REAL double
#define GEMM cublasDgemm_v2
#define BATCHED cublasDgemmStridedBatched
#define MULTIPLY multiply_f64
#define PRODUCTS products_f64
#include "gemm.h"
