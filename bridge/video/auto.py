"""What is there: `auto:`, and the live choice among all that is visible (`/system/source`).

`auto:` plays the first Spout or Syphon sender that is not our own, else an NDI source, else the
built-in scene, until one of those comes; `auto:ndi:STUDIO (Arena)` begins with that one. Another
source is opened beside the one that plays, and takes over with its first frame: a source that
shows nothing takes nothing away. Out: a Spout or Syphon sender where the system has it.
Runs on the frame thread; what takes its time to open or to close has a thread of its own.
"""

import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bridge import Refusal, video
from bridge.frame import Frame
from bridge.params import Param
from bridge.video import Sink, Source
from bridge.video.lookout import EVERY, FRAME_THREAD, Lookout

log = logging.getLogger("bridge.video")

FIRST = 1.5  # seconds given to NDI's sources to answer at the start
SHAPE = 1.5  # seconds given to a sender to show its shape, which is to be the network's
SHOWS = 5.0  # seconds after which a source that was chosen and shows nothing is told of
IN_VAIN = 30.0  # seconds in which a sender that was tried by itself is not tried again
NOWHERE_BETTER = "pattern:"
FAULTS = (Refusal, ImportError, OSError, ValueError, RuntimeError, AttributeError, TypeError)
OURS = {"win32": "spout", "darwin": "syphon"}.get(sys.platform, "none")


def discover(timeout: float) -> list[str]:  # noqa: ARG001
    """Nothing of its own: the others tell what it chooses from."""
    return []


class Receiver:
    """Plays one source, and another when it is asked to; `lookout` sees which there are."""

    source = Param(
        "", preset=False, suggests=lambda receiver: receiver._names(), only=True,
        doc="which source plays: one that is visible, by its name or its place in the list; the "
        "picture goes on until the new one shows",
    )  # fmt: skip

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = False,
        device: str = "cpu",
        lookout: Lookout | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._open = partial(video.open_receiver, live=live, loop=loop, device=device)
        self._first = rest or (NOWHERE_BETTER if not live else "")
        network = ("ndi",) if not rest or rest.startswith("ndi:") else ()  # touched if asked to
        self._lookout = lookout or Lookout(("spout", "syphon", *network, "camera", "pattern"))
        self._alone = not live  # offline nothing comes and goes
        self._beside: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        if live:
            threading.Thread(target=self._start, name="auto", daemon=True).start()
            self._lookout.look()  # now: a first look loads what it looks with
        self._vain: dict[str, float] = {}  # senders that came to nothing, and when
        self._offered = ""  # what it chose by itself
        self._shown: Frame | None = None
        self._playing = self._begun()
        self._hopes = live and not rest and self.source == NOWHERE_BETTER
        self._plays = self.source  # what the receiver that plays was opened by
        self._next: _Opening | None = None
        self._error = ""
        self._looked = clock()
        if live:
            self._lookout.watch()

    def receive(self, timeout: float) -> Frame | None:
        if self._shown is not None:
            shown, self._shown = self._shown, None
            return replace(shown, time=self._clock())  # it has waited for torch and all the rest
        if not self._alone:
            self._look()
            self._follow()
        frame = self._cut()
        return frame if frame is not None else self._playing.receive(timeout)

    def status(self) -> Source:
        source = self._playing.status()
        return replace(source, error=source.error or self._error)

    def close(self) -> None:
        self._lookout.close()
        if self._next is not None:
            self._part(self._next)
        self._beside.put(None)
        self._playing.close()

    # The first

    def _begun(self) -> video.Receiver:
        """What plays first; for `auto:` the first that is there, can be opened, and shows."""
        if self._first:
            self.source = self._first
            receiver = self._open(self._first)
            self._shows(receiver)
            return receiver
        for address in self._lookout.first(FIRST):
            try:
                receiver = self._open(address)
                if self._shows(receiver):
                    self.source = address
                    return receiver
                receiver.close()
                why = f"{address} is there and shows nothing"
            except FAULTS as problem:
                why = str(problem).rstrip(".")
            log.warning("%s; it goes on without it.", why)
            self._vain[address] = self._clock()
        self.source = NOWHERE_BETTER
        return self._open(NOWHERE_BETTER)

    def _shows(self, receiver: video.Receiver) -> bool:
        """Whether a sender tells its size, most of them with their first frame. That is kept: who
        shows a still may send no other."""
        until = self._clock() + SHAPE
        while not self._alone and receiver.status().size is None and self._clock() < until:
            self._shown = receiver.receive(0.05)
        return receiver.status().size is not None

    # The next

    def _names(self) -> tuple[str, ...]:
        seen = self._lookout.seen
        return tuple(dict.fromkeys((*seen, *filter(None, (self._first, self._plays)))))

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < EVERY:
            return
        self._looked = now
        self._lookout.look()
        if self._hopes and self._next is None:  # the show may have begun after us
            self._offered = next((a for a in self._lookout.shared if self._may_try(a, now)), "")
            self.source = self._offered or self.source

    def _may_try(self, address: str, now: float) -> bool:
        return now - self._vain.get(address, -IN_VAIN) >= IN_VAIN

    def _follow(self) -> None:
        """Set off to what a hand has chosen, since the last frame."""
        wanted = self._next.address if self._next else self._plays
        if self.source == wanted:
            return
        chosen = self.source
        if chosen not in self._names():
            self._error = f"/system/source {chosen}: it is not visible; choose one that is."
            self.source = wanted
            return
        self._hopes = self._hopes and chosen.startswith(tuple(f"{s}:" for s in video.SHARED))
        self._error = ""
        if self._next is not None:
            self._part(self._next)
            self._next = None
        if chosen != self._plays:
            self._next = _Opening(chosen, partial(self._open, chosen), self._clock())
            self._do(chosen, self._next.open)

    def _cut(self) -> Frame | None:
        """The first frame of what was chosen, which then plays."""
        coming = self._next
        if coming is None:
            return None
        receiver, frame = coming.receiver, None
        try:
            frame = receiver.receive(0.0) if receiver else None
        except FAULTS as problem:  # what plays must not suffer for what does not yet
            coming.problem = str(problem) or type(problem).__name__
        if coming.problem:
            self._give_up(coming, coming.problem)
        elif receiver is None or frame is None:
            self._miss(coming)
        else:
            self._do(self._plays, self._playing.close)
            self._playing, self._plays, self._next, self._error = receiver, coming.address, None, ""
            self._hopes = False
        return frame

    def _miss(self, coming: "_Opening") -> None:
        """It shows nothing: tell, or where no hand has chosen it, go on without it."""
        if self._clock() - coming.since <= SHOWS or self._error:
            return
        told = coming.receiver.status().error if coming.receiver else ""
        silent = f"/system/source {coming.address}: it shows nothing yet; {self._plays} goes on"
        if coming.address == self._offered:
            self._give_up(coming, told or f"{silent}.")
        else:
            self._error = told or f"{silent} until it does."

    def _give_up(self, coming: "_Opening", why: str) -> None:
        self._part(coming)
        self._vain[coming.address] = self._clock()
        self._error, self._next, self.source = why, None, self._plays
        self._offered = ""

    def _part(self, coming: "_Opening") -> None:
        self._do(coming.address, coming.drop)

    # Beside the frame thread

    def _do(self, address: str, what: Callable[[], None]) -> None:
        """Open or close: here what belongs to this thread, and all else beside it."""
        if self._alone or address.partition(":")[0] in FRAME_THREAD:
            what()
        else:
            self._beside.put(what)

    def _start(self) -> None:
        # A thread inherits its maker's core, and the frame thread will have one to itself: so this
        # one, made before that, makes those that decode.
        while (what := self._beside.get()) is not None:
            threading.Thread(target=what, name="source", daemon=True).start()


