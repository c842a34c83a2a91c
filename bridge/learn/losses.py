"""The loss: how wrong a picture is, as a mix that is played.

The squared and the absolute error are taken in the network's own space, with the gradient
written out, so that the loss needs no pass of its own through autograd. Structure and edges are
taken on pixels. Each term at 0 costs nothing.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bridge.learn import image
from bridge.params import Param

FARTHEST = 4.0  # twice the range
SQUARE = 4  # pixels; structure is compared in windows of two by two such squares, at every square
STEEP = 4.0  # steps are small: by this, their error is of the size of the squared error
STEADY_MEAN, STEADY_SPREAD = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # SSIM's constants for a range of 2


class Losses:
    """Weights of the terms, all live."""

    l2 = Param(
        1.0, min=0.0, max=1.0,
        doc="weight of the squared error: smooth, true in the mean, blurred where unsure",
    )  # fmt: skip
    l1 = Param(
        0.0, min=0.0, max=1.0,
        doc="weight of the absolute error: flatter, harder edges, lets go of rare colours",
    )  # fmt: skip
    ssim = Param(
        0.0, min=0.0, max=1.0,
        doc="weight of structural similarity: light, contrast and texture in small windows",
    )  # fmt: skip
    edges = Param(
        0.0, min=0.0, max=1.0,
        doc="weight of the error of edges: outlines stand, and alone the colours drain away",
    )  # fmt: skip

    def judge(
        self, y: Tensor, x: Tensor, error: Tensor, mean_square: Tensor, patch: int
    ) -> tuple[Tensor, Tensor]:
        """The mix of picture `y` against target `x`, () float32, and its gradient by y, of y's
        shape: (B, 3·p·p, H/p, W/p). `error` = y − x and the mean of its square are at hand.

        An error counts as at most `FARTHEST`: both ends lie in [-1, 1], so that only an
        explosion errs by more, and its gradient would overflow and never lead back.
        """
        count = error.numel()
        value = self.l2 * mean_square
        pull = error.clamp(-FARTHEST, FARTHEST).mul_(2 * self.l2 / count)
        if self.l1 > 0:
            value = value + self.l1 * error.abs().mean(dtype=torch.float32)
            pull.add_(error.sign(), alpha=self.l1 / count)
        for weight, term in ((self.ssim, dissimilarity), (self.edges, edge_error)):
            if weight > 0:
                near = image.planes(y.clamp(-FARTHEST, FARTHEST), patch)
                wrong, slope = term(near, image.planes(x, patch))
                value = value + weight * wrong
                pull.add_(image.patches(slope, patch, pull.dtype), alpha=weight)
        return value, pull


@torch.enable_grad()
def dissimilarity(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """1 − SSIM of two pictures (B, 3, H, W) float32, mean over windows and channels, and its
    gradient with respect to y. Wang et al. 2004, with the mean over squares of 8 pixels, every 4,
    in place of a Gaussian of 11. Sides are at least 8 pixels."""
    y = y.detach().requires_grad_()

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(avg_pool2d(values, SQUARE), 2, 1)  # each square is summed once

    alike = similarity(y, x, mean, STEADY_MEAN, STEADY_SPREAD)
    wrong = 1 - alike.mean()
    (slope,) = torch.autograd.grad(wrong, y)
    return wrong.detach(), slope


def similarity(
    y: Tensor, x: Tensor, mean: Callable[[Tensor], Tensor], steady_mean: float, steady_spread: float
) -> Tensor:
    """SSIM of each window (Wang et al. 2004): 1 where it is alike in light, contrast and structure.
    `mean` gives windows' means; the last two keep quotients steady where a window is flat."""
    mean_y, mean_x = mean(y), mean(x)
    product = mean_y * mean_x
    squares = mean_y.square() + mean_x.square()
    spread = mean(y.square() + x.square()) - squares
    together = mean(y * x) - product
    alike = (2 * product + steady_mean) * (2 * together + steady_spread)
    return alike / ((squares + steady_mean) * (spread + steady_spread))


def edge_error(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared difference between the steps from pixel to pixel of two pictures (B, 3, H, W)
    float32, down and across, times `STEEP`, and its gradient with respect to y (Mathieu et al.
    2015, arXiv 1511.05440, there absolute: alone that empties the picture, as most steps are 0)."""
    error = y - x
    down, across = error.diff(dim=2), error.diff(dim=3)
    scale = STEEP / error.numel()
    wrong = scale * (down.square().sum() + across.square().sum())
    slope = torch.zeros_like(error)
    down.mul_(2 * scale)
    across.mul_(2 * scale)
    slope[:, :, 1:].add_(down)
    slope[:, :, :-1].sub_(down)
    slope[..., 1:].add_(across)
    slope[..., :-1].sub_(across)
    return wrong, slope
