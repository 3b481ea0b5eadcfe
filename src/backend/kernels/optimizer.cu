// Updates of all parameters at once: blockIdx.y tells which. A table holds, count by count, addresses and then lengths.

KERNEL adam(const unsigned long long *table, Index count, REAL beta1, REAL beta2, REAL epsilon, REAL step_size,
            REAL correction) {
    REAL *w = (REAL *)table[blockIdx.y];
    const REAL *g = (const REAL *)table[count + blockIdx.y];
    REAL *m = (REAL *)table[2 * count + blockIdx.y];
    REAL *v = (REAL *)table[3 * count + blockIdx.y];
    EACH(i, (Index)table[4 * count + blockIdx.y]) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        w[i] -= step_size * m[i] / (SQRT(v[i] * correction) + epsilon);
    }
}

KERNEL adamax(const unsigned long long *table, Index count, REAL beta1, REAL beta2, REAL epsilon, REAL step_size) {
    REAL *w = (REAL *)table[blockIdx.y];
    const REAL *g = (const REAL *)table[count + blockIdx.y];
    REAL *m = (REAL *)table[2 * count + blockIdx.y];
    REAL *u = (REAL *)table[3 * count + blockIdx.y];
    EACH(i, (Index)table[4 * count + blockIdx.y]) {
        REAL decayed = beta2 * u[i], size = ABS(g[i]);
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        u[i] = decayed < size ? size : decayed;
        w[i] -= step_size * m[i] / (u[i] + epsilon);
    }
}

KERNEL average(const unsigned long long *table, Index count, REAL rate) {
    REAL *average = (REAL *)table[blockIdx.y];
    const REAL *w = (const REAL *)table[count + blockIdx.y];
    EACH(i, (Index)table[2 * count + blockIdx.y]) {
        average[i] += rate * (w[i] - average[i]);
    }
}
