"""What the benches share: frames to work on, medians, and the machine's own peak."""

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from bridge import video
from bridge.frame import Frame
from bridge.learn import image


def address(clip: str) -> str:
    """A clip as an address: what names no transport is a movie's path."""
    scheme, colon, _ = clip.partition(":")
    return clip if colon and scheme in video.RECEIVERS else f"file:{clip}"


def frames(address: str, count: int) -> list[Frame]:
    """`count` frames of a source, copied, from its beginning, going round if it is shorter."""
    receiver = video.open_receiver(address, live=False, loop=True)
    kept: list[Frame] = []
    while len(kept) < count:
        frame = receiver.receive(1.0)
        if frame is None:
            break
        kept.append(Frame(np.array(frame.pixels), frame.layout, frame.time))
    receiver.close()
    return kept


def fitted(source: Sequence[Frame], size: tuple[int, int]) -> list[Frame]:
    """The same frames already at the network's size, as a show sends them."""
    return [Frame(_fitted(f, size), f.layout, f.time) for f in source]


def _fitted(frame: Frame, size: tuple[int, int]) -> np.ndarray:
    pixels = image.fit(torch.from_numpy(frame.pixels), size, "stretch")
    made: np.ndarray = pixels.contiguous().numpy()
    return made


def milliseconds(turns: Sequence[Callable[[], object]], warm: int = 8) -> list[float]:
    """Each call's time in ms, the first `warm` left out."""
    times = []
    for turn in turns:
        begun = time.perf_counter()
        turn()
        times.append((time.perf_counter() - begun) * 1e3)
    return times[warm:]


def spread(times: Sequence[float]) -> str:
    """ "median (5 % .. 95 %)" in ms."""
    ordered = sorted(times)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return f"{statistics.median(ordered):6.2f} ({low:.2f} .. {high:.2f})"


def convolution_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of the best of many 3×3 convolutions with 256 channels: what this machine can."""
    x = torch.randn(1, 256, 64, 64).to(dtype, memory_format=torch.channels_last)
    layer = nn.Conv2d(256, 256, 3, padding=1, dtype=dtype)
    with torch.no_grad():
        best = min(milliseconds([lambda: layer(x)] * 40))
    return 2 * 256 * 256 * 9 * 64 * 64 / best / 1e6
