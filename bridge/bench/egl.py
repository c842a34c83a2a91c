"""A place to draw without a screen: OpenGL on Linux through EGL, for what is measured and tested.

The context is that of the thread that asks for it. On Windows, Spout brings its own.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge import Refusal
from bridge.video._texture import (
    GL,
    GL_RENDERER,
    GL_RGBA,
    GL_TEXTURE_2D,
    GL_UNSIGNED_BYTE,
    GL_VENDOR,
    Calls,
    declared,
)

DEVICE, SURFACELESS = 0x313F, 0x31DD  # EGL_PLATFORM_DEVICE_EXT, EGL_PLATFORM_SURFACELESS_MESA
OPENGL = 0x30A2
# EGL_SURFACE_TYPE any of them: EGL_PBUFFER_BIT; EGL_RENDERABLE_TYPE: EGL_OPENGL_BIT; EGL_NONE
CONFIGURATION = (0x3033, 0x0001, 0x3040, 0x0008, 0x3038)
MOST = 16  # cards

_int, _uint, _any = ctypes.c_int, ctypes.c_uint, ctypes.c_void_p
_ints, _anys = ctypes.POINTER(_int), ctypes.POINTER(_any)
CALLS: Calls = {  # what each answers, and what it takes
    "eglGetProcAddress": (_any, [ctypes.c_char_p]),
    "eglInitialize": (_uint, [_any, _ints, _ints]),
    "eglBindAPI": (_uint, [_uint]),
    "eglChooseConfig": (_uint, [_any, _ints, _anys, _int, _ints]),
    "eglCreateContext": (_any, [_any, _any, _any, _ints]),
    "eglDestroyContext": (_uint, [_any, _any]),
    "eglMakeCurrent": (_uint, [_any, _any, _any, _any]),
}
EXTENSIONS: Calls = {
    "eglQueryDevicesEXT": (_uint, [_int, _anys, _ints]),
    "eglGetPlatformDisplayEXT": (_any, [_uint, _any, _ints]),
}


class Offscreen(GL):
    """OpenGL in a context of its own, whose textures can be filled and looked at."""

    @property
    def renderer(self) -> str:
        return self.told(GL_RENDERER)

    @property
    def is_nvidia(self) -> bool:
        return "nvidia" in self.told(GL_VENDOR).lower()

    def put(self, name: int, pixels: NDArray[np.uint8]) -> None:
        """Fill a texture with (H, W, 4), red first."""
        height, width = pixels.shape[:2]
        whole = np.ascontiguousarray(pixels)
        with self.bound(name):
            self.call["glTexSubImage2D"](
                GL_TEXTURE_2D, 0, 0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE, whole.ctypes.data
            )

    def get(self, name: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a texture of `size` = (width, height) holds."""
        pixels = np.empty((size[1], size[0], 4), np.uint8)
        with self.bound(name):
            self.call["glGetTexImage"](
                GL_TEXTURE_2D, 0, GL_RGBA, GL_UNSIGNED_BYTE, pixels.ctypes.data
            )
        return pixels


@contextlib.contextmanager
def offscreen() -> Iterator[Offscreen]:
    """OpenGL on the first card that has it, an NVIDIA card before others, until the block ends.

    Raises Refusal where there is none.
    """
    egl, made = _Egl(), []
    chosen = None
    try:
        for display in egl.displays():
            context = egl.context(display)
            if context:
                made.append((display, context))
                egl.call["eglMakeCurrent"](display, None, None, context)
                is_nvidia = Offscreen().is_nvidia
                chosen = made[-1] if is_nvidia or not chosen else chosen
                if is_nvidia:
                    break
        if not chosen:
            raise Refusal("no graphics card here draws without a screen; install its driver's EGL.")
        egl.call["eglMakeCurrent"](chosen[0], None, None, chosen[1])
        yield Offscreen()
    finally:
        for display, context in made:
            egl.call["eglMakeCurrent"](display, None, None, None)
            egl.call["eglDestroyContext"](display, context)


class _Egl:
    def __init__(self) -> None:
        try:
            library = ctypes.CDLL("libEGL.so.1")
        except OSError as problem:
            raise Refusal(
                f"EGL is not here ({problem}); it is Linux's, and there it is in libegl1."
            ) from problem
        self.call = declared(library, CALLS)
        for name, (answers, takes) in EXTENSIONS.items():
            address = self.call["eglGetProcAddress"](name.encode())
            if address:
                self.call[name] = ctypes.CFUNCTYPE(answers, *takes)(address)

    def displays(self) -> Iterator[Any]:
        """Each card's, then the one that needs no card."""
        if "eglGetPlatformDisplayEXT" not in self.call:
            return
        cards, count = (_any * MOST)(), _int()
        if "eglQueryDevicesEXT" in self.call:
            self.call["eglQueryDevicesEXT"](MOST, cards, ctypes.byref(count))
        for card in cards[: count.value]:
            yield self.call["eglGetPlatformDisplayEXT"](DEVICE, card, None)
        yield self.call["eglGetPlatformDisplayEXT"](SURFACELESS, None, None)

    def context(self, display: Any) -> Any:
        """A context on a display, if it has one to give."""
        if not display or not self.call["eglInitialize"](display, None, None):
            return None
        self.call["eglBindAPI"](OPENGL)
        wanted = (_int * len(CONFIGURATION))(*CONFIGURATION)
        configuration, count = _any(), _int()
        chosen = self.call["eglChooseConfig"](
            display, wanted, ctypes.byref(configuration), 1, ctypes.byref(count)
        )
        if not chosen or not count.value:
            return None
        return self.call["eglCreateContext"](display, configuration, None, None)