class _Opening:
    """A source on its way: opened by one thread, taken by the frame thread, or dropped."""

    def __init__(self, address: str, opener: Callable[[], video.Receiver], since: float) -> None:
        self.address, self.since = address, since
        self.receiver: video.Receiver | None = None
        self.problem = ""
        self._opener = opener
        self._lock = threading.Lock()
        self._dropped = False

    def open(self) -> None:
        try:
            receiver = self._opener()
        except FAULTS as problem:
            self.problem = str(problem) or type(problem).__name__
            return
        with self._lock:
            self.receiver = receiver
            dropped = self._dropped
        if dropped:
            receiver.close()

    def drop(self) -> None:
        """Close it, now or as soon as it is open."""
        with self._lock:
            self._dropped = True
            receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.close()


class Sender:
    """A sender of this system's own kind, where it has one. Without it the show goes on."""

    def __init__(self, rest: str, *, live: bool, rate: float, device: str = "cpu") -> None:
        kind = OURS if live else "none"
        try:
            self._sender = video.open_sender(f"{kind}:{rest}", live=live, rate=rate, device=device)
        except FAULTS as problem:
            log.warning("--out auto: %s", problem)
            self._sender = video.open_sender("none:", live=live, rate=rate, device=device)

    @property
    def host(self) -> bool:
        return self._sender.host

    def send(self, frame: Frame) -> None:
        self._sender.send(frame)

    def status(self) -> Sink:
        return self._sender.status()

    def close(self) -> None:
        self._sender.close()
