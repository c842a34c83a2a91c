"""A fake of what Syphon needs of a Mac: syphon-python, Metal and PyObjC, as they are documented.

Other programs are played by `Mac.server`. News of them come one a turn of the run loop. A texture
is an array in `pixels`; a picture that is sent is drawn when the card gets to it, at once unless
`stalled`. Whatever touches Metal or Syphon outside an autorelease pool fails.
"""

import ctypes
import itertools
import sys
import weakref
from collections import deque
from types import ModuleType, SimpleNamespace

import numpy as np

BGRA, RGBA = 80, 70
COMMITTED, COMPLETED, FAILED = 2, 4, 5
MODULES = ("syphon", "_syphon", "_metal")  # of bridge.video: what sees the fake


class Mac:
    """One computer. `now` is its clock, `sleep` what passes time on it."""

    def __init__(self):
        self.now = 1000.0
        self.pools = 0  # that are open
        self.news = deque()  # what the run loop has not been told yet
        self.listed = []  # the directory's descriptions
        self.turns = []  # when the run loop turned
        self.servers = []  # all that run, of others and ours
        self.stalled = False  # whether the card is busy with something else
        self.waiting = deque()  # orders it has not come to
        self.fault = None  # what becomes of the next orders
        self.no_metal = False
        self.refuses = ""  # why no client is made
        self.alive = weakref.WeakSet()  # all that was ever handed out and is still held
        self.asleep = lambda: None  # what goes on elsewhere in a sleep
        self.buffers = {}  # behind tensors, by the address of what stands for them

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds
        self.asleep()

    def touched(self):
        assert self.pools > 0, "outside an autorelease pool"

    def server(self, app="Arena", name="Composition"):
        """One that another program opens."""
        return Server(self, app, name)

    def address(self, tensor):
        """Where torch keeps a tensor's Metal buffer."""
        buffer = Buffer(self, tensor)
        self.buffers[buffer.address] = buffer
        return buffer.address

    def finish(self):
        """The card does what it was told."""
        self.stalled = False
        while self.waiting:
            self.waiting.popleft().run()

    def modules(self):
        """What `import` finds on it, by name."""
        mac = self

        class error(Exception):  # noqa: N801
            pass

        class Pool:
            def __enter__(self):
                mac.pools += 1

            def __exit__(self, *_):
                mac.pools -= 1

        def of_this(kind):
            return lambda *given, **named: kind(mac, *given, **named)

        objc, metal = ModuleType("objc"), ModuleType("Metal")
        objc.autorelease_pool, objc.error = Pool, error
        objc.objc_object = lambda c_void_p: mac.buffers[c_void_p]
        metal.MTLPixelFormatBGRA8Unorm, metal.MTLPixelFormatRGBA8Unorm = BGRA, RGBA
        metal.MTLCommandBufferStatusCompleted = COMPLETED
        metal.MTLRegionMake2D = lambda x, y, width, height: ((x, y, 0), (width, height, 1))
        metal.MTLCreateSystemDefaultDevice = lambda: None if mac.no_metal else Device(mac)
        syphon, utils, raw = map(ModuleType, ("syphon", "syphon.utils", "syphon.utils.raw"))
        syphon.SyphonServerDescription = SimpleNamespace
        syphon.SyphonServerDirectory = of_this(Directory)
        syphon.SyphonMetalClient = of_this(Client)
        syphon.SyphonMetalServer = of_this(Sent)
        raw.create_mtl_texture = lambda device, width, height, pixel_format: Texture(
            device.mac, width, height, pixel_format
        )
        return {m.__name__: m for m in (objc, metal, syphon, utils, raw)}

    def install(self, monkeypatch):
        for name, module in self.modules().items():
            monkeypatch.setitem(sys.modules, name, module)


def uninstall():
    """Have no other test find modules that know a fake."""
    package = sys.modules["bridge.video"]
    for name in MODULES:
        sys.modules.pop(f"bridge.video.{name}", None)
        if hasattr(package, name):
            delattr(package, name)


# Servers


