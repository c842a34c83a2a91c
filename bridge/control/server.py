"""The OSC thread: hears controllers on one UDP port, from which they are answered too.

A plain blocking socket on a thread of its own: of all arrangements measured it loses least and
waits least beside a busy frame thread. Messages cross to the frame thread through
`AddressSpace.set` alone. It listens on this machine only, unless told otherwise.
"""

import contextlib
import logging
import select
import socket
import threading
from collections import deque
from typing import Any

from bridge.control import osc
from bridge.control.guard import Guard
from bridge.control.ports import bound
from bridge.params import Reading
from bridge.space import AddressSpace

log = logging.getLogger("bridge.osc")

RECEIVE_BUFFERS = 16 << 20, 8 << 20, 4 << 20, 1 << 20  # bytes asked for, until one is granted
LARGEST_DATAGRAM = 65535
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)  # Windows has none; there a UDP send does not block
MOST_WAITING = 1 << 15  # datagrams taken from the system and not yet read: half a second's reading
MOST_BYTES = 16 << 20  # and theirs together
BETWEEN = 16  # datagrams read before looking whether more have come
MOST_SAID = 100  # different complaints that reach the log; the rest are only counted
PAUSE = 0.05  # seconds after a failing socket


class OscServer:
    """Puts every message that reaches its port into an AddressSpace, until closed.

    Opens and starts at once; `port` 0 takes any free one, and `.port` tells which. Raises Refusal
    if the port is taken or `host` is not an address of this machine. Its readings belong under
    `/stats`.
    """

    messages = Reading(0, doc="OSC messages that have arrived")
    malformed = Reading(0, doc="datagrams, or parts of bundles, that were not OSC")
    failed = Reading(0, doc="datagrams that First Light failed on: a bug, told in the log")
    heard = Reading("", doc="the address of the last message")

    def __init__(
        self,
        space: AddressSpace,
        *,
        host: str = "127.0.0.1",
        port: int = 9137,
        guard: Guard | None = None,
    ) -> None:
        self._space, self._guard = space, guard or Guard()
        self._socket = bound("--osc", socket.SOCK_DGRAM, host, port, _ask_for_room)
        self.here: Any = self._socket.getsockname()
        self.port: int = self.here[1]
        self._said: set[str] = set()
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._bytes = 0
        self._counted = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="osc", daemon=True)
        self._thread.start()

    def send(self, datagram: bytes, to: Any) -> None:
        """Send from the very port that listens. What cannot leave at once is dropped."""
        with contextlib.suppress(OSError, OverflowError):
            self._socket.sendto(datagram, DONT_WAIT, to)

    def close(self) -> None:
        """Stop listening and free the port. Harmless when already closed."""
        self._closing.set()
        with contextlib.suppress(OSError):  # closing a UDP socket wakes nobody; a datagram does
            self._socket.sendto(b"", _reachable(self.here))
        self._thread.join(timeout=2)
        self._socket.close()

    def _listen(self) -> None:
        """Systems keep as little as 500 datagrams for us, a third of what a macro may send at once,
        and taking one is five times as fast as reading it: take all that is there, read a few."""
        while not self._closing.is_set():
            self._take()
            for _ in range(min(BETWEEN, len(self._waiting))):
                if not self._closing.is_set():
                    datagram, sender = self._waiting.popleft()
                    self._bytes -= len(datagram)
                    self._hear(datagram, sender)

    def _take(self) -> None:
        """Put in line what has arrived; wait for something only where nothing is in line."""
        wait = not self._waiting
        while self._has_room() and (wait or self._more()):
            try:
                one = self._socket.recvfrom(LARGEST_DATAGRAM, 0 if wait else DONT_WAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # Windows tells a receiver so when an earlier answer found a closed port
            except OSError as problem:
                self._say_once(f"the network fails ({problem}); listening again")
                self._closing.wait(PAUSE)
                return
            wait = False
            self._waiting.append(one)
            self._bytes += len(one[0])

    def _has_room(self) -> bool:
        return len(self._waiting) < MOST_WAITING and self._bytes < MOST_BYTES

    def _more(self) -> bool:
        """Whether it is worth asking for more; where asking would wait, whether it is there."""
        return bool(DONT_WAIT) or bool(select.select([self._socket], [], [], 0)[0])

    def _hear(self, datagram: bytes, sender: Any) -> None:
        if not self._guard.lets(sender):
            self._guard.denied += 1
            return
        try:
            self._deliver(osc.decode(datagram), sender)
        except Exception as problem:  # the edge: no datagram may end the thread
            self.failed += 1
            what = f"a message from {sender[0]} failed: {type(problem).__name__}: {problem}"
            self._say_once(what, exc_info=problem)

    def _deliver(self, packet: osc.Packet, sender: Any) -> None:
        for reason in packet.malformed:
            self._say_once(f"{sender[0]} sends what is not OSC: {reason}")
        if packet.malformed:
            self.malformed += len(packet.malformed)
        if packet.messages:
            self._counted += len(packet.messages)
            if not self._waiting:  # of a flood, once for all that came together
                self.messages = self._counted
                self.heard = packet.messages[-1].address
        for message in packet.messages:
            self._space.set(message.address, message.arguments, sender)

    def _say_once(self, what: str, exc_info: Exception | None = None) -> None:
        if what not in self._said and len(self._said) < MOST_SAID:
            self._said.add(what)
            log.warning("OSC on port %d: %s", self.port, what, exc_info=exc_info)


def _ask_for_room(opened: socket.socket) -> None:
    """A blast of 20,000 messages takes 8 MiB. Linux grants its limit, macOS refuses above it."""
    for size in RECEIVE_BUFFERS:
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            return


def _reachable(bound: Any) -> Any:
    """An address that leads to a socket bound to `bound`: "all of them" is no destination."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return (here.get(bound[0], bound[0]), *bound[1:])
