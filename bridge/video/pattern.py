"""The built-in moving scene: `pattern:`, or `pattern:1280x720`.

Six pictures of seven seconds, cut hard one to the next, round and round, thirty frames a second;
what a new user sees first, and every test's source. A frame is a pure function of its number
(`bridge/video/scenes.py`), so it is drawn when it is asked for, on the frame thread: nothing is
decoded ahead and what nobody waits for is never drawn. Offline it has no end.
"""

import re
import time
from collections.abc import Callable

import numpy as np

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import Source
from bridge.video.pixels import Pixels
from bridge.video.scenes import LENGTH, Cloth, Dawn, Ink, Petals, Rain, Scene, Sea

RATE = 30.0
SIZE = 640, 360
SIDES = 16, 4096  # the least and the most
SCENES: tuple[type[Scene], ...] = (Dawn, Ink, Petals, Sea, Cloth, Rain)


def discover(timeout: float) -> list[str]:  # noqa: ARG001  (it is always there)
    return ["pattern:"]


class Pattern:
    """The frames by their number, for one size."""

    def __init__(self, width: int, height: int) -> None:
        self._scenes = [scene(width, height) for scene in SCENES]  # once: no stall at a cut

    def __call__(self, number: int) -> Pixels:
        scene, frame = divmod(number, round(LENGTH * RATE))
        packed = self._scenes[scene % len(SCENES)].draw(frame / RATE)
        return packed.view(np.uint8).reshape(*packed.shape, 4)


class Receiver:
    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = True,  # noqa: ARG002  (it has no end either way)
        device: str = "cpu",  # noqa: ARG002  (its frames are the host's)
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._size = _size(rest)
        self._pattern = Pattern(*self._size)
        self._live, self._clock, self._sleep = live, clock, sleep
        self._start: float | None = None  # when frame 0 was due
        self._next = 0
        self._closed = False

    def receive(self, timeout: float) -> Frame | None:
        if self._closed:
            return None
        if not self._live:
            self._next += 1
            return self._drawn(self._next - 1, (self._next - 1) / RATE, 0)
        now = self._clock()
        if self._start is None:
            self._start = now
        early = self._start + self._next / RATE - now
        if early > 0:
            self._sleep(min(early, timeout))
            now = self._clock()
        # A hair's breadth: a sleep to the very moment must not miss it by a rounding.
        number = int((now - self._start) * RATE + 1e-3)
        if number < self._next:
            return None
        skipped, self._next = number - self._next, number + 1
        return self._drawn(number, self._start + number / RATE, skipped)

    def status(self) -> Source:
        return Source(not self._closed, "pattern", self._size, RATE, ended=self._closed)

    def close(self) -> None:
        self._closed = True

    def _drawn(self, number: int, moment: float, skipped: int) -> Frame:
        return Frame(self._pattern(number), "bgra", moment, skipped)


def _size(rest: str) -> tuple[int, int]:
    if not rest:
        return SIZE
    match = re.fullmatch(r"(\d+)x(\d+)", rest)
    if match:
        width, height = int(match[1]), int(match[2])
        if all(SIDES[0] <= side <= SIDES[1] for side in (width, height)):
            return width, height
    raise Refusal(
        f"--in pattern:{rest}: give a size like pattern:640x360, sides {SIDES[0]} to {SIDES[1]}."
    )
