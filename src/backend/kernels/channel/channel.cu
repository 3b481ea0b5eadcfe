// One affine map per channel, and channels in another order. Matrices are [rows, channels], n elements in all.

KERNEL affine(REAL *x, const REAL *bias, const REAL *scale, Index n, Index channels) {
    EACH(i, n) {
        Index c = i % channels;
        x[i] = (x[i] + bias[c]) * scale[c];
    }
}

KERNEL affine_inverse(REAL *y, const REAL *bias, const REAL *scale, Index n, Index channels) {
    EACH(i, n) {
        Index c = i % channels;
        y[i] = y[i] / scale[c] - bias[c];
    }
}

KERNEL affine_relu(REAL *x, const REAL *bias, const REAL *scale, Index n, Index channels) {
    EACH(i, n) {
        Index c = i % channels;
        REAL y = (x[i] + bias[c]) * scale[c];
        // A comparison, so that what is not a number is passed on and seen.
        x[i] = y < 0 ? 0 : y;
    }
}

// g becomes g * scale, through max(.., 0) if `relu`. There are strips * channels threads, each of one channel: they leave
// their sums in by_bias and by_logs, [strips, channels] each.
KERNEL affine_gradient(const REAL *y, REAL *g, const REAL *scale, Index n, Index channels, Index strips, int relu,
                       REAL *by_bias, REAL *by_logs) {
    EACH(t, strips * channels) {
        REAL s = scale[t % channels], bias_sum = 0, logs_sum = 0;
        for (Index i = t; i < n; i += strips * channels) {
            REAL g_y = relu && y[i] == 0 ? 0 : g[i];
            logs_sum += g_y * y[i];
            g[i] = g_y * s;
            bias_sum += g[i];
        }
        by_bias[t] = bias_sum;
        by_logs[t] = logs_sum;
    }
}

// to[offset + c] += factor * the sum of the column c of parts [strips, columns]; one block a column.
BARRIER_KERNEL add_column_sums(const REAL *parts, Index strips, Index columns, double factor, REAL *to, Index offset) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH_IN_BLOCK(k, strips) {
        sum += parts[k * columns + blockIdx.x];
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        to[offset + blockIdx.x] += (REAL)(factor * shared[0]);
    }
}

KERNEL exp_scaled(const REAL *logs, REAL factor, REAL *scale, Index n) {
    EACH(i, n) {
        scale[i] = EXP(factor * logs[i]);
    }
}

// The sums of x - shift, or of its squares, in f64: parts [strips, channels].
KERNEL moments(const REAL *x, const double *shift, int squared, Index n, Index channels, Index strips, double *parts) {
    EACH(t, strips * channels) {
        double sum = 0;
        for (Index i = t; i < n; i += strips * channels) {
            double d = (double)x[i] - shift[t % channels];
            sum += squared ? d * d : d;
        }
        parts[t] = sum;
    }
}

KERNEL permute_channels(const REAL *x, const REAL *order, int back, REAL *y, Index n, Index channels) {
    EACH(i, n) {
        Index c = i % channels;
        Index there = i - c + (Index)order[c];
        if (back) {
            y[there] = x[i];
        } else {
            y[i] = x[there];
        }
    }
}

// part [rows, count] = channels from `start` of x [rows, channels]; n elements of part.
KERNEL slice_channels(const REAL *x, Index channels, Index start, REAL *part, Index count, Index n) {
    EACH(i, n) {
        part[i] = x[i / count * channels + start + i % count];
    }
}

KERNEL place_channels(REAL *x, Index channels, Index start, const REAL *part, Index count, Index n) {
    EACH(i, n) {
        x[i / count * channels + start + i % count] = part[i];
    }
}

KERNEL add_channels(REAL *x, Index channels, Index start, const REAL *part, Index count, Index n) {
    EACH(i, n) {
        x[i / count * channels + start + i % count] += part[i];
    }
}

// sum [batch, dims] = base [dims], of one image, + per_image [batch, channels], the same at all its pixels.
KERNEL add_per_image(const REAL *base, const REAL *per_image, REAL *sum, Index dims, Index channels, Index n) {
    EACH(i, n) {
        sum[i] = base[i % dims] + per_image[i / dims * channels + i % channels];
    }
}

// sum [batch, channels] = x [batch, pixels, channels] over pixels; n elements of sum.
KERNEL sum_over_pixels(const REAL *x, REAL *sum, Index pixels, Index channels, Index n) {
    EACH(i, n) {
        const REAL *from = x + i / channels * pixels * channels + i % channels;
        REAL total = 0;
        for (Index pixel = 0; pixel < pixels; pixel++) {
            total += from[pixel * channels];
        }
        sum[i] = total;
    }
}

// sum [len] = x [batch, len] over images.
KERNEL sum_over_batch(const REAL *x, REAL *sum, Index batch, Index len) {
    EACH(i, len) {
        REAL total = 0;
        for (Index image = 0; image < batch; image++) {
            total += x[image * len + i];
        }
        sum[i] = total;
    }
}
