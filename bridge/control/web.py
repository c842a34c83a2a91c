"""The web thread: the page, OSCQuery and its WebSocket, all on one port.

An asyncio loop on a thread of its own. Knobs cross to the frame thread through `AddressSpace.set`
alone, as from OSC. Each client is told by a task of its own, from where it last was: one that is
slow loses what came between and holds up nobody. It listens on this machine only, unless told
otherwise; `Guard` says who is let in.
"""

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import quote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from bridge import trees
from bridge.control import osc, oscquery
from bridge.control.announce import Announcement, reached_at
from bridge.control.ear import Ear
from bridge.control.feed import Feed
from bridge.control.feedback import WEBSOCKET, here_only, news_for, sent_by, spoken
from bridge.control.guard import Guard
from bridge.control.limits import Budget, Line, Lines
from bridge.control.ports import bound
from bridge.control.replies import page, reply
from bridge.knob import Knob
from bridge.params import Param, Reading, Value
from bridge.pictures import Pictures
from bridge.space import AddressSpace
from bridge.trees import Tree

log = logging.getLogger("bridge.osc")

SYNC = "/system/sync"  # means here: tell me again what I listen to
EVERY = 1 / 20  # seconds between two tellings of one client
LOOK = 0.5  # seconds between two looks at what knobs may be
MOST_CLIENTS = 64  # connections that stay
LARGEST = 1 << 16  # bytes of one message
FASTEST = 2000.0  # messages a second from one client, and twice that from all; who is faster waits
KEPT = 0.25  # seconds for which an answer of the tree is given again
MOST_ANSWERS = 200.0  # of the tree, a second: the whole takes the interpreter for 2 ms, a part less
ARRIVING = 2.0  # seconds in which a client may be sending back what it has just read
NEARLY = 0.002  # of a range: what is lost in a client's own steps

# Without it websockets writes a traceback to the terminal for every port scanner.
QUIET = logging.getLogger("bridge.osc.web")
QUIET.setLevel(logging.CRITICAL)


@dataclass(slots=True, eq=False)
class Client:
    """Who is at the other end of a WebSocket, and what it wants to be told."""

    connection: ServerConnection
    number: int
    since: int  # the space's clock when it was last told
    came: float
    bundles: bool  # whether it takes many messages in one packet
    moved: set[str] = field(default_factory=set)  # what it has played: it is a hand
    listens: dict[str, tuple[Tree, Knob]] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)  # to be told whether they change or not
    paths: list[str] = field(default_factory=list)  # whose attributes have changed

    @property
    def sender(self) -> tuple[str, int]:
        return (WEBSOCKET, self.number)


def open_page(ear: Ear, host: str, port: int) -> None:
    """Open the page of an ear. Raises Refusal as WebServer does."""
    web = WebServer(ear.space, Pictures(), ear.guard, host=host, port=port, osc_port=ear.port)
    ear.serve(web)


