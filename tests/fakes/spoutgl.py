"""A FAKE of SpoutGL 0.1.1 on a machine of its own: its state machine, its lags and its bugs.

`machine` is what all programs of that machine share; `Program` is one of them that sends. Pictures
are BGRA, row 0 on top. Whatever is done on another thread than an object was made on is an error.
"""

import threading
import weakref
from dataclasses import dataclass, field

import numpy as np

GL_RGBA, GL_BGRA_EXT, GL_RGB, GL_BGR_EXT = 0x1908, 0x80E1, 0x1907, 0x80E0
SWAP = [2, 1, 0, 3]
OPENS = (2, 10, 11, 13, 28, 29, 31, 87, 88)  # what its receiver does not turn away
RIGHT = (28, 87, 88)  # what it does not swap on its way to the host
STALE = 0xCD  # what lies in memory that nothing was written to


@dataclass
class Shared:
    """A sender as all programs see it."""

    handle: int
    format: int
    picture: np.ndarray
    count: int = 0
    opens: bool = True  # on the same card
    links: bool = True  # its texture, with OpenGL


@dataclass
class Machine:
    gl: bool = True  # it gives a context
    shares: bool = True  # OpenGL with Direct3D
    by_processor: bool = False  # as SpoutSettings can be set
    counting: bool = False  # as the registry has it
    refuses: bool = False  # to take pictures
    blinks: int = 0  # how many looks it will fail
    locked: bool = False  # another program holds every picture
    garbled: bool = False  # a sender's name is of another code page
    active: str | None = None
    listed: list[str] = field(default_factory=list)
    senders: dict[str, Shared] = field(default_factory=dict)
    textures: dict[int, np.ndarray] = field(default_factory=dict)  # RGBA, of this process
    current: dict[int, object] = field(default_factory=dict)  # who made the thread's context
    signalled: list[str] = field(default_factory=list)
    slept: int = 0  # milliseconds
    handles: int = 0
    copies: int = 0
    alive: weakref.WeakSet = field(default_factory=weakref.WeakSet)

    def handle(self):
        self.handles += 1
        return self.handles

    def register(self, name, size):
        plain, number = name, 0
        while name in self.senders:
            number += 1
            name = f"{plain}_{number}"
        self.senders[name] = Shared(self.handle(), 87, np.zeros((size[1], size[0], 4), np.uint8))
        if name not in self.listed:
            self.listed.append(name)
        self.active = self.active or name
        return name

    def forget(self, name):
        self.senders.pop(name, None)
        if name in self.listed:
            self.listed.remove(name)
        if self.active == name:
            self.active = next(iter(self.listed), None)


machine = Machine()


def reset():
    machine.__init__()


class Program:
    """Another program that sends."""

    def __init__(self, name, size=(8, 4), kind=87):
        self.name = machine.register(name, size)
        self.shared.format = kind

    @property
    def shared(self):
        return machine.senders[self.name]

    def show(self, value=None, frames=1):
        """The next picture: one even value, or the same as before."""
        if value is not None:
            self.shared.picture[:] = value
        self.shared.count += frames

    def change(self, size=(8, 4), kind=87):
        """Another size, or another format: another texture."""
        shared = self.shared
        shared.handle, shared.format = machine.handle(), kind
        shared.picture = np.zeros((size[1], size[0], 4), np.uint8)

    def close(self):
        machine.forget(self.name)

    def crash(self):
        """Its memory goes, and its name stays on the list."""
        del machine.senders[self.name]


class SenderInfo:
    name = ""  # always

    def __init__(self, shared):
        self.height, self.width = shared.picture.shape[:2]


class _Common:
    def __init__(self):
        self._thread = threading.get_ident()
        self._device = self._has_bgra = self._glue = False
        self._context = None
        machine.alive.add(self)

    def _here(self):
        assert self._thread == threading.get_ident(), "made on another thread"

    def _open_spout(self):
        self._here()
        if machine.blinks:
            machine.blinks -= 1
            return False
        if self._device:
            return True
        self._device = True
        self._has_bgra = self._thread in machine.current
        self._glue = self._has_bgra and machine.shares
        return self._has_bgra  # without a context false, the first time

    def createOpenGL(self):
        self._here()
        if self._thread not in machine.current and machine.gl:
            machine.current[self._thread] = self
        return self._thread in machine.current

    def closeOpenGL(self):
        self._here()
        mine = machine.current.get(self._thread) is self
        if mine:
            assert not machine.textures, "textures outlive their context"
            del machine.current[self._thread]
        return mine

    def isGLDXReady(self):
        return self._glue

    def getCPUshare(self):
        return machine.by_processor

    def getActiveSender(self):
        return machine.active

    def getSenderInfo(self, name):
        return SenderInfo(machine.senders[name]) if name in machine.senders else None


