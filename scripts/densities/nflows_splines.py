"""Flows of spline couplings by nflows, trained on the densities of `densities.py`: figures to compare with.

    python3 nflows_splines.py FOLDER [NAME…]

Six couplings of two features, each by a dense network of two hidden layers of 64 units with ReLU, splines of 8 bins on
[-3, 3]; features standardised by the training vectors; 3,000 steps of Adam at a rate of 0.001, 256 vectors each, drawn
with replacement; f32; one thread. Prints the mean of -ln p over the test vectors in nats, with the standard error over
them; ln p is that of the vectors as they are in the file. Needs PyTorch and nflows.
"""

import pathlib
import sys
import time

import numpy as np
import torch
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.transforms.base import CompositeTransform
from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform

from densities import NAMES, mean_with_error

COUPLINGS, HIDDEN, BINS, BOUND = 6, 64, 8, 3.0
STEPS, BATCH, RATE = 3_000, 256, 1e-3


class Dense(torch.nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(
            torch.nn.Linear(inputs, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(HIDDEN, outputs),
        )

    def forward(self, x, context=None):
        return super().forward(x)


def flow():
    couplings = [
        PiecewiseRationalQuadraticCouplingTransform(
            torch.tensor([1, 0] if i % 2 == 0 else [0, 1]),
            Dense,
            num_bins=BINS,
            tails="linear",
            tail_bound=BOUND,
        )
        for i in range(COUPLINGS)
    ]
    return Flow(CompositeTransform(couplings), StandardNormal([2]))


def train(folder, name, seed):
    torch.manual_seed(seed)
    read = lambda ending: np.loadtxt(folder / f"{name}{ending}.csv", delimiter=",", skiprows=1)
    x, test = read(""), read("-test")
    mean, std = x.mean(0), x.std(0)
    standardised = lambda of: torch.tensor((of - mean) / std, dtype=torch.float32)
    x, test = standardised(x), standardised(test)
    model, start = flow(), time.time()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        loss = -model.log_prob(x[torch.randint(len(x), (BATCH,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        nats = -model.log_prob(test).double().numpy() + np.log(std).sum()
    value, error = mean_with_error(nats)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{name}, seed {seed}: {value:.4f} ± {error:.4f} nats; {parameters} parameters, {time.time() - start:.0f} s",
        flush=True,
    )


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    for seed in range(3):
        for name in sys.argv[2:] or NAMES:
            train(folder, name, seed)


if __name__ == "__main__":
    main()
