"""Movies: `file:clip.mp4`.

In: any movie that FFmpeg reads, decoded ahead on its own thread; live it loops, offline it plays
once unless asked to loop. Out: a recorder, on its own thread too. `.mp4` is H.264, which plays
everywhere; `.mkv` is
FFV1, lossless, byte for byte the network's picture. Live, a take that exists is never
overwritten: `take.mp4`, `take-2.mp4`, `take-3.mp4`. Offline it is: the same command gives the
same file.
"""

import os
from fractions import Fraction
from typing import Any

import av
import av.error
from av.video.reformatter import Colorspace, VideoReformatter

from bridge import Refusal
from bridge.frame import Frame, Layout
from bridge.video import Sink, Source
from bridge.video.ahead import Ahead, Pass
from bridge.video.pixels import Pixels, Upright
from bridge.video.recorder import Recorder

DECODING_THREADS = 2
ENCODING_THREADS = 2
USUAL_RATE = 30.0  # for a movie that does not tell
FASTEST = 1000.0  # frames a second; what claims more does not know
KEYFRAME_EVERY = 2  # seconds; a crash or a power cut loses at most this much
BT709, LIMITED = 1, 1  # AVCOL_SPC_BT709 and its kin, AVCOL_RANGE_MPEG


def discover(timeout: float) -> list[str]:  # noqa: ARG001
    """Nothing: what is on a disk is opened by its path."""
    return []


