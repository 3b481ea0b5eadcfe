// The kernels of every element-wise transform.

// blockIdx.y tells the image; sums [batch, gridDim.x] of ln slope.
BARRIER_KERNEL transform(Transform t, REAL *x, const REAL *h, double *sums) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH(e, t.elements) {
        Index i = blockIdx.y * t.elements + e;
        const REAL *own = h + i * t.numbers;
        Mapped m = t.kind ? mixture_forward(t, x[i], own) : spline_forward(t, x[i], own);
        x[i] = (REAL)m.y;
        sum += m.log_slope;
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

KERNEL untransform(Transform t, REAL *y, const REAL *h) {
    EACH(i, t.elements) {
        const REAL *own = h + i * t.numbers;
        y[i] = (REAL)(t.kind ? mixture_inverse(t, y[i], own) : spline_inverse(t, y[i], own));
    }
}

KERNEL transform_gradient(Transform t, const REAL *x, REAL *g, const double *g_ladj, const REAL *h, REAL *d_h) {
    EACH(e, t.elements) {
        Index i = blockIdx.y * t.elements + e;
        const REAL *own = h + i * t.numbers;
        REAL *d_own = d_h + i * t.numbers;
        double by_ladj = g_ladj[blockIdx.y];
        g[i] = (REAL)(t.kind ? mixture_pull_back(t, x[i], own, g[i], by_ladj, d_own)
                             : spline_pull_back(t, x[i], own, g[i], by_ladj, d_own));
    }
}
