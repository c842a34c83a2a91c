"""A fake stage for `firstlight latency`: sender, bridge and clock in one thread, and no time.

Cards are sent at their rate on a clock that moves only when a receiver waits. Each passage may do
something to a picture, or lose it, or give it more than once; the way through the bridge is the
first passage, the network, and the second.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bridge import Refusal
from bridge.bench.card import Card
from bridge.bench.source import Sent
from bridge.frame import Frame
from bridge.video import Source

Hop = Callable[[int, np.ndarray], list[np.ndarray]]  # a card's number and pixels: what arrives
Coming = tuple[float, np.ndarray | None]
BEGUN = 1000.0  # of the clock


def whole(_number: int, pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels]


def opaque(_number: int, pixels: np.ndarray) -> list[np.ndarray]:
    """What the bridge does."""
    pixels[..., 3] = 255
    return [pixels]


class Relay:
    def __init__(
        self,
        first: Hop = whole,
        network: Hop = opaque,
        second: Hop = whole,
        *,
        rate: float = 30.0,
        late: float = 0.004,
        skipped: int = 0,
        dies: bool = False,
        error: str = "",
    ) -> None:
        self.first, self.network, self.second = first, network, second
        self.rate, self.late, self.skipped, self.dies = rate, late, skipped, dies
        self.error = error
        self.now = BEGUN
        self.opened: list[str] = []
        self.asked = 0

    def clock(self) -> float:
        return self.now

    def source(self) -> str:
        return "fake:card"

    def bridge(self, source: str) -> str:
        assert source == "fake:card"
        return "fake:bridge"

    def receiver(self, address: str) -> "Outlet":
        self.opened.append(address)
        straight = address == "fake:card"
        hops = [self.first] if straight else [self.first, self.network, self.second]
        return Outlet(self, hops)

    def check(self) -> None:
        if self.dies:
            raise Refusal("the bridge has ended; it last said: out of memory")

    def stats(self) -> dict[str, Any]:
        """As many skipped as was said, between the first question and the second."""
        self.asked += 1
        return {"/stats/skipped": 7 + self.skipped * (self.asked - 1), "/stats/route": "by hand"}

    def said(self) -> str:
        return "waiting"

    def sent(self) -> Sent:
        count = int((self.now - BEGUN) * self.rate) + 1
        return Sent([BEGUN + number / self.rate for number in range(count)], error=self.error)


class Outlet:
    """A receiver of what has gone through `hops`."""

    def __init__(self, relay: Relay, hops: list[Hop]) -> None:
        self._relay = relay
        self._coming = self._come(hops)
        self._next: Coming | None = None

    def receive(self, timeout: float) -> Frame | None:
        moment, pixels = self._next or next(self._coming)
        late = moment - self._relay.now > timeout
        self._next = (moment, pixels) if late else None
        self._relay.now = self._relay.now + timeout if late else max(self._relay.now, moment)
        return None if late or pixels is None else Frame(pixels, "bgra", moment)

    def status(self) -> Source:
        return Source(True, "fake", error="it is dark")

    def close(self) -> None:
        """Nothing is open."""

    def _come(self, hops: list[Hop]) -> Iterator[Coming]:
        """When something comes, and what: nothing in the place of a card that is lost."""
        relay, card = self._relay, Card(160, 160)
        begun = int((relay.now - BEGUN) * relay.rate)
        for number in itertools.count(begun):
            pictures: list[np.ndarray] = [card(number).copy()]
            for hop in hops:
                pictures = [after for before in pictures for after in hop(number, before)]
            for place, pixels in enumerate(pictures or [None]):
                yield BEGUN + number / relay.rate + relay.late * (len(hops) + place), pixels
