"""The critic, and the other judges of paint: what tells a painting's surface from a blur of it.

A hinge critic of patches (Isola et al. 2017, arXiv 1611.07004; Lim and Ye 2017, arXiv 1705.02894)
under spectral normalisation (Miyato et al. 2018, arXiv 1802.05957), and three judges that leave
place free: patches, colours and frequencies need only be as many and as strong as the painting's.
Pictures are (B, 3, H, W) in [-1, 1]; each judge gives (B,), one number a picture.
"""

import random

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pixel_unshuffle
from torch.nn.utils.parametrizations import spectral_norm

from bridge.learn.losses import similarity
from bridge.museum.crops import generator
from bridge.nets.layers import halve, leak, one, three

SIDE = 4  # pixels of a patch that the critic takes at once
WIDTH = 48
FILTERS, TAPS = 16, 5  # patches are compared along so many directions, and are so wide
DIRECTIONS = 8  # of colour
STEADY_MEAN, STEADY_SPREAD = 0.01**2, 0.03**2  # SSIM's constants for a range of 1
SLOWEST = 4  # cycles in the picture; slower is composition, and that is told by place


class Critic(nn.Module):
    """(B, 3, H, W), sides multiples of 8 → (B, 1, H/8, W/8): above 0 where it seems painted. It
    sees about 44 pixels around each place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            spectral_norm(layer)
            for layer in (
                three(3 * SIDE**2, WIDTH), halve(WIDTH, 2 * WIDTH),
                three(2 * WIDTH, 2 * WIDTH), one(2 * WIDTH, 1),
            )
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = pixel_unshuffle(x, SIDE).contiguous(memory_format=torch.channels_last)
        *bent, last = self.layers
        for layer in bent:
            y = leak(layer(y))
        judged: Tensor = last(y)
        return judged


def patches_apart(y: Tensor, x: Tensor, dice: random.Random) -> Tensor:
    """How far apart the patches of two pictures are as sets, wherever they lie: sliced Wasserstein
    along random filters, on three scales (Heitz et al. 2021, arXiv 2006.07229, there of features).
    """
    total = y.new_zeros(len(y))
    for scale, stride in ((1, 4), (2, 2), (4, 2)):
        if scale > 1:
            y, x = avg_pool2d(y, 2), avg_pool2d(x, 2)
        filters = torch.randn((FILTERS, 3, TAPS, TAPS), generator=generator(dice))
        # A quarter hears colour and light too; the rest only what varies.
        filters[FILTERS // 4 :] -= filters[FILTERS // 4 :].mean((2, 3), keepdim=True)
        filters = (filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(y)
        top, left = dice.randrange(stride), dice.randrange(stride)
        total = total + _sorted_apart(
            *(conv2d(z[..., top:, left:], filters, stride=stride).flatten(2) for z in (y, x))
        )
    return total / 3


def colours_apart(y: Tensor, x: Tensor, dice: random.Random) -> Tensor:
    """The same of their colours alone."""
    ways = torch.randn((DIRECTIONS, 3), generator=generator(dice))
    ways = (ways / ways.norm(dim=1, keepdim=True)).to(y)
    return _sorted_apart(*(ways @ avg_pool2d(z, 4).flatten(2) for z in (y, x)))


def _sorted_apart(one: Tensor, other: Tensor) -> Tensor:
    """(B, directions, many) → (B,): mean distance of what is equally far along."""
    return (one.sort(2).values - other.sort(2).values).abs().mean((1, 2))


def frequencies_apart(y: Tensor, x: Tensor) -> Tensor:
    """How far apart the strength of each frequency is, across and down, as a ratio (mean absolute
    difference of logarithms). It is this that brings as much texture as the painting has."""
    return (_spectra(y) - _spectra(x)).abs().mean((1, 2))


def _spectra(x: Tensor) -> Tensor:
    """(B, 3, frequencies across and down): the logarithm of their power, mean over lines, from
    `SLOWEST` cycles in the picture on."""
    found = []
    for lines in (x, x.transpose(2, 3)):
        lines = lines - lines.mean(3, keepdim=True)
        window = torch.hann_window(lines.shape[3], device=x.device)
        power = torch.fft.rfft(lines * window, dim=3).abs().square().mean(2)
        found.append((power[..., SLOWEST:] + 1e-3).log())
    return torch.cat(found, 2)


def structure_apart(y: Tensor, x: Tensor) -> Tensor:
    """1 − SSIM (Wang et al. 2004), of light from 0 to 1, means over squares of 6, every 2: as wide
    as the usual Gaussian of 1.5."""

    def mean(z: Tensor) -> Tensor:
        return avg_pool2d(avg_pool2d(z, 2), 3, 1)

    alike = similarity(y * 0.5 + 0.5, x * 0.5 + 0.5, mean, STEADY_MEAN, STEADY_SPREAD)
    return 1 - alike.mean((1, 2, 3))