class Server:
    """A server of another program. Its surface has a picture's first row at the bottom."""

    numbers = itertools.count()

    def __init__(self, mac, app, name):
        self.mac, self.app, self.name = mac, app, name
        self.uuid = f"uuid-{next(self.numbers)}"
        self.surface = None
        self.seed = 0
        self.runs = True  # as far as its clients know
        self.clients = set()
        mac.servers.append(self)
        mac.news.append(("announce", self.description))

    @property
    def description(self):
        return SimpleNamespace(uuid=self.uuid, name=self.name, app_name=self.app, raw=self)

    def show(self, picture):
        """Publish (H, W, 4), row 0 on top: into the very surface its clients hold, if it fits."""
        self.publish(np.asarray(picture, np.uint8)[::-1])

    def publish(self, rows):
        height, width = rows.shape[:2]
        if self.surface is None or self.surface.pixels.shape != rows.shape:
            self.surface = Texture(self.mac, width, height, BGRA, handed=False)
        self.surface.pixels[:] = rows
        self.seed += 1

    def rename(self, name):
        self.name = name
        self.mac.news.append(("update", self.description))

    def quit(self):
        self.runs = False
        self.mac.servers.remove(self)
        self.mac.news.append(("retire", self.description))

    def crash(self):
        """Without a word: its clients stay valid, and it stays on the list until `cleaned`."""
        self.mac.servers.remove(self)

    def cleaned(self):
        self.mac.news.append(("retire", self.description))


class Directory:
    def __init__(self, mac):
        self.mac, self.run_loop_interval = mac, 1.0

    def update_run_loop(self):
        self.mac.touched()
        self.mac.now += self.run_loop_interval
        self.mac.turns.append(self.mac.now)
        if self.mac.news:
            kind, description = self.mac.news.popleft()
            others = [s for s in self.mac.listed if s.uuid != description.uuid]
            places = [s.uuid for s in self.mac.listed]
            if kind == "announce":
                self.mac.listed = [*others, description]
            elif kind == "retire":
                self.mac.listed = others
            elif description.uuid in places:
                self.mac.listed[places.index(description.uuid)] = description

    @property
    def servers(self):
        self.update_run_loop()
        return list(self.mac.listed)


class Client:
    def __init__(self, mac, description, device=None):
        mac.touched()
        if mac.refuses:
            raise RuntimeError(mac.refuses)
        self.mac, self.server, self.device = mac, description.raw, device
        self.seen, self.stopped = 0, False
        self.server.clients.add(self)
        mac.alive.add(self)

    @property
    def is_valid(self):
        self.mac.touched()
        return not self.stopped and self.server.runs

    @property
    def has_new_frame(self):
        self.mac.touched()
        return not self.stopped and self.server.runs and self.server.seed != self.seen

    @property
    def new_frame_image(self):
        self.mac.touched()
        self.seen = self.server.seed
        return None if self.stopped else self.server.surface

    def stop(self):
        self.mac.touched()
        self.stopped = True
        self.server.clients.discard(self)


class Sent(Server):
    """A server of ours, as syphon-python makes it. `pictures` are those that its clients saw."""

    def __init__(self, mac, name, device=None):
        mac.touched()
        if device is None:
            raise RuntimeError("No Metal device is available")
        super().__init__(mac, "Python", name)
        self.pictures = []
        self.has_clients = False
        mac.alive.add(self)

    @property
    def server_description(self):
        self.mac.touched()
        return self.description

    def publish_frame_texture(self, texture, *, is_flipped, command_buffer, auto_commit):
        self.mac.touched()
        assert not auto_commit, "Metal has no public name for what that calls"

        def draw():
            rows = texture.pixels[::-1] if is_flipped else texture.pixels
            self.publish(rows[..., [2, 1, 0, 3]] if texture.format == RGBA else rows)
            self.pictures.append(self.surface.pixels[::-1].copy())

        command_buffer.told(draw)

    def stop(self):
        self.mac.touched()
        assert not self.mac.waiting, "it would be drawn into after its end"
        self.quit()


# Metal


class Device:
    def __init__(self, mac):
        self.mac = mac

    def newCommandQueue(self):  # noqa: N802
        self.mac.touched()
        return Queue(self.mac)


class Queue:
    def __init__(self, mac):
        self.mac = mac
        mac.alive.add(self)

    def commandBuffer(self):  # noqa: N802
        self.mac.touched()
        return Order(self.mac)


