"""Spout: pictures from and to VJ software on Windows, on the graphics card.

`spout:NAME` waits for that sender for ever. `spout:` takes the active sender, or else the first,
and then stays with it; `--out spout:` sends as First Light. Where torch computes on the card
that draws, a picture comes as a texture and is copied once, on the card; everywhere else it comes
by the host, and `status().route` says why. What this program sends it never receives.
All of it happens on the frame thread, whose one GL context receiver and sender share.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import NAME, Sink, Source, refuse_offline
from bridge.video._spout import (
    BY_HOST,
    CONTEXT,
    FORMATS,
    GL_BGRA,
    GL_RGBA,
    GL_TEXTURE_2D,
    OURS,
    ByHost,
    Pace,
    Pixels,
    SpoutGL,
    Way,
    named,
    not_on_card,
    senders,
    theirs,
)

LOOK = 0.05  # seconds between two looks for a sender that is not there
# Seconds after which one and the same picture is given again, where nobody counts frames: it may be
# a still, which is to be learnt too. Sooner it would be a frame that was looked at twice.
STILL = 1 / 8
DARK = 3  # looks at a sender that is there and shows nothing, until that is told


def discover(timeout: float) -> list[str]:  # noqa: ARG001  (Spout keeps a list)
    """The senders that there are, but for this program's own."""
    return [f"spout:{name}" for name in theirs(SpoutGL.SpoutReceiver())]


