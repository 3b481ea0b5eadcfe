// Sums of [n, n] matrices; count elements.

KERNEL add_transposed(REAL *y, const REAL *a, index n, REAL factor, index count) {
    EACH(i, count) {
        y[i] += factor * a[i % n * n + i / n];
    }
}

KERNEL add_lu_gradient(REAL *y, const REAL *d_lower, const REAL *d_upper, const REAL *upper, index n, REAL volume,
                       index count) {
    EACH(i, count) {
        index row = i / n, column = i % n;
        y[i] += row > column ? d_lower[i] : row < column ? d_upper[i] : d_upper[i] * upper[i] + volume;
    }
}
