"""Pictures: small copies of what is seen and made, for whoever watches from outside.

The frame thread publishes them by name (`seen`, `made`, `brain/3`), and only as often as somebody
looks; any thread takes the newest. A copy is never written again, so nobody waits for anybody.
"""

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class Pictures:
    """The newest picture of each name.

    every   seconds between published pictures; the watcher's side sets it
    """

    LARGEST = 640  # pixels on the longest side of a copy

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.every = 1 / 15
        self._clock = clock
        self._watched_until = self._last = -math.inf
        self._numbers = itertools.count(1)  # of all names: what comes after `forget` is new too
        self._newest: dict[str, tuple[int, Pixels]] = {}

    def watch(self, seconds: float = 2.0) -> None:
        """Somebody watches for this long from now. Any thread."""
        self._watched_until = max(self._watched_until, self._clock() + seconds)

    def due(self, now: float) -> bool:
        """Whether a picture is to be published at `now`, on the clock of `watch`: somebody watches,
        and `every` has passed."""
        return now < self._watched_until and now >= self._last + self.every

    def step(self, pixels: Any) -> int:
        """Of how many pixels, across and down, a copy of this picture has one."""
        longest: int = max(pixels.shape[:2])
        return -(-longest // self.LARGEST)

    def publish(self, name: str, pixels: Pixels, now: float | None = None) -> None:
        """Let a small copy of (H, W, 4) or (H, W, 3) uint8, blue first, be the newest of `name`.

        Without `now` it comes out of turn: a picture that stands, and holds no moving one up.
        Every so many pixels one is taken; averaging them takes twenty times as long.
        """
        beat = self._last + self.every
        if now is not None and now >= beat:
            # Kept to the beat, or a frame a little early would cost a frame's time each time.
            self._last = beat if now - beat < self.every else now
        step = self.step(pixels)
        small = _copied(pixels[::step, ::step])
        small.flags.writeable = False
        self._newest[name] = next(self._numbers), small

    def newest(self, name: str) -> tuple[int, Pixels] | None:
        """The picture's number, which only goes up, and (h, w, 3) uint8, blue first. Any thread."""
        return self._newest.get(name)

    def names(self) -> list[str]:
        """The names there are pictures of. Any thread."""
        return list(self._newest)

    def forget(self, name: str) -> None:
        """There is no such picture any more."""
        self._newest.pop(name, None)


def _copied(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 3 and pixels.flags.c_contiguous:
        return pixels.copy()
    copy = np.empty((*pixels.shape[:2], 3), np.uint8)
    for channel in range(3):  # a fifth of the time that a copy of three at once takes
        copy[..., channel] = pixels[..., channel]
    return copy
