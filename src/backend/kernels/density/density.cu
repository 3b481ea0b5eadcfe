// The standard normal's log-density, per image.

// blockIdx.y tells the image; sums [batch, gridDim.x] of squares.
BARRIER_KERNEL squares_of_images(const REAL *z, Index dims, double *sums) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH(i, dims) {
        double value = z[blockIdx.y * dims + i];
        sum += value * value;
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

// y [batch] += factor * the sum of each row of sums [batch, parts] + constant.
KERNEL add_row_sums(const double *sums, Index parts, double factor, double constant, double *y, Index batch) {
    EACH(image, batch) {
        double sum = 0;
        for (Index part = 0; part < parts; part++) {
            sum += sums[image * parts + part];
        }
        y[image] += factor * sum + constant;
    }
}

// gradient = -z * g[image]
KERNEL normal_log_density_gradient(const REAL *z, const double *g, REAL *gradient, Index dims, Index n) {
    EACH(i, n) {
        gradient[i] = z[i] * (REAL)-g[i / dims];
    }
}
