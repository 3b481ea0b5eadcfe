"""Four densities of two dimensions: samples as CSV, and ln p as it truly is.

    python3 densities.py FOLDER

writes NAME.csv with 10,000 vectors to train on and NAME-test.csv with 5,000 to test on, for `two-moons`, `rings`,
`checkerboard` and `two-spirals`, and prints the mean of -ln p over the test vectors: no model can do better than that but by
chance. Needs NumPy.
"""

import math
import pathlib
import sys

import numpy as np

TRAIN, TEST = 10_000, 5_000


def two_moons(u, side):
    """Points of two half circles, of radius 1 each."""
    t = math.pi * u
    upper = np.stack([np.cos(t) - 0.5, np.sin(t) - 0.25], -1)
    return np.where(side[:, None] < 0.5, upper, -upper)


def rings(u, side):
    """Points of circles of radius 0.5, 1, 1.5 and 2, each as likely."""
    radius = 0.5 * (1.0 + np.floor(4.0 * side))
    return radius[:, None] * np.stack([np.cos(2 * math.pi * u), np.sin(2 * math.pi * u)], -1)


def two_spirals(u, side):
    """Points of two arms of one and a half turns, out to a radius of 3."""
    t = 3.0 * math.pi * np.sqrt(u)
    arm = np.stack([np.cos(t), np.sin(t)], -1) * (t / math.pi)[:, None]
    return np.where(side[:, None] < 0.5, arm, -arm)


# Curves, with the standard deviation of the normal noise around them and the number of pieces that `side` chooses from.
CURVES = {"two-moons": (two_moons, 0.1, 2), "rings": (rings, 0.08, 4), "two-spirals": (two_spirals, 0.1, 2)}


def around_a_curve(curve, noise, n, rng):
    return curve(rng.random(n), rng.random(n)) + noise * rng.standard_normal((n, 2))


def log_density_around_a_curve(curve, noise, pieces, x):
    """The mean of the noise's density over the curve, by the midpoint rule at steps far below the noise."""
    steps = 4_000
    u = (np.arange(steps) + 0.5) / steps
    density = np.zeros(len(x))
    for piece in range(pieces):
        points = curve(u, np.full(steps, (piece + 0.5) / pieces))
        for chunk in range(0, len(x), 500):
            squares = ((x[chunk : chunk + 500, None] - points) ** 2).sum(-1)
            density[chunk : chunk + 500] += np.exp(-squares / (2 * noise**2)).mean(-1)
    return np.log(density / pieces / (2 * math.pi * noise**2))


def checkerboard(n, rng):
    """Uniform on the squares of side 1 in [-2, 2]^2 whose row and column have an even sum."""
    row, half = rng.integers(-2, 2, n), rng.integers(0, 2, n)
    column = -2 + 2 * half + row % 2
    return np.stack([column, row], -1) + rng.random((n, 2))


def draw(name, n, rng):
    if name == "checkerboard":
        return checkerboard(n, rng)
    curve, noise, _ = CURVES[name]
    return around_a_curve(curve, noise, n, rng)


def log_density(name, x):
    if name == "checkerboard":
        return np.full(len(x), -math.log(8.0))
    return log_density_around_a_curve(*CURVES[name], x)


NAMES = [*CURVES, "checkerboard"]


def mean_with_error(values):
    return values.mean(), values.std(ddof=1) / math.sqrt(len(values))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(NAMES):
        rng = np.random.default_rng(seed)
        for ending, n in (("", TRAIN), ("-test", TEST)):
            x = draw(name, n, rng)
            np.savetxt(folder / f"{name}{ending}.csv", x, fmt="%.17g", delimiter=",", header="x,y", comments="")
        mean, error = mean_with_error(-log_density(name, x))
        print(f"{name}: {mean:.4f} ± {error:.4f} nats (mean of -ln p of {TEST} test vectors, s.e. over them)")


if __name__ == "__main__":
    main()
