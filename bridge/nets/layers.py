"""What the networks are made of: a leak, halvings, doublings, and the random beginning.

LeakyReLU(0.2) rather than GELU or SiLU, which learn as well: a unit that a burst of the learning
rate has pushed far out still passes a gradient and comes back (docs/log.md).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu

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


class Head(nn.Conv2d):
    """The last layer: a 3×3 convolution from `inputs` channels to patches of `patch`² pixels."""

    def __init__(self, inputs: int, patch: int) -> None:
        super().__init__(inputs, 3 * patch**2, 3, padding=1)
        self.patch = patch


class EvenHead(Head):
    """A head by which what is flat stays flat."""

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, *evened(self, self.patch**2), padding=1)


class EvenThree(nn.Conv2d):
    """A 3×3 convolution to the pixels of a patch, by which what is flat stays flat."""

    def __init__(self, inputs: int, pixels: int) -> None:
        super().__init__(inputs, pixels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, *evened(self, self.out_channels), padding=1)


class Still(nn.Conv2d):
    """A 1×1 convolution that begins at 0, for what is not asked until later."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)


def evened(layer: nn.Conv2d, pixels: int) -> tuple[Tensor, Tensor]:
    """The weights and biases of a layer whose outputs are `pixels` pixels, so that each has as much
    of what is flat as the others: what they differ by in all is taken from every tap.

    A patch's own pattern, which lies over a picture as a grid, is that difference. To ask for less
    of it while teaching left a fifth of it, and there more where there is little else.
    """
    assert layer.bias is not None
    by_pixel = layer.weight.view(pixels, -1, *layer.weight.shape[1:])
    whole = by_pixel.sum((3, 4), keepdim=True)
    taps = layer.weight.shape[2] * layer.weight.shape[3]
    weight = by_pixel - (whole - whole.mean(0)) / taps
    bias = layer.bias.view(pixels, -1)
    return weight.flatten(0, 1), bias.mean(0).expand_as(bias).flatten()


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
    never leave grey (docs/log.md). Orthogonal: Saxe et al. 2013, arXiv 1312.6120. What enlarges
    begins as a soft enlargement of random colours: begun at random in every tap, each pixel of a
    patch has a pattern of its own, and all patches together lie over the first second as a grid
    (Odena et al. 2016; the cure of Aitken et al. 2017, arXiv 1707.02937, with a tent for its box,
    whose edges show). It also wakes a third sooner (docs/log.md 8).
    """
    for layer in net.modules():
        if isinstance(layer, Head):
            layer.weight.copy_(_enlarging(layer, generator))
        elif isinstance(layer, nn.ConvTranspose2d):
            layer.weight.copy_(_doubling(layer, generator))
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
        elif isinstance(layer, Still):
            layer.weight.zero_()


def _mix(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    return nn.init.orthogonal_(torch.empty(outputs, inputs), generator=generator)


def _enlarging(layer: Head, generator: torch.Generator) -> Tensor:
    """Each pixel of a patch takes from its three nearest patches each way by its distance."""
    colours = _mix(layer.in_channels, 3, generator)
    place = (torch.arange(layer.patch) + 0.5) / layer.patch - 0.5  # of a pixel, in patches
    tent = (1 - (place[:, None] - torch.arange(-1, 2)).abs()).clamp_(min=0)  # (patch, 3 taps)
    soft = torch.einsum("iy,jx,cn->ijcnyx", tent, tent, colours)
    return soft.reshape(layer.weight.shape)


def _doubling(layer: nn.ConvTranspose2d, generator: torch.Generator) -> Tensor:
    """The 4×4 taps of a bilinear enlargement to twice the size, for a random mix of channels."""
    tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
    mix = _mix(layer.in_channels, layer.out_channels, generator)
    return torch.einsum("on,y,x->noyx", mix, tent, tent)
