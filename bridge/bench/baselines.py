"""What a sceptic holds against a memory: pictures that need no network.

The mean of all frames and moving averages are what is left of a clip without any seeing; a
thumbnail (and `bench/jpeg.py`) is what as many bits as the network's code hold when they are spent
on the picture at hand. All pictures are (H, W, 3) in levels, 0 to 255.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

from bridge.bench.retention import Clip
from bridge.frame import Frame
from bridge.learn.learner import Learner
from bridge.learn.score import MOST_DB
from bridge.nets.code import Bottleneck

GREY = 127.5
WORD = 16  # bits of a number of the code, as bfloat16 carries it
DEEP = 24  # bits of a thumbnail's pixel


class MovingAverage:
    """The average of all frames, the weight of each falling to 1/e in `constant` frames; mid-grey
    before the first, as a blank network."""

    def __init__(self, size: tuple[int, int], constant: float) -> None:
        self.picture = np.full((size[1], size[0], 3), GREY)
        self._new = 1 - math.exp(-1 / constant)

    def learn(self, frame: Frame) -> None:
        self.picture += self._new * (levels(frame) - self.picture)

    def score_of(self, frame: Frame) -> float:
        return decibels(self.picture, levels(frame))


def mean_picture(learnt: Sequence[Frame]) -> np.ndarray:
    """The mean of all frames."""
    total = sum((levels(frame) for frame in learnt), np.zeros(1))
    mean: np.ndarray = total / len(learnt)
    return mean


def against_one(picture: np.ndarray, asked: Clip) -> float:
    """Mean dB of one picture, shown for each of a clip's probes."""
    return float(np.mean([decibels(picture, levels(frame)) for frame in asked.probes]))


def code_bits(name: str, size: tuple[int, int]) -> int:
    """Bits of the network's code for one picture: WORD for each number; 0 if it has none."""
    learner, numbers = Learner(name, size), []

    def count(_module: nn.Module, _taken: object, given: tuple[torch.Tensor, object]) -> None:
        numbers.append(given[0].numel())

    for module in learner.net.modules():
        if isinstance(module, Bottleneck):
            module.register_forward_hook(count)
    learner.score_of(Frame(np.zeros((size[1], size[0], 4), np.uint8), "bgra", 0.0))
    return WORD * sum(numbers)


def thumbnail_size(size: tuple[int, int], bits: int) -> tuple[int, int]:
    """(width, height) of the largest picture in 8-bit colours that fits, near the same aspect; no
    side is longer than the picture's, or shorter than 1."""
    width, height = size
    pixels = max(1, bits // DEEP)
    best = 1, 1
    for rows in range(1, min(height, pixels) + 1):
        columns = min(width, pixels // rows, math.ceil(rows * width / height))
        shaped = columns >= rows * width // height
        if shaped and columns * rows > best[0] * best[1]:
            best = columns, rows
    return best


def thumbnail(picture: np.ndarray, small: tuple[int, int]) -> np.ndarray:
    """The picture brought down to `small` = (width, height), in whole levels, and up again, both
    bicubic."""
    planes = torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None]
    height, width = picture.shape[:2]
    down = interpolate(planes, (small[1], small[0]), mode="bicubic", antialias=True)
    up = interpolate(down.round_().clamp_(0, 255), (height, width), mode="bicubic", antialias=True)
    made: np.ndarray = up.clamp_(0, 255)[0].permute(1, 2, 0).numpy()
    return made


def levels(frame: Frame) -> np.ndarray:
    """A frame at the network's size, blue green red."""
    pixels = np.asarray(frame.pixels, np.float64)[..., :3]
    return pixels[..., ::-1] if frame.layout == "rgba" else pixels


def decibels(made: np.ndarray, seen: np.ndarray) -> float:
    error = float(np.square(made - seen).mean())
    return MOST_DB if error <= 0 else min(MOST_DB, 10 * math.log10(255**2 / error))
