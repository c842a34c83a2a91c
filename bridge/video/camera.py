"""Cameras: `camera:` the first, `camera:1` by its number, `camera:NAME`, or a device's path.

A wish may follow: `camera:0@1280x720`, `camera:0@1280x720@60`, `camera:0@60`. The camera gives
what it can; another size or rate is no error. It is read on a thread of its own, and the newest
frame wins: what it replaces unseen is counted and never queued. A camera that is not there, or no
longer, is looked for every second and picked up when it comes. `firstlight devices` lists them.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import av.error

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import Source, capture, refuse_offline
from bridge.video.capture import Camera
from bridge.video.pixels import Pixels, Upright

AGAIN = 1.0  # seconds until a camera that is not there is looked for once more
SILENT = 3.0  # seconds without a picture after which something is wrong
FIRST = 5.0  # seconds given to the first picture, which settles the network's shape
PAUSE = 0.002  # seconds between two questions to a system that does not wait for its pictures
PATIENCE = 2.0  # seconds that `close` waits for a driver, which cannot be woken


def discover(timeout: float) -> list[str]:  # noqa: ARG001  (the systems answer at once)
    """The cameras' addresses in the order of their numbers.

    Raises Refusal, saying what to do or to type, where they cannot be listed or opened.
    """
    try:
        seen = capture.cameras()
    except capture.FAULTS as problem:
        why, instead = capture.reason(problem), capture.NOT_LISTED[capture.SYSTEM]
        raise Refusal(f"this system does not list its cameras ({why}); {instead}") from problem
    barred = capture.barred()
    if barred and not seen:
        raise Refusal(f"{barred} is there, but {capture.NOT_ALLOWED[capture.SYSTEM]}")
    return capture.addresses(seen)


class Receiver:
    """A camera. `status().error` says why there is no picture, and what to do."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = False,  # noqa: ARG002  (it has no end)
        device: str = "cpu",  # noqa: ARG002  (its frames are the host's)
        cameras: Callable[[], list[Camera]] = capture.cameras,
        opened: Callable[[str, dict[str, str]], Any] = capture.opened,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._which, self._wish = capture.spelt(rest)
        self._address = f"--in camera:{rest}".rstrip(":")
        if not live:
            refuse_offline(self._address, "camera")
        self._cameras, self._opened, self._clock = cameras, opened, clock
        self._camera: Camera | None = None  # once listed, looked for by its name
        self._size, self._rate = self._wish
        self._moved = threading.Condition()  # guards the newest frame, and what goes with it
        self._newest: Frame | None = None
        self._error = ""
        self._flowing = False
        self._alive = clock()  # when the last picture came, or the camera was begun with
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"camera {rest}", daemon=True)
        self._thread.start()
        with self._moved:
            self._moved.wait_for(lambda: self._newest or self._error, FIRST)

    # The frame thread

    def receive(self, timeout: float) -> Frame | None:
        with self._moved:
            self._moved.wait_for(lambda: self._newest is not None, timeout)
            frame, self._newest = self._newest, None
        return frame

    def status(self) -> Source:
        with self._moved:
            silent, error = self._is_silent(), self._error
            if silent and not error:
                error = f"{self._address}: it is open and shows nothing; check its cable and power."
            return Source(
                connected=self._flowing and not silent,
                name=self._camera.name if self._camera else f"camera:{self._which}",
                size=self._size,
                rate=self._rate,
                ended=self._closing.is_set(),
                error=error,
            )

    def close(self) -> None:
        # A driver that waits for a picture cannot be woken: then the thread stays until the next
        # picture, or until the program ends.
        self._closing.set()
        self._thread.join(PATIENCE)

    # The camera's thread

    def _watch(self) -> None:
        while not self._closing.is_set():
            try:
                self._play()
            except Refusal as problem:
                with self._moved:
                    self._error, self._flowing = str(problem), False
                    self._moved.notify_all()
            self._closing.wait(AGAIN)

    def _play(self) -> None:
        """Show what the camera sees. Raises Refusal when it cannot, or no longer."""
        self._alive = self._clock()
        camera, upright = self._found(), Upright()
        try:
            with self._begun(camera) as container:
                self._alive = self._clock()  # opening may take seconds
                stream = capture.pictures(container)
                self._rate = capture.rate_of(stream) or self._wish.rate
                for picture in self._stream(container, stream):
                    self._show(upright(picture))
        except capture.FAULTS as problem:
            raise Refusal(f"{self._address}: {capture.advice(problem)}") from problem
        if not self._closing.is_set():
            raise Refusal(f"{self._address}: it shows no more pictures; check its cable and power.")

    def _found(self) -> Camera:
        try:
            seen = self._cameras()
        except capture.FAULTS:
            seen = []
        if self._camera:
            found = capture.find_again(self._camera, seen)
        else:
            found = capture.find(self._which, seen)
        if found is None and (self._camera or not seen):
            raise Refusal(f"{self._address}: {capture.GONE}")
        if found is None:
            names = ", ".join(camera.name for camera in seen)
            raise Refusal(f"{self._address}: it is not among {names}; plug it in, or choose one.")
        if found in seen:
            self._camera = found
        return found

    def _begun(self, camera: Camera) -> Any:
        """The camera, opened as wished if it can be, else as it likes."""
        *wished, plain = capture.ways(self._wish)
        for way in wished:
            try:
                return self._opened(camera.place, way)
            except capture.FAULTS:
                continue
        return self._opened(camera.place, plain)

    def _stream(self, container: Any, stream: Any) -> Iterator[av.VideoFrame]:
        """Pictures as they come, until the camera ends, falls silent, or is no longer wanted."""
        while not self._is_silent():
            try:
                for packet in container.demux(stream):
                    if self._closing.is_set():
                        return
                    yield from capture.whole(packet)
                return
            except av.error.BlockingIOError:  # AVFoundation has no picture yet, and does not wait
                if self._closing.wait(PAUSE):
                    return

    def _is_silent(self) -> bool:
        return self._clock() - self._alive > SILENT

    def _show(self, pixels: Pixels) -> None:
        height, width = pixels.shape[:2]
        with self._moved:
            self._alive, self._size = self._clock(), (width, height)
            self._error, self._flowing = "", True
            skipped = self._newest.skipped + 1 if self._newest else 0
            self._newest = Frame(pixels, "bgra", self._alive, skipped)
            self._moved.notify_all()
