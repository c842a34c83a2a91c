"""The feedback thread: tells subscribers what has changed, and once a second that it beats.

Changed values only, at most thirty times a second, in bundles under 1400 bytes, from the port that
listens: a client that is connected to that port hears no other. The frame thread only stamps what
it changes. Everybody is told of a change but its originator, who is told if the value that stands
is not the one it sent: clipped, coerced, on its way under `/system/slew`, or refused.
"""

import ipaddress
import logging
import math
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge import Refusal, trees
from bridge.control import osc
from bridge.knob import Knob
from bridge.params import Reading, Refused, Value, trigger
from bridge.space import AddressSpace, Changes, Sent
from bridge.trees import TREES, Tree

log = logging.getLogger("bridge.osc")

EVERY = 1 / 30  # seconds from one turn's end to the next: never over thirty a second
BEAT = 1.0  # seconds between heartbeats
MOST_GUESTS = 16  # subscribers beside those of the configuration
PAUSE = 0.05  # seconds between two answers to one asker
MOST_ASKERS = 8  # answered within one window: a whole answer takes the interpreter for 4 ms
WINDOW = 0.25  # seconds
STATE = "/stats/state"  # told with every heartbeat
FLOAT32 = struct.Struct("f")
WEBSOCKET = "websocket"  # what senders have for a host that are no UDP address: they LISTEN
NEAR = 1e-4  # of a fader's travel: finer than any hand

Pairs = list[tuple[Knob, Value]]


@dataclass(slots=True, eq=False)
class Subscriber:
    """Who is told, and how its own doing is recognised.

    What comes from where it listens or from where it asked is its own. One that named a port plays
    from some other: whatever comes from its host and is no other subscriber's is its own too (a
    tablet; TouchDesigner, where each operator has a socket), until it plays from the very socket
    it asked from. Only of the configuration's subscribers on this machine nothing is supposed:
    other programs play here too.
    """

    to: Any  # where it listens
    wants: tuple[Tree, ...] = ("plain",)  # the trees it is told of
    asked: Any = None  # where it asked from
    by_host: bool = False
    fixed: bool = False
    heard: float = 0.0  # when it last asked, or set a knob


