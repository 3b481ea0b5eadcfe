// Self-attention over pixels: qkv [rows, 3 channels]. Thread i has row i / heads and head i % heads.

typedef struct {
    double scale;
    Index pixels, channels, heads, n;
} AttentionForm;

DEVICE REAL dot(const REAL *a, const REAL *b, Index d) {
    REAL sum = 0;
    for (Index c = 0; c < d; c++) {
        sum += a[c] * b[c];
    }
    return sum;
}

KERNEL attend(AttentionForm form, const REAL *qkv, REAL *out, REAL *normalisers) {
    EACH(i, form.n) {
        Index row = i / form.heads, d = form.channels / form.heads, head = i % form.heads * d;
        Index first = row / form.pixels * form.pixels, step = 3 * form.channels;
        const REAL *q = qkv + row * step + head, *k = qkv + first * step + form.channels + head;
        const REAL *v = k + form.channels;
        REAL *own = out + row * form.channels + head, scale = (REAL)form.scale, largest = 0, sum = 0;
        for (Index key = 0; key < form.pixels; key++) {
            REAL score = dot(q, k + key * step, d) * scale;
            if (key == 0 || score > largest) {
                sum = key == 0 ? 0 : sum * EXP(largest - score);
                largest = score;
            }
            sum += EXP(score - largest);
        }
        for (Index key = 0; key < form.pixels; key++) {
            REAL weight = EXP(dot(q, k + key * step, d) * scale - largest) / sum;
            for (Index c = 0; c < d; c++) {
                own[c] += weight * v[key * step + c];
            }
        }
        normalisers[i] = largest + LOG(sum);
    }
}

// The gradient of Q; shared[i] is the sum of g * out over the head's channels.
KERNEL attend_gradient_q(AttentionForm form, const REAL *qkv, const REAL *out, const REAL *normalisers, const REAL *g,
                         REAL *shared, REAL *d_qkv) {
    EACH(i, form.n) {
        Index row = i / form.heads, d = form.channels / form.heads, head = i % form.heads * d;
        Index first = row / form.pixels * form.pixels, step = 3 * form.channels;
        const REAL *q = qkv + row * step + head, *k = qkv + first * step + form.channels + head;
        const REAL *v = k + form.channels, *own = g + row * form.channels + head;
        REAL *d_q = d_qkv + row * step + head, scale = (REAL)form.scale;
        shared[i] = dot(own, out + row * form.channels + head, d);
        for (Index key = 0; key < form.pixels; key++) {
            REAL weight = EXP(dot(q, k + key * step, d) * scale - normalisers[i]);
            REAL d_score = weight * (dot(own, v + key * step, d) - shared[i]) * scale;
            for (Index c = 0; c < d; c++) {
                d_q[c] += d_score * k[key * step + c];
            }
        }
    }
}

// The gradients of K and V at row i / heads, from every query of its image.
KERNEL attend_gradient_kv(AttentionForm form, const REAL *qkv, const REAL *normalisers, const REAL *g,
                          const REAL *shared, REAL *d_qkv) {
    EACH(i, form.n) {
        Index row = i / form.heads, d = form.channels / form.heads, head = i % form.heads * d;
        Index first = row / form.pixels * form.pixels, step = 3 * form.channels;
        const REAL *k = qkv + row * step + form.channels + head, *v = k + form.channels;
        REAL *d_k = d_qkv + row * step + form.channels + head, *d_v = d_k + form.channels, scale = (REAL)form.scale;
        for (Index query = first; query < first + form.pixels; query++) {
            const REAL *q = qkv + query * step + head, *of_query = g + query * form.channels + head;
            Index at = query * form.heads + i % form.heads;
            REAL weight = EXP(dot(q, k, d) * scale - normalisers[at]);
            REAL d_score = weight * (dot(of_query, v, d) - shared[at]) * scale;
            for (Index c = 0; c < d; c++) {
                d_k[c] += d_score * q[c];
                d_v[c] += weight * of_query[c];
            }
        }
    }
}

// Sines and cosines of lines in the first half of the channels, of columns in the second.
KERNEL add_places(REAL *x, Index height, Index width, Index channels, Index n) {
    EACH(i, n) {
        Index pixel = i / channels % (height * width), channel = i % channels, half = (channels + 1) / 2;
        Index at = channel < half ? pixel / width : pixel % width, k = channel < half ? channel : channel - half;
        double angle = at * exp(-log(10000.0) * (2 * (k / 2)) / half);
        x[i] += (REAL)(k % 2 == 0 ? sin(angle) : cos(angle));
    }
}
