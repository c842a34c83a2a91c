"""Canny's edges (Canny 1986), as OpenCV defines them, on any device: where light changes the most.

Both sides' differences, thinned to ridges, and followed to the line's end. Pictures are
(B, 3, H, W) or (B, 1, H, W) float32 in [-1, 1].
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from bridge.learn.filters import LEVEL, Number, continued, gaussian, light, of_each

SIGMA = 1.0  # pixels
STEEP = math.tan(math.pi / 8)  # a direction is one of four
LEAST = 0.5  # levels; what is less steep was rounded
MOST_ROUNDS = 1024  # steps along a line that is certain at one end only


def cannied(x: Tensor, low: Number, high: Number, sigma: float = SIGMA, width: int = 1) -> Tensor:
    """Canny's edges, white on black, `width` 1 to 3 pixels wide: where the light changes more than
    `high`, and what goes on from there with more than `low`, to the line's end (Canny 1986).

    Thresholds are as OpenCV's: of both sides' Sobel differences together, in levels, which for a
    step of n levels is 4·n. The smaller of the two is the low one. `sigma` is the deviation of the
    Gaussian before it; 0 = none, as in OpenCV.
    """
    seen = light(x)
    steep, ridge = _ridges(gaussian(seen, sigma) if sigma > 0 else seen)
    first, second = of_each(low, steep), of_each(high, steep)
    weak, strong = (_over(steep, threshold).view(-1) & ridge for threshold in (first, second))
    weak, strong = weak | strong, weak & strong  # whichever was which
    line = _followed(strong.view(steep.shape), weak.view(steep.shape), width > 2)
    if width == 2:
        line[..., 1:] |= line[..., :-1].clone()
        line[..., 1:, :] |= line[..., :-1, :].clone()
    line = line[..., 1 : 1 + x.shape[-2], 1:-1]
    return line.to(x.dtype).mul_(2).sub_(1).expand_as(x).contiguous()


def _ridges(seen: Tensor) -> tuple[Tensor, Tensor]:
    """How steep the light is, in levels, with a rim of 0: (B, 1, H+2, W+2); and where it is
    steeper than on either side, across the line: as one row of all pixels."""
    wide = continued(seen, 1).mul_(1 / LEVEL)
    across = wide[..., 2:] - wide[..., :-2]
    down = wide[..., 2:, :] - wide[..., :-2, :]
    across = (across[..., :-2, :] + across[..., 2:, :]).add_(across[..., 1:-1, :], alpha=2)
    down = (down[..., :-2] + down[..., 2:]).add_(down[..., 1:-1], alpha=2)
    across, down = (pad(slope, (1, 1, 1, 1)) for slope in (across, down))
    steep = across.abs() + down.abs()
    row = steep.shape[-1]
    # All pictures in one row, in which every neighbour is so many places on; rims lie between.
    flat, across, down = steep.view(-1), across.view(-1), down.view(-1)
    here = flat[row + 1 : -row - 1]

    def there(step: int) -> Tensor:
        return flat[row + 1 + step : len(flat) - row - 1 + step]

    level = _over(across.abs() * STEEP, down.abs())
    upright = _over(down.abs() * STEEP, across.abs())
    falling = _over(across * down, 0.0)
    level, upright, falling = (mask[row + 1 : -row - 1] for mask in (level, upright, falling))
    ridge = level & _over(here, there(-1)) & ~_over(there(1), here)
    ridge |= upright & _over(here, there(-row)) & ~_over(there(row), here)
    slanted = falling & _over(here, there(-row - 1)) & _over(here, there(row + 1))
    slanted |= ~falling & _over(here, there(1 - row)) & _over(here, there(row - 1))
    ridge |= slanted & ~(level | upright)
    ridge &= _over(here, LEAST)
    return steep, pad(ridge, (row + 1, row + 1))


def _over(one: Tensor, other: Number) -> Tensor:
    """one > other, by way of a float: a third of the time of asking for a truth."""
    return torch.gt(one, other, out=torch.empty_like(one)).to(torch.bool)


def _followed(strong: Tensor, weak: Tensor, grown: bool) -> Tensor:
    """What of `weak` hangs together with something of `strong`, through sides or corners, and
    all its neighbours if it is to be `grown`: (B, 1, H, W), with a rim of False."""
    row = weak.shape[-1]
    found, weak = _packed(strong), _packed(weak)
    round_ = _growing(found, row)
    for step in range(1, MOST_ROUNDS + 1):
        more = round_() & weak
        if step % 8 == 0 and torch.equal(more, found):
            break
        found.copy_(more)
    if grown:
        found = round_()
    bits = torch.arange(8, dtype=torch.uint8, device=found.device).view(8, 1)
    rows = found.view(len(strong), 1, -1, 1, row) >> bits
    return (rows & 1).view(len(strong), 1, -1, row).to(torch.bool)


def _packed(mask: Tensor) -> Tensor:
    """Eight rows to a byte, all pictures one after the other: a round over a picture is then too
    small for torch to share it out among threads, which wait for each other each time."""
    batch, _, height, row = mask.shape
    rows = pad(mask, (0, 0, 0, -height % 8)).view(batch, -1, 8, row)
    bits = 1 << torch.arange(8, device=mask.device)
    return (rows * bits.to(torch.uint8).view(8, 1)).sum(2, dtype=torch.uint8).view(-1)


def _growing(mask: Tensor, row: int) -> Callable[[], Tensor]:
    """What gives `mask`, packed, as it is at the time, with the eight neighbours of each.

    Into the same memory each time, through views made once: half the time of a round is Python's.
    """
    wide, tall, moved = mask.clone(), mask.clone(), mask.clone()
    before, after = mask[:-1], mask[1:]
    wide_before, wide_after = wide[:-1], wide[1:]
    above, below = wide[:-row], wide[row:]
    tall_above, tall_below = tall[:-row], tall[row:]
    moved_above, moved_below = moved[:-row], moved[row:]

    def grown() -> Tensor:
        wide.copy_(mask)
        wide_after.bitwise_or_(before)
        wide_before.bitwise_or_(after)
        torch.bitwise_left_shift(wide, 1, out=tall)
        torch.bitwise_right_shift(wide, 1, out=moved)
        tall.bitwise_or_(moved).bitwise_or_(wide)
        torch.bitwise_right_shift(above, 7, out=moved_below)
        tall_below.bitwise_or_(moved_below)
        torch.bitwise_left_shift(below, 7, out=moved_above)
        tall_above.bitwise_or_(moved_above)
        return tall

    return grown
