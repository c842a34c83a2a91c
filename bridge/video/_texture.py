"""A texture that OpenGL and CUDA share: pictures pass between VJ software and torch on the card.

`GL` is the little of OpenGL that this takes, all of it from version 1.1, whose names opengl32.dll
exports. `CudaTexture` is registered once and mapped around each copy; the mapping is also what
puts OpenGL's work and CUDA's in order. The same on Windows (WGL) and Linux (EGL): which context is
current is the caller's affair, and all happens on its thread, in torch's current stream. Loaded
only where pictures are wanted on CUDA, for it brings torch.
"""

import contextlib
import ctypes
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from bridge import Refusal
from bridge.frame import Layout
from bridge.install import pip

GL_VENDOR, GL_RENDERER = 0x1F00, 0x1F01
GL_TEXTURE_2D, GL_RGBA, GL_RGBA8, GL_UNSIGNED_BYTE = 0x0DE1, 0x1908, 0x8058, 0x1401
# Nearest, and clamped: a texture without mipmaps is complete only so.
PARAMETERS = {0x2801: 0x2600, 0x2800: 0x2600, 0x2802: 0x812F, 0x2803: 0x812F}
TO_RGBA = (2, 1, 0, 3)
RING = 3  # tensors that incoming pictures take turns in

_int, _uint, _text, _any = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p, ctypes.c_void_p
_names = ctypes.POINTER(_uint)
Calls = dict[str, tuple[Any, list[Any]]]
CALLS: Calls = {  # what each answers, and what it takes
    "glGetString": (_text, [_uint]),
    "glGetError": (_uint, []),
    "glGenTextures": (None, [_int, _names]),
    "glDeleteTextures": (None, [_int, _names]),
    "glBindTexture": (None, [_uint, _uint]),
    "glTexParameteri": (None, [_uint, _uint, _int]),
    "glTexImage2D": (None, [_uint, *[_int] * 5, _uint, _uint, _any]),
    "glTexSubImage2D": (None, [_uint, *[_int] * 5, _uint, _uint, _any]),
    "glGetTexImage": (None, [_uint, _int, _uint, _uint, _any]),
    "glFinish": (None, []),
}


def declared(library: Any, calls: Calls) -> dict[str, Any]:
    """The functions of a library by their names, which know what they answer and take."""
    found: dict[str, Any] = {}
    for name, (answers, takes) in calls.items():
        function = getattr(library, name)
        function.restype, function.argtypes = answers, takes
        found[name] = function
    return found


class GL:
    """OpenGL for the context that is current on this thread. Raises Refusal where there is none
    to load."""

    def __init__(self) -> None:
        try:
            if sys.platform == "win32":
                library: Any = ctypes.WinDLL("opengl32")
            else:
                library = ctypes.CDLL("libOpenGL.so.0")
        except OSError as problem:
            raise Refusal(
                f"OpenGL is not here ({problem}); install the graphics driver, on Linux libopengl0."
            ) from problem
        self.call = declared(library, CALLS)

    def told(self, what: int) -> str:
        """The card that draws, or who made it, in its driver's words."""
        text = self.call["glGetString"](what)
        return text.decode(errors="replace") if text else "no card"

    def texture(self, size: tuple[int, int]) -> int:
        """A new RGBA8 texture of (width, height). Raises Refusal if it cannot be had."""
        name = _uint()
        self.call["glGetError"]()  # what others left behind is not ours
        self.call["glGenTextures"](1, ctypes.byref(name))
        with self.bound(name.value):
            for parameter, value in PARAMETERS.items():
                self.call["glTexParameteri"](GL_TEXTURE_2D, parameter, value)
            # Sized: CUDA does not register what OpenGL may store as it likes.
            self.call["glTexImage2D"](
                GL_TEXTURE_2D, 0, GL_RGBA8, *size, 0, GL_RGBA, GL_UNSIGNED_BYTE, None
            )
        error = self.call["glGetError"]()
        if error:
            self.delete(name.value)
            raise Refusal(
                f"GL on {self.told(GL_RENDERER)} has no texture of {size[0]}x{size[1]} ({error:#x})"
            )
        return name.value

    def delete(self, name: int) -> None:
        self.call["glDeleteTextures"](1, ctypes.byref(_uint(name)))

    @contextlib.contextmanager
    def bound(self, name: int) -> Iterator[None]:
        self.call["glBindTexture"](GL_TEXTURE_2D, name)
        try:
            yield
        finally:
            self.call["glBindTexture"](GL_TEXTURE_2D, 0)


