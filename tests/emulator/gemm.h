/* C = alpha op(A) op(B) + beta C in one element type: included once for each. */

/* Each element sums over `k` in order, in the element type. A column of C is summed at a time, out of whole columns
   of op(A). */
static void MULTIPLY(const REAL *a_columns, int transposed_b, int m, int n, int k, REAL alpha, const REAL *b, int ldb,
                     REAL beta, REAL *c, int ldc, REAL *sums)
{
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++)
            sums[i] = 0;
        for (int l = 0; l < k; l++) {
            REAL factor = transposed_b ? b[j + (size_t)l * ldb] : b[l + (size_t)j * ldb];
            for (int i = 0; i < m; i++)
                sums[i] += a_columns[i + (size_t)l * m] * factor;
        }
        REAL *column = c + (size_t)j * ldc;
        /* A beta of 0 does not read C: it may hold anything. */
        for (int i = 0; i < m; i++)
            column[i] = beta == 0 ? alpha * sums[i] : alpha * sums[i] + beta * column[i];
    }
}

static int PRODUCTS(int ta, int tb, int m, int n, int k, REAL alpha, const REAL *a, int lda, long long stride_a,
                    const REAL *b, int ldb, long long stride_b, REAL beta, REAL *c, int ldc, long long stride_c,
                    int batch)
{
    struct matrix of_a = stored(a, ta, m, k, lda, stride_a), of_b = stored(b, tb, k, n, ldb, stride_b),
                  of_c = stored(c, 0, m, n, ldc, stride_c);
    if (!well_formed(of_a) || !well_formed(of_b) || !well_formed(of_c) || batch < 0)
        return CUBLAS_INVALID_VALUE;
    check_matrix("gemm, A", of_a, batch, sizeof(REAL));
    check_matrix("gemm, B", of_b, batch, sizeof(REAL));
    check_matrix("gemm, C", of_c, batch, sizeof(REAL));
    REAL *a_columns = malloc(((size_t)m * k + m + 1) * sizeof(REAL)), *sums = a_columns + (size_t)m * k;
    if (!a_columns)
        mistake("gemm: no memory on the host for %d x %d elements", m, k);
    for (int one = 0; one < batch; one++) {
        for (int l = 0; l < k; l++)
            for (int i = 0; i < m; i++)
                a_columns[i + (size_t)l * m] = ta ? a[l + (size_t)i * lda] : a[i + (size_t)l * lda];
        MULTIPLY(a_columns, tb, m, n, k, alpha, b, ldb, beta, c, ldc, sums);
        a += stride_a;
        b += stride_b;
        c += stride_c;
    }
    free(a_columns);
    return CUBLAS_SUCCESS;
}

EXPORT int BATCHED(void *of, int ta, int tb, int m, int n, int k, const REAL *alpha, const REAL *a, int lda,
                   long long stride_a, const REAL *b, int ldb, long long stride_b, const REAL *beta, REAL *c, int ldc,
                   long long stride_c, int batch)
{
    (void)of;
    enter();
    int status = PRODUCTS(ta, tb, m, n, k, *alpha, a, lda, stride_a, b, ldb, stride_b, *beta, c, ldc, stride_c, batch);
    leave();
    return status;
}

EXPORT int GEMM(void *of, int ta, int tb, int m, int n, int k, const REAL *alpha, const REAL *a, int lda,
                const REAL *b, int ldb, const REAL *beta, REAL *c, int ldc)
{
    (void)of;
    enter();
    int status = PRODUCTS(ta, tb, m, n, k, *alpha, a, lda, 0, b, ldb, 0, *beta, c, ldc, 0, 1);
    leave();
    return status;
}
