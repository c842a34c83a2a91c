"""A receiver and a sender made of lists, for tests of what stands between them."""

from collections.abc import Callable, Iterable

import numpy as np

from bridge.frame import Frame
from bridge.video import Sink, Source


def picture(width: int = 64, height: int = 48, seed: float = 0) -> np.ndarray:
    """A soft coloured picture, (H, W, 4) uint8, BGRA, another for each seed."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / (7 + c) + seed) + np.cos(y / (9 - c) - seed) for c in range(3)]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = np.stack([127.5 + 63 * w for w in waves], -1)
    return pixels


def frame(width: int = 64, height: int = 48, seed: float = 0, time: float = 0.0) -> Frame:
    return Frame(picture(width, height, seed), "bgra", time)


class Reel:
    """A receiver that gives what it holds, one a call: a Frame, None, or something to do."""

    def __init__(
        self,
        items: Iterable[Frame | Callable[[], object] | None],
        *,
        rate: float | None = 30.0,
        size: tuple[int, int] | None = (64, 48),
    ) -> None:
        self.items = list(items)
        self.rate, self.size = rate, size
        self.timeouts: list[float] = []
        self.closed = False
        self.error = ""

    def receive(self, timeout: float) -> Frame | None:
        self.timeouts.append(timeout)
        if not self.items:
            return None
        item = self.items.pop(0)
        if callable(item):
            item()
            return None
        return item

    def status(self) -> Source:
        ended = not self.items
        return Source(not ended, "reel", self.size, self.rate, ended=ended, error=self.error)

    def close(self) -> None:
        self.closed = True


class Wall:
    """A sender that keeps every picture."""

    host = True

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []
        self.layouts: list[str] = []
        self.closed = False
        self.error = ""

    def send(self, frame: Frame) -> None:
        self.pictures.append(np.array(frame.pixels))
        self.layouts.append(frame.layout)

    def status(self) -> Sink:
        return Sink("wall", error=self.error)

    def close(self) -> None:
        self.closed = True
