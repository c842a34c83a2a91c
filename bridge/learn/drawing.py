"""Drawing: what a camera or a pen would make of a picture, for the live sight and for the school.

Pure functions on (B, 3, H, W) float32, blue green red, in [-1, 1], of any size and on any device;
one plane, the light alone, goes in place of three, and then one comes out. A number for each
picture may be given as (B,). Thresholds are levels of 255, as in OpenCV, whose Canny, adaptive
threshold and median these are; edges are continued. Nothing is kept from picture to picture.
"""

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from bridge.frame import LUMA

Number = float | Tensor  # one for all pictures, or (B,)
Pair = tuple[int, int, str]  # planes of which one takes the least, the other the most

LEVEL = 2 / 255  # a level of 255 in [-1, 1]
MOST_CONTRAST = 5.0  # times; a picture that would need more is flat, and spread the less for it
SAMPLES = 16384  # pixels, about, of which the darkest and the brightest hundredth are told
CELLS = 32  # of the paper on the long side
MOST_LIGHT = 4.0  # times
PENCIL = 72.0  # levels from the paper to a pencil's black
INK = 1e-4  # of [-1, 1], from white to grey and to black: beyond what is rounded
SURE = 0.6  # share of the whole picture's mean in a pencil's paper
SIGMA = 1.0  # pixels
STEEP = math.tan(math.pi / 8)  # a direction is one of four
LEAST = 0.5  # levels; what is less steep was rounded
MOST_ROUNDS = 1024  # steps along a line that is certain at one end only
# A wide median: of values so far apart, and then of its neighbours; the other way round it frays.
STEPS = {
    3: ((3, 1),), 5: ((5, 1),), 7: ((3, 2), (3, 1)), 9: ((3, 3), (3, 1)),
    11: ((5, 2), (3, 1)), 13: ((3, 4), (5, 1)), 15: ((5, 3), (3, 1)),
}  # fmt: skip
# Values: what is larger torch shares out among threads, which wait for each other at each of
# hundreds of steps.
UNSHARED = 32768
RANKS = 16383.0  # a median is found among so many steps of light on either side of grey


def light(x: Tensor) -> Tensor:
    """Luma, (B, 1, H, W); of one plane that plane itself."""
    if x.shape[1] == 1:
        return x
    blue, green, red = (x.narrow(1, plane, 1) for plane in range(3))
    return (blue * LUMA[0]).add_(green, alpha=LUMA[1]).add_(red, alpha=LUMA[2])


def _of_each(number: Number, x: Tensor) -> Number:
    """A number for each picture, so that it goes with (B, 1, H, W)."""
    return number.to(x).view(-1, 1, 1, 1) if isinstance(number, Tensor) else number


def _one_by_one(made: Callable[[Tensor, float], Tensor], x: Tensor, number: Number) -> Tensor:
    if not isinstance(number, Tensor):
        return made(x, number)
    return torch.cat([made(x[i : i + 1], one) for i, one in enumerate(number.tolist())])


# Light and paper


def flattened(x: Tensor, amount: Number) -> Tensor:
    """The paper's uneven light taken away, by 0 to 1: each place is divided by the paper's light
    there, in proportion to where it is brightest; by no more than `MOST_LIGHT`.

    The paper is the brightest about each place, seen so wide that what is drawn is not in it.
    """
    side = max(x.shape[-2:])
    paper = _fewer(light(x), max(1.0, side / CELLS)).add_(1)
    paper = -max_pool2d(-max_pool2d(paper, 5, 1, 2), 5, 1, 2)  # what is dark and small is filled
    for _ in range(2):
        paper = avg_pool2d(paper, 5, 1, 2, count_include_pad=False)
    paper.clamp_(min=LEVEL)
    gain = (paper.amax((-2, -1), keepdim=True) / paper).clamp_(max=MOST_LIGHT).sub_(1)
    gain = _more(gain.mul_(_of_each(amount, x)), x.shape)
    return (x * gain).add_(gain).add_(x).clamp_(-1, 1)


