"""The feedback thread: tells subscribers what has changed, and once a second that it beats.

Changed values only, at most thirty times a second, in bundles under 1400 bytes, from the port that
listens: a client that is connected to that port hears no other. The frame thread only stamps what
it changes. Everybody is told of a change but its originator, who is told if the value that stands
is not the one it sent: clipped, coerced, on its way under `/system/slew`, or refused.
"""

import ipaddress
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bridge import Refusal
from bridge.control import osc
from bridge.knob import Knob
from bridge.params import Reading, Refused, Value, trigger
from bridge.space import AddressSpace, Changes, Sent

log = logging.getLogger("bridge.osc")

EVERY = 1 / 30  # seconds from one turn's end to the next: never over thirty a second
BEAT = 1.0  # seconds between heartbeats
MOST_GUESTS = 16  # subscribers beside those of the configuration
PAUSE = 0.05  # seconds between two answers to one asker
MOST_ASKERS = 8  # answered within one pause
STATE = "/stats/state"  # told with every heartbeat
FLOAT32 = struct.Struct("f")

Pairs = list[tuple[str, Value]]


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
        fixed: Iterable[Any] = (),
        *,
        pulse: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._space, self._send, self._pulse, self._clock = space, send, pulse, clock
        self._lock = threading.Lock()
        self._subscribers = {
            to: Subscriber(to, by_host=not _of_this_machine(to[0]), fixed=True) for to in fixed
        }
        self._answered: dict[Any, float] = {}  # destination: when, within the last PAUSE
        self._since = 0
        self._due = clock()
        self._everything = threading.Event()
        self._failed = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)

    # Asking: the OSC thread

    @trigger(
        "send every value to whoever asks, or to the port given, and from then on what changes",
        at_once=True,
    )
    def sync(self, arguments: Sequence[object], sender: Any) -> None:
        to = _destination(arguments, sender)
        if to is None or not self._may_answer(to):
            return
        self._subscribe(to, sender)
        for datagram in osc.bundles(self._space.values().items()):
            self._send(datagram, to)

    def _may_answer(self, to: Any) -> bool:
        """A flood of questions with a forged sender must not become a larger flood of answers."""
        now = self._clock()
        self._answered = {who: at for who, at in self._answered.items() if now - at < PAUSE}
        if to in self._answered or len(self._answered) >= MOST_ASKERS:
            return False
        self._answered[to] = now
        return True

    def _subscribe(self, to: Any, sender: Any) -> None:
        """From now on tell `to`. Of more than MOST_GUESTS the longest silent goes."""
        with self._lock:
            one = self._subscribers.setdefault(to, Subscriber(to))
            one.heard = self._clock()
            if one.asked != sender:
                one.asked, one.by_host = sender, to != sender
            guests = [other for other in self._subscribers.values() if not other.fixed]
            if len(guests) > MOST_GUESTS:
                del self._subscribers[min(guests, key=lambda guest: guest.heard).to]

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
            self._tell(subscribers, list(self._space.values().items()), {})
            return
        own = {
            one: _news_for(news, sent) for one, sent in self._own(news.sent, subscribers).items()
        }
        shared = _pairs(news, news.changed)
        if beat and STATE in self._space and self._space[STATE] not in news.changed:
            state = (STATE, self._space[STATE].value)
            for pairs in (shared, *own.values()):
                pairs.append(state)
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
        self, subscribers: list[Subscriber], shared: Pairs, own: dict[Subscriber, Pairs]
    ) -> None:
        # Encoded once, and for nobody not at all: that is most of what a turn costs.
        everybodys = list(osc.bundles(shared)) if len(own) < len(subscribers) else []
        for one in subscribers:
            for datagram in osc.bundles(own[one]) if one in own else everybodys:
                self._send(datagram, one.to)

    def _own(
        self, sent: list[Sent], subscribers: list[Subscriber]
    ) -> dict[Subscriber, dict[Knob, object]]:
        """What each subscriber has sent itself, the newest of each knob."""
        found: dict[Subscriber, dict[Knob, object]] = {}
        for sender in {message.sender for message in sent}:
            for one in _originators(sender, subscribers):
                one.heard = self._clock()
                its = {message.knob: message.value for message in sent if message.sender == sender}
                found.setdefault(one, {}).update(its)
        return found


def _originators(sender: Any, subscribers: list[Subscriber]) -> list[Subscriber]:
    """The subscribers that `sender` is, as Subscriber tells; asking from its own socket counts."""
    exact = [one for one in subscribers if sender in (one.to, one.asked)]
    for one in exact:
        one.by_host = False
    return exact or [one for one in subscribers if one.by_host and one.to[0] == sender[0]]


def _pairs(news: Changes, knobs: Iterable[Knob]) -> Pairs:
    return [(knob.address, news.values[knob]) for knob in knobs]


def _news_for(news: Changes, sent: dict[Knob, object]) -> Pairs:
    """What a subscriber that has `sent` this is told: not what it knows, but what became else."""
    knobs = dict.fromkeys((*news.changed, *sent))
    return _pairs(news, (k for k in knobs if k not in sent or not _same(sent[k], news.values[k])))


def _same(sent: object, value: Value) -> bool:
    """Whether a client that sent this reads back what it knows: numbers cross as float32."""
    if isinstance(sent, (bool, int, float)) and isinstance(value, (bool, int, float)):
        try:
            return FLOAT32.pack(sent) == FLOAT32.pack(value)
        except OverflowError:
            return False
    return sent == value


def _destination(arguments: Sequence[object], sender: Any) -> Any:
    """Where an answer goes: to the sender, or to the port it names; None for a button's release."""
    given = arguments[0] if arguments else None
    if sender is None or len(arguments) > 1 or not isinstance(given, int | float | None):
        raise Refused("is pressed with no argument, or with the port to answer to")
    if given is None or given == 1:
        return sender
    if given == 0:
        return None
    if not (1024 <= given <= 65535 and given == int(given)):
        raise Refused(f"answers to a port from 1024 to 65535, not {given}")
    return (sender[0], int(given), *sender[2:])


def resolve(place: str, here: Any) -> Any:
    """Where "HOST:PORT" is, for a socket bound to `here`; "localhost" is this machine whatever the
    family. Looked up once: a name server that is slow later costs nothing. Raises Refusal.
    """
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
    if _of_this_machine(here[0]) and not _of_this_machine(str(to[0])):
        raise Refusal(
            f"--feedback {place}: that is another machine, and --listen {here[0]} reaches only "
            "this one; start with --listen and this machine's own address."
        )
    return to


def _of_this_machine(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
