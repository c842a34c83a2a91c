"""Takes: `/system/record` on, and what leaves becomes a film; off, and the film is finished.

A Sender beside those of `--out`, live only. The frame thread starts and ends a take between two
pictures and never waits: each take opens and finishes its file on a thread of its own. The folder
is fixed at the start: no path comes over the network. A take that fails (a full disk, a folder
that cannot be written to) switches the knob off, so that a controller sees it, and says why.
"""

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable

from bridge import Refusal
from bridge.frame import Frame
from bridge.params import Param, Reading
from bridge.video import Sender, Sink, open_sender

log = logging.getLogger("bridge.video")

# Films open at a time, those being finished included. A button hammered beyond waits its turn:
# an encoder is threads and memory, and a disk that hangs gives none of them back.
MOST_OPEN = 4


class Button:
    """The knob, under /system."""

    record = Param(
        False, preset=False,
        doc="on: a new film of the picture that leaves; off: the film is finished",
    )  # fmt: skip


class Takes:
    """A Sender that writes `first-light-DATE-TIME.mp4` (or .mkv) while its button is on, at the
    `rate` that pictures have when it begins.

    Pictures of another size begin another film. Its reading belongs under `/stats`, and its
    `button` under `/system`.
    """

    take = Reading("", doc="the film being recorded, or nothing")

    def __init__(
        self,
        folder: str,
        kind: str,
        *,
        rate: Callable[[], float],
        now: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        self.button = Button()
        self._folder = os.path.abspath(os.path.expanduser(folder))
        self._kind, self._rate, self._now = kind, rate, now
        self._current: _Take | None = None
        self._finishing: list[_Take] = []
        self._dropped = 0  # by takes that are finished
        self._error = ""
        # A thread inherits its maker's core, and the frame thread will have one to itself. What
        # this thread starts may run anywhere.
        self._begun: queue.SimpleQueue[_Take | None] = queue.SimpleQueue()
        threading.Thread(target=self._start, name="takes", daemon=True).start()

    @property
    def host(self) -> bool:
        return bool(self.button.record)

    def send(self, frame: Frame) -> None:
        self._tidy()
        size: tuple[int, int] = frame.pixels.shape[:2]
        current = self._current
        if current is not None and (current.over.is_set() or current.error()):
            self._error = current.error()
            self.button.record = False
        if current is not None and not (self.button.record and current.size == size):
            self._end(current)
        if self.button.record and self._current is None and len(self._finishing) < MOST_OPEN:
            self._begin(size)
        if self._current is not None:
            self._current.send(frame)
        self.take = self._current.name if self._current is not None else ""

    def status(self) -> Sink:
        name = f"file:{self.take}" if self.take else ""
        unfinished = [*self._finishing, *([self._current] if self._current else [])]
        dropped = self._dropped + sum(take.dropped() for take in unfinished)
        return Sink(name, dropped=dropped, error=self._error)

    def close(self) -> None:
        """Finish every film, however long that takes."""
        if self._current is not None:
            self._end(self._current)
        for take in self._finishing:
            take.over.wait()
        self._tidy()
        self.take = ""
        self._begun.put(None)

    def _begin(self, size: tuple[int, int]) -> None:
        self._error = ""
        stamp = time.strftime("%Y%m%d-%H%M%S", self._now())
        path = os.path.join(self._folder, f"first-light-{stamp}.{self._kind}")
        self._current = _Take(path, size, self._rate())
        self._begun.put(self._current)

    def _end(self, take: "_Take") -> None:
        take.ended.set()
        self._finishing.append(take)
        self._current = None

    def _tidy(self) -> None:
        for take in [take for take in self._finishing if take.over.is_set()]:
            self._finishing.remove(take)
            self._dropped += take.dropped()
            self._error = take.error() or self._error

    def _start(self) -> None:
        while (take := self._begun.get()) is not None:
            threading.Thread(target=take.run, name="take", daemon=True).start()


class _Take:
    """One film, opened and finished on a thread of its own."""

    def __init__(self, path: str, size: tuple[int, int], rate: float) -> None:
        self.size, self.name = size, ""
        self.ended = threading.Event()  # no more pictures come
        self.over = threading.Event()  # the file is finished, or there is none
        self._path, self._rate, self._refusal = path, rate, ""
        self._sender: Sender | None = None

    # The frame thread

    def send(self, frame: Frame) -> None:
        """What leaves while the file is being opened, a picture or two, is not in it."""
        if self._sender is not None:
            self._sender.send(frame)

    def dropped(self) -> int:
        return self._sender.status().dropped if self._sender is not None else 0

    def error(self) -> str:
        problem = self._refusal or (self._sender.status().error if self._sender else "")
        return problem.replace("--out file:", "/system/record: ", 1)

    # Its own

    def run(self) -> None:
        try:
            with contextlib.suppress(OSError):  # what is wrong with the folder, opening tells
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
            sender = open_sender(f"file:{self._path}", live=True, rate=self._rate)
            path = sender.status().name.removeprefix("file:")  # -2 where the name was taken
            self._sender, self.name = sender, os.path.basename(path)
            log.info("recording %s", path)
            self.ended.wait()
            sender.close()
            if not sender.status().error and os.path.exists(path):  # else no picture came
                log.info("recorded %s", path)
        except Refusal as problem:
            self._refusal = str(problem)
        finally:
            self.over.set()
