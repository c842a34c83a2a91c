"""`firstlight devices --watch`: which senders there are, how fast, and whether their picture moves.

It receives every sender that is visible, a few at a time, for only so can it tell. That is not free
beside a show: NDI takes a third of a core for each 1920x1080 at 60 frames a second. On a terminal
it is a live table; elsewhere a plain line for each thing that changes. All of it happens on the
main thread, to which Spout and Syphon belong. A receiver that fails is told of in its row.
"""

import contextlib
import math
import time
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bridge import Refusal, video
from bridge.devices import FAULTS, MOST, picture, take_any_script

LOOK = 0.5  # seconds between two looks for senders
AGAIN = 5.0  # seconds until a sender that failed is opened once more
PAUSE = 0.004  # seconds between two questions for frames: twice for each of 120 a second
TELL = 0.25  # seconds between two tables
EACH = 1.0  # seconds between two lines about one sender
OVER = 3.0  # seconds that a rate is measured over
KNOWN = 1.0  # seconds of frames before their rate is told
STILL = 2.0  # seconds without a change that make a picture still, or without one that leave it dark
FORGET = 60.0  # seconds that a sender which is gone stays in the table
ROWS = 64  # of a picture, which tell whether it has changed
STEADY = 0.1  # by which part a rate must differ from what was told to be told again
CONSOLE = Console()


class Row(NamedTuple):
    """What is said of one sender: `what` is happening, for how many seconds, at which rate."""

    address: str
    picture: str = ""
    rate: float | None = None
    what: str = ""
    lasts: float = 0.0

    @property
    def state(self) -> str:
        """ "59.9 fps, still for 4 s"; nothing while nothing is known."""
        rate = "" if self.rate is None else f"{self.rate:.1f} fps"
        lasts = f" for {_duration(self.lasts)}" if self.lasts >= 1 else ""
        return ", ".join(filter(None, (rate, f"{self.what}{lasts}")))

    def __str__(self) -> str:
        return "   ".join(filter(None, (self.address, self.picture, self.state)))

    def differs(self, told: "Row") -> bool:
        """Whether it is worth a line of its own after `told`."""
        if (self.picture, self.what) != (told.picture, told.what):
            return True
        if self.rate is None or told.rate is None:  # as it does or does not with the same `what`
            return False
        return abs(self.rate - told.rate) > max(1.0, STEADY * told.rate)


Tell = Callable[[list[Row], float], None]  # of these senders, at this moment


