"""Asking strangers' servers politely: who asks is said, one thing at a time, and no sooner than
they wish.

A server that says "later" (429, 503, `Retry-After`) is left alone for so long; one that breaks off
is asked again, later each time; one that refuses everything is not asked any more. Addresses come
from lists that may be a stranger's: only http and https are followed, and nowhere but to public
addresses unless that is allowed. Runs on the main thread, and waits in `sleep`.
"""

import importlib.metadata
import random
import re
import time
import urllib.parse
import urllib.robotparser
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bridge import Refusal, __version__
from bridge.museum.outside import Failed, look_up, pools, urllib3

T = TypeVar("T")

TRIES = 5
HOPS = 5  # from one address to the next
STOP = 5  # things in a row that a host would not give: then it will not give the others either
FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds, where the server does not say
PATIENCE = 600.0  # seconds; a server that wants to be left alone for longer ends the run
CONNECT, READ, WHOLE = 10.0, 30.0, 300.0  # seconds: to be let in, between two pieces, for all
PIECE = 1 << 16
ROBOTS = 1 << 19  # bytes of robots.txt that are read, as RFC 9309 says
RETRY = (408, 429, 500, 502, 503, 504)
MOVED = (301, 302, 303, 307, 308)
CONTACT = re.compile(r"[^\s@()]+@[^\s@()]+\.[^\s@()]+|https?://[^\s()]+\.[^\s()]+")
NO_ROBOTS = re.compile(r"HTTP 4(?!29|08)")
THEIRS = re.compile(r"\bexample\.(com|net|org)\b")


class Closed(Failed):
    """A host that gives nothing any more and is not asked; the text says what to do."""


