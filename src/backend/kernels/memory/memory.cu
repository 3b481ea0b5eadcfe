// Buffers: filling them, adding them.

KERNEL fill(REAL *y, REAL value, Index n) {
    EACH(i, n) {
        y[i] = value;
    }
}

KERNEL add_assign(REAL *y, const REAL *x, Index n) {
    EACH(i, n) {
        y[i] += x[i];
    }
}

KERNEL add_scalar(REAL *y, REAL value, Index n) {
    EACH(i, n) {
        y[i] += value;
    }
}

KERNEL scale(REAL *y, REAL factor, Index n) {
    EACH(i, n) {
        y[i] *= factor;
    }
}

// Many buffers at once: blockIdx.y tells which. `table` holds count addresses of y, count of x, and count lengths.
KERNEL accumulate(const unsigned long long *table, Index count) {
    REAL *y = (REAL *)table[blockIdx.y];
    const REAL *x = (const REAL *)table[count + blockIdx.y];
    EACH(i, (Index)table[2 * count + blockIdx.y]) {
        y[i] += x[i];
    }
}

// One buffer after another in `y`: `table` holds count addresses, count lengths and count places in `y`.
KERNEL gather(const unsigned long long *table, Index count, REAL *y) {
    const REAL *x = (const REAL *)table[blockIdx.y];
    REAL *to = y + table[2 * count + blockIdx.y];
    EACH(i, (Index)table[count + blockIdx.y]) {
        to[i] = x[i];
    }
}

// sums[blockIdx.y * gridDim.x + blockIdx.x] = a part of the sum of squares of the buffer blockIdx.y; `table` holds count
// addresses and count lengths.
BARRIER_KERNEL sum_of_squares(const unsigned long long *table, Index count, double *sums) {
    __shared__ double shared[BLOCK];
    const REAL *x = (const REAL *)table[blockIdx.y];
    double sum = 0;
    EACH(i, (Index)table[count + blockIdx.y]) {
        sum += (double)x[i] * (double)x[i];
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

// *total = the sum of `sums`, by one block.
BARRIER_KERNEL sum(const double *sums, Index n, double *total) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH_IN_BLOCK(i, n) {
        sum += sums[i];
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        *total = shared[0];
    }
}

// The larger; not a number if either is none.
DEVICE double larger(double a, double b) {
    return a != a || a > b ? a : b;
}

DEVICE void largest_over_block(double *shared) {
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) {
            shared[threadIdx.x] = larger(shared[threadIdx.x], shared[threadIdx.x + half]);
        }
    }
    __syncthreads();
}

// For each block: parts[2k] = max |a - b|, parts[2k + 1] = max |b|.
BARRIER_KERNEL differences(const REAL *a, const REAL *b, Index n, double *parts) {
    __shared__ double shared[BLOCK];
    double difference = 0, size = 0;
    EACH(i, n) {
        difference = larger(fabs((double)a[i] - (double)b[i]), difference);
        size = larger(fabs((double)b[i]), size);
    }
    shared[threadIdx.x] = difference;
    largest_over_block(shared);
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x] = shared[0];
    }
    __syncthreads();
    shared[threadIdx.x] = size;
    largest_over_block(shared);
    if (threadIdx.x == 0) {
        parts[2 * blockIdx.x + 1] = shared[0];
    }
}

// largest[0], largest[1] = the largest of `parts`' even and odd places, by one block.
BARRIER_KERNEL largest(const double *parts, Index blocks, double *largest) {
    __shared__ double shared[BLOCK];
    for (int which = 0; which < 2; which++) {
        double value = 0;
        EACH_IN_BLOCK(k, blocks) {
            value = larger(parts[2 * k + which], value);
        }
        shared[threadIdx.x] = value;
        largest_over_block(shared);
        if (threadIdx.x == 0) {
            largest[which] = shared[0];
        }
        __syncthreads();
    }
}
