// The element-wise half of couplings and of Gaussians: y = (x + sign * a) * scale on the channels from `start` on.

// As in Rust, field by field.
typedef struct {
    double bound;
    Index pixels, channels, start, changed;
    // Channels of the network's output; how far its a stand apart; where its first b stands.
    Index width, stride, first_b;
    // Whether one image's network output serves all.
    int shared;
    // 0 additive, 1 sigmoid, 2 exp, 3 clamped tanh, 4 standardize
    int map;
} Form;

typedef struct {
    REAL scale, log_scale, slope;
} Scale;

DEVICE Scale scale_of(Form form, REAL b) {
    Scale s = {1, 0, 0};
    if (form.map == 1) {
        b += 2;
        // With e = exp(-|b|) <= 1 nothing overflows and nothing cancels.
        REAL e = EXP(-ABS(b));
        REAL large = 1 / (1 + e), small = e / (1 + e);
        s.scale = b >= 0 ? large : small;
        s.slope = b >= 0 ? small : large;
        s.log_scale = (b >= 0 ? 0 : b) - LOG1P(e);
    } else if (form.map == 2) {
        s.scale = EXP(b);
        s.log_scale = b;
        s.slope = 1;
    } else if (form.map == 3) {
        REAL t = TANH(b / (REAL)form.bound);
        s.log_scale = (REAL)form.bound * t;
        s.scale = EXP(s.log_scale);
        s.slope = 1 - t * t;
    } else if (form.map == 4) {
        s.scale = EXP(-b);
        s.log_scale = -b;
        s.slope = -1;
    }
    // What is left of a product with a subnormal scale has too few digits to be divided back.
    if (s.scale < SMALLEST_NORMAL) {
        s.scale = 0;
    }
    return s;
}

// Where the changed element e of an image has its a in h, its b, and itself in x.
typedef struct {
    Index a, b, x;
} Place;

DEVICE Place place_of(Form form, Index image, Index e) {
    Index pixel = e / form.changed, k = e % form.changed;
    Index row = image * form.pixels + pixel;
    Index h = (form.shared ? pixel : row) * form.width + k * form.stride;
    Place place = {h, h + form.first_b, row * form.channels + form.start + k};
    return place;
}

DEVICE REAL sign_of(Form form) {
    return form.map == 4 ? -1 : 1;
}

// blockIdx.y tells the image; sums [batch, gridDim.x] of ln scale.
BARRIER_KERNEL couple(Form form, REAL *x, const REAL *h, double *sums) {
    __shared__ double shared[BLOCK];
    double sum = 0;
    EACH(e, form.pixels * form.changed) {
        Place at = place_of(form, blockIdx.y, e);
        Scale s = scale_of(form, form.map ? h[at.b] : 0);
        x[at.x] = (x[at.x] + sign_of(form) * h[at.a]) * s.scale;
        sum += s.log_scale;
    }
    shared[threadIdx.x] = sum;
    add_over_block(shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.y * gridDim.x + blockIdx.x] = shared[0];
    }
}

KERNEL uncouple(Form form, REAL *y, const REAL *h) {
    EACH(e, form.pixels * form.changed) {
        Place at = place_of(form, blockIdx.y, e);
        Scale s = scale_of(form, form.map ? h[at.b] : 0);
        y[at.x] = y[at.x] / s.scale - sign_of(form) * h[at.a];
    }
}

KERNEL couple_gradient(Form form, const REAL *y, REAL *g, const double *g_ladj, const REAL *h, REAL *d_h) {
    EACH(e, form.pixels * form.changed) {
        Place at = place_of(form, blockIdx.y, e);
        Scale s = scale_of(form, form.map ? h[at.b] : 0);
        // Where one network output serves all images, d_h still has a place for each of them, for the caller to add.
        Index own = form.shared ? blockIdx.y * form.pixels * form.width : 0;
        if (form.map) {
            d_h[own + at.b] += (g[at.x] * y[at.x] + (REAL)g_ladj[blockIdx.y]) * s.slope;
        }
        g[at.x] *= s.scale;
        d_h[own + at.a] += g[at.x] * sign_of(form);
    }
}
