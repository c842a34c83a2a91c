"""Syphon: pictures from and to VJ software on macOS, on the graphics card.

`syphon:NAME` waits for that server for ever; NAME is its own name, its program's, or both as
Syphon's programs show them: `syphon:Arena - Composition`. `syphon:` takes the first there is. What
was once received is waited for, and never exchanged for another. `--out syphon:` sends as First
Light. What this program sends it never receives. Where torch computes on "mps" a picture is copied
on the card; everywhere else it comes by the host, and `status().route` says why. All of it happens
on the frame thread, which must be the main thread: Syphon tells no other who is there.
"""

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import NAME, Sink, Source, _syphon, refuse_offline
from bridge.video._syphon import LOOK, OPEN, RING, Metal, Pixels, Server, directory, objc, syphon

POLL = 0.001  # seconds between two questions for a new frame
AGAIN = 0.25  # seconds more after a server was connected to: one that is going lets nobody in
MISSED = 3.0  # seconds without a picture after which it is told that there is no server
STALL = 1.0  # seconds between two frames that say nothing of the rate


def discover(
    timeout: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """The addresses of the servers there are, but our own: by a server's own name, or, where that
    would also mean another, by its program's and its own: `syphon:Arena - Composition`.

    The first look of a process takes as long as servers need to answer, the others no time.
    """
    with objc.autorelease_pool():
        servers = directory().look(timeout, clock, sleep)
        names = [_syphon.shortest(server, servers) for server in servers]
    return [f"syphon:{name}" for name in dict.fromkeys(filter(None, names))]


class Receiver:
    """A server's pictures. While it is not there it is looked for; nothing is raised for it."""

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
        self._address = f"--in syphon:{rest}".rstrip(":")
        if not live:
            refuse_offline(self._address, "server")
        self._client: syphon.SyphonMetalClient | None = None
        self._server: Server | None = None  # what is or was received, as last heard of
        self._listed = self._closed = False
        self._others: list[str] = []  # what there is to choose from
        self._refused = ""  # why Syphon did not connect
        self._size: tuple[int, int] | None = None
        self._due = -math.inf  # when to look around next
        self._alive = clock()  # when there was a picture last
        self._pace = Pace()
        with objc.autorelease_pool():
            card, self._route = _way(device)
            self._device = card.device if card else None
            self._bring: Callable[[Any], Any] = card.incoming() if card else ByHost()
            self._look()

    def receive(self, timeout: float) -> Frame | None:
        end = self._clock() + timeout
        waited = False
        while not self._closed:
            with objc.autorelease_pool():
                self._look()
                frame = self._newest(waited)
            left = end - self._clock()
            if frame is not None or left <= 0:
                return frame
            self._sleep(min(left, POLL if self._client else LOOK))
            waited = True
        return None

    def status(self) -> Source:
        with objc.autorelease_pool():
            connected = self._is_connected()
        return Source(
            connected=connected,
            name=f"syphon:{_syphon.label(self._server) if self._server else self._asked}",
            size=self._size,
            rate=self._pace.rate,
            ended=self._closed,
            error="" if connected or self._closed else self._trouble(),
            format="B8G8R8A8" if self._size else "",  # Syphon has no other
            route=self._route,
        )

    def close(self) -> None:
        """Twice is harmless."""
        self._closed = True
        with objc.autorelease_pool():
            self._disconnect()

    # What comes

    def _newest(self, waited: bool) -> Frame | None:
        if self._client is None or not self._client.has_new_frame:
            return None
        texture = self._client.new_frame_image
        if texture is None:
            return None
        self._alive = now = self._clock()
        pixels = self._bring(texture)  # at once: the server goes on drawing into it
        height, width = pixels.shape[:2]
        self._size = width, height
        self._pace.came(now, waited)
        # Syphon merges its notices of frames: nobody knows how many were passed over.
        return Frame(pixels, "bgra", now)

    # Who is there

    def _look(self) -> None:
        """See who is there, thirty times a second, and connect to whom is meant."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + LOOK
        servers = directory().seen()
        if self._client is not None and not self._is_kept(self._client, servers):
            self._disconnect()
        if self._client is None:
            self._others = [_syphon.shortest(server, servers) for server in servers]
            found = self._found(servers)
            self._refused = ""
            if found is not None:
                self._connect(found)

    def _is_kept(self, client: syphon.SyphonMetalClient, servers: list[Server]) -> bool:
        """Whether the client still has its server. One that crashed does not say so: it goes off
        the list, as does one that hangs, and comes back as another of the same name."""
        assert self._server is not None
        same = [server for server in servers if server.uuid == self._server.uuid]
        if same:
            self._server = same[0]  # it may have another name now
        self._listed = bool(same)
        return client.is_valid and (self._listed or self._found(servers) is None)

    def _found(self, servers: list[Server]) -> Server | None:
        if self._server is None:
            return _syphon.meant(self._asked, servers)
        known = self._server.app_name, self._server.name
        return next((s for s in servers if (s.app_name, s.name) == known), None)

    def _connect(self, server: Server) -> None:
        self._due += AGAIN
        try:
            client = syphon.SyphonMetalClient(server, device=self._device)
        except RuntimeError as problem:
            self._refused = str(problem)
            return
        if client.is_valid:
            self._client, self._server, self._listed = client, server, True
        else:  # it crashed, and is not off the list yet
            client.stop()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.stop()
            self._client, self._listed = None, False

    def _is_connected(self) -> bool:
        if self._client is None or not self._client.is_valid:
            return False
        return self._listed or self._clock() - self._alive < MISSED

    def _trouble(self) -> str:
        """Why there is no server, and what to do, once it has been missed for a while."""
        if self._refused:
            return f"{self._address}: {self._refused}; restart the program that sends it."
        if self._clock() - self._alive < MISSED:
            return ""
        choice = " or ".join(f"syphon:{name}" for name in self._others)
        instead = f"or choose {choice}." if choice else "it is picked up."
        return f"{self._address}: it is not to be seen; start it, {instead}"


class ByHost:
    """What comes, as arrays that stay as they are for a while, row 0 on top."""

    def __init__(self) -> None:
        self._raw: Pixels = np.empty((0, 0, 4), np.uint8)
        self._ring: list[Pixels] = []
        self._turn = 0

    def __call__(self, texture: Any) -> Pixels:
        shape = texture.height(), texture.width(), 4
        if self._raw.shape != shape:
            self._raw = np.empty(shape, np.uint8)
            self._ring = [np.empty(shape, np.uint8) for _ in range(RING)]
        _syphon.read(texture, self._raw)
        self._turn = (self._turn + 1) % RING
        # A view with its rows the other way round would do without a copy, but torch takes none.
        np.copyto(self._ring[self._turn], _syphon.upright(self._raw))
        return self._ring[self._turn]


class Pace:
    """How often a server has something new, from frames that were waited for: of one that was
    there already it is not known since when."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self._last, self._waited = -math.inf, False

    def came(self, now: float, waited: bool) -> None:
        gap = now - self._last
        if waited and self._waited and gap < STALL:
            usual = 1 / self.rate if self.rate else gap
            self.rate = 1 / (usual + (gap - usual) / 8)
        self._last, self._waited = now, waited


@dataclass(slots=True)
class _Sheet:
    """A texture that a picture leaves by, and the order to the card that reads it."""

    texture: Any
    order: Any = None

    def is_free(self) -> bool:
        done = Metal.MTLCommandBufferStatusCompleted  # or further: failed
        return self.order is None or self.order.status() >= done


class Sender:
    """A server. Others see it by its name, which need not be its own alone, and its program's. It
    shows each picture whether somebody watches or not: who comes is not to see an old one first."""

    def __init__(
        self,
        rest: str,
        *,
        live: bool,
        rate: float,  # noqa: ARG002  (it paces nothing)
        device: str = "cpu",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._name, self._live, self._clock = rest or NAME, live, clock
        with objc.autorelease_pool():
            self._card, self._route = _way(device)
            self._device = self._card.device if self._card else Metal.MTLCreateSystemDefaultDevice()
            self._server: syphon.SyphonMetalServer | None = self._opened()
            self._uuid = self._server.server_description.uuid
            self._queue = self._device.newCommandQueue()
        OPEN.add(self._uuid)
        self._ring: list[_Sheet] = []
        self._form: tuple[Any, ...] = ()  # of the pictures that the ring is for
        self._turn = self._dropped = 0
        self._error = ""
        self._due = -math.inf

    @property
    def host(self) -> bool:
        return self._card is None

    def send(self, frame: Frame) -> None:
        if self._server is None:
            return
        with objc.autorelease_pool():
            self._show(self._server, frame)
            now = self._clock()
            if now >= self._due:  # who looks for servers is answered, once the picture is out
                self._due = now + LOOK
                directory().turn()

    def status(self) -> Sink:
        watched = False
        if self._server is not None:
            with objc.autorelease_pool():
                watched = self._server.has_clients
        return Sink(
            f"syphon:{self._name}",
            watchers=int(watched),  # Syphon tells no more than whether there are any
            dropped=self._dropped,
            error=self._error,
            route=self._route,
        )

    def close(self) -> None:
        """Twice is harmless."""
        if self._server is None:
            return
        with objc.autorelease_pool():
            for sheet in self._ring:
                if sheet.order is not None:
                    sheet.order.waitUntilCompleted()
            self._server.stop()
            self._server, self._ring = None, []
            _syphon.part(self._uuid)

    def _opened(self) -> syphon.SyphonMetalServer:
        try:
            return syphon.SyphonMetalServer(self._name, device=self._device)
        except RuntimeError as problem:
            why = f"Syphon cannot begin to send ({problem}); restart this Mac, or send by ndi:."
            raise Refusal(f"--out syphon:{self._name}: {why}") from problem

    def _show(self, server: syphon.SyphonMetalServer, frame: Frame) -> None:
        sheet = self._sheet(frame)
        if sheet is None:
            self._dropped += 1
            return
        order = self._queue.commandBuffer()
        lent = None  # what the card reads when it comes to that
        if self._card is None or isinstance(frame.pixels, np.ndarray):
            _syphon.write(frame.pixels, sheet.texture)
        else:
            lent = self._card.push(frame.pixels, sheet.texture, order)
        server.publish_frame_texture(
            sheet.texture, is_flipped=_syphon.FLIPPED, command_buffer=order, auto_commit=False
        )
        order.commit()
        sheet.order = order
        if lent is not None:
            order.waitUntilCompleted()

    def _sheet(self, frame: Frame) -> _Sheet | None:
        """One that the card does not read; None where that would have to be waited for, live."""
        height, width = frame.pixels.shape[:2]
        form = width, height, frame.layout
        if form != self._form:
            self._form = form
            made = (_syphon.texture(self._device, form[:2], form[2]) for _ in range(RING))
            self._ring = [_Sheet(texture) for texture in made]
        sheet = self._ring[self._turn]
        if not sheet.is_free():
            if self._live:
                return None
            sheet.order.waitUntilCompleted()
        fault = sheet.order.error() if sheet.order is not None else None
        why = f"the graphics card fails ({fault}); close other programs that draw on it."
        self._error = f"--out syphon:{self._name}: {why}" if fault else ""
        self._turn = (self._turn + 1) % RING
        return sheet


def _way(device: str) -> tuple[Any, str]:
    """The card, where pictures can stay on it, and how they go and why so."""
    if device.partition(":")[0] != "mps":
        return None, f"by the host: {device} computes"
    try:
        return importlib.import_module("bridge.video._metal").card(), "on the card"
    except Refusal as why:
        return None, f"by the host: {why}"