class SpoutReceiver(_Common):
    def __init__(self):
        super().__init__()
        self._wanted, self._name, self._handle = "", "", 0
        self._updated = self._connected = self._initialised = False
        self._size, self._format, self._count, self._new = (0, 0), 87, 0, True
        self._staged = None  # what the next image will be

    def __del__(self):
        if self._initialised:  # SDKs before 2.007.014 take a receiver for the sender here
            machine.forget(self._name)

    def setReceiverName(self, name):
        self._wanted = name or ""

    def releaseReceiver(self):
        self._here()
        if self._initialised:
            machine.slept += 67
        self._initialised = self._connected = False
        self._name, self._handle, self._size, self._staged = "", 0, (0, 0), None

    def receiveTexture(self, texture=0, target=0, invert=False, host_fbo=0):
        if self._updated and texture and target:
            return True
        if not self._found():
            return False
        if self._updated:
            return self._linked()
        into = machine.textures.get(texture)
        if into is not None and into.shape == self._shared.picture.shape and self._is_new():
            into[:] = self._shared.picture[..., SWAP]
        return True

    def receiveImage(self, buffer, gl_format, invert, host_fbo):
        into = None if buffer is None or not buffer.size else buffer
        if into is not None:
            assert into.flags.c_contiguous
            if into.size < self._size[0] * self._size[1] * 4:
                raise BufferError("Buffer not large enough")
        if self._updated:
            return True
        if not self._found():
            return False
        if self._updated:
            return self._linked()
        if into is None:
            return False
        if all(self._size) and self._is_new():
            self._read(into, gl_format)
        return True

    def _read(self, into, gl_format):
        assert gl_format == GL_RGBA or self._has_bgra, "it would come as RGBA"
        machine.copies += 1
        staged, self._staged = self._staged, self._shared.picture.copy()
        if staged is None:
            staged = np.full_like(self._staged, STALE)
        wrong = self._format not in RIGHT
        into[:] = staged[..., SWAP] if (gl_format == GL_RGBA) != wrong else staged

    def _found(self):
        """Whether there is a sender; sets `_updated` where it is another than before."""
        if not self._open_spout():
            return False
        self._updated = False
        name = self._wanted or machine.active
        self._shared = machine.senders.get(name)
        if self._shared is None:
            self.releaseReceiver()
            return False
        if self._shared.handle != self._handle or (self._name and self._name != name):
            self.releaseReceiver()
            self._handle = self._shared.handle
            if self._shared.opens and self._shared.format not in OPENS:
                return False
            if self._shared.opens:
                height, width = self._shared.picture.shape[:2]
                self._name, self._size, self._format = name, (width, height), self._shared.format
                self._initialised = self._updated = True
                self._count = 0
        self._connected = True
        return True

    def _linked(self):
        return self._shared.links or not self._glue

    def _is_new(self):
        """Whether there is something to copy. What was new stays so where it cannot be had."""
        if machine.locked or not self._linked():
            return False
        self._new = not machine.counting or self._shared.count != self._count
        self._count = self._shared.count
        return self._new

    def isUpdated(self):
        updated, self._updated = self._updated, False
        return updated

    def isConnected(self):
        return self._connected

    def isFrameNew(self):
        return self._new

    def isFrameCountEnabled(self):
        return machine.counting

    def getSenderFrame(self):
        return self._count if machine.counting else 0

    def getSenderName(self):
        return self._size[0]  # its binding's mistake

    def getSenderWidth(self):
        return self._size[0]

    def getSenderHeight(self):
        return self._size[1]

    def getSenderFormat(self):
        return self._format

    def getSenderList(self):
        if machine.garbled:
            raise UnicodeDecodeError("utf-8", b"Gr\xf6\xdfe", 2, 3, "invalid start byte")
        return sorted(machine.listed)


class SpoutSender(_Common):
    def __init__(self):
        super().__init__()
        self._name, self._registered = "", False

    def __del__(self):
        if self._registered:
            machine.forget(self._name)

    def setSenderName(self, name):
        self._name = name or "python"

    def sendTexture(self, texture, target, width, height, invert, host_fbo):
        self._open_spout()
        return self._send(machine.textures[texture][..., SWAP], width, height)

    def sendImage(self, pixels, width, height, gl_format, invert, host_fbo):
        assert pixels.flags.c_contiguous
        assert pixels.size >= width * height * 4
        self._open_spout()
        assert gl_format == GL_RGBA or self._has_bgra, "it would be taken for RGBA"
        picture = pixels.reshape(height, width, 4)
        return self._send(
            picture if gl_format == GL_BGRA_EXT else picture[..., SWAP], width, height
        )

    def _send(self, picture, width, height):
        if machine.refuses:
            self.releaseSender()
            return False
        if not self._registered:
            self._name = machine.register(self._name or "python", (width, height))
            self._registered = True
        shared = machine.senders[self._name]
        if shared.picture.shape != picture.shape:
            shared.handle = machine.handle()
        shared.picture = np.array(picture)
        shared.count += 1
        return True

    def releaseSender(self):
        self._here()
        if self._registered:
            machine.forget(self._name)
        self._name, self._registered = "", False

    def setFrameSync(self, name):
        assert name == self._name
        machine.signalled.append(name)