class CudaTexture:
    """An RGBA8 texture of `size` = (width, height) that torch reads, or with `write` writes.

    `name` is what OpenGL calls it. Raises Refusal, saying why and what mends it, where this OpenGL
    and this CUDA do not meet, and ImportError without cuda-bindings; nothing is then left behind.
    """

    def __init__(
        self, gl: GL, size: tuple[int, int], device: str | torch.device, *, write: bool = False
    ) -> None:
        self._cuda = _runtime()
        self._gl, self.size, self.device = gl, size, torch.device(device)
        # The tensor wakes torch's context on the card up, which CUDA's other runtime then finds.
        self._order = torch.tensor(TO_RGBA, device=self.device)
        self.name = gl.texture(size)
        try:
            self._resource = self._registered(write)
        except Refusal:
            gl.delete(self.name)
            raise

    def _registered(self, write: bool) -> Any:
        cuda, flags = self._cuda, self._cuda.cudaGraphicsRegisterFlags
        index = self.device.index
        self._done(cuda.cudaSetDevice(torch.cuda.current_device() if index is None else index))
        flag = (
            flags.cudaGraphicsRegisterFlagsWriteDiscard
            if write
            else flags.cudaGraphicsRegisterFlagsReadOnly
        )
        error, resource = cuda.cudaGraphicsGLRegisterImage(self.name, GL_TEXTURE_2D, int(flag))
        if error != cuda.cudaError_t.cudaSuccess:
            raise Refusal(self._apart(error.name))
        if not int(resource):
            raise Refusal(  # NVIDIA/cuda-python issue 1122
                f"this cuda-bindings does not register textures; run: {_install()}"
            )
        return resource

    def _apart(self, error: str) -> str:
        """Why OpenGL and CUDA do not meet, and what mends it."""
        renderer, card = self._gl.told(GL_RENDERER), torch.cuda.get_device_name(self.device)
        where = f"this GL is on {renderer}, torch on {card} ({error})"
        if "nvidia" in self._gl.told(GL_VENDOR).lower():
            return f"{where}; update NVIDIA's driver, or compute on the card that draws"
        return f"{where}; set python.exe to High performance in Windows' graphics settings"

    def read(self, into: Tensor) -> None:
        """Copy the picture to `into`, (H, W, 4) uint8 on the card, red first."""
        width, height = self.size
        _check(into, self.size)
        with self._mapped() as (array, stream):
            kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            self._done(
                self._cuda.cudaMemcpy2DFromArrayAsync(
                    into.data_ptr(), 4 * width, array, 0, 0, 4 * width, height, kind, stream
                )
            )

    def write(self, pixels: Tensor, layout: Layout) -> None:
        """Copy `pixels`, (H, W, 4) uint8 on the card, into the texture."""
        width, height = self.size
        if layout == "bgra":
            pixels = pixels.index_select(2, self._order)
        pixels = pixels.contiguous()
        _check(pixels, self.size)
        with self._mapped() as (array, stream):
            kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
            self._done(
                self._cuda.cudaMemcpy2DToArrayAsync(
                    array, 0, 0, pixels.data_ptr(), 4 * width, 4 * width, height, kind, stream
                )
            )

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[tuple[Any, int]]:
        """The texture as CUDA's array, and the stream: OpenGL's work before is done before what
        the stream gets, and that before what OpenGL gets after."""
        stream = torch.cuda.current_stream(self.device).cuda_stream
        self._done(self._cuda.cudaGraphicsMapResources(1, self._resource, stream))
        try:
            found = self._cuda.cudaGraphicsSubResourceGetMappedArray(self._resource, 0, 0)
            self._done(found)
            yield found[1], stream
        finally:
            unmapped = self._cuda.cudaGraphicsUnmapResources(1, self._resource, stream)
        self._done(unmapped)

    def _done(self, answer: tuple[Any, ...]) -> None:
        if answer[0] != self._cuda.cudaError_t.cudaSuccess:
            raise Refusal(
                f"CUDA does not reach the texture any more ({answer[0].name}); update NVIDIA's "
                "driver"
            )

    def close(self) -> None:
        """Give it back. On the thread whose context it was made in; twice is harmless."""
        if self._resource is not None:
            # Whatever it answers: a card that is gone has taken its textures along.
            self._cuda.cudaGraphicsUnregisterResource(self._resource)
            self._gl.delete(self.name)
            self._resource = None


class Incoming:
    """The pictures that a texture of `size` is given, as tensors on `device`, red first.

    What `keep` answers stays as it is until two more have been kept. Raises as CudaTexture does.
    """

    layout: Layout = "rgba"

    def __init__(self, size: tuple[int, int], device: str) -> None:
        self._texture = CudaTexture(GL(), size, device)
        self.target = self._texture.name
        shape = (size[1], size[0], 4)
        self._ring = [
            torch.empty(shape, dtype=torch.uint8, device=self._texture.device) for _ in range(RING)
        ]
        self._count = 0

    def read(self) -> bool:
        """Take what the texture holds now."""
        self._texture.read(self._ring[self._count % RING])
        return True

    def same(self) -> bool:
        """Whether it is what was last kept, to the last pixel. This waits for the card."""
        if not self._count:
            return False
        now, last = (self._ring[(self._count - back) % RING] for back in (0, 1))
        return torch.equal(now.view(torch.int32), last.view(torch.int32))

    def keep(self) -> Tensor:
        self._count += 1
        return self._ring[(self._count - 1) % RING]

    def close(self) -> None:
        self._texture.close()


def outgoing(size: tuple[int, int], device: str) -> CudaTexture:
    """A texture that torch writes and others read. Raises as CudaTexture does."""
    return CudaTexture(GL(), size, device, write=True)


def _check(pixels: Tensor, size: tuple[int, int]) -> None:
    """Before a copy that knows nothing but an address."""
    whole = pixels.shape == (size[1], size[0], 4) and pixels.is_contiguous()
    if not (whole and pixels.dtype == torch.uint8 and pixels.is_cuda):
        raise ValueError(f"{tuple(pixels.shape)} {pixels.dtype} on {pixels.device} is no picture")


def _runtime() -> Any:
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except ImportError as problem:
        raise ImportError(f"cuda-bindings is not installed; run: {_install()}") from problem


def _install() -> str:
    """The command for the cuda-bindings that goes with this torch."""
    major = (torch.version.cuda or "13").partition(".")[0]
    return pip(f'install "cuda-bindings=={major}.*,!=12.9.3"')
