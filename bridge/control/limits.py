"""Limits: how much of the page's port one machine, and all together, may have.

One client that did its worst took half of the show's frames, and idle connections every file that
the program may open (docs/performance.md).
"""

from typing import Any

from websockets.asyncio.server import ServerConnection

from bridge.control.feedback import here_only
from bridge.control.guard import Guard

MOST_LINES = 128  # connections of any kind: one that says nothing holds a file open too
MOST_OF_A_HOST = 48  # of them, from one other machine; ten pages are twenty


class Budget:
    """So many a second, and a second's worth at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._left, self._counted = rate, rate, now

    def spend(self, count: int, now: float) -> float:
        """Seconds to wait after spending `count`; 0 while there is enough."""
        self._left = min(self._rate, self._left + (now - self._counted) * self._rate) - count
        self._counted = now
        return max(0.0, -self._left / self._rate)

    def allows(self, now: float) -> bool:
        """Spend one, if there is one."""
        if self.spend(1, now) == 0:
            return True
        self._left += 1
        return False


class Lines:
    """The connections that are open, by host: whom `guard` lets in, and not too many."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.open: dict[str, int] = {}

    def admits(self, host: str) -> bool:
        """Whether one more connection of a host may be open; this machine always finds a place."""
        if not self._guard.lets((host,)):
            self._guard.denied += 1
            return False
        if here_only(host):
            return self.open.get(host, 0) < MOST_LINES
        others = sum(count for one, count in self.open.items() if not here_only(one))
        return others < MOST_LINES and self.open.get(host, 0) < MOST_OF_A_HOST

    def count(self, host: str, by: int) -> None:
        """Remember that a connection of a host has come or gone."""
        left = self.open.get(host, 0) + by
        if left:
            self.open[host] = left
        else:
            self.open.pop(host, None)


class Line(ServerConnection):
    """A connection that counts from its first byte."""

    def __init__(self, lines: Lines, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lines, self._host = lines, ""

    def connection_made(self, transport: Any) -> None:
        self._host = str(transport.get_extra_info("peername", ("",))[0])
        if not self._lines.admits(self._host):
            transport.abort()
        self._lines.count(self._host, 1)
        super().connection_made(transport)

    def connection_lost(self, problem: Exception | None) -> None:
        self._lines.count(self._host, -1)
        super().connection_lost(problem)
