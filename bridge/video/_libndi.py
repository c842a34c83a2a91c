"""libndi by ctypes: the part of NDI's own library that `ndi` uses, and where it is found.

It comes with the package cyndilib (the extra `ndi`), whose own binding is not used, or with an
NDI runtime that is installed. ctypes lets go of the interpreter during each call, so that a wait
for a frame holds nobody up. Structures are those of the headers that come with the library,
version 6; none has changed since version 4. Nothing is loaded before `load`.
"""

import atexit
import ctypes as c
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge import Refusal
from bridge.install import pip

MISSING = (
    "ndi: needs NDI's library, which comes with cyndilib (Windows, macOS, Linux); run: "
    + pip('install "cyndilib>=0.1.2"')
)
# What the library is called where an NDI runtime has been installed, and where that says it is.
INSTALLED = {
    "win32": ("Processing.NDI.Lib.x64.dll",),
    "darwin": ("libndi.dylib", "/usr/local/lib/libndi.dylib"),
}.get(sys.platform, ("libndi.so.6", "libndi.so.5", "libndi.so"))
RUNTIMES = ("NDI_RUNTIME_DIR_V6", "NDI_RUNTIME_DIR_V5")

NOTHING, VIDEO, ERROR = 0, 1, 4  # what a capture may answer; all else is news, not ours
BGRX, UYVY = 0, 1  # what is asked for: blue first, or as on the wire; both BGRA where alpha is
HIGHEST = 100  # bandwidth: the picture, not its thumbnail
PROGRESSIVE = 1
SYNTHESISE = (1 << 63) - 1  # the timecode that asks for one


class Source(c.Structure):
    _fields_ = (("name", c.c_char_p), ("url", c.c_char_p))


class FindCreate(c.Structure):
    _fields_ = (("show_local", c.c_bool), ("groups", c.c_char_p), ("extra_ips", c.c_char_p))


class RecvCreate(c.Structure):
    _fields_ = (
        ("source", Source), ("color", c.c_int), ("bandwidth", c.c_int), ("fields", c.c_bool),
        ("name", c.c_char_p),
    )  # fmt: skip


class SendCreate(c.Structure):
    _fields_ = (
        ("name", c.c_char_p), ("groups", c.c_char_p), ("clock_video", c.c_bool),
        ("clock_audio", c.c_bool),
    )  # fmt: skip


class Video(c.Structure):
    _fields_ = (
        ("width", c.c_int), ("height", c.c_int), ("fourcc", c.c_uint32), ("rate_n", c.c_int),
        ("rate_d", c.c_int), ("aspect", c.c_float), ("kind", c.c_int), ("timecode", c.c_int64),
        ("data", c.c_void_p), ("stride", c.c_int), ("metadata", c.c_char_p),
        ("timestamp", c.c_int64),
    )  # fmt: skip


class Performance(c.Structure):
    _fields_ = (("video", c.c_int64), ("audio", c.c_int64), ("metadata", c.c_int64))


_P, _VIDEO, _SOURCE = c.c_void_p, c.POINTER(Video), c.POINTER(Source)
_PERFORMANCE = c.POINTER(Performance)
CALLS: dict[str, tuple[Any, ...]] = {  # what each answers, and what it takes
    "initialize": (c.c_bool,),
    "destroy": (None,),
    "version": (c.c_char_p,),
    "find_create_v2": (_P, c.POINTER(FindCreate)),
    "find_destroy": (None, _P),
    "find_wait_for_sources": (c.c_bool, _P, c.c_uint32),
    "find_get_current_sources": (_SOURCE, _P, c.POINTER(c.c_uint32)),
    "recv_create_v3": (_P, c.POINTER(RecvCreate)),
    "recv_destroy": (None, _P),
    "recv_connect": (None, _P, _SOURCE),
    "recv_capture_v3": (c.c_int, _P, _VIDEO, _P, _P, c.c_uint32),
    "recv_free_video_v2": (None, _P, _VIDEO),
    "recv_get_no_connections": (c.c_int, _P),
    "recv_get_performance": (None, _P, _PERFORMANCE, _PERFORMANCE),
    "send_create": (_P, c.POINTER(SendCreate)),
    "send_destroy": (None, _P),
    "send_send_video_async_v2": (None, _P, _VIDEO),
    "send_get_no_connections": (c.c_int, _P, c.c_uint32),
    "send_get_source_name": (_SOURCE, _P),
}


def fourcc(letters: str) -> int:
    """ "BGRX" → the number that NDI knows a pixel format by."""
    return int.from_bytes(letters.encode("ascii"), "little")


class Library:
    """The library's calls by their names without its prefix: `library.recv_destroy(…)`."""

    def __init__(self, path: str) -> None:
        """Raises OSError where there is none, AttributeError where it is too old."""
        loaded = c.CDLL(path)
        for name, (answers, *takes) in CALLS.items():
            call = getattr(loaded, f"NDIlib_{name}")
            call.restype, call.argtypes = answers, takes
            setattr(self, name, call)
        self.path = path

    def __getattr__(self, name: str) -> Any:  # what `__init__` has set, for the type checker
        raise AttributeError(name)


@functools.cache
def load() -> Library:
    """The library, loaded once. Raises ImportError saying what to install, or Refusal where this
    processor is too old for it."""
    problems = []
    for path in _places():
        try:
            library = Library(path)
        except (OSError, AttributeError) as problem:
            problems.append(f"{os.path.basename(path)}: {problem}")
            continue
        if not library.initialize():
            raise Refusal("ndi: NDI needs a processor with SSE4.2; use another machine for it.")
        # Threads of the library that outlive the interpreter end the process with a crash.
        atexit.register(library.destroy)
        return library
    found = importlib.util.find_spec("cyndilib") is not None
    raise ImportError(f"ndi: its library cannot be loaded ({problems[0]})" if found else MISSING)


def _places() -> Iterator[str]:
    """Where the library may be, the package's own first: that version is the one we know."""
    spec = importlib.util.find_spec("cyndilib")
    if spec is not None and spec.origin:
        package = Path(spec.origin).parent
        # On Linux the wheel has it twice; only the first finds the libraries that it needs itself.
        yield from map(str, sorted(package.parent.glob("cyndilib.libs/libndi*")))
        yield from map(str, sorted(package.glob("wrapper/bin/**/libndi*.so")))
        yield from map(str, sorted(package.glob("wrapper/bin/**/libndi*.dylib")))
        yield from map(str, sorted(package.glob("wrapper/bin/**/Processing.NDI.Lib.*.dll")))
    for folder in filter(None, map(os.environ.get, RUNTIMES)):
        yield from (os.path.join(folder, name) for name in INSTALLED)
    yield from INSTALLED