class Feedback:
    """Tells `fixed` addresses and whoever pressed `/system/sync`, through `send`, until closed.

    Its knobs belong under `/system`. `pulse` is called before every heartbeat. Between `start` and
    `close` its own thread takes the turns.
    """

    heartbeat = Reading(0, doc="goes up once a second, from before the network is there to the end")

    def __init__(
        self,
        space: AddressSpace,
        send: Callable[[bytes, Any], None],
        fixed: Iterable[tuple[Any, tuple[Tree, ...]]] = (),
        *,
        pulse: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._space, self._send, self._pulse, self._clock = space, send, pulse, clock
        self._lock = threading.Lock()
        self._subscribers = {
            to: Subscriber(to, wants, by_host=not here_only(to[0]), fixed=True)
            for to, wants in fixed
        }
        self._answered: dict[Any, float] = {}  # destination: when, within the last WINDOW
        self._since = 0
        self._due = clock()
        self._everything = threading.Event()
        self._failed = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)

    # Asking: the OSC thread

    @trigger(
        "tell whoever asks, or the port given, every value and from then on what changes; "
        "plain, norm, text name the trees wanted",
        at_once=True,
    )
    def sync(self, arguments: Sequence[object], sender: Any) -> None:
        wants = tuple(word for word in TREES if word in arguments)
        others = [argument for argument in arguments if argument not in wants]
        to = _destination(others, sender)
        if to is None or not self._may_answer(to):
            return
        one = self._subscribe(to, sender, wants)
        for datagram in osc.bundles(spoken(self._all(), one.wants)):
            self._send(datagram, to)

    def _all(self) -> Pairs:
        return [(self._space[a], value) for a, value in self._space.values().items()]

    def _may_answer(self, to: Any) -> bool:
        """A flood of questions with a forged sender must not become a larger flood of answers."""
        now = self._clock()
        self._answered = {who: at for who, at in self._answered.items() if now - at < WINDOW}
        if now - self._answered.get(to, -math.inf) < PAUSE or len(self._answered) >= MOST_ASKERS:
            return False
        self._answered[to] = now
        return True

    def _subscribe(self, to: Any, sender: Any, wants: tuple[Tree, ...]) -> Subscriber:
        """From now on tell `to`. Of more than MOST_GUESTS the longest silent goes."""
        with self._lock:
            one = self._subscribers.setdefault(to, Subscriber(to))
            one.wants = wants or one.wants
            one.heard = self._clock()
            if one.asked != sender:
                one.asked, one.by_host = sender, to != sender
            guests = [other for other in self._subscribers.values() if not other.fixed]
            if len(guests) > MOST_GUESTS:
                del self._subscribers[min(guests, key=lambda guest: guest.heard).to]
        return one

    # Telling: the feedback thread

    def start(self) -> None:
        self._thread.start()

    def tell_everything(self) -> None:
        """At the next turn tell every subscriber every value."""
        self._everything.set()

    def close(self) -> None:
        """Tell what is still to be told, and the state, and end. Harmless when already closed."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        self._turn_safely()
        while not self._closing.wait(EVERY):
            self._turn_safely()
        self._turn_safely(last=True)

    def _turn_safely(self, last: bool = False) -> None:
        try:
            self.turn(last=last)
        except Exception as problem:  # the edge: the heart must go on
            if not self._failed:
                log.warning("feedback fails: %s", problem, exc_info=problem)
            self._failed = True

    def turn(self, *, last: bool = False) -> None:
        """Tell what is new since the turn before; the last one tells the state in any case."""
        beat = self._beat() or last
        news = self._space.changes(self._since)
        self._since = news.until
        with self._lock:
            subscribers = list(self._subscribers.values())
        if self._everything.is_set():
            self._everything.clear()
            self._tell(subscribers, self._all(), {})
            return
        own = {
            one: news_for(news, sent, one.wants)
            for one, sent in self._own(news.sent, subscribers).items()
        }
        shared = [(knob, news.values[knob]) for knob in news.changed]
        if beat and STATE in self._space and self._space[STATE] not in news.changed:
            state = (self._space[STATE], self._space[STATE].value)
            shared.append(state)
            for one, pairs in own.items():
                pairs += spoken([state], one.wants)
        self._tell(subscribers, shared, own)

    def _beat(self) -> bool:
        now = self._clock()
        if now < self._due:
            return False
        self._due += BEAT
        if self._due <= now:  # the interpreter was held for long: do not catch up in a burst
            self._due = now + BEAT
        self._pulse()
        self.heartbeat += 1
        return True

    def _tell(
        self,
        subscribers: list[Subscriber],
        shared: Pairs,
        own: dict[Subscriber, list[tuple[str, Value]]],
    ) -> None:
        # Encoded once, and for nobody not at all: that is most of what a turn costs.
        everybodys: dict[tuple[Tree, ...], list[bytes]] = {}
        for one in subscribers:
            if one not in own and one.wants not in everybodys:
                everybodys[one.wants] = list(osc.bundles(spoken(shared, one.wants)))
            for datagram in osc.bundles(own[one]) if one in own else everybodys[one.wants]:
                self._send(datagram, one.to)

    def _own(
        self, sent: list[Sent], subscribers: list[Subscriber]
    ) -> dict[Subscriber, dict[tuple[Tree, Knob], object]]:
        """What each subscriber has sent itself, the newest of each address."""
        found: dict[Subscriber, dict[tuple[Tree, Knob], object]] = {}
        for sender in {message.sender for message in sent}:
            for one in _originators(sender, subscribers):
                one.heard = self._clock()
                found.setdefault(one, {}).update(sent_by(sender, sent))
        return found


def _originators(sender: Any, subscribers: list[Subscriber]) -> list[Subscriber]:
    """The subscribers that `sender` is, as Subscriber tells; asking from its own socket counts."""
    exact = [one for one in subscribers if sender in (one.to, one.asked)]
    for one in exact:
        one.by_host = False
    return exact or [one for one in subscribers if one.by_host and one.to[0] == sender[0]]


def sent_by(sender: Any, sent: Iterable[Sent]) -> dict[tuple[Tree, Knob], object]:
    """What one hand has sent, the newest of each address."""
    return {(one.tree, one.knob): one.value for one in sent if one.sender == sender}


def spoken(pairs: Iterable[tuple[Knob, Value]], wants: Iterable[Tree]) -> list[tuple[str, Value]]:
    """Knobs and their values, in the trees that somebody wants: addresses and values."""
    pairs = list(pairs)
    told = (trees.told(tree, knob, value) for tree in wants for knob, value in pairs)
    return [pair for pair in told if pair]


def news_for(
    news: Changes, sent: dict[tuple[Tree, Knob], object], wants: Iterable[Tree]
) -> list[tuple[str, Value]]:
    """What whoever has `sent` this is told: not what it knows, but what became else. Under another
    tree it knows nothing: a label is to follow the fader beside it."""
    found = []
    for tree in wants:
        for knob in dict.fromkeys((*news.changed, *(knob for its, knob in sent if its == tree))):
            pair = trees.told(tree, knob, news.values[knob])
            if pair and ((tree, knob) not in sent or not _same(tree, sent[tree, knob], pair[1])):
                found.append(pair)
    return found


def _same(tree: Tree, sent: object, value: Value) -> bool:
    """Whether a client that sent this reads back what it knows: numbers cross as float32, and a
    fader's travel comes back through a taper."""
    if tree == "norm" and isinstance(sent, (bool, int, float)) and isinstance(value, float):
        return abs(sent - value) < NEAR
    if isinstance(sent, (bool, int, float)) and isinstance(value, (bool, int, float)):
        try:
            return FLOAT32.pack(sent) == FLOAT32.pack(value)
        except OverflowError:
            return False
    return sent == value


