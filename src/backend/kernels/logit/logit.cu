// The logit of pixels: see logit/mod.rs for the formulas.

DEVICE double logistic(double v) {
    double e = exp(-fabs(v));
    return v >= 0 ? 1 / (1 + e) : e / (1 + e);
}

// blockIdx.y tells the image; sums [batch, gridDim.x] of ln slope.
BARRIER_KERNEL logit(double alpha, REAL *x, double *sums, Index dims) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH(i, dims) {
        Index place = blockIdx.y * dims + i;
        double p = 0.5 * alpha + (1 - alpha) * ((double)x[place] + 0.5);
        double of_p = log(p), of_rest = log(1 - p);
        x[place] = (REAL)(of_p - of_rest);
        sum += log(1 - alpha) - of_p - of_rest;
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

KERNEL logit_inverse(double alpha, REAL *y, Index n) {
    EACH(i, n) {
        y[i] = (REAL)((logistic((double)y[i]) - 0.5 * alpha) / (1 - alpha) - 0.5);
    }
}

KERNEL logit_gradient(double alpha, const REAL *y, REAL *g, const double *g_ladj, Index dims, Index n) {
    EACH(i, n) {
        double p = logistic((double)y[i]), rest = logistic(-(double)y[i]);
        g[i] = (REAL)((1 - alpha) / (p * rest) * ((double)g[i] + g_ladj[i / dims] * (p - rest)));
    }
}
