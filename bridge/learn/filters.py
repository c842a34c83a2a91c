"""Filters: what treatment before the network is made with: light, and means about each pixel.

Pure functions on (B, 3, H, W) or (B, 1, H, W) float32, of any size and on any device; edges are
continued. A number for each picture may be given as (B,).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from bridge.frame import LUMA

Number = float | Tensor  # one for all pictures, or (B,)

LEVEL = 2 / 255  # a level of 255 in [-1, 1]


def light(x: Tensor) -> Tensor:
    """Luma, (B, 1, H, W); of one plane that plane itself."""
    if x.shape[1] == 1:
        return x
    blue, green, red = (x.narrow(1, plane, 1) for plane in range(3))
    return (blue * LUMA[0]).add_(green, alpha=LUMA[1]).add_(red, alpha=LUMA[2])


def of_each(number: Number, x: Tensor) -> Number:
    """A number for each picture, so that it goes with (B, 1, H, W)."""
    return number.to(x).view(-1, 1, 1, 1) if isinstance(number, Tensor) else number


def one_by_one(made: Callable[[Tensor, float], Tensor], x: Tensor, number: Number) -> Tensor:
    """What `made(x, number)` is, for what takes one number at a time."""
    if not isinstance(number, Tensor):
        return made(x, number)
    return torch.cat([made(x[i : i + 1], one) for i, one in enumerate(number.tolist())])


def continued(x: Tensor, reach: int) -> Tensor:
    """With `reach` more pixels all around, like those at the edges."""
    return pad(x, (reach, reach, reach, reach), mode="replicate")


def gaussian(x: Tensor, deviation: float) -> Tensor:
    """Through a Gaussian of `deviation` pixels, edges continued."""
    reach = max(1, math.ceil(2.5 * deviation))
    taps = [math.exp(-0.5 * (step / deviation) ** 2) for step in range(reach + 1)]
    whole = taps[0] + 2 * sum(taps[1:])
    for side in (-1, -2):
        x = _smeared(x, [tap / whole for tap in taps], side)
    return x


def _smeared(x: Tensor, taps: Sequence[float], side: int) -> Tensor:
    """A symmetric filter along one side: the tap of the middle, then of its neighbours.

    Shifted sums: a convolution of one channel takes three times as long at 320×192, thirty at
    960×544 (docs/log.md 11).
    """
    reach, length = len(taps) - 1, x.shape[side]
    around = (reach, reach, 0, 0) if side == -1 else (0, 0, reach, reach)
    wide = pad(x, around, mode="replicate")
    total = wide.narrow(side, reach, length) * taps[0]
    for step, tap in enumerate(taps[1:], 1):
        left, right = (wide.narrow(side, reach + at, length) for at in (-step, step))
        total.add_(left + right, alpha=tap)
    return total


def boxed(x: Tensor, side: int) -> Tensor:
    """The mean of each pixel's square of `side`, odd, edges continued.

    Sums of 1, 2, 4, 8 … neighbours, each made of two of the one before: a square of 101 takes
    three times as long as one of 3, and no running total loses its last digits.
    """
    wide = continued(x, side // 2)
    for axis in (-2, -1):
        wide = _summed(wide, side, axis)
    return wide.mul_(1 / side**2)


def _summed(x: Tensor, count: int, axis: int) -> Tensor:
    length = x.shape[axis] + 1 - count
    total, at = None, 0  # of so many from each place on
    size = 1
    while size <= count:
        if count & size:
            part = x.narrow(axis, at, length)
            total, at = part if total is None else total + part, at + size
        rest = x.shape[axis] - size
        if 2 * size <= count:
            x = x.narrow(axis, 0, rest) + x.narrow(axis, size, rest)
        size *= 2
    assert total is not None
    return total
