"""The feed: pictures for pages, as JPEG, as fast as each page takes them and no faster.

A page asks for what is newer than what it has, and asks again when it has drawn that; each picture
is encoded once, whoever asks. On the web thread; encoding is done on another, without the
interpreter, at most a tenth of the time: when the machine is busy, pictures come more slowly.
"""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
from websockets.asyncio.server import ServerConnection

from bridge.pictures import Pictures

FASTEST, SLOWEST = 1 / 15, 1.0  # seconds from one picture to the next
SHARE = 0.1  # of the time, spent on encoding
LOOK = 1 / 60  # seconds between two looks at what there is
FADES = 5.0  # seconds in which the cost of one picture is forgotten
MOST_NAMES = 32  # pictures that one page may ask for at once
QUALITY = 4  # of JPEG as FFmpeg has it: 2 is the best, 31 the worst


class Feed:
    """Answers pages out of `pictures`."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._encoded: dict[str, tuple[int, asyncio.Future[bytes]]] = {}
        self._cost: dict[str, tuple[float, float]] = {}  # seconds that each took, and when
        self._beside = ThreadPoolExecutor(1, "jpeg")

    def close(self) -> None:
        self._beside.shutdown(wait=True, cancel_futures=True)

    async def show(self, connection: ServerConnection) -> None:
        """Answer one page until it is gone. It says {"made": 41, "seen": 41}: the names it wants
        and the number it has of each. It gets every newer one, as a line of JSON and a JPEG; the
        line tells how many `more` come before it may ask again."""
        async for message in connection:
            asked = _asked(message)
            newer = self._newer(asked)
            while not newer and asked and connection.close_code is None:
                self._pictures.watch()
                await asyncio.sleep(LOOK)
                newer = self._newer(asked)
            shown = [(name, self._jpeg(name, *newest)) for name, newest in newer.items()]
            for left, (name, (number, encoding)) in zip(
                reversed(range(len(shown))), shown, strict=True
            ):
                head = json.dumps({"name": name, "number": number, "more": left}).encode()
                await connection.send(head + b"\n" + await asyncio.shield(encoding))
            await asyncio.sleep(FASTEST if newer else LOOK)

    def _newer(self, asked: dict[str, int]) -> dict[str, tuple[int, np.ndarray]]:
        found = {name: self._pictures.newest(name) for name in asked}
        return {name: one for name, one in found.items() if one and one[0] != asked[name]}

    def _jpeg(
        self, name: str, number: int, pixels: np.ndarray
    ) -> tuple[int, asyncio.Future[bytes]]:
        """A picture being encoded: once, for all who ask meanwhile."""
        if name not in self._encoded or self._encoded[name][0] != number:
            loop = asyncio.get_running_loop()
            self._encoded[name] = (
                number,
                loop.run_in_executor(self._beside, self._encode, name, pixels),
            )
        return self._encoded[name]

    def _encode(self, name: str, pixels: np.ndarray) -> bytes:
        begun = time.perf_counter()
        encoded = jpeg(pixels)
        now = time.perf_counter()
        self._cost[name] = now - begun, now
        cost = sum(cost for cost, at in self._cost.values() if now - at < FADES)
        self._pictures.every = min(max(FASTEST, cost / SHARE), SLOWEST)
        return encoded


def jpeg(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8, blue first, as a JPEG. Sides of an odd length get their last line twice."""
    even = np.pad(pixels, [(0, side % 2) for side in pixels.shape], "edge")[..., :3]
    height, width = even.shape[:2]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "bgr24")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 30)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = QUALITY
    whole = frame.reformat(format="yuvj420p")
    whole.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(whole), *encoder.encode(None)))


def _asked(message: str | bytes) -> dict[str, int]:
    try:
        given = json.loads(message)
        wanted = {str(name): int(number) for name, number in list(given.items())[:MOST_NAMES]}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
    return wanted
