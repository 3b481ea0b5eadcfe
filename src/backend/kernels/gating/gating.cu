// Concat-ELU, [rows, channels] to [rows, 2 channels], and gates, back. n elements of the narrower.

KERNEL concat_elu(const REAL *x, REAL *y, Index channels, Index n) {
    EACH(i, n) {
        Index up = i / channels * 2 * channels + i % channels;
        REAL size = ABS(x[i]), small = EXP(-ABS(x[i])) - 1;
        y[up] = x[i] > 0 ? size : small;
        y[up + channels] = x[i] > 0 ? small : size;
    }
}

KERNEL concat_elu_gradient(const REAL *x, const REAL *g, REAL *d_x, Index channels, Index n) {
    EACH(i, n) {
        Index up = i / channels * 2 * channels + i % channels, down = up + channels;
        REAL slope = EXP(-ABS(x[i]));
        d_x[i] = x[i] > 0 ? g[up] - g[down] * slope : g[up] * slope - g[down];
    }
}

KERNEL gate(const REAL *x, REAL *y, Index channels, Index n) {
    EACH(i, n) {
        Index a = i / channels * 2 * channels + i % channels;
        REAL b = x[a + channels], e = EXP(-ABS(b));
        y[i] = x[a] * (b >= 0 ? 1 / (1 + e) : e / (1 + e));
    }
}

KERNEL gate_gradient(const REAL *x, const REAL *g, REAL *d_x, Index channels, Index n) {
    EACH(i, n) {
        Index a = i / channels * 2 * channels + i % channels;
        REAL b = x[a + channels], e = EXP(-ABS(b)), large = 1 / (1 + e), small = e / (1 + e);
        d_x[a] = g[i] * (b >= 0 ? large : small);
        d_x[a + channels] = g[i] * x[a] * large * small;
    }
}
