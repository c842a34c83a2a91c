"""Sight: what is done to a picture before the network sees it, and the knobs that play it.

Pure functions on (B, 3, H, W) float32, blue green red, in [-1, 1]; each at rest is not called at
all. What comes out is what the network is shown, and an autoencoder is to give back. The order is
that of a camera before a screen: feedback (the screen's last picture is mixed in), zoom (the
lens), mirror (in its way); then what is seen is developed: gray, flatten, pre_median, pre_blur,
levels, coarse; drawn: drawing; and the drawing treated: blur, contrast, invert. From where only
the light counts, for there is no colour left or a drawing follows, it is one plane.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from bridge.learn.canny import cannied
from bridge.learn.drawing import coarsened, flattened, levelled, thresholded
from bridge.learn.filters import gaussian, light
from bridge.learn.median import median
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
    flatten = Param(
        0.0, min=0.0, max=1.0,
        doc="how much of a paper's uneven light is taken away",
    )  # fmt: skip
    pre_median = Param(
        0, min=0, max=15, unit="px",
        doc="takes specks and thin lines away, in squares of so many pixels; up to 1 = off",
    )  # fmt: skip
    pre_blur = Param(
        0.0, min=0.0, max=16.0, taper="log", floor=SOFTEST, unit="px",
        doc="softens what is drawn, before it is: fewer and longer lines; 0 = off",
    )  # fmt: skip
    levels = Param(
        0.0, min=0.0, max=1.0,
        doc="how much of the way the darkest goes to black and the brightest to white",
    )  # fmt: skip
    coarse = Param(
        1.0, min=1.0, max=32.0, taper="log",
        doc="seen through so many times fewer pixels, and smoothly enlarged; 1 = off",
    )  # fmt: skip
    drawing = Param(
        "off", choices=("off", "canny", "threshold"),
        doc="canny: outlines, white on black; threshold: as with a pen, dark on white paper",
    )  # fmt: skip
    canny_t1 = Param(
        50.0, min=0.0, max=255.0, active=lambda self: self.drawing == "canny",
        doc="how steep an outline is to be to go on, in levels of 255",
    )  # fmt: skip
    canny_t2 = Param(
        100.0, min=0.0, max=255.0, active=lambda self: self.drawing == "canny",
        doc="how steep an outline is to be somewhere to be drawn at all, in levels of 255",
    )  # fmt: skip
    threshold_block = Param(
        11, min=3, max=101, unit="px", active=lambda self: self.drawing == "threshold",
        doc="side of the square that a line is to be darker than: small for thin lines; odd",
    )  # fmt: skip
    threshold_c = Param(
        10.0, min=0.0, max=64.0, active=lambda self: self.drawing == "threshold",
        doc="by how many levels of 255 it is to be darker: more leaves more paper white",
    )  # fmt: skip
    pencil = Param(
        0.0, min=0.0, max=1.0, active=lambda self: self.drawing == "threshold",
        doc="from hard ink to a pencil's greys",
    )  # fmt: skip
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
        return not self._develops and (
            self.feedback == self.gray == self.invert == 0
            and self.blur < SOFTEST
            and self.zoom == self.contrast == 1
            and self.mirror == "off"
        )

    @property
    def _develops(self) -> bool:
        return (
            self.flatten > 0
            or self.pre_median > 1
            or self.pre_blur >= SOFTEST
            or self.levels > 0
            or self.coarse > 1
            or self.drawing != "off"
        )

    def treat(self, x: Tensor, last: Tensor | None) -> Tensor:
        """`x` as it is seen; `last` is the last picture sent, alike, if there is one."""
        if self.feedback > 0 and last is not None:
            x = torch.lerp(x, last, self.feedback)
        if self.zoom > 1:
            x = zoomed(x, self.zoom)
        if self.mirror != "off":
            x = mirrored(x, self.mirror)
        if self.gray == 1 or self.drawing != "off":
            x = light(x)
        elif self.gray > 0:
            x = grayed(x, self.gray)
        if self._develops:
            x = self._drawn(self._developed(x))
        if self.blur >= SOFTEST:
            x = blurred(x, self.blur)
        if self.contrast != 1 or self.invert > 0:
            x = (x * (self.contrast * (1 - 2 * self.invert))).clamp_(-1, 1)
        return x if x.shape[1] == 3 else x.repeat(1, 3, 1, 1)

    def _developed(self, x: Tensor) -> Tensor:
        if self.flatten > 0:
            x = flattened(x, self.flatten)
        if self.pre_median > 1:
            x = median(x, self.pre_median)
        if self.pre_blur >= SOFTEST:
            x = blurred(x, self.pre_blur)
        if self.levels > 0:
            x = levelled(x, self.levels)
        return coarsened(x, self.coarse) if self.coarse > 1 else x

    def _drawn(self, x: Tensor) -> Tensor:
        if self.drawing == "canny":
            return cannied(x, self.canny_t1, self.canny_t2)
        if self.drawing == "threshold":
            return thresholded(x, self.threshold_block, self.threshold_c, self.pencil)
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
