// The monotone rational-quadratic spline: spline.rs has its mathematics. h: widths, heights, slopes within.

#define LEAST 1e-3

// ln(1 + e^v).
DEVICE double softplus(double v) {
    return (v > 0 ? v : 0) + log1p(exp(-fabs(v)));
}

DEVICE double sigmoid(double v) {
    double e = exp(-fabs(v));
    return v >= 0 ? 1 / (1 + e) : e / (1 + e);
}

// The greatest of n numbers, and the sum of their exponentials below it.
typedef struct {
    double most, sum;
} Shares;

DEVICE Shares shares_of(const REAL *numbers, Index n) {
    Shares s = {numbers[0], 0};
    for (Index i = 1; i < n; i++) {
        s.most = numbers[i] > s.most ? numbers[i] : s.most;
    }
    for (Index i = 0; i < n; i++) {
        s.sum += exp(numbers[i] - s.most);
    }
    return s;
}

DEVICE double share_of(Shares s, REAL number) {
    return exp(number - s.most) / s.sum;
}

// What makes a number of 0 a slope of 1.
DEVICE double slope_offset(void) {
    return log(expm1(1 - LEAST));
}

DEVICE double slope_at(Transform t, Index knot, const REAL *h) {
    return knot > 0 && knot < t.count ? LEAST + softplus(h[2 * t.count + knot - 1] + slope_offset()) : 1;
}

typedef struct {
    Index k;
    double left, below, width, height, d0, d1;
} Bin;

// The bin that holds `at`, in x or in y.
DEVICE Bin bin_of(Transform t, double at, int in_y, const REAL *h) {
    Shares widths = shares_of(h, t.count), heights = shares_of(h + t.count, t.count);
    double factor = 1 - LEAST * t.count;
    Bin bin = {0, -t.bound, -t.bound, 0, 0, 1, 1};
    for (Index k = 0; k < t.count; k++) {
        bin.k = k;
        bin.width = 2 * t.bound * (LEAST + factor * share_of(widths, h[k]));
        bin.height = 2 * t.bound * (LEAST + factor * share_of(heights, h[t.count + k]));
        double end = in_y ? bin.below + bin.height : bin.left + bin.width;
        if (at < end || k + 1 == t.count) {
            break;
        }
        bin.left += bin.width;
        bin.below += bin.height;
    }
    bin.d0 = slope_at(t, bin.k, h);
    bin.d1 = slope_at(t, bin.k + 1, h);
    return bin;
}

typedef struct {
    double ratio, between, numerator, denominator, slope;
} Parts;

DEVICE Parts parts_of(Bin bin, double xi) {
    double s = bin.height / bin.width, t = xi * (1 - xi);
    Parts parts = {
        s, t, s * xi * xi + bin.d0 * t, s + (bin.d1 + bin.d0 - 2 * s) * t,
        bin.d1 * xi * xi + 2 * s * t + bin.d0 * (1 - xi) * (1 - xi),
    };
    return parts;
}

DEVICE int is_outside(Transform t, double at) {
    return !(fabs(at) <= t.bound);
}

DEVICE Mapped spline_forward(Transform t, double x, const REAL *h) {
    Mapped m = {x, 0};
    if (is_outside(t, x)) {
        return m;
    }
    Bin bin = bin_of(t, x, 0, h);
    Parts p = parts_of(bin, (x - bin.left) / bin.width);
    m.y = bin.below + bin.height * p.numerator / p.denominator;
    m.log_slope = 2 * log(p.ratio) + log(p.slope) - 2 * log(p.denominator);
    return m;
}

DEVICE double spline_inverse(Transform t, double y, const REAL *h) {
    if (is_outside(t, y)) {
        return y;
    }
    Bin bin = bin_of(t, y, 1, h);
    double above = y - bin.below, s = bin.height / bin.width;
    double curved = above * (bin.d1 + bin.d0 - 2 * s);
    double a = bin.height * (s - bin.d0) + curved, b = bin.height * bin.d0 - curved, c = -s * above;
    double under = b * b - 4 * a * c;
    double root = sqrt(under > 0 ? under : 0);
    return bin.left + bin.width * (b >= 0 ? 2 * c / (-b - root) : (root - b) / (2 * a));
}

// From the gradients with respect to the first edge and the size of bin k, those with respect to the numbers.
DEVICE void pull_back_sizes(Transform t, const REAL *numbers, Index k, double g_edge, double g_size, REAL *d) {
    Shares shares = shares_of(numbers, t.count);
    double factor = 2 * t.bound * (1 - LEAST * t.count), mean = 0;
    for (Index i = 0; i <= k; i++) {
        mean += share_of(shares, numbers[i]) * factor * (i < k ? g_edge : g_size);
    }
    for (Index i = 0; i < t.count; i++) {
        double of_share = i < k ? factor * g_edge : i == k ? factor * g_size : 0;
        d[i] += (REAL)(share_of(shares, numbers[i]) * (of_share - mean));
    }
}

// By one of xi, s, d0, d1, from the derivatives of numerator, denominator and slope by it.
DEVICE double spline_by(Bin bin, Parts p, double g, double g_ladj, double d_n, double d_d, double d_m) {
    double d_y = bin.height * (d_n * p.denominator - p.numerator * d_d) / (p.denominator * p.denominator);
    return g * d_y + g_ladj * (d_m / p.slope - 2 * d_d / p.denominator);
}

DEVICE double spline_pull_back(Transform t, double x, const REAL *h, double g, double g_ladj, REAL *d_h) {
    if (is_outside(t, x)) {
        return g;
    }
    Bin bin = bin_of(t, x, 0, h);
    double xi = (x - bin.left) / bin.width, turn = 1 - 2 * xi;
    Parts p = parts_of(bin, xi);
    double s = p.ratio, b = p.between;
    double g_xi = spline_by(bin, p, g, g_ladj, 2 * s * xi + bin.d0 * turn, (bin.d1 + bin.d0 - 2 * s) * turn,
                            2 * (bin.d1 * xi + s * turn - bin.d0 * (1 - xi)));
    double g_s = spline_by(bin, p, g, g_ladj, xi * xi, 1 - 2 * b, 2 * b) + g_ladj * 2 / s;
    double g_d0 = spline_by(bin, p, g, g_ladj, b, b, (1 - xi) * (1 - xi));
    double g_d1 = spline_by(bin, p, g, g_ladj, 0, b, xi * xi);
    double g_width = -(g_xi * xi + g_s * s) / bin.width;
    double g_height = g * p.numerator / p.denominator + g_s / bin.width;
    pull_back_sizes(t, h, bin.k, -g_xi / bin.width, g_width, d_h);
    pull_back_sizes(t, h + t.count, bin.k, g, g_height, d_h + t.count);
    for (Index knot = bin.k; knot <= bin.k + 1; knot++) {
        if (knot > 0 && knot < t.count) {
            Index at = 2 * t.count + knot - 1;
            d_h[at] += (REAL)((knot == bin.k ? g_d0 : g_d1) * sigmoid(h[at] + slope_offset()));
        }
    }
    return g_xi / bin.width;
}
