"""Frames in and out: one module is one transport is one address scheme.

An address is split at its first colon: `file:clip.mp4`, `pattern:`, `stills:out`. A module of
that name in this folder gives a `Receiver`, a `Sender`, or both, with the constructors below,
and a `discover` if it can see by itself what there is to open. A transport that cannot work here
raises ImportError naming what to install; an address that cannot be opened raises `Refusal`.
"""

import difflib
import importlib
from dataclasses import dataclass
from typing import Any, Protocol

from bridge import Refusal
from bridge.frame import Frame

RECEIVERS = ("file", "stills", "camera", "pattern")
SENDERS = ("file", "stills", "none")
DISCOVERERS = ("pattern", "camera")  # the others open what is on a disk, by its path


@dataclass(frozen=True, slots=True)
class Source:
    """What a receiver knows of its source. `size` is (width, height); `rate` is frames a second."""

    connected: bool
    name: str
    size: tuple[int, int] | None = None
    rate: float | None = None
    ended: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sink:
    """What a sender knows of its other end. `watchers` is None where nobody can be counted."""

    name: str
    watchers: int | None = None
    dropped: int = 0
    error: str = ""


class Receiver(Protocol):
    """Where frames come from.

    live=True: `receive` waits at most `timeout` seconds for the newest frame that is due and
    answers None when there is none; older ones are counted in `Frame.skipped`; the same frame
    is never given twice. live=False: every frame exactly once and in order, however long it
    takes, with `Frame.time` = index / rate; None only once `status().ended`.
    """

    def receive(self, timeout: float) -> Frame | None: ...

    def status(self) -> Source: ...

    def close(self) -> None: ...


class Sender(Protocol):
    """Where pictures go. `send` paces nothing; live, it drops and counts rather than block."""

    def send(self, frame: Frame) -> None: ...

    def status(self) -> Sink: ...

    def close(self) -> None: ...


def open_receiver(address: str, *, live: bool, loop: bool = False) -> Receiver:
    """Open `address` for reading; `loop` also offline, where a movie otherwise plays once.

    Raises Refusal, or ImportError for a missing transport.
    """
    module, rest = _transport(address, RECEIVERS, "--in")
    receiver: Receiver = module.Receiver(rest, live=live, loop=loop)
    return receiver


def open_sender(address: str, *, live: bool, rate: float) -> Sender:
    """Open `address` for writing pictures that come `rate` times a second."""
    module, rest = _transport(address, SENDERS, "--out")
    sender: Sender = module.Sender(rest, live=live, rate=rate)
    return sender


def discover(scheme: str, timeout: float) -> list[str]:
    """The addresses that `scheme`, one of DISCOVERERS, sees to open within `timeout` seconds.

    Raises Refusal where it cannot see, saying what to do, or ImportError.
    """
    found: list[str] = importlib.import_module(f"bridge.video.{scheme}").discover(timeout)
    return found


def _transport(address: str, schemes: tuple[str, ...], option: str) -> tuple[Any, str]:
    scheme, colon, rest = address.partition(":")
    if scheme in schemes and colon:
        return importlib.import_module(f"bridge.video.{scheme}"), rest
    near = difflib.get_close_matches(scheme, schemes, n=1)
    hint = f"did you mean {near[0]}:?" if near else f"one of {', '.join(s + ':' for s in schemes)}."
    raise Refusal(f"{option} {address}: no such transport; {hint}")
