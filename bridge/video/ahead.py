"""Decoding ahead: the one receiver behind movies and folders of pictures.

A daemon thread decodes into a short queue, in front of the frame thread. Live, frames fall due
by the clock at the source's own rate, round and round; what fell due unseen is skipped and
counted. Offline, every frame comes once, in order, however long it takes; with `loop`, round and
round too.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import NamedTuple

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import Source
from bridge.video.pixels import Pixels

Pass = Generator[Pixels, None, None]

DEPTH = 8  # frames decoded ahead: a quarter of a second at 30 a second
AGAIN = 1.0  # seconds until a live source that gave nothing is tried once more
LATE = 1.0  # seconds behind the clock at which the clock is set back


class Decoded(NamedTuple):
    number: int  # counts on over the loops
    pixels: Pixels
    ready: float  # when it was decoded


class Ahead:
    """A Receiver over `one_pass`, which gives the source's pictures from its beginning.

    `one_pass` is run on the decoding thread. It raises Refusal, with a sentence, where it cannot
    go on: live, the next pass starts, a second later if this one gave no picture at all, for what
    is gone may come back; offline, `receive` raises it once the pictures before it have been
    received.
    """

    def __init__(
        self,
        one_pass: Callable[[], Pass],
        *,
        name: str,
        size: tuple[int, int],
        rate: float,
        live: bool,
        loop: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._one_pass, self._name, self._size, self._rate = one_pass, name, size, rate
        self._live, self._clock, self._sleep = live, clock, sleep
        self._loop = live or loop
        self._queue: deque[Decoded] = deque()
        self._moved = threading.Condition()  # guards all below: something came, went or ended
        self._start: float | None = None  # when frame 0 was due; set by the first `receive`
        self._count = 0
        self._skipped = 0
        self._error = ""
        self._lost = False
        self._decoded_all = False
        self._ended = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._decode, name=f"decode {name}", daemon=True)
        self._thread.start()

    # The frame thread

    def receive(self, timeout: float) -> Frame | None:
        frame = self._newest(timeout) if self._live else self._next()
        if frame is not None:
            height, width = frame.pixels.shape[:2]
            self._size = width, height
        return frame

    def status(self) -> Source:
        return Source(
            connected=not (self._ended or self._lost),
            name=self._name,
            size=self._size,
            rate=self._rate,
            ended=self._ended,
            error=self._error,
        )

    def close(self) -> None:
        self._closing.set()
        with self._moved:
            self._moved.notify_all()
        self._thread.join()
        self._ended = True

    def _next(self) -> Frame | None:
        """Offline: the next frame, however long it takes."""
        with self._moved:
            self._moved.wait_for(lambda: self._queue or self._decoded_all)
            if self._queue:
                number, pixels, _ = self._queue.popleft()
                self._moved.notify_all()
                return Frame(pixels, "bgra", number / self._rate)
        self._ended = True
        if self._error:
            raise Refusal(self._error)
        return None

    def _newest(self, timeout: float) -> Frame | None:
        """Live: the newest frame that is decoded and due."""
        deadline = self._clock() + timeout
        while True:
            with self._moved:
                frame = self._take_due()
                if frame is not None:
                    return frame
                left = max(deadline - self._clock(), 0.0)
                if not self._queue and self._decoded_all:
                    break
                if not left:
                    return None
                if not self._queue:
                    self._moved.wait(left)
                    continue
                early = self._due(self._queue[0]) - self._clock()
            # Not a wait on the condition: on Windows that is 16 ms coarse, a sleep is not.
            self._sleep(min(max(early, 0.0), left))
        self._ended = True
        self._closing.wait(left)  # a loop around `receive` keeps its pace
        return None

    def _take_due(self) -> Frame | None:
        if not self._queue:
            return None
        now = self._clock()
        if self._start is None:
            self._start = now - self._queue[0].number / self._rate
        taken = None
        while self._queue and self._due(self._queue[0]) <= now:
            self._skipped += taken is not None
            taken = self._queue.popleft()
        if taken is None:
            return None
        self._moved.notify_all()
        due = self._due(taken)
        if now - due > LATE:  # a machine that slept, a disk that hung: no race to catch up
            self._start += now - due
            due = now
        skipped, self._skipped = self._skipped, 0
        return Frame(taken.pixels, "bgra", max(due, taken.ready), skipped)

    def _due(self, decoded: Decoded) -> float:
        return math.inf if self._start is None else self._start + decoded.number / self._rate

    # The decoding thread

    def _decode(self) -> None:
        try:
            while not self._closing.is_set():
                played = self._play_once()
                if not self._loop or (not played and not self._live):
                    break
                self._lost = not played
                if self._lost:
                    self._closing.wait(AGAIN)
        finally:  # also after a fault: nobody may wait for ever
            with self._moved:
                self._decoded_all = True
                self._moved.notify_all()

    def _play_once(self) -> bool:
        """Decode one pass into the queue. False if it gave no picture at all."""
        before = self._count
        try:
            with closing(self._one_pass()) as pictures:
                for pixels in pictures:
                    self._put(pixels)
                    if self._closing.is_set():
                        return False
        except Refusal as problem:
            self._error = str(problem)
        if self._count == before and not self._error:
            self._error = f"--in {self._name}: there is no picture in it; choose another."
        return self._count > before

    def _put(self, pixels: Pixels) -> None:
        with self._moved:
            while len(self._queue) >= DEPTH and not self._closing.is_set():
                # Live, what would be passed over anyway makes room, so that a slow network
                # meets the frame of this moment and not one of a movie that lags behind.
                early = self._due(self._queue[1]) - self._clock() if self._live else math.inf
                if early <= 0:
                    self._queue.popleft()
                    self._skipped += 1
                else:
                    self._moved.wait(early if math.isfinite(early) else None)
            self._queue.append(Decoded(self._count, pixels, self._clock()))
            self._count += 1
            self._moved.notify_all()
