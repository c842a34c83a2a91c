"""Recording: the half that movies and numbered pictures share.

The frame thread hands over a copy of each picture; a daemon thread writes it. Between them is a
bounded queue. Live, a picture that finds it full is dropped and counted; offline, `send` waits.
What goes wrong while writing (a full disk) is remembered in `status().error`; live, the show
goes on without the recording; offline, the next `send`, or `close`, raises it as a Refusal.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import av.error
import numpy as np

from bridge import Refusal
from bridge.frame import Frame, Layout
from bridge.video import Sink
from bridge.video.pixels import Pixels

DEPTH = 32  # pictures; 32 MB at 640x384
FAULTS = (OSError, ValueError, av.error.FFmpegError)
AHEAD = 0.25  # seconds a recording may run ahead of the clock when pictures come in a burst


class Picture(NamedTuple):
    pixels: Pixels
    layout: Layout
    place: int  # in time, in units of 1/rate; there may be gaps


class Writer(Protocol):
    """Where a recorder writes, on its thread.

    `write` raises Refusal for a picture that it cannot take (the next one may be better), and
    OSError or FFmpegError when all is over. Then comes `abandon`; otherwise, at the end, `finish`.
    """

    def write(self, pixels: Pixels, layout: Layout, place: int) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class Recorder:
    """A Sender in front of a Writer. `address` ("--out file:take.mp4") is how it is spoken of."""

    def __init__(self, writer: Writer, *, address: str, live: bool, rate: float) -> None:
        self._writer, self._address, self._live, self._rate = writer, address, live, rate
        self._queue: queue.Queue[Picture | None] = queue.Queue(DEPTH)
        self._begin: float | None = None  # the first picture's time
        self._last = -1  # the last picture's place
        self._dropped = 0  # by the frame thread
        self._refused = 0  # by the writer's thread
        self._error = ""
        self._broken = False
        self._thread = threading.Thread(target=self._work, name=address, daemon=True)
        self._thread.start()

    # The frame thread

    def send(self, frame: Frame) -> None:
        """Put a copy of the picture in line. It may be used again when this returns."""
        if not self._live:
            self._complain()
        place = self._place(frame.time)
        if self._broken or place is None or (self._live and self._queue.full()):
            self._dropped += 1
            return
        self._last = place
        pixels = np.array(np.asarray(frame.pixels), order="C")
        self._queue.put(Picture(pixels, frame.layout, place))

    def status(self) -> Sink:
        name = self._address.removeprefix("--out ")
        return Sink(name, dropped=self._dropped + self._refused, error=self._error)

    def close(self) -> None:
        """Write what is in line and finish the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        if not self._live:
            self._complain()

    def _complain(self) -> None:
        if self._error:
            raise Refusal(self._error)

    def _place(self, time: float) -> int | None:
        """A picture's place in the recording; None for one too many.

        Pictures that come a little unevenly keep the places next to each other. Those that come
        faster than `rate` all along are thinned out: the recording keeps the time of the show.
        """
        if not self._live:
            return self._last + 1
        if self._begin is None:
            self._begin = time
        now = round((time - self._begin) * self._rate)
        early = self._last + 1 - now
        return max(self._last + 1, now) if early <= AHEAD * self._rate else None

    # The writer's thread

    def _work(self) -> None:
        while (picture := self._queue.get()) is not None:
            if self._broken:
                self._refused += 1
                continue
            try:
                self._guarded(self._writer.write, *picture)
            except Refusal as problem:
                self._error = f"{self._address}: {problem}"
                self._refused += 1
        if not self._broken:
            self._guarded(self._writer.finish)

    def _guarded(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            act(*arguments)
        except FAULTS as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            self._error = (
                f"{self._address}: recording has stopped ({reason}); "
                "make room on the disk, or record to another."
            )
            self._broken = True
            with suppress(*FAULTS):  # the same fault again
                self._writer.abandon()
