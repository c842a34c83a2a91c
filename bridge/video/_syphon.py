"""What the two sides of Syphon share: its directory, names, which servers are ours, the host's way.

Who is there is told to the main thread's run loop and nowhere else, so that it must be let turn now
and then, both to see others and to be seen. All is used on that thread, which is the frame thread,
inside an autorelease pool: without one, nothing that Metal hands out would ever be given back.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bridge.install import pip

try:
    import Metal as Metal  # the other modules take these from here, with these sentences
    import objc as objc
    import syphon as syphon
    from syphon.utils.raw import create_mtl_texture
except ImportError as problem:
    if sys.platform != "darwin":
        raise ImportError(
            "syphon: works on macOS only, with syphon-python; elsewhere use ndi:, or spout: on "
            "Windows."
        ) from problem
    mend = pip('install --force-reinstall "syphon-python>=0.2"')
    raise ImportError(
        f"syphon: syphon-python, for macOS 12 and later, cannot be loaded ({problem}); run: {mend}"
    ) from problem

Pixels = NDArray[np.uint8]  # (H, W, 4)
Server: TypeAlias = syphon.SyphonServerDescription

# Syphon began with OpenGL, where a picture's first row is at the bottom, and all keep to that. Ours
# have it on top, as Metal's do: they are turned over on their way out and in.
FLIPPED = True
LOOK = 1 / 30  # seconds between two turns of the run loop
RING = 3  # pictures that may be under way at a time
QUIET = 0.3  # seconds without news after which a first look has seen all there is
PAUSE = 0.01  # seconds between two turns of the run loop meanwhile

OPEN: set[str] = set()  # what this process sends, by Syphon's own identifiers
PARTING: set[str] = set()  # what it sent, as long as the directory lists it


# Who is there


class Directory:
    """Syphon's list of servers. Its news come when the run loop turns, which waits for nothing."""

    def __init__(self) -> None:
        self._directory = syphon.SyphonServerDirectory()
        self._directory.run_loop_interval = 0.0  # left as it is, every look would take a second
        self._settled = False

    def turn(self) -> None:
        """Take what has come. It is also how others hear of our servers."""
        self._directory.update_run_loop()

    def seen(self) -> list[Server]:
        """The servers of other programs, in the order in which they were heard of."""
        listed = self._directory.servers  # which turns the run loop first
        PARTING.intersection_update(server.uuid for server in listed)
        return [server for server in listed if server.uuid not in OPEN | PARTING]

    def look(
        self, timeout: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> list[Server]:
        """The same, for who has `timeout` seconds: at first others need a moment to answer."""
        servers = self.seen()
        begun = heard = clock()
        while not self._settled and clock() < begun + timeout:
            sleep(PAUSE)
            before, servers = servers, self.seen()
            if len(servers) != len(before):
                heard = clock()
            self._settled = clock() >= heard + QUIET
        return servers


@functools.cache
def directory() -> Directory:
    return Directory()


def part(uuid: str) -> None:
    """A server of ours is closed. It is not taken for another's while the directory lists it."""
    OPEN.discard(uuid)
    PARTING.add(uuid)
    directory().seen()


def label(server: Server) -> str:
    """As Syphon's programs show it: "Arena - Composition", or one of the two without the other."""
    return " - ".join(filter(None, (server.app_name, server.name)))


def names(server: Server) -> tuple[str, str, str]:
    """What it may be called by, the surest first."""
    return label(server), server.name, server.app_name


def meant(asked: str, servers: list[Server]) -> Server | None:
    """Which is meant, by one of its names; letter by letter if one is spelt so, or else whatever
    the case. Nothing asked is the first."""
    if not asked:
        return servers[0] if servers else None
    for spelt in (str, str.casefold):
        for which in range(3):
            for server in servers:
                if spelt(names(server)[which]) == spelt(asked):
                    return server
    return None


def shortest(server: Server, servers: list[Server]) -> str:
    """The shortest name by which no other is meant: its own, or else "App - Server". Where it has
    its own, its program's alone will not do, for a program may open another server any time."""
    others = [other for other in servers if other.uuid != server.uuid]
    taken = {name.casefold() for other in others for name in names(other)}
    own = str(server.name)
    return own if own and own.casefold() not in taken else label(server)


# The host's way


def texture(device: Any, size: tuple[int, int], layout: str) -> Any:
    """A Metal texture of (width, height) pixels, "bgra" or "rgba"."""
    kind = Metal.MTLPixelFormatBGRA8Unorm if layout == "bgra" else Metal.MTLPixelFormatRGBA8Unorm
    return create_mtl_texture(device, *size, kind)


def read(texture: Any, pixels: Pixels) -> None:
    """Texture to array, rows in the texture's order. The array is ours and contiguous: PyObjC would
    fill a copy of any other one, and say nothing."""
    height, width = pixels.shape[:2]
    region = Metal.MTLRegionMake2D(0, 0, width, height)
    texture.getBytes_bytesPerRow_fromRegion_mipmapLevel_(pixels, width * 4, region, 0)


def write(pixels: Pixels, texture: Any) -> None:
    """Array to texture, rows in the array's order."""
    height, width = pixels.shape[:2]
    region = Metal.MTLRegionMake2D(0, 0, width, height)
    whole = np.ascontiguousarray(pixels)
    texture.replaceRegion_mipmapLevel_withBytes_bytesPerRow_(region, 0, whole, width * 4)


def upright(pixels: Pixels) -> Pixels:
    """The same pixels, from the order of rows that Syphon has to ours, or back."""
    return pixels[::-1] if FLIPPED else pixels
