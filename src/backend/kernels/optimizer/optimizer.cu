// Updates of all parameters at once: blockIdx.y tells which. A table holds, count by count, addresses and then lengths.

KERNEL adam(const unsigned long long *table, Index count, REAL beta1, REAL rest1, REAL beta2, REAL rest2, REAL epsilon,
            REAL step_size, REAL correction) {
    REAL *w = (REAL *)table[blockIdx.y];
    const REAL *g = (const REAL *)table[count + blockIdx.y];
    REAL *m = (REAL *)table[2 * count + blockIdx.y];
    REAL *v = (REAL *)table[3 * count + blockIdx.y];
    EACH(i, (Index)table[4 * count + blockIdx.y]) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
        w[i] -= step_size * m[i] / (SQRT(v[i] * correction) + epsilon);
    }
}

KERNEL adamax(const unsigned long long *table, Index count, REAL beta1, REAL rest1, REAL beta2, REAL epsilon,
              REAL step_size) {
    REAL *w = (REAL *)table[blockIdx.y];
    const REAL *g = (const REAL *)table[count + blockIdx.y];
    REAL *m = (REAL *)table[2 * count + blockIdx.y];
    REAL *u = (REAL *)table[3 * count + blockIdx.y];
    EACH(i, (Index)table[4 * count + blockIdx.y]) {
        REAL decayed = beta2 * u[i], size = ABS(g[i]);
        m[i] = beta1 * m[i] + rest1 * g[i];
        u[i] = decayed < size ? size : decayed;
        w[i] -= step_size * m[i] / (u[i] + epsilon);
    }
}

// What rounding takes from an update is kept for the next one.
KERNEL average(const unsigned long long *table, Index count, REAL rate) {
    REAL *average = (REAL *)table[blockIdx.y];
    REAL *rest = (REAL *)table[count + blockIdx.y];
    const REAL *w = (const REAL *)table[2 * count + blockIdx.y];
    EACH(i, (Index)table[3 * count + blockIdx.y]) {
        REAL update = rate * (w[i] - average[i]) + rest[i];
        REAL sum = average[i] + update;
        rest[i] = update - (sum - average[i]);
        average[i] = sum;
    }
}