class Again(Exception):
    """What came is not what was asked for, and may be another time: in `wait` seconds, where the
    server has said so."""

    def __init__(self, reason: str, wait: float | None = None, of_all: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.of_all = wait, of_all


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server gave: the body, the address in the end, the type in small letters without
    its parameters, and the seconds that it wants to be left alone, if it says so."""

    body: bytes
    url: str
    type: str
    wait: float | None


def user_agent(contact: str | None) -> str:
    """Who asks, as the servers' rules want it. Raises Refusal without somebody to write to."""
    if not contact:
        raise Refusal(
            "museums' servers want to know whom to write to when a program is a burden to them; "
            "add --contact with your e-mail address or your web page."
        )
    if not CONTACT.fullmatch(contact) or not contact.isascii():
        raise Refusal(
            f"--contact {contact}: write an e-mail address or a web page (https://…) that reaches "
            "you."
        )
    if THEIRS.search(contact):
        raise Refusal(f"--contact {contact}: that is an example; write one that reaches you.")
    library = importlib.metadata.version("urllib3")
    return f"FirstLight/{__version__} ({contact}) urllib3/{library}"


class Web:
    """What is out there, asked in the name of `contact`, at most `rate` times a second and host.

    `clock` in seconds, `sleep` waits so many, `chance` gives 0 to 1.
    """

    def __init__(
        self,
        contact: str | None,
        rate: float = 1.0,
        *,
        anywhere: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._agent = user_agent(contact)
        self._pause, self._anywhere = 1 / rate, anywhere
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._free: dict[str, float] = {}  # when a host may be asked again
        self._wait = 0.0  # when anything may
        self._delays: dict[str, float] = {}  # seconds that a host's robots.txt wants between two
        self._robots: dict[str, urllib.robotparser.RobotFileParser] = {}
        self._misses: dict[str, int] = {}  # in a row, by host
        self._closed: dict[str, str] = {}
        self._pools = pools(
            self._agent, urllib3.Timeout(connect=CONNECT, read=READ), anywhere=anywhere
        )

    def close(self) -> None:
        self._pools.clear()

    def get(self, url: str, most: int, check: Callable[[Reply], T], *, robots: bool = False) -> T:
        """What `check` makes of the reply, of at most `most` bytes; where that raises Again it is
        asked for once more. `robots`: only what robots.txt lets programs have.

        Raises Failed, and Closed once the host has refused too much or wants hours of peace."""
        host = self._host(url)
        if host in self._closed:
            raise Closed(self._closed[host])
        try:
            made = self._insist(url, most, check, robots)
        except Failed as problem:
            if problem.of_all:
                self._miss(host, problem)
            raise
        self._misses.pop(host, None)
        return made

    def _insist(self, url: str, most: int, check: Callable[[Reply], T], robots: bool) -> T:
        last = Again("")
        for turn in range(TRIES):
            try:
                return check(self._follow(url, most, robots))
            except Again as problem:
                last = problem
            wait = self._patience(turn) if last.wait is None else last.wait
            if wait > PATIENCE:
                raise self._close(
                    self._host(url), f"it is to be left alone for {wait / 60:.0f} min"
                )
            self._wait = self._clock() + wait
        raise Failed(f"{last}, {TRIES} times", last.of_all)

    def _patience(self, turn: int) -> float:
        """Seconds until the next try where nobody says: longer each time, and never quite alike."""
        return min(FIRST_WAIT * 2.0**turn * (1 + self._chance()), LONGEST_WAIT)

    def _miss(self, host: str, problem: Failed) -> None:
        self._misses[host] = self._misses.get(host, 0) + 1
        if self._misses[host] >= STOP:
            raise self._close(host, str(problem))

    def _close(self, host: str, reason: str) -> Closed:
        self._closed[host] = (
            f"{host} gives nothing any more ({reason}): see that the network works and that "
            "--contact reaches you, wait an hour, go slower with --rate 0.2; what is there stays, "
            "and the same command goes on from here."
        )
        return Closed(self._closed[host])

    # One thing

    def _follow(self, url: str, most: int, robots: bool) -> Reply:
        for _ in range(HOPS + 1):
            host = self._host(url)
            if not self._anywhere:
                look_up(host)
            if robots:
                self._ask_robots(url)
            self._pace(host)
            answer = self._ask(url, most)
            if isinstance(answer, Reply):
                return answer
            try:
                url = urllib.parse.urljoin(url, answer)
            except ValueError as problem:
                raise Failed(f"it leads to {answer[:200]}, which is no address") from problem
        raise Failed(f"it leads from one address to the next, more than {HOPS} times")

    def _host(self, url: str) -> str:
        """Where an address leads, with its port. Raises Failed for one that is not followed."""
        try:
            parts = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError as problem:
            raise Failed(f"{url[:200]} is no address") from problem
        if parts.scheme not in ("http", "https") or not parts.host:
            raise Failed(
                f"{url[:200] or 'nothing'} is no address that begins with http:// or https://"
            )
        if parts.auth:
            raise Failed("its address holds a name and a password, which are not sent")
        return str(parts.netloc)

    def _pace(self, host: str) -> None:
        now = self._clock()
        at = max(now, self._free.get(host, now), self._wait)
        if at > now:
            self._sleep(at - now)
        self._free[host] = at + max(self._pause, self._delays.get(host, 0.0))

    def _ask(self, url: str, most: int) -> Reply | str:
        """The reply, or the address that it points to."""
        try:
            response = self._pools.request("GET", url, redirect=False, preload_content=False)
        except urllib3.exceptions.HTTPError as problem:
            raise Again(_said(problem), of_all=True) from problem
        try:
            return self._answer(response, url, most)
        except urllib3.exceptions.HTTPError as problem:
            raise Again("it broke off") from problem
        finally:
            response.close()

    def _answer(self, response: urllib3.BaseHTTPResponse, url: str, most: int) -> Reply | str:
        wait = _wait(response.headers.get("Retry-After"))
        if response.status in MOVED and (place := response.headers.get("Location")):
            return place
        if response.status in RETRY:
            raise Again(f"HTTP {response.status}", wait, of_all=True)
        if response.status != 200:
            raise Failed(f"HTTP {response.status}", of_all=response.status in (401, 403))
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Reply(self._body(response, most), url, kind, wait)

    def _body(self, response: urllib3.BaseHTTPResponse, most: int) -> bytes:
        too_large = Failed(f"it is larger than {most >> 20} MiB")
        told = response.headers.get("Content-Length", "")
        if told.isdigit() and int(told) > most:
            raise too_large
        begun, body = self._clock(), bytearray()
        for piece in response.stream(PIECE, decode_content=True):
            body += piece
            if len(body) > most:
                raise too_large
            if self._clock() - begun > WHOLE:
                raise Again(f"it was not there after {WHOLE:.0f} seconds")
        return bytes(body)

    # What robots may

    def _ask_robots(self, url: str) -> None:
        """Raise Failed for what the host's robots.txt does not let programs have."""
        parts = urllib3.util.parse_url(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin, self._host(url))
        if not self._robots[origin].can_fetch("FirstLight", parts.url):
            raise Failed("its robots.txt asks programs to leave it alone")

    def _read_robots(self, origin: str, host: str) -> urllib.robotparser.RobotFileParser:
        rules = urllib.robotparser.RobotFileParser()
        try:
            text = self._insist(f"{origin}/robots.txt", ROBOTS, _text, False)
        except Closed:
            raise
        except Failed as problem:
            if not NO_ROBOTS.match(str(problem)):  # RFC 9309: what cannot be read forbids all
                raise Failed(f"its robots.txt: {problem}", problem.of_all) from problem
            text = ""
        rules.parse(text.splitlines())
        if delay := rules.crawl_delay("FirstLight"):
            self._delays[host] = min(float(delay), PATIENCE)
        return rules


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def _wait(told: str | None) -> float | None:
    """Retry-After in seconds, said as a number or as a date; None where it says neither."""
    if not told:
        return None
    try:
        return float(urllib3.Retry().parse_retry_after(told))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _said(problem: urllib3.exceptions.HTTPError) -> str:
    """In words what went wrong on the way."""
    if isinstance(problem, urllib3.exceptions.NameResolutionError):
        return "the network knows no host of that name"
    if isinstance(problem, urllib3.exceptions.NewConnectionError):
        return "it cannot be reached"
    if isinstance(problem, urllib3.exceptions.TimeoutError):
        return "it does not answer"
    if isinstance(problem, urllib3.exceptions.SSLError):
        return "its certificate is not good"
    return "it cannot be reached"
