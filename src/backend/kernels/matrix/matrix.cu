// Sums of [n, n] matrices; count elements.

KERNEL add_transposed(REAL *y, const REAL *a, Index n, REAL factor, Index count) {
    EACH(i, count) {
        y[i] += factor * a[i % n * n + i / n];
    }
}

KERNEL add_lu_gradient(REAL *y, const REAL *d_lower, const REAL *d_upper, const REAL *upper, Index n, REAL volume,
                       Index count) {
    EACH(i, count) {
        Index row = i / n, column = i % n;
        y[i] += row > column ? d_lower[i] : row < column ? d_upper[i] : d_upper[i] * upper[i] + volume;
    }
}
