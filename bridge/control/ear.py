"""The ear: OSC and the page, up before the network is there and until after it has gone.

It opens without torch, so that controllers and pages hear `loading` and a heartbeat a moment after
the command was given. What they play meanwhile is kept, and played when the tree of knobs is
complete.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from bridge import Refusal
from bridge.control.feedback import Feedback, resolve
from bridge.control.guard import Guard
from bridge.control.server import OscServer
from bridge.space import AddressSpace
from bridge.stats import Stats, System


class Served(Protocol):
    """What an ear needs of a page server."""

    port: int
    pictures: Any  # what pages are shown: Pictures, whose NumPy would keep the heart waiting

    @property
    def address(self) -> str: ...
    def changed(self) -> None: ...
    def close(self) -> None: ...


class Ear:
    """An AddressSpace that hears and tells, until closed; as a context it tells why it ended.

    `feedback` is where changes are told: "HOST:PORT", "HOST:PORT norm text", or "none".
    `allow` and `token` are Guard's. Raises Refusal for what cannot be opened or found. The loop's
    `clock` is needed to tell whether the loop turns.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 9137,
        feedback: Sequence[str] = (),
        allow: Sequence[str] = (),
        token: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.space, self.stats, self.system = AddressSpace(), Stats(), System()
        self.guard = Guard(allow, token)
        self.space.hold()
        self._server = OscServer(self.space, host=host, port=port, guard=self.guard)
        self.host: str = self._server.here[0]
        self.port = self._server.port
        self.web: Served | None = None
        try:
            fixed = [resolve(place, self._server.here) for place in feedback if place != "none"]
        except Refusal:
            self._server.close()
            raise
        self._feedback = Feedback(
            self.space, self._server.send, fixed, pulse=lambda: self.stats.watch(clock())
        )
        for group, owner in (
            ("/stats", self.stats),
            ("/stats", self.space),
            ("/stats", self._server),
            ("/stats", self.guard),
            ("/system", self.system),
            ("/system", self._feedback),
        ):
            self.space.add(group, owner)
        self._feedback.start()

    def serve(self, web: Served) -> None:
        """Let a page server belong to this ear: told what changes, closed with it."""
        self.web = web
        self.space.add("/stats", web)

    def complete(self) -> None:
        """Every knob has its address: play what was kept, and tell every subscriber everything."""
        self.space.complete()
        self._feedback.tell_everything()
        if self.web:
            self.web.changed()

    def close(self) -> None:
        """Tell that it has ended, and fall silent. Harmless when already closed."""
        self.stats.state = "ended"
        self._feedback.close()
        self._server.close()
        if self.web:
            self.web.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(problem, (Refusal, ImportError)):
            self.stats.error = str(problem)
        self.close()