class Watched:
    """One sender: its receiver while it has one, and what came of late."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.receiver: video.Receiver | None = None
        self.gone: float | None = None  # since when
        self.problem = ""
        self._again = -math.inf  # when to open it at the earliest
        self._forget(0.0)

    def _forget(self, now: float) -> None:
        self._opened = now
        self._came: deque[tuple[float, int]] = deque()  # when, and how many frames at once
        self._first: float | None = None  # when the first frame came
        self._sum: int | None = None
        self._changed: float | None = None  # when the picture last did

    def open(self, now: float) -> None:
        if self.receiver is None and now >= self._again:
            self._forget(now)
            self.gone, self.problem = None, ""
            try:
                self.receiver = video.open_receiver(self.address, live=True)
            except FAULTS as problem:
                self._fail(problem, now)

    def take(self, now: float) -> None:
        """What has come since it was last asked."""
        if self.receiver is None:
            return
        try:
            frame = self.receiver.receive(0.0)
            if frame is not None:
                self._count(frame.skipped + 1, _sum(frame.pixels), now)
        except FAULTS as problem:
            self._fail(problem, now)

    def _count(self, frames: int, total: int, now: float) -> None:
        self._came.append((now, frames))
        if self._first is None:
            self._first = now
        elif total != self._sum:
            self._changed = now
        self._sum = total

    def leave(self, now: float) -> None:
        """It is not listed any more: gone, unless frames still come."""
        with contextlib.suppress(*FAULTS):
            if self.receiver is not None and self.receiver.status().connected:
                return
        if self.gone is None:
            self.gone = now
        self.close()

    def row(self, now: float) -> Row:
        if self.gone is not None:
            return Row(self.address, what="gone", lasts=now - self.gone)
        if self.receiver is None:
            return Row(self.address, what=self.problem or f"not watched: {MOST} are, at a time")
        try:
            source = self.receiver.status()
        except FAULTS as problem:
            self._fail(problem, now)
            return Row(self.address, what=self.problem)
        if source.error:
            return Row(self.address, what=source.error.removeprefix(f"--in {self.address}: "))
        row = Row(self.address, picture(source))
        if self._first is None:
            return row._replace(what="shows no picture" if now - self._opened >= STILL else "")
        if now - self._first < KNOWN:
            return row
        changed = self._first if self._changed is None else self._changed
        lasts = now - changed
        if lasts >= STILL:
            return row._replace(rate=self._rate(now), what="still", lasts=lasts)
        moving = "moving" if changed > self._first else ""  # else it is too early to say
        return row._replace(rate=self._rate(now), what=moving)

    def _rate(self, now: float) -> float:
        """Frames a second, with those that were passed over."""
        while self._came and self._came[0][0] < now - OVER:
            self._came.popleft()
        if len(self._came) < 2:
            return 0.0
        begun, before = self._came[0]
        passed = self._came[-1][0] - begun
        gap = passed / (len(self._came) - 1)  # which the one that is under way may take as well
        frames = sum(count for _, count in self._came) - before
        return frames / max(passed, now - begun - gap, 1e-3)

    def _fail(self, problem: Exception, now: float) -> None:
        self.close()
        self.problem = str(problem) or type(problem).__name__
        self._again = now + AGAIN

    def close(self) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            with contextlib.suppress(*FAULTS):
                receiver.close()


class Watch:
    """All senders that are visible, by the transports that work here."""

    def __init__(self) -> None:
        self.schemes = list(video.SHARED)
        self._found: dict[str, list[str]] = {}
        self._troubles: dict[str, Row] = {}  # of whole transports
        self._watched: dict[str, Watched] = {}

    def look(self, now: float) -> None:
        """See who has come and who is gone."""
        for scheme in list(self.schemes):
            self._ask(scheme)
        listed = [address for found in self._found.values() for address in found]
        for address in listed:
            self._watched.setdefault(address, Watched(address))
        for address, watched in list(self._watched.items()):
            if address not in listed:
                watched.leave(now)
                if watched.gone is not None and now - watched.gone > FORGET:
                    del self._watched[address]
        for address in listed:
            watched = self._watched[address]
            watched.gone = None
            if sum(one.receiver is not None for one in self._watched.values()) < MOST:
                watched.open(now)

    def _ask(self, scheme: str) -> None:
        """Who sends by it. While it cannot tell, those that it named before are still there."""
        self._troubles.pop(scheme, None)
        try:
            self._found[scheme] = video.discover(scheme, 0.0)
        except ImportError:  # not here, nor will it be: `firstlight devices` says why
            self.schemes.remove(scheme)
        except FAULTS as problem:
            what = str(problem).removeprefix(f"{scheme}: ")
            self._troubles[scheme] = Row(f"{scheme}:", what=what)

    def take(self, now: float) -> None:
        for watched in self._watched.values():
            watched.take(now)

    def rows(self, now: float) -> list[Row]:
        return [*self._troubles.values(), *(one.row(now) for one in self._watched.values())]

    def close(self) -> None:
        for watched in self._watched.values():
            watched.close()


class Lines:
    """Plain lines: each thing that changes is told once, at most once a second of one sender."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._told: dict[str, tuple[float, Row]] = {}

    def __call__(self, rows: list[Row], now: float) -> None:
        for row in rows:
            when, told = self._told.get(row.address, (-math.inf, Row(row.address)))
            if row.what and now - when >= EACH and row.differs(told):
                self._say(str(row))
                self._told[row.address] = now, row


def run(
    say: Callable[[str], object] | None = None,
    *,
    console: Console = CONSOLE,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Watch until Ctrl-C. Plain lines are said to `say`; without one, and on a terminal, it is a
    live table. Raises Refusal where no transport works."""
    take_any_script()
    watch = Watch()
    with contextlib.ExitStack() as ending:
        ending.enter_context(contextlib.suppress(KeyboardInterrupt))
        ending.callback(watch.close)
        watch.look(clock())
        if not watch.schemes:
            raise Refusal(
                "devices --watch: none of Spout, Syphon and NDI works here; run firstlight "
                "devices, which says what mends that."
            )
        watching = f"watching {', '.join(f'{scheme}:' for scheme in watch.schemes)} until Ctrl-C"
        if say is None and console.is_terminal:
            live = ending.enter_context(Live(console=console, auto_refresh=False))
            tell = _table(live, watching)
        else:
            say = say or _print
            say(watching)
            tell = Lines(say)
        _go_on(watch, tell, clock, sleep)


def _go_on(
    watch: Watch, tell: Tell, clock: Callable[[], float], sleep: Callable[[float], object]
) -> None:
    looked = told = -math.inf
    while True:
        now = clock()
        if now - looked >= LOOK:
            watch.look(now)
            looked = now
        watch.take(now)
        if now - told >= TELL:
            tell(watch.rows(now), now)
            told = now
        sleep(PAUSE)


def _table(live: Live, watching: str) -> Tell:
    def tell(rows: list[Row], _now: float) -> None:
        table = Table.grid(padding=(0, 3))
        for row in rows:
            # Text, not str: rich reads brackets in a str as markup, and names come from outside.
            table.add_row(Text(row.address), Text(row.picture), Text(row.state or "…"))
        seen = table if rows else Text("nobody sends yet")
        live.update(Group(seen, Text(watching, style="dim")), refresh=True)

    return tell


def _print(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def _sum(pixels: Any) -> int:
    """A number that is another for nearly every other picture: (H, W, C), on the host or a card."""
    some = pixels[:: max(1, pixels.shape[0] // ROWS)]
    return zlib.crc32(np.asarray(some if isinstance(some, np.ndarray) else some.cpu()).tobytes())


def _duration(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < 120 else f"{int(seconds / 60)} min"
