// The rectifier by itself.

KERNEL relu(REAL *x, Index n) {
    EACH(i, n) {
        if (x[i] < 0) {
            x[i] = 0;
        }
    }
}

KERNEL relu_gradient(const REAL *y, REAL *g, Index n) {
    EACH(i, n) {
        if (y[i] == 0) {
            g[i] = 0;
        }
    }
}
