"""Autoregressive layers by nflows, in f64: a masked network with its weights, x, y, ln of the slopes and ln p.

`autoregressive-spline` is nflows' masked autoregressive layer of rational-quadratic splines. `c` of `splines.py` is put into
the last layer's biases. (It would divide widths and heights by the root of the number of hidden units, but its network
does not tell that number, so it does not.)

`autoregressive-affine` is nflows' masked network with the map of MAF (Papamakarios et al., 2017, eq. 3 and 4)

    u = (x - mu) exp(-alpha)

since nflows' own affine map has another form. An element's numbers are a = -mu and b = -alpha, u = (x + a) exp(b).

Weights are [in, out], after masking. The order is that of the elements: each follows from those before it.
"""

import math

import numpy as np
import torch
from nflows.distributions.normal import StandardNormal
from nflows.transforms.autoregressive import MaskedPiecewiseRationalQuadraticAutoregressiveTransform
from nflows.transforms.made import MADE

from fixture import write

FEATURES = 4
HIDDEN = 7
BINS = 5
BOUND = 3.0
BATCH = 12
OFFSET = math.log(math.expm1(1.0 - 1e-3))


def layers(made):
    """Masked weights [in, out] and biases of a network of two hidden layers."""
    linear = [made.initial_layer, *(block.linear for block in made.blocks), made.final_layer]
    return [((layer.weight * layer.mask).T.detach().clone(), layer.bias.detach().clone()) for layer in linear]


def named(weights, x, y, ladj):
    log_prob = StandardNormal([FEATURES]).double().log_prob(y) + ladj
    arrays = {"order": np.arange(FEATURES), "x": x, "y": y, "ladj": ladj, "log_prob": log_prob}
    for i, (weight, bias) in enumerate(weights):
        name = f"hidden.{i}" if i + 1 < len(weights) else "last"
        arrays |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return {key: value.detach().numpy() if torch.is_tensor(value) else value for key, value in arrays.items()}


def spread(module):
    """Weights as a trained network has them: of every size, and with biases."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.6)


def spline():
    layer = MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        FEATURES,
        HIDDEN,
        num_blocks=1,
        use_residual_blocks=False,
        activation=torch.nn.functional.relu,
        num_bins=BINS,
        tails="linear",
        tail_bound=BOUND,
    ).double()
    spread(layer)
    x = 1.5 * torch.randn(BATCH, FEATURES, dtype=torch.float64)
    y, ladj = layer(x)
    weights = layers(layer.autoregressive_net)
    assert not hasattr(layer.autoregressive_net, "hidden_features")
    weights[-1][1].view(FEATURES, 3 * BINS - 1)[:, 2 * BINS :] -= OFFSET
    write("autoregressive-spline", named(weights, x, y, ladj) | {"bins": [BINS], "bound": [BOUND]})


def affine():
    made = MADE(
        FEATURES,
        HIDDEN,
        num_blocks=1,
        output_multiplier=2,
        use_residual_blocks=False,
        activation=torch.nn.functional.relu,
    ).double()
    spread(made)
    x = 1.5 * torch.randn(BATCH, FEATURES, dtype=torch.float64)
    a, b = made(x).reshape(BATCH, FEATURES, 2).unbind(-1)
    mu, alpha = -a, -b
    write("autoregressive-affine", named(layers(made), x, (x - mu) * torch.exp(-alpha), -alpha.sum(-1)))


def main():
    torch.manual_seed(22)
    spline()
    affine()


main()
