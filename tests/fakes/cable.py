"""A camera on a cable, for tests of what becomes of it when it is plugged in and pulled out."""

import errno
import queue
from types import SimpleNamespace
from typing import Any

import av
import av.error
import numpy as np

from bridge.video.capture import Camera

ARRIVING = 10  # seconds after which a test that waits has failed


class Cable:
    """Stands in for FFmpeg: `cameras` lists and `opened` opens what is plugged in.

    `show(*values)` has the camera give grey pictures of these values: it returns once each was
    taken up. A value may also be an error, which the camera then raises.
    """

    def __init__(self, *names: str) -> None:
        self.plugged = {name: f"/dev/video{number}" for number, name in enumerate(names)}
        self.options: list[dict[str, str]] = []  # of every attempt to open
        self.refuses: Exception | None = None  # what opening raises
        self.refused_options: set[str] = set()  # names of options that opening does not take
        self.shape = 48, 64
        self.codec_context = SimpleNamespace(thread_count=0)
        self._given: queue.Queue[Any] = queue.Queue()

    def cameras(self) -> list[Camera]:
        return [Camera(name, place) for name, place in self.plugged.items()]

    def opened(self, place: str, options: dict[str, str]) -> "Cable":
        self.options.append(options)
        if self.refuses is not None:
            raise self.refuses
        if self.refused_options & options.keys():
            raise ValueError("no such option")
        if place not in self.plugged.values():
            raise OSError(errno.ENOENT, "No such file or directory")
        self.place = place
        return self

    def show(self, *values: Any) -> None:
        for value in values:
            self._given.put(value)
        taken = self._given.all_tasks_done
        with taken:
            assert taken.wait_for(lambda: not self._given.unfinished_tasks, ARRIVING), "not taken"

    def unplug(self, name: str) -> None:
        del self.plugged[name]
        self.show(OSError(errno.ENODEV, "No such device"))

    # What PyAV's container, its streams, the stream and its packets are asked

    def __enter__(self) -> "Cable":
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def streams(self) -> "Cable":
        return self

    def best(self, _kind: str) -> "Cable":
        return self

    average_rate, guessed_rate = None, 30

    def demux(self, _stream: object) -> Any:
        while True:
            given = self._given.get(timeout=ARRIVING)
            try:
                if isinstance(given, Exception):
                    raise given
                yield Packet(given, self.shape)
            finally:  # back for the next one: this one was taken up
                self._given.task_done()


class Packet:
    def __init__(self, value: Any, shape: tuple[int, int]) -> None:
        self.value, self.shape = value, shape

    def decode(self) -> list[av.VideoFrame]:
        if self.value == "torn":
            raise av.error.InvalidDataError(1, "torn")
        pixels = np.full((*self.shape, 4), self.value, np.uint8)
        return [av.VideoFrame.from_ndarray(pixels, "bgra")]
