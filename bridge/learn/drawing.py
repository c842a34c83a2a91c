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

Number = float | Tensor  # one for all pictures, or (B,)

LUMA = (0.0722, 0.7152, 0.2126)  # of blue, green, red: BT.709
LEVEL = 2 / 255  # a level of 255 in [-1, 1]
MOST_CONTRAST = 5.0  # times; a picture that would need more is flat, and spread the less for it
SAMPLES = 4096  # pixels, about, of which the darkest and the brightest hundredth are told
CELLS = 32  # of the paper on the long side
MOST_LIGHT = 4.0  # times
PENCIL = 96.0  # levels from the paper to a pencil's black
SURE = 0.5  # share of the whole picture's mean in a pencil's paper
SIGMA = 1.0  # pixels
STEEP = math.tan(math.pi / 8)  # a direction is one of four
MOST_ROUNDS = 1024  # steps along a line that is certain at one end only
RANKS = 32767 / 2  # a median is found among so many steps of light on either side of grey


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
    there, in proportion to its mean; nothing gets brighter than `MOST_LIGHT` times.

    The paper is the brightest about each place, seen so wide that what is drawn is not in it.
    """
    height, width = x.shape[-2:]
    cell = max(1, math.ceil(max(height, width) / CELLS))
    cells = avg_pool2d(light(x), cell, ceil_mode=True, count_include_pad=False).add_(1)
    paper = gaussian(max_pool2d(cells, 5, 1, 2), 3.0).clamp_(min=LEVEL)
    gain = (paper.mean((-2, -1), keepdim=True) / paper).clamp_(max=MOST_LIGHT)
    gain = (gain - 1) * _of_each(amount, x) + 1
    gain = interpolate(gain, (height, width), mode="bilinear", align_corners=False)
    return (x + 1).mul_(gain).sub_(1).clamp_(-1, 1)


def levelled(x: Tensor, amount: Number) -> Tensor:
    """The whole range of light, by 0 to 1: the darkest hundredth of each picture goes to black,
    the brightest to white, at most `MOST_CONTRAST` times apart.

    What spans too little for that is spread the less the flatter it is, about what it is: a
    flat picture stays as it is, and its noise is no picture.
    """
    sample = _sampled(light(x)).flatten(1)
    rank = 1 + sample.shape[1] // 100
    dark = sample.kthvalue(rank, 1).values
    bright = sample.kthvalue(sample.shape[1] + 1 - rank, 1).values
    span = (bright - dark).clamp_(min=1e-6)
    least = 2 / MOST_CONTRAST
    gain = torch.minimum(2 / span, 1 + (MOST_CONTRAST - 1) / least * span)
    still = (dark + bright) / (2 - span).clamp_(min=1e-6)  # the light that stays what it is
    gain = (gain - 1) * (amount.to(x) if isinstance(amount, Tensor) else amount) + 1
    gain, still = gain.view(-1, 1, 1, 1), still.clamp_(-1, 1).view(-1, 1, 1, 1)
    return torch.addcmul(still * (1 - gain), x, gain).clamp_(-1, 1)


def _sampled(x: Tensor) -> Tensor:
    step = max(1, math.isqrt(x.shape[-2] * x.shape[-1] // SAMPLES))
    return x[..., step // 2 :: step, step // 2 :: step]


def coarsened(x: Tensor, times: Number) -> Tensor:
    """Seen through `times` fewer pixels a side: averaged down over areas, enlarged by cubics."""
    return _one_by_one(_coarsened, x, times)


def _coarsened(x: Tensor, times: float) -> Tensor:
    rows, columns = (max(1, round(side / times)) for side in x.shape[-2:])
    height, width = x.shape[-2:]
    if (rows, columns) == (height, width):
        return x
    fewer_rows, more_rows = _scales(height, rows, x.device)
    fewer_columns, more_columns = _scales(width, columns, x.device)
    small = fewer_rows @ x @ fewer_columns.T
    return (more_rows @ small @ more_columns.T).clamp_(-1, 1)


@functools.lru_cache(maxsize=32)
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

    From 7 on it is a median of medians: of nine squares of 3 (from 11 on: of 5) that together
    cover the whole. Exact to a 32767th of the range.
    """
    side |= 1
    if side == 1:
        return x
    ranks = continued(x, side // 2).mul(RANKS).round_().to(torch.int16)
    if side <= 5:
        ranks = _median(ranks, side, 1)
    else:
        first = 3 if side < 11 else 5
        ranks = _median(_median(ranks, first, 1), 3, (side - first) // 2)
    return ranks.to(x.dtype).mul_(1 / RANKS)


def _median(wide: Tensor, side: int, apart: int) -> Tensor:
    """The median of side × side values `apart` from each other; no value looks over the edge."""
    height, width = (length - apart * (side - 1) for length in wide.shape[-2:])
    places = range(0, apart * side, apart)
    planes = [
        wide[..., row : row + height, column : column + width].contiguous()
        for row in places
        for column in places
    ]
    for low, high, low_counts, high_counts in _selection(side * side):
        one, other = planes[low], planes[high]
        if low_counts:
            planes[low] = torch.minimum(one, other, out=None if high_counts else one)
        if high_counts:
            torch.maximum(one, other, out=other)
    return planes[side * side // 2]


@functools.cache
def _selection(count: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """Pairs to put in order, one after the other, until the middle one of `count` is in its
    place, and which of the two still counts then: Batcher's sort (Knuth 5.2.2 M), without what
    the middle does not ask for."""
    pairs = []
    top = 1 << ((count - 1).bit_length() - 1)
    step = top
    while step:
        far, rest, apart = top, 0, step
        while True:
            pairs += [(i, i + apart) for i in range(count - apart) if i & step == rest]
            if far == step:
                break
            apart, far, rest = far - step, far // 2, step
        step //= 2
    counts, kept = {count // 2}, []
    for low, high in reversed(pairs):
        if low in counts or high in counts:
            kept.append((low, high, low in counts, high in counts))
            counts |= {low, high}
    return tuple(reversed(kept))


# Lines


def thresholded(x: Tensor, block: Number, c: Number, pencil: Number) -> Tensor:
    """A pen drawing: black where the light is `c` levels or more under the mean of its square of
    `block` pixels (odd, from 3), white elsewhere.

    `pencil`, 0 to 1, makes of the black a grey as deep as the light is under that, and lets the
    mean of the whole picture have a say, so that what is dark all over stays dark.
    """
    seen, soft = light(x), _of_each(pencil, x)
    near = _one_by_one(lambda one, side: boxed(one, int(side) | 1), seen, block)
    whole = seen.mean((-2, -1), keepdim=True)
    paper = near + (whole - near) * (SURE * soft)
    over = seen - paper + _of_each(c, x) * LEVEL  # below 0 there is a line
    return over.div_(soft * (PENCIL * LEVEL / 2) + 1e-6).add_(1).clamp_(-1, 1).expand_as(x)


def cannied(x: Tensor, low: Number, high: Number, sigma: float = SIGMA, width: int = 1) -> Tensor:
    """Canny's edges, white on black, `width` 1 to 3 pixels wide: where the light changes more than
    `high`, and what goes on from there with more than `low`, to the line's end (Canny 1986).

    Thresholds are as OpenCV's: of both sides' Sobel differences together, in levels, which for a
    step of n levels is 4·n. The smaller of the two is the low one. `sigma` is the deviation of the
    Gaussian before it; 0 = none, as in OpenCV.
    """
    seen = light(x)
    steep, ridge = _ridges(gaussian(seen, sigma) if sigma > 0 else seen)
    first, second = (_of_each(number, steep) for number in (low, high))
    weak, strong = ((steep > threshold).view(-1) & ridge for threshold in (first, second))
    weak, strong = weak | strong, weak & strong  # whichever was which
    row = steep.shape[-1]
    line = _followed(strong, weak, row)
    if width == 2:
        line[1:] |= line[:-1].clone()
        line[row:] |= line[:-row].clone()
    elif width > 2:
        line = _grown(line, row)
    line = line.view(steep.shape)[..., 1:-1, 1:-1]
    return line.to(x.dtype).mul_(2).sub_(1).expand_as(x)


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

    def over(step: int, also: bool) -> Tensor:
        there = flat[row + 1 + step : len(flat) - row - 1 + step]
        return here >= there if also else here > there

    level = down.abs() < across.abs() * STEEP
    upright = across.abs() < down.abs() * STEEP
    falling = (across > 0) == (down > 0)
    level, upright, falling = (mask[row + 1 : -row - 1] for mask in (level, upright, falling))
    ridge = level & over(-1, False) & over(1, True)
    ridge |= upright & over(-row, False) & over(row, True)
    slanted = falling & over(-row - 1, False) & over(row + 1, False)
    slanted |= ~falling & over(1 - row, False) & over(row - 1, False)
    ridge |= slanted & ~(level | upright)
    return steep, pad(ridge, (row + 1, row + 1))


def _followed(strong: Tensor, weak: Tensor, row: int) -> Tensor:
    """What of `weak` hangs together with something of `strong`, through sides or corners."""
    for round_ in range(MOST_ROUNDS):
        more = _grown(strong, row) & weak
        if round_ % 8 == 7 and torch.equal(more, strong):
            break
        strong = more
    return strong


def _grown(mask: Tensor, row: int) -> Tensor:
    """With the eight neighbours of what is true, in rows of `row`, one after the other."""
    wide = mask.clone()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    tall = wide.clone()
    tall[row:] |= wide[:-row]
    tall[:-row] |= wide[row:]
    return tall


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
