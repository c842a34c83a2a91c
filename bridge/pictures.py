"""Pictures for whoever watches: small copies of what is seen and made, by name.

The frame thread publishes them while somebody watches, after the picture has left; nobody writes
one again. Any thread may take the newest. So a page that is slow keeps nobody waiting.
"""

import math
import time
from collections.abc import Callable
from typing import Any

LARGEST = 640  # pixels of a picture's longest side
Pixels = Any  # a NumPy array; to import NumPy for its name would keep the first heartbeat waiting


class Pictures:
    """The newest picture of each name, (h, w, 3) uint8, blue first, and its number.

    every   seconds from one to the next; whoever watches sets it
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.every = 1 / 15
        self._clock = clock
        self._watched_until = -math.inf
        self._last = -math.inf
        self._number = 0
        self._newest: dict[str, tuple[int, Pixels]] = {}

    def watch(self, seconds: float = 2.0) -> None:
        """Somebody watches, for this long from now. Any thread."""
        self._watched_until = self._clock() + seconds

    def due(self) -> bool:
        """Whether pictures are to be published now; they then count as published."""
        now = self._clock()
        if now > self._watched_until or now - self._last < self.every:
            return False
        self._last = now
        return True

    def publish(self, name: str, pixels: Pixels) -> None:
        """Keep a copy of (h, w, 3 or more) uint8, blue first, as the newest of its name."""
        self._number += 1
        self._newest[name] = self._number, pixels[..., :3].copy()

    def newest(self, name: str) -> tuple[int, Pixels] | None:
        """The newest of a name and its number, which no other has; None where there is none."""
        return self._newest.get(name)

    def forget(self, name: str) -> None:
        self._newest.pop(name, None)
