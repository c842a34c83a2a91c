"""What each system knows of its cameras: which there are, how one is opened, what went wrong.

Used by `camera`, mostly on its thread. Linux: Video4Linux; Windows: DirectShow; macOS:
AVFoundation; all through FFmpeg, and each with its own way of naming a camera and of refusing.
"""

import errno
import glob
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import av
import av.error

from bridge import Refusal

SYSTEM = {"win32": "dshow", "darwin": "avfoundation"}.get(sys.platform, "v4l2")
FAULTS = (OSError, ValueError, av.error.FFmpegError)
SIDES, RATES = (16, 16384), (1.0, 1000.0)  # what can be wished for
SPELT = re.compile(
    r"(?P<which>@device[^@]*|[^@]*)"  # Windows' own paths begin with @device
    r"(?:@(?P<width>\d{1,5})x(?P<height>\d{1,5}))?(?:@(?P<rate>\d{1,4}(?:\.\d+)?))?"
)
SCREEN = "Capture screen"  # macOS lists its screens after its cameras; they are opened by name
# Raw pictures of 1280x720 go through USB 2 ten times a second, as JPEGs sixty. Linux is asked for
# JPEGs; Windows has no such option, and chooses them when asked for a rate that needs them.
AS_JPEGS = {"input_format": "mjpeg"}
# macOS opens only at a rate that the camera has, and its own default, 29.97, few have.
USUAL_RATES = {"dshow": ("30",), "avfoundation": ("30", "60", "25", "15")}

GONE = "it is not plugged in, or no longer; plug it in and it is picked up."
NOT_LISTED = {  # what to type all the same
    "v4l2": "camera:/dev/video0 opens one by its path.",
    "dshow": "camera:NAME opens one by the name that the Device Manager shows.",
    "avfoundation": "camera:0 and camera:1 open them by their number.",
}
NOT_ALLOWED = {
    "v4l2": "this user may not open it; run: sudo usermod -aG video $USER, then log in again.",
    "dshow": "desktop apps may not use it; allow them in Settings, Privacy, Camera.",
    "avfoundation": (
        "your terminal may not use it; allow it in System Settings, Privacy & Security, Camera."
    ),
}


class Camera(NamedTuple):
    name: str  # what people call it
    place: str  # what FFmpeg opens


class Wish(NamedTuple):
    size: tuple[int, int] | None = None
    rate: float | None = None


# Which there are


def cameras() -> list[Camera]:
    """The cameras that can be opened here, in the order of their numbers. May raise FAULTS."""
    return sighted(av.enumerate_input_devices(SYSTEM))


def sighted(
    devices: Sequence[Any], system: str = SYSTEM, sys_class: str = "/sys/class/video4linux"
) -> list[Camera]:
    """What PyAV lists, as cameras: no microphones, and none of a camera's data channels."""
    if system == "v4l2":
        nodes = [d for d in devices if re.fullmatch(r"/dev/video\d+", d.name)]
        nodes.sort(key=lambda d: int(d.name.removeprefix("/dev/video")))
        return [Camera(d.description, d.name) for d in nodes if _is_first(d.name, sys_class)]
    seeing = [d for d in devices if not d.media_types or "video" in d.media_types]
    prefix = "video=" if system == "dshow" else ""
    return [Camera(d.description, prefix + d.name) for d in seeing]


def _is_first(node: str, sys_class: str) -> bool:
    """Whether a Linux node is its camera's first: the others carry data about the pictures."""
    try:
        with open(f"{sys_class}/{os.path.basename(node)}/index") as file:
            return int(file.read()) == 0
    except (OSError, ValueError):
        return True


def barred() -> str:
    """A camera that is there but that this user may not open, on Linux, else nothing."""
    nodes = sorted(glob.glob("/dev/video*")) if SYSTEM == "v4l2" else []
    return next((node for node in nodes if not os.access(node, os.R_OK | os.W_OK)), "")


# Which is meant


def spelt(rest: str) -> tuple[str, Wish]:
    """Which camera, and what is wished of it. Raises Refusal for a wish that no camera grants."""
    match = SPELT.fullmatch(rest)
    if match:
        size = (int(match["width"]), int(match["height"])) if match["width"] else None
        rate = float(match["rate"]) if match["rate"] else None
        fine = all(SIDES[0] <= side <= SIDES[1] for side in size or ())
        if fine and (rate is None or RATES[0] <= rate <= RATES[1]):
            return match["which"], Wish(size, rate)
    raise Refusal(
        f"--in camera:{rest}: after @ comes a size, a rate, or both, such as "
        "camera:0@1280x720@60; a camera that has an @ in its name is chosen by its number."
    )


