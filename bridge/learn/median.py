"""The median of each pixel's square, by putting whole planes in order (Batcher 1968).

Least and most of two planes, with no branch, are what a processor does fastest; which are asked
for is worked out once for each size.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from bridge.learn.filters import continued

Pair = tuple[int, int, str]  # planes of which one takes the least, the other the most

# A wide median: of values so far apart, and then of its neighbours; the other way round it frays.
STEPS = {
    3: ((3, 1),), 5: ((5, 1),), 7: ((3, 2), (3, 1)), 9: ((3, 3), (3, 1)),
    11: ((5, 2), (3, 1)), 13: ((3, 4), (5, 1)), 15: ((5, 3), (3, 1)),
}  # fmt: skip
# Values: what is larger torch shares out among threads, which wait for each other at each of
# hundreds of steps.
UNSHARED = 32768
RANKS = 16383.0  # a median is found among so many steps of light on either side of grey


def median(x: Tensor, side: int) -> Tensor:
    """The median of each pixel's square of `side` (1 to 15, odd; an even one counts as one more).

    From 7 on it is a median of medians, which differs from it by less than the next size does
    (`STEPS`). Exact to a 32766th of the range.
    """
    side |= 1
    if side == 1:
        return x
    wide = continued(x, side // 2).mul_(RANKS).round_().to(torch.int16)
    height = x.shape[-2]
    strip = height if x.device.type != "cpu" else max(1, UNSHARED * height // x.numel())
    strips = [wide[..., top : top + strip + side - 1, :] for top in range(0, height, strip)]
    for taken, apart in STEPS[side]:
        strips = [_middle(one, taken, apart) for one in strips]
    return torch.cat(strips, -2).to(x.dtype).div_(RANKS)


def _middle(wide: Tensor, side: int, apart: int) -> Tensor:
    """The median of side × side values `apart` from each other; no square reaches over the edge.

    Every column is put in order once, for all squares that it is in; then a square's columns are
    merged as far as its middle asks for. Least and most of whole planes, with no branch, are what
    a processor does fastest.
    """
    height, width = (length - apart * (side - 1) for length in wide.shape[-2:])
    order, merge, middle = _network(side)
    columns = [wide[..., apart * i : apart * i + height, :].clone() for i in range(side)]
    _put_in_order(columns, order)
    planes = [
        column[..., apart * i : apart * i + width].contiguous()
        for i in range(side)
        for column in columns
    ]
    _put_in_order(planes, merge)
    return planes[middle]


def _put_in_order(planes: list[Tensor], pairs: Sequence[Pair]) -> None:
    spare = torch.empty_like(planes[0])
    for low, high, asked in pairs:
        one, other = planes[low], planes[high]
        if asked == "high":
            torch.maximum(one, other, out=other)
        elif asked == "low":
            torch.minimum(one, other, out=one)
        else:
            torch.minimum(one, other, out=spare)
            torch.maximum(one, other, out=other)
            planes[low], spare = spare, one


@functools.cache
def _network(side: int) -> tuple[list[Pair], list[Pair], int]:
    """How to put `side` planes in order; how to merge so many columns in order, each as many
    planes, as far as their median; and which plane holds it then."""
    order: list[tuple[int, int]] = []
    places = _merged_all([[i] for i in range(side)], order)
    merge: list[tuple[int, int]] = []
    columns = [[side * i + place for place in places] for i in range(side)]
    middle = _merged_all(columns, merge)[side * side // 2]
    asked, kept = {middle}, []
    for low, high in reversed(merge):
        if low in asked or high in asked:
            both = low in asked and high in asked
            kept.append((low, high, "both" if both else "low" if low in asked else "high"))
            asked |= {low, high}
    return [(low, high, "both") for low, high in order], kept[::-1], middle


def _merged_all(runs: list[list[int]], pairs: list[tuple[int, int]]) -> list[int]:
    """Places in order, from runs of places in order, by `pairs` to compare (least goes first)."""
    if len(runs) == 1:
        return runs[0]
    half = len(runs) // 2
    return _merged(_merged_all(runs[:half], pairs), _merged_all(runs[half:], pairs), pairs)


def _merged(one: list[int], other: list[int], pairs: list[tuple[int, int]]) -> list[int]:
    """Batcher's odd-even merge (1968), of any two lengths."""
    if not one or not other:
        return one + other
    if len(one) == len(other) == 1:
        pairs.append((one[0], other[0]))
        return one + other
    odd = _merged(one[::2], other[::2], pairs)
    even = _merged(one[1::2], other[1::2], pairs)
    merged = odd[:1]
    for high, low in zip(odd[1:], even, strict=False):
        pairs.append((low, high))
        merged += [low, high]
    return merged + odd[1 + len(even) :] + even[max(0, len(odd) - 1) :]
