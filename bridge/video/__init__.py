"""Frames in and out: one module is one transport is one address scheme.

An address is split at its first colon: `file:clip.mp4`, `pattern:`, `stills:out`. A module of
that name in this folder gives a `discover`, and a `Receiver`, a `Sender` or both, with the
constructors below. A transport that cannot work here raises ImportError saying what to install
and where it works; an address that cannot be opened raises `Refusal`; a sender that is not there
(yet, or any more) is no error. What is made here is made, used and closed on the frame thread.
"""

import difflib
import importlib
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from bridge import Refusal
from bridge.frame import Frame

RECEIVERS = ("spout", "syphon", "ndi", "camera", "file", "stills", "pattern", "auto")
SENDERS = ("spout", "syphon", "ndi", "file", "stills", "none", "auto")
SHARED = ("spout", "syphon", "ndi")  # between running programs, which see our pictures by a name
NAME = "First Light"  # by which they see them, unless told otherwise


@dataclass(frozen=True, slots=True)
class Source:
    """What a receiver knows of its source.

    size    (width, height) in pixels, as it comes
    rate    frames a second
    format  the pixels as the source makes them, in its own words: "B8G8R8A8", "UYVY"
    route   how they come here, and why so: "on the card", "by the host: cpu computes"
    """

    connected: bool
    name: str
    size: tuple[int, int] | None = None
    rate: float | None = None
    ended: bool = False
    error: str = ""
    format: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class Sink:
    """What a sender knows of its other end. `watchers` is None where nobody can be counted; `name`
    is what it is seen by, which may differ from what was asked for; `route` is as a Source's."""

    name: str
    watchers: int | None = None
    dropped: int = 0
    error: str = ""
    route: str = ""


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
    """Where pictures go. `send` paces nothing; live, it drops and counts rather than block.

    `host` tells, before each picture, whether its pixels must be a numpy array on the host; where
    it is False they are sent as they are, a numpy array or a torch tensor on any device. Pixels are
    borrowed until `send` returns.
    """

    @property
    def host(self) -> bool: ...

    def send(self, frame: Frame) -> None: ...

    def status(self) -> Sink: ...

    def close(self) -> None: ...


def open_receiver(address: str, *, live: bool, loop: bool = False, device: str = "cpu") -> Receiver:
    """Open `address` for reading; `loop` also offline, where a movie otherwise plays once.

    `device` is where frames are wanted: "cpu", "cuda:0", "mps"; a transport that can gives them
    there. Raises Refusal, or ImportError for a missing transport.
    """
    module, rest = _transport(address, RECEIVERS, "--in")
    receiver: Receiver = module.Receiver(rest, live=live, loop=loop, device=device)
    return receiver


def open_sender(address: str, *, live: bool, rate: float, device: str = "cpu") -> Sender:
    """Open `address` for writing pictures that come `rate` times a second from `device`."""
    module, rest = _transport(address, SENDERS, "--out")
    sender: Sender = module.Sender(rest, live=live, rate=rate, device=device)
    return sender


def discover(scheme: str, timeout: float) -> list[str]:
    """The addresses that `scheme`, one of RECEIVERS, sees to open within `timeout` seconds, without
    what this process itself sends; nothing where addresses are paths.

    Raises Refusal where it cannot see, saying what to do, or ImportError.
    """
    found: list[str] = importlib.import_module(f"bridge.video.{scheme}").discover(timeout)
    return found


def refuse_offline(option: str, source: str) -> NoReturn:
    """What lives cannot be asked again. Raises Refusal with what to do instead."""
    raise Refusal(
        f"{option}: --offline cannot ask a {source} for the same frames again; record it first "
        "(--net through --out file:take.mkv), then play that file."
    )


def _transport(address: str, schemes: tuple[str, ...], option: str) -> tuple[Any, str]:
    scheme, colon, rest = address.partition(":")
    if scheme in schemes and colon:
        return importlib.import_module(f"bridge.video.{scheme}"), rest
    near = difflib.get_close_matches(scheme, schemes, n=1)
    hint = f"did you mean {near[0]}:?" if near else f"one of {', '.join(s + ':' for s in schemes)}."
    raise Refusal(f"{option} {address}: no such transport; {hint}")
