"""The loss: how wrong a picture is, as a mix that is played.

Taken in the network's own space, with the gradient written out: the loss needs no pass of its
own through autograd, and each term at 0 costs nothing.
"""

from torch import Tensor

from bridge.params import Param

FARTHEST = 4.0  # twice the range


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

    def gradient(self, error: Tensor) -> Tensor:
        """d loss / d y, of y's shape, where `error` = y − target.

        An error counts as at most `FARTHEST`: both ends lie in [-1, 1], so that only an
        explosion errs by more, and its gradient would overflow and never lead back.
        """
        scaled = error.clamp(-FARTHEST, FARTHEST).mul_(2 * self.l2 / error.numel())
        if self.l1 > 0:
            scaled.add_(error.sign(), alpha=self.l1 / error.numel())
        return scaled

    def value(self, error: Tensor, mean_square: Tensor) -> Tensor:
        """The mix itself, (), given the mean of error² which the caller has already."""
        total = self.l2 * mean_square
        if self.l1 > 0:
            total = total + self.l1 * error.abs().mean(dtype=mean_square.dtype)
        return total