class Receiver:
    """A sender's pictures. `status().error` says why there are none, and what to do."""

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
        self._name, self._device, self._clock, self._sleep = rest, device, clock, sleep
        self._address = f"--in spout:{named('--in', rest)}"
        if not live:
            refuse_offline(self._address, "sender")
        CONTEXT.enter()
        self._spout = SpoutGL.SpoutReceiver()
        self._spout.setReceiverName(rest)
        self._way: Way = ByHost()
        self._size: tuple[int, int] | None = None
        self._number = 0  # of the sender's format
        self._format = self._route = self._error = ""
        self._refused = ""  # why the sender's format is
        self._connected = self._closed = False
        self._barred = False  # whether Spout found the sender, and could not open its picture
        self._dark = 0  # looks at a sender that is there and shows nothing
        self._count = 0  # the sender's number of the frame last taken, where it counts
        self._due = 0.0  # when to look next
        self._given = 0.0  # when a frame was last given
        self._pace = Pace()
        for _ in range(2):  # without OpenGL, the first look only wakes Direct3D up
            if self._size is None:
                self._look()

    def receive(self, timeout: float) -> Frame | None:
        end = self._clock() + timeout
        while not self._closed:
            now = self._clock()
            if self._due > end:
                if end > now:
                    self._sleep(end - now)
                return None
            if self._due > now:
                self._sleep(self._due - now)
            frame = self._look()
            if frame is not None:
                return frame
        return None

    def status(self) -> Source:
        return Source(
            connected=self._connected,
            name=f"spout:{self._name}",
            size=self._size,
            rate=self._pace.rate if self._size else None,
            ended=self._closed,
            error=self._error,
            format=self._format,
            route=self._route,
        )

    def close(self) -> None:
        """Twice is harmless."""
        if self._closed:
            return
        self._closed, self._connected = True, False
        self._way.close()
        # Not left to its end: that would strike the sender off the list that all programs read.
        self._spout.releaseReceiver()
        del self._spout
        CONTEXT.leave()

    # One look at the sender

    def _look(self) -> Frame | None:
        """What it shows now, if that is new."""
        self._due = self._clock() + LOOK
        if not self._is_chosen():
            return None
        there = self._ask()
        updated, size = self._spout.isUpdated(), self._their_size()
        self._barred = not there if updated else self._barred
        if there and all(size) and not self._barred:
            self._connected, self._dark, self._error = True, 0, self._refused
            if updated:
                self._begin(size)
            elif not self._refused:
                return self._taken()
        elif there or self._spout.getSenderInfo(self._name) is not None:
            self._shows_nothing()
        else:
            self._lose()
        return None

    def _is_chosen(self) -> bool:
        """Whether it is known whose pictures are wanted, and that they are not our own."""
        if not self._name:
            try:
                others = theirs(self._spout)
            except Refusal as problem:
                self._lose(str(problem))
                return False
            active = self._spout.getActiveSender()
            self._name = active if active in others else next(iter(others), "")
            self._spout.setReceiverName(self._name)
        own = self._name in OURS
        if own:
            self._lose(f"{self._address}: that is what this program itself sends; choose another.")
        elif not self._name:
            self._lose()
        return bool(self._name) and not own

    def _ask(self) -> bool:
        target = self._way.target
        if isinstance(target, int):
            return self._spout.receiveTexture(target, GL_TEXTURE_2D, False, 0)
        wanted = GL_BGRA if self._way.layout == "bgra" else GL_RGBA
        return self._spout.receiveImage(target, wanted, False, 0)

    def _their_size(self) -> tuple[int, int]:
        return self._spout.getSenderWidth(), self._spout.getSenderHeight()

    def _begin(self, size: tuple[int, int]) -> None:
        """A sender has come, or has another size or format from here on."""
        self._way.close()
        self._way, self._size = ByHost(), size
        self._error = self._refused = ""
        self._count = 0
        self._number = self._spout.getSenderFormat()
        self._format = FORMATS.get(self._number, f"DXGI format {self._number}")
        self._due = self._clock()
        why = not_on_card(self._device, self._spout)
        if not why:
            try:
                texture = importlib.import_module("bridge.video._texture")
                self._way, self._route = texture.Incoming(size, self._device), "on the card"
                return
            except (ImportError, Refusal) as problem:
                why = str(problem)
        self._go_by_host(size, why)

    def _go_by_host(self, size: tuple[int, int], why: str) -> None:
        self._way, self._route = ByHost(size), f"by the host: {why}"
        if self._number not in BY_HOST:
            self._error = self._refused = (
                f"{self._address}: it sends {self._format}, which would arrive in wrong colours by "
                "the host; set its pixel format to 8 bits (in TouchDesigner, 8-bit fixed (RGBA))."
            )

    def _taken(self) -> Frame | None:
        count, now = self._counted(), self._clock()
        frames = max(count - self._count, 0) if self._count else min(count, 1)
        try:
            new = self._is_new(count)
            if not new and (new is None or count or not self._stands(now)):
                self._due = self._pace.same(now, bool(count))
                return None
            pixels = self._way.keep()
        except Refusal as problem:  # the card is gone, or its driver has begun anew
            self._way.close()
            self._go_by_host(self._their_size(), str(problem))
            return None
        self._count, self._given = count, now
        self._due = self._pace.new(now, frames) if new else self._pace.same(now, False)
        return Frame(pixels, self._way.layout, now, max(frames - 1, 0))

    def _stands(self, now: float) -> bool:
        """Whether the same picture has been there for so long that it is a still."""
        return now - self._given >= max(STILL, 1.5 / self._pace.rate)

    def _counted(self) -> int:
        """The sender's number of the frame that it shows, or 0 where nobody counts."""
        return self._spout.getSenderFrame() if self._spout.isFrameCountEnabled() else 0

    def _is_new(self, count: int) -> bool | None:
        """Whether it is another picture than the last; None where nothing has come."""
        if count and count == self._count:
            return None
        if self._way.read():
            return bool(count) or not self._way.same()
        self._count = count
        return None

    def _shows_nothing(self) -> None:
        """It is there, and its picture cannot be opened."""
        self._connected = False
        self._dark += 1
        if self._dark >= DARK:
            self._error = (
                f"{self._address}: it is there, but its picture cannot be opened; set its program "
                "and python.exe to the same card in Windows' graphics settings, and its pixel "
                "format to 8 bits."
            )

    def _lose(self, error: str = "") -> None:
        self._connected, self._error = False, error