class Order:
    """A command buffer: does nothing until it is committed and the card comes to it."""

    def __init__(self, mac):
        self.mac, self.steps, self.open = mac, [], False
        self.state, self.fault = 0, None
        mac.alive.add(self)

    def told(self, step):
        assert not self.open, "an encoder is not ended"
        assert self.state == 0, "it was committed already"
        self.steps.append(step)

    def blitCommandEncoder(self):  # noqa: N802
        self.mac.touched()
        assert not self.open
        self.open = True
        return Blit(self)

    def commit(self):
        self.mac.touched()
        assert not self.open, "an encoder is not ended"
        self.state = COMMITTED
        self.mac.waiting.append(self)
        if not self.mac.stalled:
            self.mac.finish()

    def run(self):
        self.fault = self.mac.fault
        if self.fault is None:
            for step in self.steps:
                step()
        self.steps, self.state = [], FAILED if self.fault else COMPLETED

    def waitUntilCompleted(self):  # noqa: N802
        self.mac.touched()
        assert self.state >= COMMITTED, "it would wait for ever"
        if self.state == COMMITTED:
            self.mac.finish()

    def status(self):
        self.mac.touched()
        return self.state

    def error(self):
        self.mac.touched()
        return self.fault


class Blit:
    def __init__(self, order):
        self.order, self.steps = order, []

    def endEncoding(self):  # noqa: N802
        self.order.open = False
        for step in self.steps:
            self.order.told(step)

    def copyFromTexture_sourceSlice_sourceLevel_sourceOrigin_sourceSize_toBuffer_destinationOffset_destinationBytesPerRow_destinationBytesPerImage_(  # noqa: E501, N802
        self, texture, piece, level, origin, size, buffer, offset, row, image
    ):
        width, height, depth = size
        assert (piece, level, origin, depth, offset) == (0, 0, (0, 0, 0), 1, 0)
        assert (row, image) == (width * 4, width * height * 4)

        def copy():
            buffer.bytes[:image] = texture.pixels[:height, :width].reshape(-1)

        self.steps.append(copy)

    def copyFromBuffer_sourceOffset_sourceBytesPerRow_sourceBytesPerImage_sourceSize_toTexture_destinationSlice_destinationLevel_destinationOrigin_(  # noqa: E501, N802
        self, buffer, offset, row, image, size, texture, piece, level, origin
    ):
        width, height, depth = size
        assert (piece, level, origin, depth, offset) == (0, 0, (0, 0, 0), 1, 0)
        assert (row, image) == (width * 4, width * height * 4)

        def copy():
            texture.pixels[:] = buffer.bytes[:image].reshape(height, width, 4)

        self.steps.append(copy)


class Texture:
    def __init__(self, mac, width, height, pixel_format, handed=True):
        if handed:
            mac.touched()
        self.mac, self.format = mac, pixel_format
        self.pixels = np.zeros((height, width, 4), np.uint8)
        mac.alive.add(self)

    def width(self):
        self.mac.touched()
        return self.pixels.shape[1]

    def height(self):
        self.mac.touched()
        return self.pixels.shape[0]

    def getBytes_bytesPerRow_fromRegion_mipmapLevel_(self, pixels, row, region, level):  # noqa: N802
        self.mac.touched()
        self._whole(row, region, level)
        memoryview(pixels).cast("B")[:] = self.pixels.tobytes()  # needs it contiguous and writable

    def replaceRegion_mipmapLevel_withBytes_bytesPerRow_(self, region, level, pixels, row):  # noqa: N802
        self.mac.touched()
        self._whole(row, region, level)
        self.pixels.reshape(-1)[:] = np.frombuffer(memoryview(pixels).cast("B"), np.uint8)

    def _whole(self, row, region, level):
        height, width = self.pixels.shape[:2]
        assert (region, level) == (((0, 0, 0), (width, height, 1)), 0)
        assert row == width * 4


class Buffer:
    """The Metal buffer behind a tensor."""

    def __init__(self, mac, tensor):
        self.mac = mac
        storage = tensor.untyped_storage()
        memory = (ctypes.c_uint8 * storage.nbytes()).from_address(storage.data_ptr())
        self.bytes = np.frombuffer(memory, np.uint8)
        self._handle = ctypes.c_uint64(1)  # an object does not begin with zeros
        self.address = ctypes.addressof(self._handle)

    def device(self):
        self.mac.touched()
        return Device(self.mac)
