"""Drawing: what a camera or a pen would make of a picture, for the live sight and for the school.

Pure functions on (B, 3, H, W) float32, blue green red, in [-1, 1], of any size and on any device;
one plane, the light alone, goes in place of three, and then one comes out. A number for each
picture may be given as (B,). Thresholds are levels of 255, as in OpenCV, whose adaptive threshold
this is; edges are continued. Nothing is kept from picture to picture. `canny` and `median` have
modules of their own; what all are made with is in `filters`.
"""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d

from bridge.learn.filters import LEVEL, Number, boxed, light, of_each, one_by_one

MOST_CONTRAST = 5.0  # times; a picture that would need more is flat, and spread the less for it
SAMPLES = 16384  # pixels, about, of which the darkest and the brightest hundredth are told
CELLS = 32  # of the paper on the long side
MOST_LIGHT = 4.0  # times
PENCIL = 72.0  # levels from the paper to a pencil's black
INK = 1e-4  # of [-1, 1], from white to grey and to black: beyond what is rounded
SURE = 0.6  # share of the whole picture's mean in a pencil's paper


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
    gain = _more(gain.mul_(of_each(amount, x)), x.shape)
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
    gain = (gain - 1) * of_each(amount, x) + 1
    return (x * gain).add_(still * (1 - gain)).clamp_(-1, 1)


def _sampled(x: Tensor) -> Tensor:
    step = max(1, math.isqrt(x.shape[-2] * x.shape[-1] // SAMPLES))
    return x[..., step // 2 :: step, step // 2 :: step]


def coarsened(x: Tensor, times: Number) -> Tensor:
    """Seen through `times` fewer pixels a side: averaged down over areas, enlarged by cubics."""
    return one_by_one(_coarsened, x, times)


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


def thresholded(x: Tensor, block: Number, c: Number, pencil: Number) -> Tensor:
    """A pen drawing: black where the light is more than `c` levels under the mean of its square
    of `block` pixels (odd, from 3), white elsewhere.

    `pencil`, 0 to 1, makes of the black a grey as deep as the light is under that, and lets the
    mean of the whole picture have a say, so that what is dark all over stays dark.
    """
    seen, soft = light(x), of_each(pencil, x)
    near = one_by_one(lambda one, side: boxed(one, int(side) | 1), seen, block)
    whole = seen.mean((-2, -1), keepdim=True)
    paper = near + (whole - near) * (SURE * soft)
    over = seen - paper + of_each(c, x) * LEVEL  # below 0 there is a line
    tone = over.div_(soft * (PENCIL * LEVEL / 2) + INK).add_(1).clamp_(-1, 1)
    return tone.expand_as(x).contiguous()
