// The distribution function of a mixture of logistics, its logit, and an affine map: mixture_logistic.rs has the
// mathematics. h: logits of weights, means, log-scales, a, b.

#define MOST_STEPS 2200

// ln sigmoid(z), which neither overflows nor cancels.
DEVICE double log_sigmoid(double z) {
    return (z < 0 ? z : 0) - log1p(exp(-fabs(z)));
}

// A running ln sum exp.
typedef struct {
    double most, sum;
} LogSum;

DEVICE LogSum log_sum_with(LogSum s, double v) {
    if (v > s.most) {
        s.sum = s.sum * exp(s.most - v) + 1;
        s.most = v;
    } else if (v != -HUGE_VAL) {
        s.sum += exp(v - s.most);
    }
    return s;
}

DEVICE double ln_of(LogSum s) {
    return s.most + log(s.sum);
}

DEVICE double log_sum_of_weights(Transform t, const REAL *h) {
    LogSum s = {-HUGE_VAL, 0};
    for (Index i = 0; i < t.count; i++) {
        s = log_sum_with(s, h[i]);
    }
    return ln_of(s);
}

typedef struct {
    double weight, mean, log_scale;
} Component;

DEVICE Component component_of(Transform t, Index i, double log_sum, const REAL *h) {
    double spread = 2 * (2.0 * i + 1 - t.count) / t.count;
    Component c = {h[i] - log_sum, h[t.count + i] + spread, h[2 * t.count + i]};
    return c;
}

// ln F, ln(1 - F) and ln f.
typedef struct {
    double below, above, density;
} At;

DEVICE At mixture_at(Transform t, double x, double log_sum, const REAL *h) {
    LogSum below = {-HUGE_VAL, 0}, above = {-HUGE_VAL, 0}, density = {-HUGE_VAL, 0};
    for (Index i = 0; i < t.count; i++) {
        Component c = component_of(t, i, log_sum, h);
        double z = (x - c.mean) * exp(-c.log_scale);
        double up = log_sigmoid(z), down = log_sigmoid(-z);
        below = log_sum_with(below, c.weight + up);
        above = log_sum_with(above, c.weight + down);
        density = log_sum_with(density, c.weight + up + down - c.log_scale);
    }
    At at = {ln_of(below), ln_of(above), ln_of(density)};
    return at;
}

DEVICE Mapped mixture_forward(Transform t, double x, const REAL *h) {
    double a = h[3 * t.count], b = h[3 * t.count + 1];
    At at = mixture_at(t, x, log_sum_of_weights(t, h), h);
    Mapped m = {(at.below - at.above) * exp(a) + b, at.density - at.below - at.above + a};
    return m;
}

DEVICE double mixture_inverse(Transform t, double y, const REAL *h) {
    double u = (y - h[3 * t.count + 1]) * exp(-(double)h[3 * t.count]), log_sum = log_sum_of_weights(t, h);
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (Index i = 0; i < t.count; i++) {
        Component c = component_of(t, i, log_sum, h);
        double place = c.mean + u * exp(c.log_scale);
        low = place < low ? place : low;
        high = place > high ? place : high;
    }
    double x = low + 0.5 * (high - low);
    for (int step = 0; step < MOST_STEPS; step++) {
        At at = mixture_at(t, x, log_sum, h);
        double off = at.below - at.above - u;
        if (off > 0) {
            high = x;
        } else {
            low = x;
        }
        double newton = x - off * exp(-(at.density - at.below - at.above));
        double next = newton > low && newton < high ? newton : low + 0.5 * (high - low);
        if (next == x || off == 0 || off != off) {
            return x;
        }
        x = next;
    }
    return x;
}

DEVICE double mixture_pull_back(Transform t, double x, const REAL *h, double g, double g_ladj, REAL *d_h) {
    Index k = t.count;
    double log_sum = log_sum_of_weights(t, h), scale = exp((double)h[3 * k]);
    At at = mixture_at(t, x, log_sum, h);
    double g_u = g * scale, g_x = 0, g_weights = 0;
    for (Index i = 0; i < k; i++) {
        Component c = component_of(t, i, log_sum, h);
        double rate = exp(-c.log_scale), z = (x - c.mean) * rate;
        double up = log_sigmoid(z), down = log_sigmoid(-z);
        // Which share of F, of 1 - F and of f is this component's.
        double of_below = exp(c.weight + up - at.below), of_above = exp(c.weight + down - at.above);
        double of_density = exp(c.weight + up + down - c.log_scale - at.density);
        double by_below = of_below * exp(down), by_above = of_above * exp(up);
        double g_z = g_u * (by_below + by_above) + g_ladj * (of_density * (exp(down) - exp(up)) - by_below + by_above);
        double g_weight = g_u * (of_below - of_above) + g_ladj * (of_density - of_below - of_above);
        g_weights += g_weight;
        d_h[i] += (REAL)g_weight;
        d_h[k + i] -= (REAL)(g_z * rate);
        d_h[2 * k + i] -= (REAL)(g_z * z + g_ladj * of_density);
        g_x += g_z * rate;
    }
    for (Index i = 0; i < k; i++) {
        d_h[i] -= (REAL)(exp(h[i] - log_sum) * g_weights);
    }
    d_h[3 * k] += (REAL)(g_u * (at.below - at.above) + g_ladj);
    d_h[3 * k + 1] += (REAL)g;
    return g_x;
}
