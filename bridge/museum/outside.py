"""Outside: a program that follows a stranger's list of addresses stays on the open internet.

An address of this machine or of its network could otherwise be asked in its owner's name: a
router, a printer, a cloud's own secrets. Runs on the thread that asks.
"""

import ipaddress
import socket

from bridge.install import pip

try:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError as problem:
    words = pip("install 'firstlight[museum]'")
    raise ImportError(
        f"urllib3 is not installed, and pictures come by it; run: {words}"
    ) from problem

__all__ = ["Failed", "is_public", "look_up", "pools", "stay_outside", "urllib3"]


class Failed(Exception):
    """One thing that cannot be had; the text says why. `of_all`: the host may well refuse the
    others for the same reason."""

    def __init__(self, reason: str, of_all: bool = False) -> None:
        super().__init__(reason)
        self.of_all = of_all


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast


def stay_outside(host: str, address: str) -> None:
    if not is_public(address):
        raise Failed(
            f"{host} is this machine or one of its own network; --anywhere goes there all the same"
        )


class _PublicHTTP(HTTPConnection):
    """A connection that looks whom it has reached before it asks: a name can be made to mean
    another address after it was looked up."""

    def connect(self) -> None:
        super().connect()
        stay_outside(self.host, self.sock.getpeername()[0])


class _PublicHTTPS(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        stay_outside(self.host, self.sock.getpeername()[0])


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


def look_up(netloc: str) -> None:
    """Raise Failed for a host that is not outside. One that has no address fails when asked."""
    host = str(urllib3.util.parse_url(f"//{netloc}").host).strip("[]")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, address in found:
        stay_outside(host, str(address[0]))


def pools(agent: str, timeout: urllib3.Timeout, *, anywhere: bool) -> urllib3.PoolManager:
    """Connections that are asked in this name, to public addresses or to any."""
    headers = {"User-Agent": agent, "Accept-Encoding": "gzip"}
    manager = urllib3.PoolManager(headers=headers, timeout=timeout, retries=False)
    if not anywhere:
        manager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
    return manager
