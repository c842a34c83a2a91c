"""What the two sides of NDI share: who is there, names, connections that are kept, the true rate.

The finder looks around as long as the process lives; names are let go of on a thread. All else is
used on the thread that asks: the frame thread, or the lookout's.
"""

import atexit
import collections
import contextlib
import ctypes
import functools
import math
import queue
import re
import statistics
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from bridge import Refusal
from bridge.video import NAME, _libndi
from bridge.video._libndi import Library

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.\-]+):(\d{1,5})")
FULL = re.compile(r".+ \(.+\)")  # MACHINE (name), as NDI spells a source
QUIET = 0.3  # seconds without news after which a first look around has seen all there is
RATES = tuple(  # what is declared; the rate also steers how finely NDI compresses
    Fraction(n, d)
    for n, d in (
        (10, 1), (12, 1), (15, 1), (20, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1),
        (48, 1), (50, 1), (60000, 1001), (60, 1), (75, 1), (90, 1), (120, 1),
    )
)  # fmt: skip
MEASURED = 60  # pictures that the true rate is measured over
OTHER = 0.08  # by which part it must differ from what is declared to be declared anew

OURS: set[str] = set()  # what this process sends, by its full names


# Who is there


class _Finder:
    """Looks around as long as the process lives: a first look takes seconds to hear of all."""

    def __init__(self, library: Library, clock: Callable[[], float] = time.perf_counter) -> None:
        self._library, self._clock = library, clock
        self._handle = library.find_create_v2(ctypes.byref(_libndi.FindCreate(True, None, None)))
        self._settled = False
        atexit.register(library.find_destroy, self._handle)

    def look(self, timeout: float) -> list[str]:
        """The names that are seen, but our own."""
        until = self._clock() + timeout
        while not self._settled and (left := until - self._clock()) > 0:
            wait = min(left, QUIET) if self._names() else left
            if not self._library.find_wait_for_sources(self._handle, math.ceil(wait * 1e3)):
                self._settled = True
        return [name for name in self._names() if name not in OURS]

    def _names(self) -> list[str]:
        count = ctypes.c_uint32()
        found = self._library.find_get_current_sources(self._handle, ctypes.byref(count))
        return [found[i].name.decode(errors="replace") for i in range(count.value)]


@functools.cache
def finder() -> _Finder:
    return _Finder(_libndi.load())


def meant(asked: str, seen: list[str]) -> str:
    """Which of the names seen is meant: the whole, the name in its brackets, or a part of it;
    nothing asked is the first. Nothing where none is, or two parts fit."""
    if not asked:
        return seen[0] if seen else ""
    wish = asked.casefold()
    for fits in (lambda n: n == wish, lambda n: n.endswith(f"({wish})"), lambda n: wish in n):
        found = [name for name in seen if fits(name.casefold())]
        if found:
            return found[0] if len(found) == 1 else ""
    return ""


def address(rest: str) -> str | None:
    """ "@10.0.0.5:5961" → "10.0.0.5:5961"; None for a name. Raises Refusal."""
    if not rest.startswith("@"):
        return None
    match = ADDRESS.fullmatch(rest[1:])
    if match is None or not 0 < int(match[2]) < 65536:
        hint = "write the machine and the port, such as ndi:@10.0.0.5:5961 (its first sender)."
        raise Refusal(f"--in ndi:{rest}: {hint}")
    return rest[1:]


# Connections

# The library's ends of connections are kept and used again. To destroy one that has just been made
# while a sender comes or goes ended the process now and then (libndi 6.3.2: std::system_error, in
# two runs of six with 300 each).
_FREE: dict[int, list[Any]] = {_libndi.BGRX: [], _libndi.UYVY: []}
_STARTS = threading.Lock()
_PARTING: "queue.SimpleQueue[tuple[int, Any] | None]" = queue.SimpleQueue()


def line(color: int) -> Any:
    """An end that is connected to nothing. Raises Refusal."""
    with contextlib.suppress(IndexError):
        return _FREE[color].pop()
    nobody = _libndi.Source(None, None)
    wish = _libndi.RecvCreate(nobody, color, _libndi.HIGHEST, False, NAME.encode())
    made = _libndi.load().recv_create_v3(ctypes.byref(wish))
    if not made:
        raise Refusal("--in ndi: NDI opens no more connections; restart First Light.")
    return made


def let_go(color: int, used: Any) -> None:
    """Disconnect an end. Of a name this takes a second: see below."""
    _libndi.load().recv_connect(used, None)
    _FREE[color].append(used)


def let_go_of_a_name(color: int, used: Any) -> None:
    """The same on a thread of its own, for no frame may wait so long."""
    _PARTING.put((color, used))
    with _STARTS:
        _parting()


@functools.cache
def _parting() -> threading.Thread:
    def part() -> None:
        while (gone := _PARTING.get()) is not None:
            let_go(*gone)

    def end() -> None:
        # A call under way when the library ends would end the process with a crash; names that
        # still wait may be left, and are too many after a hand that flipped through them.
        with contextlib.suppress(queue.Empty):
            while True:
                _PARTING.get_nowait()
        _PARTING.put(None)
        thread.join()

    thread = threading.Thread(target=part, name="ndi", daemon=True)
    thread.start()
    atexit.register(end)
    return thread


# The rate


class Pace:
    """The rate to declare: what was said at first, until the pictures say otherwise."""

    def __init__(self, rate: float) -> None:
        self._declared = _standard(rate)
        self._gaps: collections.deque[float] = collections.deque(maxlen=MEASURED)
        self._last: float | None = None

    def __call__(self, now: float) -> Fraction:
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now
        if len(self._gaps) == MEASURED:
            true = 1 / max(statistics.fmean(self._gaps), 1e-3)
            self._gaps.clear()
            if abs(true / self._declared - 1) > OTHER:
                self._declared = _standard(true)
        return self._declared


def _standard(rate: float) -> Fraction:
    nearest = min(RATES, key=lambda known: abs(float(known) - rate))
    within = abs(float(nearest) / rate - 1) <= OTHER / 2
    return nearest if within else Fraction(rate).limit_denominator(1001)
