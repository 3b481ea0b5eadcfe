// Products and quotients element by element.

KERNEL multiply_elements(REAL *y, const REAL *x, Index n) {
    EACH(i, n) {
        y[i] *= x[i];
    }
}

KERNEL divide_elements(REAL *y, const REAL *x, Index n) {
    EACH(i, n) {
        y[i] /= x[i];
    }
}