def find(which: str, seen: Sequence[Camera], system: str = SYSTEM) -> Camera | None:
    """The camera that is meant: by path, by number, by name or a part of it; "" is the first."""
    if which.startswith(("/", "@device")):
        return Camera(which, f"video={which}" if system == "dshow" else which)
    if not seen:
        return _unlisted(which, system)
    if not which:
        return next((c for c in seen if not c.name.startswith(SCREEN)), None)
    if which.isdecimal():
        return seen[int(which)] if int(which) < len(seen) else None
    exact = (c for c in seen if c.name == which)
    partly = (c for c in seen if which.casefold() in c.name.casefold())
    return next(exact, None) or next(partly, None)


def _unlisted(which: str, system: str) -> Camera | None:
    """Where to look when nothing is listed: what the system opens by number or name alone."""
    number = which or "0"
    if system == "dshow":
        return None if number.isdecimal() else Camera(which, f"video={which}")
    if system == "avfoundation":
        return Camera(f"camera {number}", number)
    return Camera(f"camera {number}", f"/dev/video{number}") if number.isdecimal() else None


def find_again(camera: Camera, seen: Sequence[Camera]) -> Camera | None:
    """The same camera, which may stand in another place once it was unplugged."""
    return camera if camera in seen else next((c for c in seen if c.name == camera.name), None)


def addresses(seen: Sequence[Camera]) -> list[str]:
    """An address for each: of its name, if that finds this very camera, else of its number."""
    return [
        f"camera:{camera.name if _is_clear(camera, seen) else number}"
        for number, camera in enumerate(seen)
    ]


def _is_clear(camera: Camera, seen: Sequence[Camera]) -> bool:
    try:
        which, wish = spelt(camera.name)
    except Refusal:
        return False
    return bool(which) and wish == Wish() and find(which, seen) == camera


# How it is opened and read


def opened(place: str, options: dict[str, str]) -> Any:
    return av.open(place, format=SYSTEM, options=options)


def ways(wish: Wish, system: str = SYSTEM) -> list[dict[str, str]]:
    """The options to try one after the other: first all that is wished, last nothing."""
    size = {"video_size": "{}x{}".format(*wish.size)} if wish.size else {}
    rate = {"framerate": f"{wish.rate:g}"} if wish.rate else {}
    usual = [{"framerate": number} for number in USUAL_RATES.get(system, ())]
    told = [size | rate] if rate else []
    told += [size | number for number in usual if size]
    told += [size, rate]
    if system == "v4l2" and (size or rate):
        told.insert(0, size | rate | AS_JPEGS)
    if system == "avfoundation":
        told += usual
    distinct = [way for i, way in enumerate(told) if way and way not in told[:i]]
    # nobuffer: the pictures that FFmpeg looks at while opening are old by the time it is open.
    return [{"fflags": "nobuffer"} | way for way in (*distinct, {})]


def pictures(container: Any) -> Any:
    """The stream of pictures. Raises ValueError if there is none."""
    stream = container.streams.best("video")
    if stream is None:
        raise ValueError("there is no picture in it")
    stream.codec_context.thread_count = 1  # each further thread would hold a frame back
    return stream


def rate_of(stream: Any) -> float | None:
    """Frames a second as the camera claims; in the dark many give fewer."""
    rates = (stream.average_rate, stream.guessed_rate)
    return next((float(r) for r in rates if r and RATES[0] <= r <= RATES[1]), None)


def whole(packet: Any) -> list[av.VideoFrame]:
    """The pictures in a packet; none if it was torn on the wire, as a camera's first often is."""
    try:
        frames: list[av.VideoFrame] = packet.decode()
    except av.error.InvalidDataError:
        return []
    return frames


# What went wrong


def advice(problem: Exception) -> str:
    """Why a camera does not give pictures, and what to do."""
    number = getattr(problem, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return NOT_ALLOWED[SYSTEM]
    if number == errno.EBUSY:
        return "another program has it; close that program."
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return GONE
    return (
        f"it gives no pictures ({reason(problem)}); close other programs that use it, and allow "
        "it in the system's privacy settings."
    )


def reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)