class WebServer:
    """Serves the page and OSCQuery over an AddressSpace, and `pictures`, until closed.

    Opens and starts at once; `port` 0 takes any free one, and `.port` tells which. Raises Refusal
    if the port is taken or `host` is not an address of this machine. Its readings belong under
    `/stats`.
    """

    pages = Reading(0, doc="clients of the page's port: pages, and other programs")
    broken = Reading(0, doc="clients that First Light failed on: a bug, told in the log")

    def __init__(
        self,
        space: AddressSpace,
        pictures: Pictures,
        guard: Guard,
        *,
        host: str = "127.0.0.1",
        port: int = 9180,
        osc_port: int = 9137,
        name: str = "First Light",
    ) -> None:
        self._space, self._guard, self._host = space, guard, host
        self.pictures = pictures
        self._feed = Feed(pictures)
        without = ", or do without the page with --no-page"
        self._socket = bound("--page", socket.SOCK_STREAM, host, port, _keep_to_ourselves, without)
        self._socket.listen(64)
        self.port: int = self._socket.getsockname()[1]
        self._info = oscquery.host_info(name, osc_port, self.port)
        self._announcement: Announcement | None = None
        self._clients: set[Client] = set()
        self._connections = 0
        self._lines = Lines(guard)
        self._numbers = 0
        self._everybodys = Budget(2 * FASTEST, time.monotonic())
        self._answers = Budget(MOST_ANSWERS, time.monotonic())
        self._kept: dict[tuple[str, str], tuple[float, Response]] = {}
        self._may_be: dict[str, tuple[tuple[str, ...], bool]] = {}
        self._page, self._policy = page()
        # Windows' own loop stops listening for good when one connection is reset while it is
        # taken (python/cpython#93821).
        self._loop = asyncio.SelectorEventLoop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        if not here_only(self._socket.getsockname()[0]):
            self._announcement = Announcement(host, osc_port, self.port, name)

    @property
    def address(self) -> str:
        """Where a browser finds the page: one on the network, if it listens there."""
        host = next(iter(reached_at(self._host)), "127.0.0.1")
        host = f"[{host}]" if ":" in host else host
        token = f"?token={quote(self._guard.token, safe='')}" if self._guard.token else ""
        return f"http://{host}:{self.port}/{token}"

    def changed(self) -> None:
        """The whole tree is another: tell everybody. Any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell_paths, ["/"])

    def close(self) -> None:
        """Let every client go and free the port. Harmless when already closed."""
        if self._announcement:
            self._announcement.close()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=3)
        self._feed.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server: Server
        async with serve(
            self._welcome,
            sock=self._socket,
            process_request=self._request,
            create_connection=cast(Any, partial(Line, self._lines)),
            max_size=LARGEST,
            compression=None,
            logger=QUIET,
            open_timeout=3,
            close_timeout=1,
            server_header=None,
        ) as server:
            watching = asyncio.create_task(self._watch_paths())
            await self._closing.wait()
            watching.cancel()
            server.close()

    # HTTP

    def _request(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request, or None for what becomes a WebSocket."""
        headers = {
            name: ", ".join(request.headers.get_all(name))
            for name in ("Host", "Origin", "Authorization", "Accept", "Upgrade")
            if name in request.headers
        }
        status, reason = self._guard.objection(headers, request.path)
        if status:
            return self._turn_away(status, reason)
        path, asked = urlsplit(request.path).path, oscquery.attribute(request.path)
        if headers.get("Upgrade", "").lower() == "websocket":
            if self._connections >= MOST_CLIENTS:
                return reply(503, b"too many are here; close a page.\n", "text/plain")
            return None if path in ("/", "/pictures") else reply(404)
        if path == "/" and not asked and "text/html" in headers.get("Accept", ""):
            # Older Safaris do not take our own WebSocket for 'self'.
            policy = self._policy.replace("'self'", f"'self' ws://{headers['Host']}")
            return reply(200, self._page, "text/html; charset=utf-8", policy)
        return self._answer(request.path)

    def _answer(self, target: str) -> Response:
        """OSCQuery's answer; the same again for a moment, and no more than so many a second."""
        now, asked = time.monotonic(), oscquery.attribute(target)
        place = urlsplit(target).path, asked
        self._kept = {one: kept for one, kept in self._kept.items() if now - kept[0] < KEPT}
        if place in self._kept:
            return self._kept[place][1]
        if not self._answers.allows(now):
            return reply(429, b"too many questions; ask more slowly.\n", "text/plain")
        status, found = oscquery.answer(self._space, target, self._info)
        if found is None:
            return reply(status)
        body = json.dumps(found, allow_nan=False, separators=(",", ":")).encode()
        answer = reply(status, body, "application/json")
        if asked != "VALUE":
            self._kept[place] = now, answer
        return answer

    def _turn_away(self, status: int, reason: str) -> Response:
        self._guard.denied += 1
        return reply(status, f"{reason}\n".encode(), "text/plain; charset=utf-8")

    # WebSockets

    async def _welcome(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        where = urlsplit(connection.request.path)
        self._connections += 1
        try:
            if where.path == "/pictures":
                await self._feed.show(connection)
            else:
                await self._talk(connection, bundles="bundles" in where.query.split("&"))
        except ConnectionClosed:
            pass
        except Exception as problem:  # the edge: no client may end the thread
            self._broke(problem)
        finally:
            self._connections -= 1

    def _broke(self, problem: Exception) -> None:
        self.broken += 1
        if self.broken == 1:
            log.warning("a page failed: %s", problem, exc_info=problem)

    async def _talk(self, connection: ServerConnection, *, bundles: bool) -> None:
        self._numbers += 1
        now = time.monotonic()
        client = Client(connection, self._numbers, self._space.changes(1 << 62).until, now, bundles)
        own = Budget(FASTEST, now)
        self._clients.add(client)
        self.pages = len(self._clients)
        telling = asyncio.create_task(self._tell(client))
        try:
            async for message in connection:
                count, now = self._hear(client, message), time.monotonic()
                await asyncio.sleep(max(own.spend(count, now), self._everybodys.spend(count, now)))
        finally:
            telling.cancel()
            self._clients.discard(client)
            self.pages = len(self._clients)

    # Hearing

    def _hear(self, client: Client, message: str | bytes) -> int:
        """Do what a client says. Answers how many messages that were."""
        if isinstance(message, str):
            self._command(client, message)
            return 1
        packet = osc.decode(message)
        for one in packet.messages:
            if one.address == SYNC:
                client.new.update(client.listens)
            elif not self._echoes(client, one.address, one.arguments):
                client.moved.add(one.address)
                self._space.set(one.address, one.arguments, client.sender)
        return len(packet.messages) + len(packet.malformed)

    def _command(self, client: Client, text: str) -> None:
        try:
            given = json.loads(text)
            command, path = given["COMMAND"], given["DATA"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        if not isinstance(path, str):
            return
        if command == "LISTEN":
            tree, plain = trees.split(path)
            if plain in self._space and trees.has(tree, self._space[plain]):
                client.listens[path] = tree, self._space[plain]
                client.new.add(path)
        elif command == "IGNORE":
            client.listens.pop(path, None)
            client.new.discard(path)

    def _echoes(self, client: Client, address: str, arguments: list[Any]) -> bool:
        """Whether a client that has just come sends back what it has read, rounded to its own steps
        (Vidvox's page does so with every slider): that is no hand."""
        if time.monotonic() - client.came > ARRIVING or len(arguments) != 1:
            return False
        if address in client.moved:
            return False
        tree, plain = trees.split(address)
        if plain not in self._space or not isinstance(self._space[plain].declared, Param):
            return False
        return _nearly(tree, self._space[plain], arguments[0])

    # Telling

    async def _tell(self, client: Client) -> None:
        """Tell one client, again and again, what is new to it."""
        try:
            while True:
                while client.paths:
                    said = {"COMMAND": "PATH_CHANGED", "DATA": client.paths.pop(0)}
                    await client.connection.send(json.dumps(said))
                for packet in _packets(self._news(client), bundles=client.bundles):
                    await client.connection.send(packet)
                await asyncio.sleep(EVERY)
        except ConnectionClosed:
            pass
        except Exception as problem:  # the edge: a client that is told nothing must not look well
            self._broke(problem)
            await client.connection.close()

    def _news(self, client: Client) -> list[tuple[str, Value]]:
        news = self._space.changes(client.since)
        client.since = news.until
        wants = dict.fromkeys(tree for tree, _ in client.listens.values())
        told = dict(news_for(news, sent_by(client.sender, news.sent), wants))
        found = {path: value for path, value in told.items() if path in client.listens}
        for path in client.new:
            tree, knob = client.listens[path]
            found |= dict(spoken([(knob, knob.value)], [tree])) if knob.access != "w" else {}
        client.new.clear()
        return list(found.items())

    async def _watch_paths(self) -> None:
        """Tell everybody where a choice, or whether a knob moves anything, has become another."""
        while True:
            try:
                self._look_at_paths()
            except Exception as problem:  # the edge: the next look may be better
                self._broke(problem)
            await asyncio.sleep(LOOK)

    def _look_at_paths(self) -> None:
        now = {knob.address: (knob.choices, knob.active) for knob in self._space}
        before, self._may_be = self._may_be, now
        if before:
            self._tell_paths([a for a, may in now.items() if before.get(a, may) != may])

    def _tell_paths(self, paths: Iterable[str]) -> None:
        for client in self._clients:
            client.paths += [path for path in paths if path not in client.paths]


def _nearly(tree: Tree, knob: Knob, given: object) -> bool:
    """Whether a client that read where a knob stands might send this back."""
    stands = trees.told(tree, knob, knob.value)
    if stands is None or isinstance(given, str) or isinstance(stands[1], str):
        return stands is not None and given == stands[1]
    if not isinstance(given, (bool, int, float)):
        return False
    declared = knob.declared
    assert isinstance(declared, Param)
    span = declared.max - declared.min if tree == "plain" and knob.kind in ("float", "int") else 1.0
    return abs(given - stands[1]) <= max(NEARLY * span, 0.001)


def _packets(pairs: list[tuple[str, Value]], *, bundles: bool) -> Iterable[bytes]:
    """OSC messages, each in a frame of its own: not every client takes a bundle."""
    if bundles:
        return osc.bundles(pairs, LARGEST // 2)
    return osc.messages(pairs)


def _keep_to_ourselves(opened: socket.socket) -> None:
    """Windows lets another program take a port that may be used again; elsewhere it is what lets us
    come back at once."""
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
