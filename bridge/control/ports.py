"""Ports: a socket bound to an address of this machine, or a sentence that says why not."""

import errno
import socket
from collections.abc import Callable

from bridge import Refusal


def bound(
    option: str,
    kind: socket.SocketKind,
    host: str,
    port: int,
    prepare: Callable[[socket.socket], None],
    otherwise: str = "",
) -> socket.socket:
    """A socket of a `kind`, `prepare`d and bound. Raises Refusal naming the `option` that chose the
    port, and what to do `otherwise`."""
    if not 0 <= port <= 65535:
        raise Refusal(
            f"{option} {port}: a port is a number from 1 to 65535, or 0 for any free one."
        )
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        prepare(opened)
        opened.bind((host, port))
    except (OSError, UnicodeError) as problem:  # UnicodeError: a name that no host can have
        opened.close()
        raise _refusal(option, host, port, problem, otherwise) from problem
    return opened


def _refusal(option: str, host: str, port: int, problem: Exception, otherwise: str) -> Refusal:
    reason = getattr(problem, "errno", None)
    if reason == errno.EADDRINUSE:
        return Refusal(
            f"{option} {port}: the port is taken, perhaps by another First Light; "
            f"close it or choose another with {option} PORT{otherwise}."
        )
    if reason == errno.EACCES:
        what = f"{option} {port}: this system keeps that port; choose another above 1023"
        return Refusal(f"{what}{otherwise}.")
    return Refusal(
        f"--listen {host}: not an address of this machine; "
        f"give one of its own, or 0.0.0.0 for all of them{otherwise}."
    )