class Sender:
    """Sends as a name of its own: a name that is taken becomes another, as `status().name` says."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,  # noqa: ARG002  (nobody waits for a picture)
        rate: float,  # noqa: ARG002
        device: str = "cpu",
    ) -> None:
        self._wanted = named("--out", rest or NAME)
        self._name = ""  # what it became, once a picture was sent
        self._dropped, self._error = 0, ""
        self._closed = False
        CONTEXT.enter()
        self._spout = SpoutGL.SpoutSender()
        self._spout.setSenderName(self._wanted)
        self._device = device
        self._texture: Any = None
        # Whether Spout's card is torch's is only found out with the first picture.
        self._on_card = device.startswith("cuda") and CONTEXT.there
        self._route = "" if self._on_card else f"by the host: {not_on_card(device, self._spout)}"

    @property
    def host(self) -> bool:
        return not self._on_card

    def send(self, frame: Frame) -> None:
        if self._closed:
            return
        before: set[str] = set() if self._name else self._there()
        self._error = ""
        if self._sent(frame):
            if not self._name:
                self._learn_name(before)
            self._spout.setFrameSync(self._name)
        else:
            self._begin_again()

    def status(self) -> Sink:
        return Sink(
            f"spout:{self._name or self._wanted}",
            dropped=self._dropped,
            error=self._error,
            route=self._route,
        )

    def close(self) -> None:
        """Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._let_go()
        self._spout.releaseSender()
        del self._spout
        CONTEXT.leave()
        OURS.discard(self._name)

    def _sent(self, frame: Frame) -> bool:
        if self._on_card and getattr(frame.pixels, "is_cuda", False):
            try:
                return self._sent_as_texture(frame)
            except (ImportError, Refusal) as problem:
                self._go_by_host(str(problem))
        return self._sent_as_image(frame)

    def _sent_as_texture(self, frame: Frame) -> bool:
        height, width = frame.pixels.shape[:2]
        if self._texture is None or self._texture.size != (width, height):
            self._let_go()
            module = importlib.import_module("bridge.video._texture")
            self._texture = module.outgoing((width, height), self._device)
        self._texture.write(frame.pixels, frame.layout)
        name = self._texture.name
        sent = self._spout.sendTexture(name, GL_TEXTURE_2D, width, height, False, 0)
        self._route = "on the card"
        why = not_on_card(self._device, self._spout) if sent else ""
        if why:  # Spout has brought it to the host by itself, and slowly
            self._go_by_host(why)
        return sent

    def _sent_as_image(self, frame: Frame) -> bool:
        given: Any = frame.pixels
        pixels: Pixels = given.cpu().numpy() if hasattr(given, "cpu") else given
        wanted = GL_BGRA if frame.layout == "bgra" else GL_RGBA
        if wanted == GL_BGRA and not CONTEXT.there:
            # Without OpenGL, Spout takes BGRA for RGBA.
            pixels, wanted = pixels[..., [2, 1, 0, 3]], GL_RGBA
        height, width = pixels.shape[:2]
        whole = np.ascontiguousarray(pixels)
        return self._spout.sendImage(whole, width, height, wanted, False, 0)

    def _go_by_host(self, why: str) -> None:
        self._let_go()
        self._on_card, self._route = False, f"by the host: {why}"

    def _let_go(self) -> None:
        if self._texture is not None:
            self._texture.close()
            self._texture = None

    def _there(self) -> set[str]:
        try:
            return set(senders(CONTEXT.spout))
        except Refusal:  # then its own name cannot be told from others
            return set()

    def _learn_name(self, before: set[str]) -> None:
        """What Spout made of the name: nothing tells, but who is there now and was not before."""
        new = sorted(self._there() - before)
        again = f"{self._wanted}_"
        ours = (name for name in new if name == self._wanted or name.startswith(again))
        self._name = next(ours, self._wanted)
        OURS.add(self._name)

    def _begin_again(self) -> None:
        """After a picture that Spout did not take. It may have forgotten our name with it, and
        would go on under that of python.exe."""
        self._dropped += 1
        self._error = (
            f"--out spout:{self._wanted}: Spout does not take pictures; update the graphics "
            "driver, and close programs that fill its memory."
        )
        self._spout.releaseSender()
        self._spout.setSenderName(self._wanted)
        OURS.discard(self._name)
        self._name = ""
