"""Crops: what a pupil is shown of the museum: a picture by its share, a place in it, nearer or not.

Which crop it is follows from its number alone, never from what was drawn before: so any process
can make any crop, a lesson can be gone on with at any step, and the crops are the same again.
"""

import random

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bridge.learn import shards
from bridge.learn.shards import Shards

LINES = 256, 400  # how many lines the whole picture is seen on, from far and from near


class Crops:
    """Crops of `size` = (width, height) out of a museum; held-out pictures never are."""

    def __init__(self, museum: Shards, size: tuple[int, int], seed: int) -> None:
        self.museum, self.size, self._seed = museum, size, seed
        self._odds = shards.odds(museum.entries)

    def dice(self, *number: int) -> random.Random:
        """The chance that goes with a number, the same on every machine."""
        return random.Random(f"{self._seed} {number}")

    def draw(self, dice: random.Random) -> tuple[int, Tensor]:
        """Which picture it is of, and the crop: (1, 3, height, width) float32 in [-1, 1]."""
        index = shards.chosen(self._odds, dice)
        return index, self.cut(self.museum.picture(index), dice)

    def palette(self, dice: random.Random) -> Tensor:
        """(1, 6): that of a picture by its share."""
        return torch.tensor([self.museum.entries[shards.chosen(self._odds, dice)].palette])

    def cut(self, picture: Tensor, dice: random.Random) -> Tensor:
        """A crop by chance of (H, W, 3) uint8, as wide as it is seen on `LINES` lines; of a small
        picture the widest there is."""
        height, width = picture.shape[:2]
        lines = dice.uniform(*LINES)
        nearness = min(height, width) / lines  # its pixels for one of the crop's
        wide, high = (side * nearness for side in self.size)
        fits = min(1.0, width / wide, height / high)
        wide, high = max(1, int(wide * fits)), max(1, int(high * fits))
        left, top = dice.randint(0, width - wide), dice.randint(0, height - high)
        part = picture[top : top + high, left : left + wide]
        if dice.random() < 0.5:
            part = part.flip(1)
        return fitted(part, self.size)

    def held(self, count: int, side: int) -> list[tuple[int, Tensor]]:
        """Up to `count` crops of what is held out, alike each time: the pictures' middles, on as
        few lines as a pupil sees them, of `side` pixels. Of what is taught, where nothing is."""
        entries = self.museum.entries
        kept = [index for index, entry in enumerate(entries) if entry.held]
        kept = kept or [index for index, entry in enumerate(entries) if entry.share > 0]
        chosen = kept[:: max(1, len(kept) // count)][:count]
        return [(index, middle(self.museum.picture(index), side)) for index in chosen]


def generator(dice: random.Random) -> torch.Generator:
    """Chance for tensors, as the dice have it."""
    return torch.Generator().manual_seed(dice.getrandbits(62))


def middle(picture: Tensor, side: int) -> Tensor:
    """(1, 3, side, side) of the middle of (H, W, 3) uint8, as wide as it goes."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return fitted(picture[top : top + least, left : left + least], (side, side))


def fitted(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, height, width) float32 in [-1, 1]."""
    planes = pixels.permute(2, 0, 1)[None].float()
    if planes.shape[-2:] != (size[1], size[0]):
        planes = interpolate(planes, (size[1], size[0]), mode="bicubic", antialias=True)
    return planes.sub_(127.5).mul_(1 / 127.5).clamp_(-1, 1).contiguous()
