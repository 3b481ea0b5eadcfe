// Activations: 0 is ReLU, which NaN passes, and 1 the hyperbolic tangent.

KERNEL activate(REAL *x, int activation, Index n) {
    EACH(i, n) {
        x[i] = activation == 1 ? TANH(x[i]) : x[i] < 0 ? (REAL)0 : x[i];
    }
}

KERNEL activate_gradient(const REAL *y, REAL *g, int activation, Index n) {
    EACH(i, n) {
        g[i] = activation == 1 ? g[i] * (1 - y[i] * y[i]) : y[i] == 0 ? (REAL)0 : g[i];
    }
}