def levelled(x: Tensor, amount: Number) -> Tensor:
    """The whole range of light, by 0 to 1: the darkest hundredth of each picture goes to black,
    the brightest to white, at most `MOST_CONTRAST` times apart.

    What spans too little for that is spread the less the flatter it is, about what it is: a
    flat picture stays as it is, and its noise is no picture.
    """
    sample = _sampled(light(x)).flatten(1)
    rank = 1 + sample.shape[1] // 100
    dark = sample.topk(rank, largest=False, sorted=False).values.amax(1).view(-1, 1, 1, 1)
    bright = sample.topk(rank, sorted=False).values.amin(1).view(-1, 1, 1, 1)
    span = (bright - dark).clamp_(min=1e-6)
    still = ((dark + bright) / (2 - span).clamp_(min=1e-6)).clamp_(-1, 1)  # stays what it is
    gain = torch.minimum(2 / span, 1 + (MOST_CONTRAST - 1) * MOST_CONTRAST / 2 * span)
    gain = (gain - 1) * _of_each(amount, x) + 1
    return (x * gain).add_(still * (1 - gain)).clamp_(-1, 1)


def _sampled(x: Tensor) -> Tensor:
    step = max(1, math.isqrt(x.shape[-2] * x.shape[-1] // SAMPLES))
    return x[..., step // 2 :: step, step // 2 :: step]


def coarsened(x: Tensor, times: Number) -> Tensor:
    """Seen through `times` fewer pixels a side: averaged down over areas, enlarged by cubics."""
    return _one_by_one(_coarsened, x, times)


def _coarsened(x: Tensor, times: float) -> Tensor:
    return _more(_fewer(x, times), x.shape).clamp_(-1, 1)


def _fewer(x: Tensor, times: float) -> Tensor:
    """Averaged down to `times` fewer pixels a side, at least one."""
    height, width = x.shape[-2:]
    down, _ = _scales(height, max(1, round(height / times)), x.device)
    along, _ = _scales(width, max(1, round(width / times)), x.device)
    return down @ x @ along.T


def _more(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Enlarged to the sides of `shape` by cubics, edges continued."""
    (rows, columns), (height, width) = x.shape[-2:], shape[-2:]
    return _scales(height, rows, x.device)[1] @ x @ _scales(width, columns, x.device)[1].T


@functools.lru_cache(maxsize=16)
def _scales(many: int, few: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Areas' means as (few, many), and torch's own cubics as (many, few): as matrices, for on a
    CPU its filters take a hundred times as long."""
    ends = torch.linspace(0, many, few + 1)[:, None]
    places = torch.arange(many)
    within = torch.minimum(ends[1:], places + 1) - torch.maximum(ends[:-1], places)
    down = within.clamp_(min=0).mul_(few / many)
    up = interpolate(torch.eye(few)[None, :, :, None], (many, 1), mode="bicubic")[0, :, :, 0].T
    return down.to(device), up.to(device).contiguous()


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


# Lines


def thresholded(x: Tensor, block: Number, c: Number, pencil: Number) -> Tensor:
    """A pen drawing: black where the light is more than `c` levels under the mean of its square
    of `block` pixels (odd, from 3), white elsewhere.

    `pencil`, 0 to 1, makes of the black a grey as deep as the light is under that, and lets the
    mean of the whole picture have a say, so that what is dark all over stays dark.
    """
    seen, soft = light(x), _of_each(pencil, x)
    near = _one_by_one(lambda one, side: boxed(one, int(side) | 1), seen, block)
    whole = seen.mean((-2, -1), keepdim=True)
    paper = near + (whole - near) * (SURE * soft)
    over = seen - paper + _of_each(c, x) * LEVEL  # below 0 there is a line
    tone = over.div_(soft * (PENCIL * LEVEL / 2) + INK).add_(1).clamp_(-1, 1)
    return tone.expand_as(x).contiguous()


def cannied(x: Tensor, low: Number, high: Number, sigma: float = SIGMA, width: int = 1) -> Tensor:
    """Canny's edges, white on black, `width` 1 to 3 pixels wide: where the light changes more than
    `high`, and what goes on from there with more than `low`, to the line's end (Canny 1986).

    Thresholds are as OpenCV's: of both sides' Sobel differences together, in levels, which for a
    step of n levels is 4·n. The smaller of the two is the low one. `sigma` is the deviation of the
    Gaussian before it; 0 = none, as in OpenCV.
    """
    seen = light(x)
    steep, ridge = _ridges(gaussian(seen, sigma) if sigma > 0 else seen)
    first, second = _of_each(low, steep), _of_each(high, steep)
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


# What they are made with


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
