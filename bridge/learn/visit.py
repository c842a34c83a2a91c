"""A visit: some pictures of a prepared museum, taken along to be met again among what was seen.

They are drawn once, at the start, each picture as often as its share has it and none that is held
out, and are kept as the memory keeps its own: uint8, of the network's size, on its device.
"""

import random
from pathlib import Path

import torch
from torch import Tensor

from bridge import Refusal
from bridge.learn import image, shards
from bridge.learn.memory import room_for

MOST = 256  # draws


def pictures(
    folder: str, size: tuple[int, int], device: torch.device, dice: random.Random
) -> list[Tensor]:
    """(H, W, 3) uint8, blue first, of `size` = (width, height), cropped to its shape: a draw each,
    so that a picture that was drawn twice is in it twice, and held once. Raises Refusal where the
    folder is no prepared museum."""
    try:
        museum = shards.Shards(Path(folder).expanduser())
        odds = shards.odds(museum.entries)
        drawn = [shards.chosen(odds, dice) for _ in range(min(MOST, room_for(size)))]
        hung = {index: museum.picture(index) for index in sorted(set(drawn))}  # shard by shard
    except Refusal as problem:
        raise Refusal(f"--museum {problem}") from problem
    fitted = {
        index: image.fit(picture, size, "crop").contiguous().to(device)
        for index, picture in hung.items()
    }
    return [fitted[index] for index in drawn]
