"""Numbered pictures: `stills:FOLDER`.

In: the folder's pictures in natural order (2 before 10), thirty a second, decoded ahead on their
own thread; `stills:FOLDER@4` holds each for four seconds. Live it goes round for ever, and
pictures put into the folder join at the next round. Out: 000001.png, 000002.png …, lossless.
Offline the numbers start at one and older pictures of the same number are overwritten, so that
the same command gives the same files; live they go on after the highest one in the folder.
"""

import os
import re
from dataclasses import replace
from fractions import Fraction
from itertools import repeat
from typing import IO, Any

import av
import av.error

from bridge import Refusal
from bridge.frame import Frame, Layout
from bridge.video import Sink, Source
from bridge.video.ahead import Ahead, Pass
from bridge.video.pixels import Pixels, Upright
from bridge.video.recorder import Recorder

RATE = 30.0
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
NUMBERED = re.compile(r"(\d{6,})\.png", re.IGNORECASE)


def discover(timeout: float) -> list[str]:  # noqa: ARG001
    """Nothing: what is on a disk is opened by its path."""
    return []


class Receiver:
    """A folder of pictures. One that cannot be read is passed over and told in `status`."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = False,
        device: str = "cpu",  # noqa: ARG002  (its frames are the host's)
    ) -> None:
        folder, self._times = _hold(rest)
        self._folder, self._address = os.path.expanduser(folder), f"--in stills:{rest}"
        self._error = ""
        first = next(self._play(), None)
        if first is None:
            raise Refusal(
                self._error
                or f"{self._address}: no pictures there; it reads {', '.join(EXTENSIONS)}."
            )
        height, width = first.shape[:2]
        name = os.path.basename(os.path.normpath(self._folder))
        self._ahead = Ahead(
            self._play, name=name, size=(width, height), rate=RATE, live=live, loop=loop
        )

    def receive(self, timeout: float) -> Frame | None:
        return self._ahead.receive(timeout)

    def status(self) -> Source:
        status = self._ahead.status()
        return replace(status, error=status.error or self._error)

    def close(self) -> None:
        self._ahead.close()

    def _play(self) -> Pass:
        upright = Upright()
        for name in self._names():
            try:
                with open(os.path.join(self._folder, name), "rb") as file:
                    pixels = upright(_first(file))
            except (OSError, ValueError, IndexError, StopIteration, av.error.FFmpegError):
                self._error = f"{self._address}: {name} cannot be read; save it again as PNG."
                continue
            yield from repeat(pixels, self._times)

    def _names(self) -> list[str]:
        """The pictures' file names in natural order. Raises Refusal if the folder is not there."""
        try:
            names = os.listdir(self._folder)
        except OSError as problem:
            raise Refusal(
                f"{self._address}: there is no such folder; check the path. ({problem.strerror})"
            ) from problem
        pictures = (n for n in names if n.lower().endswith(EXTENSIONS) and not n.startswith("."))
        return sorted(pictures, key=_natural)


class Sender:
    """Numbered PNGs of the pictures sent, alpha left out."""

    host = True  # it is written by the processor

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        rate: float,
        device: str = "cpu",  # noqa: ARG002
    ) -> None:
        folder, address = os.path.expanduser(rest), f"--out stills:{rest}"
        try:
            os.makedirs(folder, exist_ok=True)
            highest = max(
                (int(m[1]) for n in os.listdir(folder) if (m := NUMBERED.fullmatch(n))), default=0
            )
        except OSError as problem:
            raise Refusal(
                f"{address}: the folder cannot be made or read; choose another. "
                f"({problem.strerror})"
            ) from problem
        if not os.access(folder, os.W_OK):
            raise Refusal(f"{address}: the folder cannot be written in; choose another.")
        album = _Album(folder, highest if live else 0)
        self._recorder = Recorder(album, address=address, live=live, rate=rate)

    def send(self, frame: Frame) -> None:
        self._recorder.send(frame)

    def status(self) -> Sink:
        return self._recorder.status()

    def close(self) -> None:
        self._recorder.close()


class _Album:
    """What the recorder writes to. Its numbers have no gaps: what was dropped has no number."""

    def __init__(self, folder: str, number: int) -> None:
        self._folder, self._number = folder, number

    def write(self, pixels: Pixels, layout: Layout, place: int) -> None:  # noqa: ARG002
        picture = av.VideoFrame.from_ndarray(pixels, layout).reformat(format="rgb24")
        height, width = pixels.shape[:2]
        path = os.path.join(self._folder, f"{self._number + 1:06}.png")
        with open(path, "wb") as file:
            file.write(_png(picture, width, height))
        self._number += 1

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


def _first(file: IO[bytes]) -> av.VideoFrame:
    with av.open(file, "r") as container:
        return next(container.decode(video=0))


def _png(picture: av.VideoFrame, width: int, height: int) -> bytes:
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"compression_level": "1", "pred": "up"}
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode()])


def _hold(rest: str) -> tuple[str, int]:
    """The folder, and how many frames each picture is shown for."""
    folder, at, seconds = rest.rpartition("@")
    if not at or os.path.isdir(rest):
        return rest, 1
    try:
        return folder, max(1, round(float(seconds) * RATE))
    except (ValueError, OverflowError):
        return rest, 1


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers inside names by their value."""
    parts = re.split(r"(\d+)", name.lower())
    return [(int(p), "") if p.isdigit() else (-1, p) for p in parts]