def _destination(arguments: Sequence[object], sender: Any) -> Any:
    """Where an answer goes: to the sender, or to the port it names; None for a button's release."""
    given = arguments[0] if arguments else None
    if sender is not None and sender[0] == WEBSOCKET:
        raise Refused("is for UDP; over a WebSocket, LISTEN to addresses")
    if sender is None or len(arguments) > 1 or not isinstance(given, int | float | None):
        raise Refused(
            "is pressed with no argument, or with the port to answer to, and the trees wanted:"
            " plain, norm, text"
        )
    if given is None or given == 1:
        return sender
    if given == 0:
        return None
    if not (1024 <= given <= 65535 and given == int(given)):
        raise Refused(f"answers to a port from 1024 to 65535, not {given}")
    return (sender[0], int(given), *sender[2:])


def resolve(told: str, here: Any) -> tuple[Any, tuple[Tree, ...]]:
    """Where "HOST:PORT" is, for a socket bound to `here`, and which trees "HOST:PORT norm text"
    wants: plain if none is named. "localhost" is this machine whatever the family. Looked up once:
    a name server that is slow later costs nothing. Raises Refusal.
    """
    words = told.split()
    wants = tuple(tree for tree in TREES if tree in words[1:])
    while words[1:] and words[-1] in TREES:
        words.pop()
    place = " ".join(words)
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise Refusal(
            f"--feedback {place}: write a host and a port such as localhost:9138, or none."
        )
    family, loopback = (socket.AF_INET6, "::1") if ":" in here[0] else (socket.AF_INET, "127.0.0.1")
    host = loopback if host == "localhost" else host
    try:
        found = socket.getaddrinfo(host, int(port), family, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as problem:
        raise Refusal(
            f"--feedback {place}: no such host is found from --listen {here[0]}; "
            "check the name, or give its number."
        ) from problem
    to = found[0][4]
    if here_only(here[0]) and not here_only(str(to[0])):
        raise Refusal(
            f"--feedback {place}: that is another machine, and --listen {here[0]} reaches only "
            "this one; start with --listen and this machine's own address."
        )
    return to, wants or ("plain",)


def here_only(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
