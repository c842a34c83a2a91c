"""What the networks are made of: a leak, halvings, doublings, and the random beginning.

LeakyReLU(0.2) rather than GELU or SiLU, which learn as well: a unit that a burst of the learning
rate has pushed far out still passes a gradient and comes back (docs/log.md).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

ORTHOGONAL_MOST = 2_000_000  # numbers in a matrix; a larger one takes QR longer than a picture


def leak(x: Tensor) -> Tensor:
    return leaky_relu(x, 0.2)


def one(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1×1 convolution: the same small matrix at every place."""
    return nn.Conv2d(inputs, outputs, 1)


def three(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3×3 convolution: each place and its neighbours."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def halve(inputs: int, outputs: int) -> nn.Conv2d:
    """Half the height and width."""
    return nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)


def double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Twice the height and width."""
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


class Residual(nn.Module):
    """x + a small bend of x. Its second layer starts at a tenth, so that it starts as x itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bend = three(channels, channels)
        self.back = three(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        bent: Tensor = self.back(leak(self.bend(x)))
        return x + bent


@torch.no_grad()
def blank(net: nn.Module, generator: torch.Generator) -> None:
    """Give `net` its random beginning: orthogonal weights of gain 1, biases 0.

    He's scaling, usual before a leaky rectifier, starts these nets out of range, and several
    never leave grey (docs/log.md). Orthogonal: Saxe et al. 2013, arXiv 1312.6120.
    """
    for layer in net.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            fan_in = layer.weight.shape[0] * 4  # of its 4×4 taps, four meet at each place
            layer.weight.normal_(0.0, fan_in**-0.5, generator=generator)
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            if layer.weight.numel() <= ORTHOGONAL_MOST:
                nn.init.orthogonal_(layer.weight, generator=generator)
            else:
                layer.weight.normal_(0.0, layer.weight[0].numel() ** -0.5, generator=generator)
        if isinstance(layer, (nn.ConvTranspose2d, nn.Conv2d, nn.Linear)) and layer.bias is not None:
            layer.bias.zero_()
    for layer in net.modules():
        if isinstance(layer, Residual):
            layer.back.weight.mul_(0.1)
