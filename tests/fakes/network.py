"""A network of one's own for a test: only its own loopback, so that what it sends reaches nobody.

`@alone` runs the test's body in a process of its own inside a new network namespace (Linux). Where
that cannot be had the test is skipped and says so.
"""

import ctypes
import functools
import importlib
import importlib.util
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

OWN = ["unshare", "--map-root-user", "--net"]
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1
SLOW = 100.0  # seconds after which a test has failed
INSIDE = "from fakes.network import body; body({module!r}, {name!r}, {arguments!r})"


@functools.cache
def missing() -> str:
    """Why there is no such network here, or nothing."""
    if importlib.util.find_spec("cyndilib") is None:
        return "NDI's library is not here: pip install '.[ndi]'"
    if not shutil.which("unshare") or subprocess.run([*OWN, "true"], check=False).returncode:
        return "this system gives nobody a network namespace of their own, and NDI must have one"
    return ""


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """The test's body inside a network of its own; its arguments must be printable as Python."""

    @functools.wraps(test)
    def runner(*_: object, **arguments: object) -> None:
        if why := missing():
            pytest.skip(why)
        code = INSIDE.format(module=test.__module__, name=test.__name__, arguments=arguments)
        done = subprocess.run(
            [*OWN, sys.executable, "-W", "error", "-c", code],
            capture_output=True, text=True, timeout=SLOW, check=False,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"

    runner.body = test  # type: ignore[attr-defined]
    return pytest.mark.ndi(runner)


def body(module: str, name: str, arguments: dict[str, object]) -> None:
    """Inside: bring loopback up, then do what the test says."""
    import fcntl  # which Windows has not; tests that skip there import this module

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        asked = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(wire, GET_FLAGS, asked))
        fcntl.ioctl(wire, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | UP))
    ctypes.CDLL(None).prctl(1, 9)  # ends with the process that waits for it
    getattr(importlib.import_module(module), name).body(**arguments)
