"""Exercises: what is left of a painting for the hand to give back, drawn at random.

Out of the very functions that the live sight is made of (`learn/drawing.py`): its light, fewer
pixels of it, its edges, a pen's or a pencil's drawing of it, on a paper that is lit as papers are,
in either polarity, with a camera's noise.
"""

import math
import random

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bridge.learn import canny, drawing, filters
from bridge.museum.crops import generator
from bridge.nets.hand import palette_of

KINDS = "light", "coarse", "edges", "drawing"
PAINTED = 0.15, 0.40, 0.15, 0.30  # how often each is shown, where it is to be painted
PLAIN = 0.05, 0.05, 0.15, 0.75  # and where it is to be given back as it was
COARSEST = 32.0
BLOCKS = 7, 9, 11, 15, 21, 31
LEVELLED = 0.6  # how often light and dark are spread over the whole range, as they are when played
PAPERED = 0.2  # how often a drawing lies on a paper that is not quite white
FLAT, MOST_GAIN = 0.02, 2.5  # deviation below which a colour is none; most that it is spread
TURNED = 0.12  # how often lines are light on dark: more, and dark places pass for paper


def shown(x: Tensor, dice: random.Random, plain: bool) -> Tensor:
    """What is shown of `x`, (1, 3, H, W) in [-1, 1]: (1, 1, H, W), light alone."""
    kind = dice.choices(KINDS, PLAIN if plain else PAINTED)[0]
    seen = filters.light(x)
    seen = toned(seen, dice, kind) if kind in ("light", "coarse") else lined(seen, dice, kind)
    if dice.random() < 0.5:
        grain = torch.randn(seen.shape, generator=generator(dice))
        seen = seen + grain * (0.1 * dice.random())
    return seen.clamp(-1, 1)


def recoloured(x: Tensor, palette: Tensor, share: float) -> Tensor:
    """`x`, (1, 3, H, W), its colours' mean and deviation moved by a share towards those of a
    palette, (1, 6) (Reinhard et al. 2001, there in colours of another kind): of ten paintings, a
    palette would be known by heart as a painting, and any other be none."""
    own = palette_of(x)
    mean, deviation = torch.lerp(own, palette, share).view(2, 1, 3, 1, 1)
    before, wide = own.view(2, 1, 3, 1, 1)
    gain = (deviation / wide.clamp(min=FLAT)).clamp(max=MOST_GAIN)
    moved: Tensor = (x - (2 * before - 1)) * gain + (2 * mean - 1)
    return moved.clamp(-1, 1)


def toned(seen: Tensor, dice: random.Random, kind: str) -> Tensor:
    """Light and dark, as they are or through fewer pixels."""
    if dice.random() < LEVELLED:
        seen = drawing.levelled(seen, 1.0)
    if kind == "coarse":
        seen = drawing.coarsened(seen, math.exp(dice.uniform(math.log(2), math.log(COARSEST))))
    # The palette is to say how light it all is: the light that is shown must not give it away.
    return seen * dice.uniform(0.6, 1.2) + dice.uniform(-0.3, 0.3)


def lined(seen: Tensor, dice: random.Random, kind: str) -> Tensor:
    """Dark lines on a light paper, most of the time."""
    if kind == "edges":
        low = dice.uniform(15, 90)
        sigma, width = dice.uniform(0.7, 2.0), dice.choice((1, 1, 1, 2, 3))
        seen = -canny.cannied(seen, low, low * dice.uniform(1.5, 3.0), sigma, width)
    else:
        softened = dice.choice((0.0, 0.6, 1.0, 1.5))
        seen = filters.gaussian(seen, softened) if softened else seen
        pencil = dice.choice((0.0, dice.uniform(0.1, 0.5), dice.uniform(0.1, 0.5), dice.random()))
        # The softer, the later it is black: lines begin sooner.
        under = dice.uniform(2, 24) if pencil == 0 else dice.uniform(-6, 10)
        seen = drawing.thresholded(seen, dice.choice(BLOCKS), under, pencil)
    if dice.random() < PAPERED:
        seen = papered(seen, dice)
    return -seen if dice.random() < TURNED else seen


def papered(seen: Tensor, dice: random.Random) -> Tensor:
    """On a paper that is not quite white, and lit from somewhere."""
    lit = torch.rand((1, 1, 3, 3), generator=generator(dice))
    lit = interpolate(lit, seen.shape[-2:], mode="bicubic", align_corners=True)
    return (seen + 1) * (1 - 0.25 * lit.clamp(0, 1)) - 1
