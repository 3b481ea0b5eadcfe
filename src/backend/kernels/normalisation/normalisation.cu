// Normalisation over channels; a thread has a row.

DEVICE REAL mean_of(const REAL *x, Index channels) {
    REAL sum = 0;
    for (Index c = 0; c < channels; c++) {
        sum += x[c];
    }
    return sum / channels;
}

DEVICE REAL rate_of(const REAL *x, REAL mean, Index channels, double epsilon) {
    REAL sum = 0;
    for (Index c = 0; c < channels; c++) {
        sum += (x[c] - mean) * (x[c] - mean);
    }
    return 1 / SQRT(sum / channels + (REAL)epsilon);
}

KERNEL normalise(REAL *x, Index channels, double epsilon, Index rows) {
    EACH(row, rows) {
        REAL *own = x + row * channels;
        REAL mean = mean_of(own, channels), rate = rate_of(own, mean, channels, epsilon);
        for (Index c = 0; c < channels; c++) {
            own[c] = (own[c] - mean) * rate;
        }
    }
}

KERNEL normalise_gradient(const REAL *x, REAL *g, Index channels, double epsilon, Index rows) {
    EACH(row, rows) {
        const REAL *own = x + row * channels;
        REAL *of_row = g + row * channels;
        REAL mean = mean_of(own, channels), rate = rate_of(own, mean, channels, epsilon);
        REAL by_mean = mean_of(of_row, channels), by_rate = 0;
        for (Index c = 0; c < channels; c++) {
            by_rate += of_row[c] * (own[c] - mean) * rate;
        }
        by_rate /= channels;
        for (Index c = 0; c < channels; c++) {
            of_row[c] = (of_row[c] - by_mean - (own[c] - mean) * rate * by_rate) * rate;
        }
    }
}
