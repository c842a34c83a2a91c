"""NDI, over the network or inside one machine: `ndi:STUDIO (Arena)`, `ndi:Arena`, `ndi:@ADDRESS`.

In: the newest frame only. What queued up behind it is given back unseen and counted. The pixels
are the library's own memory, lent until the next `receive`: blue first for a network on the
processor, as they came over the wire (UYVY) for one on a graphics card, which then has half to
take. A source that goes is picked up when it returns, by its name or by its address. Out: two
buffers in turn, one of which NDI compresses while the other is filled.
NDI(R) is a registered trademark of Vizrt NDI AB; its library is theirs (https://ndi.video).
"""

import ctypes
import importlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge import Refusal
from bridge.frame import Frame, Layout
from bridge.video import NAME, Sink, Source, _libndi, refuse_offline
from bridge.video._libndi import fourcc
from bridge.video._ndi import (
    FULL,
    OURS,
    Pace,
    address,
    finder,
    let_go,
    let_go_of_a_name,
    line,
    meant,
)

log = logging.getLogger("bridge.video")

Pixels = NDArray[np.uint8]  # (H, W, C), row 0 on top

FORMATS: dict[str, tuple[Layout, int]] = {  # what comes: our name for it, and bytes a pixel
    "BGRX": ("bgra", 4), "BGRA": ("bgra", 4), "RGBX": ("rgba", 4), "RGBA": ("rgba", 4),
    "UYVY": ("uyvy", 2),
}  # fmt: skip
WIRE = {fourcc(letters): letters for letters in FORMATS}
SENT = {"bgra": fourcc("BGRX"), "rgba": fourcc("RGBX")}  # no alpha: it is always 255
LOOK = 1.0  # seconds between two looks for a source that is not there
MISSED = 3.0  # seconds after which it is said that there is none
MOST_NAMES = 9  # names that are tried where the first is taken


def discover(timeout: float) -> list[str]:
    """The addresses of the sources that are seen, but our own.

    The first look of a process takes as long as sources need to answer, the others no time.
    Raises ImportError where there is no library, Refusal where it does not run.
    """
    return [f"ndi:{name}" for name in finder().look(timeout)]


