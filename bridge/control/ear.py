"""The ear: OSC and the page, up before the network is there and until after it has gone.

It opens without torch, so that controllers and pages hear `loading` and a heartbeat a moment after
the command was given. What they play meanwhile is kept, and played when the tree of knobs is
complete.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from bridge import Refusal
from bridge.control.feedback import Feedback, resolve
from bridge.control.guard import Guard
from bridge.control.server import OscServer
from bridge.control.web import WebServer
from bridge.pictures import Pictures
from bridge.space import AddressSpace
from bridge.stats import Stats, System


class Ear:
    """An AddressSpace that hears and tells, until closed; as a context it tells why it ended.

    `feedback` is where changes are told: "HOST:PORT", "HOST:PORT norm text", or "none". `page` is
    the port of the page and OSCQuery: 0 is any free one, -1 none. `allow` and `token` are Guard's.
    Raises Refusal for what cannot be opened or found. The loop's `clock` is needed to tell whether
    the loop turns. `pictures` is what pages are shown.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 9137,
        feedback: Sequence[str] = (),
        page: int = -1,
        allow: Sequence[str] = (),
        token: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.space, self.stats, self.system = AddressSpace(), Stats(), System()
        self.pictures = Pictures()
        self.space.hold()
        guard = Guard(allow, token)
        self._server = OscServer(self.space, host=host, port=port, guard=guard)
        self.port = self._server.port
        self.web: WebServer | None = None
        try:
            fixed = [resolve(place, self._server.here) for place in feedback if place != "none"]
            if page >= 0:
                self.web = WebServer(
                    self.space, self.pictures, guard, host=host, port=page, osc_port=self.port
                )
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
            ("/stats", guard),
            ("/system", self.system),
            ("/system", self._feedback),
        ):
            self.space.add(group, owner)
        if self.web:
            self.space.add("/stats", self.web)
        self._feedback.start()

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
