"""Lookout: which sources are visible, kept up to date while the picture plays.

Transports that belong to the frame thread are asked there, which takes them no time; those that
may take their time are asked on a thread of their own. What cannot work here is asked once.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from bridge import Refusal, video

FAULTS = (Refusal, OSError, ValueError, RuntimeError)
FRAME_THREAD = ("spout", "syphon")  # all that is done with these is done there
EVERY = 2.0  # seconds between two looks
PATIENCE = 1.0  # seconds that `close` waits for a look that is under way


class Lookout:
    """Sees what can be opened, by the transports in `schemes`."""

    def __init__(
        self,
        schemes: Sequence[str],
        discover: Callable[[str, float], list[str]] | None = None,
    ) -> None:
        self._found: dict[str, list[str]] = {scheme: [] for scheme in schemes}
        self._discover = discover or video.discover
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def seen(self) -> tuple[str, ...]:
        """The addresses that were seen last, in the order of their transports."""
        return tuple(address for found in list(self._found.values()) for address in found)

    @property
    def shared(self) -> tuple[str, ...]:
        """Those of them that other programs send."""
        kinds = tuple(f"{scheme}:" for scheme in video.SHARED)
        return tuple(address for address in self.seen if address.startswith(kinds))

    def first(self, timeout: float) -> Iterator[str]:
        """What other programs send, kind by kind: a kind is only looked for when it is its turn."""
        for scheme in video.SHARED:
            self._ask(scheme, timeout)
            yield from self._found.get(scheme, ())

    def look(self) -> None:
        """On the frame thread: at what belongs there."""
        for scheme in FRAME_THREAD:
            self._ask(scheme, 0.0)

    def watch(self) -> None:
        """Look at all the rest from now on, until `close`."""
        thread = threading.Thread(target=self._watch, name="lookout", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Look no more. It does not wait long for a driver that takes its time."""
        self._closing.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _watch(self) -> None:
        # Cameras once: to list them disturbs their drivers, and holds the interpreter up.
        for scheme in [s for s in list(self._found) if s not in FRAME_THREAD]:
            self._ask(scheme, 0.0)
        while not self._closing.wait(EVERY):
            self._ask("ndi", 0.0)

    def _ask(self, scheme: str, timeout: float) -> None:
        if scheme not in self._found:
            return
        try:
            self._found[scheme] = self._discover(scheme, timeout)
        except ImportError:  # of another system, or not installed: nor will it be
            self._found.pop(scheme, None)
        except FAULTS:  # it cannot see at present; `firstlight devices` says why
            self._found[scheme] = []
