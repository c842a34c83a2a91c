"""The guard: who may look at the page, play it, or send OSC. No sockets.

Everything listens on this machine only, unless `--listen` says otherwise; and even then a page of
another site, open in the same browser, must not drive the show. A browser tells where its page came
from (Origin) and whom it believes to talk to (Host): a foreign page lies in neither, and a foreign
name that is made to lead here (DNS rebinding) shows in the second.
"""

import hmac
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bridge import Refusal
from bridge.params import Reading

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Guard:
    """Who is let in.

    `allow` names addresses ("10.0.0.5") or networks ("10.0.0.0/24") from which others may come;
    none named is all. This machine always may. `token` is a word that the page and the WebSocket
    ask for. Raises Refusal for what is no address. Its reading belongs under `/stats`.
    """

    denied = Reading(0, doc="requests and datagrams that were not let in")

    def __init__(self, allow: Sequence[str] = (), token: str = "") -> None:
        self.token = token
        self._networks = [_network(place) for place in allow]
        name = socket.gethostname().lower().rstrip(".")
        short = name.split(".")[0]
        self._names = {"localhost", name, short, f"{short}.local"}
        self._known: dict[str, bool] = {}

    def lets(self, sender: Any) -> bool:
        """Whether anything is heard from a socket address. Asked once a datagram."""
        if not self._networks:
            return True
        host = sender[0]
        if host not in self._known:
            if len(self._known) > 4096:  # a flood with forged senders
                self._known.clear()
            self._known[host] = self._allowed(host)
        return self._known[host]

    def _allowed(self, host: str) -> bool:
        found = ipaddress.ip_address(host.partition("%")[0])
        address = getattr(found, "ipv4_mapped", None) or found
        return address.is_loopback or any(address in network for network in self._networks)

    def objection(self, headers: Mapping[str, str], target: str) -> tuple[int, str]:
        """The HTTP status and the reason for which a request is turned away; (0, "") for none."""
        host = headers.get("Host", "")
        if not self._is_here(host):
            said = "ask for this machine by its number, by localhost, or by its own name"
            return 403, f"{host} is not a name of this machine; {said}."
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            return 403, f"a page of {origin} may not play First Light; open its own page."
        if self.token and not self._knows(headers, target):
            return 401, "this needs the token; open the address that First Light printed."
        return 0, ""

    def _is_here(self, host: str) -> bool:
        """Whether a Host header is a number, or a name that is surely ours: a name that leads here
        but is somebody else's is how a foreign page would get in."""
        name = (urlsplit(f"//{host}").hostname or "") if _whole(host) else ""
        if name.rstrip(".") in self._names:
            return True
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True

    def _knows(self, headers: Mapping[str, str], target: str) -> bool:
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        given = parse_qs(urlsplit(target).query).get("token", [bearer])[0]
        return hmac.compare_digest(given.encode(), self.token.encode())


def _whole(host: str) -> bool:
    """Whether a Host header can be taken apart at all."""
    try:
        urlsplit(f"//{host}").port  # noqa: B018
    except ValueError:
        return False
    return not set(host) & set("/@?#\\")


def _network(place: str) -> Network:
    try:
        return ipaddress.ip_network(place, strict=False)
    except ValueError:
        raise Refusal(
            f"--allow {place}: is no address; write one such as 10.0.0.5, or a network such as"
            " 10.0.0.0/24."
        ) from None
