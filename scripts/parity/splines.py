"""Rational-quadratic splines with linear tails, by nflows and by zuko, in f64.

Their numbers are mapped to Flowstone's, which are K widths, K heights and K - 1 slopes, where

    share = m + (1 - K m) softmax(a),   slope = m + softplus(r + c),   m = 0.001,   c = ln(e^(1 - m) - 1).

nflows has the same minima, without c: only slopes differ, by c. zuko has no minima and soft bounds: its shares and
slopes are taken from it and put through the inverse of the above.
"""

import math

import numpy as np
import torch
from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline
from zuko.transforms import MonotonicRQSTransform

from fixture import write

LEAST = 1e-3
OFFSET = math.log(math.expm1(1.0 - LEAST))
SIZES = ((3, 1.5), (8, 3.0), (16, 5.0))
COUNT = 20


def by_nflows(bins, bound, generator):
    numbers = torch.randn(COUNT, 3 * bins - 1, generator=generator, dtype=torch.float64, requires_grad=True)
    # Some of them beyond the bound, where the map is the identity.
    x = (1.2 * bound * (2.0 * torch.rand(COUNT, generator=generator, dtype=torch.float64) - 1.0)).requires_grad_()
    g, g_log_slope = torch.randn(2, COUNT, generator=generator, dtype=torch.float64)

    def spline(inputs, inverse):
        return unconstrained_rational_quadratic_spline(
            inputs,
            numbers[:, :bins],
            numbers[:, bins : 2 * bins],
            numbers[:, 2 * bins :] + OFFSET,
            inverse=inverse,
            tails="linear",
            tail_bound=bound,
            min_bin_width=LEAST,
            min_bin_height=LEAST,
            min_derivative=LEAST,
        )

    y, log_slope = spline(x, False)
    (g * y + g_log_slope * log_slope).sum().backward()
    targets = bound * torch.linspace(-1.1, 1.1, COUNT, dtype=torch.float64)
    with torch.no_grad():
        back, _ = spline(targets, True)
    named = {
        "numbers": numbers,
        "x": x,
        "y": y,
        "log_slope": log_slope,
        "g": g,
        "g_log_slope": g_log_slope,
        "d_x": x.grad,
        "d_numbers": numbers.grad,
        "inverse_of": targets,
        "inverse": back,
    }
    return {key: value.detach().numpy() for key, value in named.items()}


def by_zuko(bins, bound, generator):
    raw = torch.randn(COUNT, 3 * bins - 1, generator=generator, dtype=torch.float64)
    x = (1.2 * bound * (2.0 * torch.rand(COUNT, generator=generator, dtype=torch.float64) - 1.0)).requires_grad_()
    g, g_log_slope = torch.randn(2, COUNT, generator=generator, dtype=torch.float64)
    spline = MonotonicRQSTransform(raw[:, :bins], raw[:, bins : 2 * bins], raw[:, 2 * bins :], bound=bound)
    y, log_slope = spline.call_and_ladj(x)
    (g * y + g_log_slope * log_slope).sum().backward()

    # What it makes of its numbers: knots and slopes.
    def shares(knots):
        sizes = torch.diff(knots, dim=-1) / (2.0 * bound)
        return torch.log((sizes - LEAST) / (1.0 - bins * LEAST))

    slopes = spline.derivatives[:, 1:-1]
    raw_slopes = torch.log(torch.expm1(slopes - LEAST)) - OFFSET
    numbers = torch.cat([shares(spline.horizontal), shares(spline.vertical), raw_slopes], 1)
    targets = bound * torch.linspace(-1.1, 1.1, COUNT, dtype=torch.float64)
    named = {
        "numbers": numbers,
        "x": x,
        "y": y,
        "log_slope": log_slope,
        "g": g,
        "g_log_slope": g_log_slope,
        "d_x": x.grad,
        "inverse_of": targets,
        "inverse": spline.inv(targets),
    }
    return {key: value.detach().numpy() for key, value in named.items()}


def main():
    for name, by in (("splines-nflows", by_nflows), ("splines-zuko", by_zuko)):
        generator = torch.Generator().manual_seed(21)
        arrays = {}
        for bins, bound in SIZES:
            found = by(bins, bound, generator)
            assert all(np.isfinite(values).all() for values in found.values()), (name, bins)
            arrays |= {f"{bins}.{key}": values for key, values in (found | {"bound": [bound]}).items()}
        write(name, arrays)


main()