class Receiver:
    """A source. While it is not there it is looked for; nothing is raised for it."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = False,  # noqa: ARG002  (it has no end)
        device: str = "cpu",
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._asked, self._clock, self._sleep = rest, clock, sleep
        self._spelt = f"--in ndi:{rest}"
        if not live:
            refuse_offline(self._spelt, "sender")
        self._library = _libndi.load()
        self._address = address(rest)
        self._name = rest if FULL.fullmatch(rest) else ""  # else it is looked for
        on_host = device == "cpu"
        self._route = "by the host: NDI comes over the network" + ("" if on_host else ", as UYVY")
        self._color = _libndi.BGRX if on_host else _libndi.UYVY
        self._handle: Any = None
        self._open = True
        self._video = _libndi.Video()  # what is lent at present
        self._lent = False
        self._connected = False
        self._size: tuple[int, int] | None = None
        self._rate: float | None = None
        self._format = self._error = ""
        self._lost = math.inf  # frames that the library itself had no room for, as last told
        self._looked = -math.inf
        self._alive = clock()
        self._connect()

    def receive(self, timeout: float) -> Frame | None:
        if not self._open:
            return None
        self._give_back()
        if self._handle is None:
            self._miss()
            self._sleep(timeout)
            return None
        if not self._captured(self._video, timeout):
            self._miss()
            return None
        drained = 0
        newer = _libndi.Video()
        while self._captured(newer, 0.0):
            self._library.recv_free_video_v2(self._handle, ctypes.byref(self._video))
            self._video, newer = newer, _libndi.Video()
            drained += 1
        self._lent = True
        return self._frame(self._clock(), drained + self._newly_lost())

    def status(self) -> Source:
        name = f"ndi:{self._name or self._asked}"
        return Source(
            self._connected, name, self._size, self._rate, ended=not self._open,
            error=self._error, format=self._format, route=self._route,
        )  # fmt: skip

    def close(self) -> None:
        self._open = self._connected = False
        self._disconnect()

    # What comes

    def _connect(self) -> None:
        """To what is known of the source: its address, or its full name; else it is looked for."""
        if not (self._address or self._name):
            self._find()
            return
        self._handle = line(self._color)
        address = self._address.encode() if self._address else None
        source = _libndi.Source(None if address else self._name.encode(), address)
        self._library.recv_connect(self._handle, ctypes.byref(source))

    def _disconnect(self) -> None:
        if self._handle is not None:
            self._give_back()
            if self._address:
                let_go(self._color, self._handle)
            else:
                let_go_of_a_name(self._color, self._handle)
            self._handle = None

    def _captured(self, video: _libndi.Video, timeout: float) -> bool:
        """Whether a frame came within `timeout` seconds. News of other kinds end no wait."""
        until = self._clock() + timeout
        while True:
            left = max(0.0, until - self._clock())
            kind = self._library.recv_capture_v3(
                self._handle, ctypes.byref(video), None, None, math.ceil(left * 1e3)
            )
            if kind == _libndi.VIDEO:
                return True
            if left <= 0 or kind == _libndi.NOTHING:
                return False
            if kind == _libndi.ERROR:  # the connection broke, and is made again: not in no time
                self._sleep(left)
                return False

    def _frame(self, moment: float, skipped: int) -> Frame | None:
        video = self._video
        self._alive, self._connected = moment, True
        if video.fourcc not in WIRE or not video.data:
            self._error = f"{self._spelt}: it sends pixels of a kind that is not read here."
            return None
        self._format = WIRE[video.fourcc]
        layout, size = FORMATS[self._format]
        self._size, self._error = (video.width, video.height), ""
        self._rate = video.rate_n / video.rate_d if video.rate_n > 0 < video.rate_d else None
        block = (ctypes.c_uint8 * (video.stride * video.height)).from_address(video.data)
        shape, strides = (video.height, video.width, size), (video.stride, size, 1)
        pixels: Pixels = np.ndarray(shape, np.uint8, block, strides=strides)
        return Frame(pixels, layout, moment, skipped)

    def _newly_lost(self) -> int:
        lost = _libndi.Performance()
        self._library.recv_get_performance(self._handle, None, ctypes.byref(lost))
        newly = max(0, lost.video - self._lost)
        self._lost = lost.video
        return int(newly)

    def _give_back(self) -> None:
        if self._lent:
            self._library.recv_free_video_v2(self._handle, ctypes.byref(self._video))
            self._lent = False

    # What does not

    def _miss(self) -> None:
        now = self._clock()
        line = self._handle
        self._connected = line is not None and self._library.recv_get_no_connections(line) > 0
        if now - self._looked < LOOK:
            return
        self._looked = now
        if not self._address:
            self._find()
        if now - self._alive <= MISSED:
            return
        if self._connected:
            self._error = (
                f"{self._spelt}: it is there and shows no picture; start it in its program."
            )
        else:
            self._error = f"{self._spelt}: it is not to be seen; start it, {self._instead()}"

    def _find(self) -> None:
        """Connect to what is meant, once it is seen, and stay with it: what goes is waited for,
        and the library finds a full name by itself."""
        if not self._name:
            self._name = meant(self._asked, finder().look(0.0))
            if self._name:
                self._connect()

    def _instead(self) -> str:
        seen = [] if self._address else finder().look(0.0)
        return f"or choose {' or '.join(f'ndi:{n}' for n in seen)}." if seen else "it is picked up."


class Sender:
    """What others see as `MACHINE (name)`. It takes pictures wherever they are: those on a graphics
    card are copied straight into the memory that NDI compresses from."""

    host = False

    def __init__(
        self,
        rest: str,
        *,
        live: bool,  # noqa: ARG002  (it paces nothing)
        rate: float,
        device: str = "cpu",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._library, self._clock = _libndi.load(), clock
        self._handle = self._created(rest or NAME)
        self._name = self._library.send_get_source_name(self._handle).contents.name.decode()
        OURS.add(self._name)
        self._make = _pinned if device.startswith("cuda") else _plain
        self._ring: list[Pixels | None] = [None, None]
        self._turn = 0
        self._pace = Pace(rate)
        self._watchers = 0

    def send(self, frame: Frame) -> None:
        if self._handle is None:
            return
        self._watchers = self._library.send_get_no_connections(self._handle, 0)
        rate = self._pace(self._clock())
        if not self._watchers:  # nobody looks: nothing is compressed
            return
        buffer = self._filled(frame)
        height, width = buffer.shape[:2]
        video = _libndi.Video(
            width, height, SENT[frame.layout], rate.numerator, rate.denominator, 0.0,
            _libndi.PROGRESSIVE, _libndi.SYNTHESISE, buffer.ctypes.data, width * 4, None, 0,
        )  # fmt: skip
        self._library.send_send_video_async_v2(self._handle, ctypes.byref(video))
        self._turn ^= 1

    def status(self) -> Sink:
        route = "by the host: NDI compresses on the processor"
        return Sink(f"ndi:{self._name}", watchers=self._watchers, route=route)

    def close(self) -> None:
        if self._handle is not None:
            self._library.send_send_video_async_v2(self._handle, None)  # it lets go of our buffer
            self._library.send_destroy(self._handle)
            self._handle = None
            OURS.discard(self._name)

    def _created(self, name: str) -> Any:
        """A sender of this name, or, where another program here has it, of the next one."""
        for number in range(1, MOST_NAMES + 1):
            this = f"{name} {number}" if number > 1 else name
            wish = _libndi.SendCreate(this.encode(), None, False, False)
            handle = self._library.send_create(ctypes.byref(wish))
            if handle:
                if number > 1:
                    log.warning("--out ndi:%s: that name is taken here; it is %s now.", name, this)
                return handle
        raise Refusal(
            f"--out ndi:{name}: NDI does not take this name; choose another, --name NAME."
        )

    def _filled(self, frame: Frame) -> Pixels:
        """The buffer that NDI does not hold, with the picture in it: its only copy here."""
        buffer = self._ring[self._turn]
        if buffer is None or buffer.shape != tuple(frame.pixels.shape):
            buffer = self._ring[self._turn] = self._make(tuple(frame.pixels.shape))
        if isinstance(frame.pixels, np.ndarray):
            np.copyto(buffer, frame.pixels)
        else:
            importlib.import_module("torch").from_numpy(buffer).copy_(frame.pixels)
        return buffer


def _plain(shape: tuple[int, ...]) -> Pixels:
    return np.empty(shape, np.uint8)


def _pinned(shape: tuple[int, ...]) -> Pixels:
    """Memory that a card copies into twice as fast."""
    torch = importlib.import_module("torch")
    pixels: Pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()
    return pixels
