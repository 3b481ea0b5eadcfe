"""Mixtures of logistics followed by a logit and an affine map (Ho et al., Flow++, 2019, eq. 6 to 9), by NumPy alone.

Written from the formulas, as directly as they can be: no sum is taken in logarithms, derivatives are complex steps, and
the inverse is a bisection. So it is for moderate numbers only, and shares nothing with the program that it tests.
"""

import numpy as np

from fixture import write

STEP = 1e-30


def logistic(z):
    return 1.0 / (1.0 + np.exp(-z))


def forward(x, h, components):
    """y and ln slope of one element by its 3K + 2 numbers."""
    k = components
    weights = np.exp(h[:k]) / np.exp(h[:k]).sum()
    means = h[k : 2 * k] + 2.0 * (2.0 * np.arange(k) + 1.0 - k) / k
    rates = np.exp(-h[2 * k : 3 * k])
    scale, shift = h[3 * k], h[3 * k + 1]
    z = (x - means) * rates
    below = (weights * logistic(z)).sum()
    above = (weights * logistic(-z)).sum()
    density = (weights * rates * logistic(z) * logistic(-z)).sum()
    y = (np.log(below) - np.log(above)) * np.exp(scale) + shift
    return y, np.log(density) - np.log(below) - np.log(above) + scale


def inverse(y, h, components):
    """The x whose y it is, to the last digit that halving finds."""
    low, high = -100.0, 100.0
    while True:
        middle = low + 0.5 * (high - low)
        if middle in (low, high):
            return middle
        if forward(middle, h, components)[0] > y:
            high = middle
        else:
            low = middle


def derivative(x, h, components, g, g_log_slope):
    """Of g·y + g_log_slope·ln slope, by x and by the numbers."""

    def loss(x, h):
        y, log_slope = forward(x, h, components)
        return g * y + g_log_slope * log_slope

    by_x = loss(x + 1j * STEP, h.astype(complex)).imag / STEP
    steps = 1j * STEP * np.eye(len(h))
    return by_x, np.array([loss(x, h + step).imag / STEP for step in steps])


def main():
    rng = np.random.default_rng(20)
    arrays = {}
    for components in (1, 2, 4, 8):
        n = 16
        h = rng.normal(0.0, 0.7, (n, 3 * components + 2))
        x = rng.normal(0.0, 2.0, n)
        g, g_log_slope = rng.normal(size=n), rng.normal(size=n)
        both = np.array([forward(x[i], h[i], components) for i in range(n)])
        targets = rng.normal(0.0, 3.0, n)
        gradients = [derivative(x[i], h[i], components, g[i], g_log_slope[i]) for i in range(n)]
        arrays |= {
            f"{components}.numbers": h,
            f"{components}.x": x,
            f"{components}.y": both[:, 0],
            f"{components}.log_slope": both[:, 1],
            f"{components}.g": g,
            f"{components}.g_log_slope": g_log_slope,
            f"{components}.d_x": [by_x for by_x, _ in gradients],
            f"{components}.d_numbers": [by_h for _, by_h in gradients],
            f"{components}.inverse_of": targets,
            f"{components}.inverse": [inverse(targets[i], h[i], components) for i in range(n)],
        }
    write("mixtures", arrays)


main()
