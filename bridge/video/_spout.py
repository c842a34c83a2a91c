"""What the two sides of Spout share: SpoutGL and its context, names, the way by the host, a pace.

Everything is used on the frame thread.
"""

import sys
import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge import Refusal
from bridge.frame import Layout
from bridge.install import pip

try:
    import SpoutGL as SpoutGL  # the side modules take it from here, with these sentences
except ImportError as problem:
    if sys.platform != "win32":
        raise ImportError(
            "spout: works on Windows, with SpoutGL; elsewhere use ndi:, or syphon: on macOS."
        ) from problem
    if isinstance(problem, ModuleNotFoundError):
        mend = pip("install SpoutGL==0.1.1")
        raise ImportError(f"spout: SpoutGL is not installed; run: {mend}") from problem
    raise ImportError(
        f"spout: Windows cannot load SpoutGL ({problem}); what is missing is mostly Microsoft's "
        "Visual C++ Redistributable; run: winget install Microsoft.VCRedist.2015+.x64"
    ) from problem

GL_TEXTURE_2D, GL_RGBA, GL_BGRA = 0x0DE1, 0x1908, 0x80E1
FORMATS = {  # DXGI's pixel formats that OpenGL can share
    2: "R32G32B32A32 float", 10: "R16G16B16A16 float", 11: "R16G16B16A16",
    13: "R16G16B16A16 signed", 24: "R10G10B10A2", 28: "R8G8B8A8",
    29: "R8G8B8A8 sRGB", 31: "R8G8B8A8 signed", 87: "B8G8R8A8", 88: "B8G8R8X8",
}  # fmt: skip
BY_HOST = (28, 87, 88)  # Spout hands the others out as if they were B8G8R8A8
LONGEST = 200  # bytes of a name: Spout ends the program at 256, and makes names of names

PAUSE = 0.002  # seconds between two looks at a sender that counts its frames
ASSUMED = 60.0  # frames a second of one that does not, until it is known
STALL = 1.0  # seconds without a frame that say nothing of the rate

Pixels = NDArray[np.uint8]  # (H, W, 4), row 0 on top

OURS: set[str] = set()  # what this process sends as


def theirs(spout: SpoutGL.SpoutReceiver) -> list[str]:
    """The names of those who send and are not this process. Raises Refusal as `senders` does."""
    return [name for name in senders(spout) if name not in OURS]


def senders(spout: SpoutGL.SpoutReceiver) -> list[str]:
    """The names of those who send. Raises Refusal where one of them cannot be read."""
    try:
        # Who crashed stays on the list until somebody cleans it; his size goes with him.
        return [name for name in spout.getSenderList() if spout.getSenderInfo(name) is not None]
    except UnicodeDecodeError as problem:  # Spout has bytes of the system's code page
        raise Refusal(
            "spout: a sender has a name with letters that cannot be read here; rename it in its "
            "program with plain ones."
        ) from problem


def named(option: str, rest: str) -> str:
    """The name, if Spout takes it. Raises Refusal."""
    if len(rest.encode()) > LONGEST:
        raise Refusal(
            f"{option} spout:{rest}: Spout takes no name that long; choose a shorter one."
        )
    return rest


class Context(threading.local):
    """The thread's one GL context: made for the first who needs it, closed by the last.

    `spout` made it and stays for that. Where a context is current, CreateOpenGL makes none and
    answers True, and only its maker can close one: a receiver that brought it could not be changed
    for another while a sender goes on.
    """

    spout: SpoutGL.SpoutReceiver
    there = False  # whether the system gave one
    _users = 0

    def enter(self) -> None:
        if not self._users:
            self.spout = SpoutGL.SpoutReceiver()
            self.there = self.spout.createOpenGL()
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if not self._users:
            self.spout.closeOpenGL()
            del self.spout


CONTEXT = Context()


def not_on_card(device: str, spout: SpoutGL.SpoutReceiver | SpoutGL.SpoutSender) -> str:
    """Why pictures cannot stay on the card, or nothing. Spout knows once it has connected."""
    if not device.startswith("cuda"):
        return f"{device} computes"
    if not CONTEXT.there:
        return "this system gives no OpenGL; update the graphics driver"
    if not spout.isGLDXReady():
        return "this card's OpenGL does not share with Direct3D; update the graphics driver"
    if spout.getCPUshare():
        return "Spout is set to share by the processor; choose Texture in SpoutSettings"
    return ""


class Way(Protocol):
    """How pictures come: what Spout writes to, a texture's name or an array, and what it gave."""

    layout: Layout

    @property
    def target(self) -> int | Pixels: ...

    def read(self) -> bool: ...

    def same(self) -> bool: ...

    def keep(self) -> Any: ...

    def close(self) -> None: ...


class ByHost:
    """Through the host's memory: two arrays in turn, so that what was kept last stays as it is."""

    def __init__(self, size: tuple[int, int] = (0, 0)) -> None:
        # Without OpenGL, Spout takes who asks for BGRA for somebody who wants RGBA.
        self.layout: Layout = "bgra" if CONTEXT.there else "rgba"
        self.target = np.empty((size[1], size[0], 4), np.uint8)
        self._kept: Pixels | None = None
        self._primed = False

    def read(self) -> bool:
        """Whether there is a picture: Spout is one behind, and its first is what lay about."""
        primed, self._primed = self._primed, True
        return primed

    def same(self) -> bool:
        """Whether it is what was last kept, to the last pixel."""
        if self._kept is None:
            return False
        now, last = self.target.view(np.uint32), self._kept.view(np.uint32)
        # A few rows tell most pictures apart, in a tenth of the time.
        return np.array_equal(now[::16], last[::16]) and np.array_equal(now, last)

    def keep(self) -> Pixels:
        kept = self.target
        self.target = np.empty_like(kept) if self._kept is None else self._kept
        self._kept = kept
        return kept

    def close(self) -> None: ...


class Pace:
    """How often a source has something new, as far as can be seen, and when to look for it."""

    def __init__(self) -> None:
        self._interval, self._last, self._waited = 1 / ASSUMED, -STALL, False

    @property
    def rate(self) -> float:
        """Frames a second."""
        return 1 / self._interval

    def new(self, now: float, frames: int) -> float:
        """Something new came, `frames` after the last one (0: nobody counts). Answers when to look
        again."""
        passed = (now - self._last) / max(1, frames)
        # Of a frame that was there already when it was looked for, it is only known that it took
        # no longer.
        told = frames or self._waited or passed < self._interval
        if told and now - self._last < STALL:
            self._interval += (passed - self._interval) / 8
        self._last, self._waited = now, False
        return now + (PAUSE if frames else self._interval / 2)

    def same(self, now: float, counted: bool) -> float:
        """Nothing new. Answers when to look again."""
        self._waited = True
        return now + (PAUSE if counted else self._interval / 4)
