"""Sight: what is done to a picture before the network sees it, and the knobs that play it.

Pure functions on (B, 3, H, W) float32, blue green red, in [-1, 1]; each at rest is not called at
all. What comes out is also what the network is to give back. The order is that of a camera before
a screen: the screen's last picture is mixed in, then the lens zooms, mirrors stand in the way, and
what is seen is developed.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from bridge.learn.drawing import gaussian, light
from bridge.params import Param

SOFTEST = 0.3  # pixels of deviation; less is no blur
WIDE = 4.0  # pixels of deviation; a wider blur is made on a smaller picture


class Sight:
    """Treatment before the network, under /see."""

    feedback = Param(
        0.0, min=0.0, max=1.0,
        doc="share of the last picture sent in what is seen: trails; 1 sees only itself",
    )  # fmt: skip
    zoom = Param(
        1.0, min=1.0, max=8.0, taper="log",
        doc="times nearer; with feedback a tunnel",
    )  # fmt: skip
    mirror = Param(
        "off", choices=("off", "flip", "fold", "four"),
        doc="flip: a looking glass; fold: the left half on both sides; four: a quarter four times",
    )  # fmt: skip
    gray = Param(0.0, min=0.0, max=1.0, doc="how much colour is taken away")
    blur = Param(
        0.0, min=0.0, max=64.0, taper="log", floor=SOFTEST, unit="px",
        doc="softens what is seen, by this deviation; 0 = off",
    )  # fmt: skip
    contrast = Param(
        1.0, min=0.0, max=4.0,
        doc="times the distance from middle grey: 0 is fog, 4 is a woodcut",
    )  # fmt: skip
    invert = Param(0.0, min=0.0, max=1.0, doc="how much of the negative: 0.5 is grey, 1 all of it")

    @property
    def rests(self) -> bool:
        """Whether it leaves a picture as it is."""
        return (
            self.feedback == self.gray == self.invert == 0
            and self.blur < SOFTEST
            and self.zoom == self.contrast == 1
            and self.mirror == "off"
        )

    def treat(self, x: Tensor, last: Tensor | None) -> Tensor:
        """`x` as it is seen; `last` is the last picture sent, alike, if there is one."""
        if self.feedback > 0 and last is not None:
            x = torch.lerp(x, last, self.feedback)
        if self.zoom > 1:
            x = zoomed(x, self.zoom)
        if self.mirror != "off":
            x = mirrored(x, self.mirror)
        if self.gray > 0:
            x = grayed(x, self.gray)
        if self.blur >= SOFTEST:
            x = blurred(x, self.blur)
        if self.contrast != 1 or self.invert > 0:
            x = (x * (self.contrast * (1 - 2 * self.invert))).clamp_(-1, 1)
        return x


def zoomed(x: Tensor, times: float) -> Tensor:
    """The middle of the picture, enlarged to its whole size; `times` ≥ 1 may be any number."""
    lens = x.new_tensor([[[1 / times, 0, 0], [0, 1 / times, 0]]]).expand(len(x), 2, 3)
    grid = affine_grid(lens, list(x.shape), align_corners=False)
    return grid_sample(x, grid, mode="bilinear", align_corners=False)


def mirrored(x: Tensor, how: str) -> Tensor:
    """ "flip", "fold" or "four"; an odd middle row or column stands for itself."""
    if how == "flip":
        return x.flip(-1)
    x = _folded(x, -1)
    return _folded(x, -2) if how == "four" else x


def _folded(x: Tensor, side: int) -> Tensor:
    kept = x.narrow(side, 0, (x.shape[side] + 1) // 2)
    behind = kept.narrow(side, 0, x.shape[side] // 2).flip(side)
    return torch.cat([kept, behind], side)


def grayed(x: Tensor, amount: float) -> Tensor:
    """Towards luma, by 0 to 1."""
    return torch.lerp(x, light(x).expand_as(x), amount)


def blurred(x: Tensor, deviation: float) -> Tensor:
    """Through a Gaussian of `deviation` pixels, edges continued. A wide one works on a picture
    reduced by averaging, so that no width costs more than a narrow one."""
    height, width = x.shape[-2:]
    times = 2 ** max(0, math.ceil(math.log2(deviation / WIDE)))
    times = min(times, height, width)
    if times == 1:
        return gaussian(x, deviation)
    small = avg_pool2d(x, times, ceil_mode=True, count_include_pad=False)
    small = gaussian(small, deviation / times)  # reducing and enlarging widen it by 3 % at most
    return interpolate(small, (height, width), mode="bilinear", align_corners=False)
