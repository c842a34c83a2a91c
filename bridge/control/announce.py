"""Announcing: OSC and OSCQuery over mDNS, so that surfaces on the network find First Light.

Only when it listens to the network; on this machine alone there is nobody to tell. zeroconf is an
extra, for its licence is not as free as ours (docs/decisions.md); it has threads of its own.
"""

import contextlib
import importlib
import ipaddress
import logging
import re
import socket
import threading
from typing import Any

log = logging.getLogger("bridge.osc")

TYPES = ("_oscjson._tcp.local.", "_osc._udp.local.")
ELSEWHERE = ("192.0.2.1", 9), ("2001:db8::1", 9)  # addresses that nobody has (RFC 5737, RFC 3849)
LONGEST = 5.0  # seconds in which it has told, or has told that it is gone


class Announcement:
    """Tells the network where OSC and the page are, until closed; two with one name become two.

    Asking whether a name is taken lasts seconds, so that is done on a thread of its own.
    """

    def __init__(self, host: str, osc_port: int, web_port: int, name: str = "First Light") -> None:
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        try:
            zeroconf: Any = importlib.import_module("zeroconf")
        except ImportError:
            log.info(
                "surfaces on the network will not find First Light by themselves; for that:"
                " python -m pip install '.[mdns]'"
            )
            return
        services = list(zip(TYPES, (web_port, osc_port), strict=True))
        self._thread = threading.Thread(
            target=self._tell, args=(zeroconf, host, services, name), name="mdns", daemon=True
        )
        self._thread.start()

    def _tell(self, zeroconf: Any, host: str, services: list[tuple[str, int]], name: str) -> None:
        addresses = reached_at(host)
        told = None
        try:
            told = zeroconf.Zeroconf(interfaces=addresses or zeroconf.InterfaceChoice.All)
            for kind, port in services:
                told.register_service(
                    zeroconf.ServiceInfo(
                        kind,
                        f"{name}.{kind}",
                        port=port,
                        properties={"txtvers": "1"},
                        server=f"{_label(socket.gethostname())}.local.",
                        parsed_addresses=addresses,
                    ),
                    allow_name_change=True,
                )
        except (OSError, zeroconf.Error) as problem:
            log.warning(
                "it is not announced to the network (%s); give surfaces its address.", problem
            )
        self._closing.wait()
        if told is not None:
            with contextlib.suppress(OSError):
                told.close()

    def close(self) -> None:
        """Tell that it is gone. Harmless when already closed."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=LONGEST)


def reached_at(host: str) -> list[str]:
    """The addresses at which others reach what listens on `host`: itself, or for all networks
    those of this machine, first the one from which it would send to the world."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    found = []
    for family, elsewhere in zip((socket.AF_INET, socket.AF_INET6), ELSEWHERE, strict=True):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect(elsewhere)  # of UDP that sends nothing
            found.append(str(one.getsockname()[0]))
    found += _interfaces()
    return [
        a for a in dict.fromkeys(found) if not ipaddress.ip_address(a.partition("%")[0]).is_loopback
    ]


def _interfaces() -> list[str]:
    """This machine's own addresses, where zeroconf's companion can tell: a stage's network may
    have no way out, and then nothing shows which address it would send from."""
    try:
        ifaddr: Any = importlib.import_module("ifaddr")
    except ImportError:
        return []
    return [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]


def _label(name: str) -> str:
    """A name that DNS takes."""
    return re.sub(r"[^A-Za-z0-9-]", "-", name.removesuffix(".local"))[:63] or "first-light"