class Receiver:
    """A movie. One of varying frame rate is played at its average rate."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        loop: bool = False,
        device: str = "cpu",  # noqa: ARG002  (its frames are the host's)
    ) -> None:
        self._path, self._address = os.path.expanduser(rest), f"--in file:{rest}"
        if not os.path.exists(self._path):
            raise Refusal(f"{self._address}: there is no such file; check the path.")
        if os.path.isdir(self._path):
            raise Refusal(f"{self._address}: this is a folder; for its pictures use stills:{rest}")
        first, rate = self._probe()
        height, width = first.shape[:2]
        name = os.path.basename(self._path)
        self._ahead = Ahead(
            self._play, name=name, size=(width, height), rate=rate, live=live, loop=loop
        )

    def receive(self, timeout: float) -> Frame | None:
        return self._ahead.receive(timeout)

    def status(self) -> Source:
        return self._ahead.status()

    def close(self) -> None:
        self._ahead.close()

    def _probe(self) -> tuple[Pixels, float]:
        """The first picture and the rate, or a Refusal: better now than in the show."""
        advice = "no picture in it can be read; check that it is a movie and that it plays."
        try:
            with _opened(self._path) as container:
                stream = _pictures(container)
                frame = next(container.decode(stream), None) if stream else None
                if frame is None:
                    raise Refusal(f"{self._address}: {advice}")
                return Upright()(frame), _rate(stream)
        except (av.error.FFmpegError, OSError, ValueError) as problem:
            raise Refusal(f"{self._address}: {advice} ({_reason(problem)})") from problem

    def _play(self) -> Pass:
        upright = Upright()
        try:
            with _opened(self._path) as container:
                for frame in container.decode(_pictures(container)):
                    yield upright(frame)
        except (av.error.FFmpegError, OSError, ValueError) as problem:
            raise Refusal(
                f"{self._address}: it cannot be read to its end; copy or convert the file anew. "
                f"({_reason(problem)})"
            ) from problem


class Sender:
    """A recorder of pictures that come `rate` times a second."""

    host = True  # it is written by the processor

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        rate: float,
        device: str = "cpu",  # noqa: ARG002
    ) -> None:
        path, address = os.path.expanduser(rest), f"--out file:{rest}"
        extension = os.path.splitext(path)[1].lower()
        if extension not in (".mp4", ".mkv"):
            raise Refusal(f"{address}: end the name in .mp4 (plays everywhere) or .mkv (lossless).")
        new = live or not os.path.exists(path)
        try:
            if live:
                path = _claimed(path)
                address = f"--out file:{path}"
            else:
                with open(path, "ab"):
                    pass
        except OSError as problem:
            raise Refusal(
                f"{address}: the file cannot be written; check that the folder is there and "
                f"yours to write in. ({_reason(problem)})"
            ) from problem
        self._recorder = Recorder(
            _Movie(path, extension, rate, new), address=address, live=live, rate=rate
        )

    def send(self, frame: Frame) -> None:
        self._recorder.send(frame)

    def status(self) -> Sink:
        return self._recorder.status()

    def close(self) -> None:
        self._recorder.close()


class _Movie:
    """What the recorder writes to; the first picture's size is the movie's."""

    def __init__(self, path: str, extension: str, rate: float, new: bool) -> None:
        self._path, self._new = path, new
        self._rate = Fraction(rate).limit_denominator(1001)
        self._begin = self._begin_lossless if extension == ".mkv" else self._begin_h264
        self._size: tuple[int, int] | None = None
        self._container: Any = None
        self._stream: Any = None
        self._conversion: dict[str, Any] = {}
        self._reformatter = VideoReformatter()

    def write(self, pixels: Pixels, layout: Layout, place: int) -> None:
        height, width = pixels.shape[:2]
        if self._size is None:
            self._size = width, height
            self._begin(width, height)
            self._container.start_encoding()
        if self._size != (width, height):
            raise Refusal(
                f"the picture became {width}x{height} and the recording is "
                f"{self._size[0]}x{self._size[1]}; start a new one for another size."
            )
        frame = av.VideoFrame.from_ndarray(pixels, layout)
        frame = self._reformatter.reformat(frame, threads=1, **self._conversion)
        frame.pts, frame.time_base = place, 1 / self._rate
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        if self._size is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
        elif self._new:
            os.remove(self._path)  # no picture ever came

    def abandon(self) -> None:
        # Nothing is encoded or muxed after an error: PyAV 18 crashes if the header is not written.
        try:
            if self._container is not None:
                self._container.close()
        finally:
            if self._new and os.path.getsize(self._path) == 0:
                os.remove(self._path)  # a disk that was full from the start

    def _begin_h264(self, width: int, height: int) -> None:
        # hybrid_fragmented: while it grows it can be opened, whatever becomes of the machine; once
        # closed it is a plain .mp4. With B-frames it would begin late (by ten frames, where the
        # second picture came ten frames after the first): hence bf=0. superfast costs 3.2 ms of
        # processor a frame at 640x384, veryfast 5.2 for two thirds of the size.
        keyframes = str(round(KEYFRAME_EVERY * self._rate))
        options = {"preset": "superfast", "crf": "16", "bf": "0", "g": keyframes}
        self._open("libx264", options, {"movflags": "hybrid_fragmented"})
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        # Half the colour resolution is what plays everywhere, and it needs even sides.
        even = width % 2 == 0 and height % 2 == 0
        self._picture(width, height, "yuv420p" if even else "yuv444p")
        self._conversion |= {"dst_colorspace": Colorspace.ITU709}

    def _begin_lossless(self, width: int, height: int) -> None:
        self._open("ffv1", {"level": "3", "slices": "4"}, {})
        self._picture(width, height, "bgr0")

    def _open(self, codec: str, options: dict[str, str], container: dict[str, str]) -> None:
        self._container = av.open(f"file:{self._path}", "w", container_options=container)
        self._stream = self._container.add_stream(codec, rate=self._rate, options=options)
        self._stream.codec_context.thread_count = ENCODING_THREADS
        self._stream.codec_context.thread_type = "AUTO"

    def _picture(self, width: int, height: int, pixel_format: str) -> None:
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = pixel_format
        self._conversion |= {"format": pixel_format}


def _opened(path: str) -> Any:
    # "file:" keeps FFmpeg from reading a name like "live: one.mp4" as a protocol.
    return av.open(f"file:{path}")


def _pictures(container: Any) -> Any:
    """The movie's main video stream (not its cover art), or None."""
    stream = container.streams.best("video")
    if stream is not None:
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = DECODING_THREADS
    return stream


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate < FASTEST:
            return float(rate)
    return USUAL_RATE


def _claimed(path: str) -> str:
    """A new, empty file: `path`, or if that is taken the first of path-2, path-3 … that is not."""
    stem, extension = os.path.splitext(path)
    name, number = path, 1
    while True:
        try:
            with open(name, "xb"):  # to look first and open then would let two takes share a name
                return name
        except FileExistsError:
            number += 1
            name = f"{stem}-{number}{extension}"


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
