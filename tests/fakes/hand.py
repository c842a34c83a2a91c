"""A controller as tests need it: plays datagrams to a server, and waits until they are heard."""

import socket
import threading

from bridge.control.osc import decode, encode
from bridge.control.server import OscServer
from bridge.params import trigger
from bridge.space import AddressSpace

PATIENCE = 10  # seconds after which a test that waits has failed


class Hand:
    def __init__(self, server: OscServer, space: AddressSpace) -> None:
        self.server = server
        self.heard = threading.Semaphore(0)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.address = self.socket.getsockname()
        space.add(f"/hand/{self.address[1]}", self)
        self.mark_address = f"/hand/{self.address[1]}/mark"

    @trigger("everything sent before this has been heard", at_once=True)
    def mark(self, _arguments, _sender) -> None:
        self.heard.release()

    def play(self, *datagrams: bytes) -> None:
        """Send, and wait until the server has dealt with all that had reached its port."""
        for datagram in (*datagrams, encode(self.mark_address, True)):
            self.socket.sendto(datagram, ("127.0.0.1", self.server.port))
        assert self.heard.acquire(timeout=PATIENCE), "the server no longer hears"

    def hear(self, count: int) -> dict[str, object]:
        """The values answered, once there are `count` of them."""
        found: dict[str, object] = {}
        while len(found) < count:
            datagram, sender = self.socket.recvfrom(65535)
            assert (len(datagram) <= 1400, sender[1]) == (True, self.server.port)
            found.update((m.address, m.arguments[0]) for m in decode(datagram).messages)
        return found

    def close(self) -> None:
        self.socket.close()
