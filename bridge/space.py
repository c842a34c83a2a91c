"""The address space: every knob by its OSC address, and the line between the threads.

`AddressSpace.add("/learn", learner)` gives each declaration of the learner's class its address. Any
thread may `set`; the frame thread alone applies, between frames, so that no knob moves inside one.
"""

import difflib
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import takewhile
from typing import Any, NamedTuple

from bridge import trees
from bridge.held import Held
from bridge.knob import Clock, Knob
from bridge.params import Declared, Param, Reading, Refused, Trigger, Value, finite
from bridge.patterns import Addresses
from bridge.trees import Tree

log = logging.getLogger("bridge.osc")

MOST_PRESSES = 256  # triggers between two frames; a held-down macro sends tens, a flood thousands
MOST_SENT = 1024  # values remembered with their senders; one beyond it is told what it sent
MOST_SAID = 100  # different complaints that reach the log; the rest are only counted
MOST_UNKNOWN = 20  # of them, addresses that are not here: Resolume can send 1500 of its own


@dataclass(slots=True)
class _Glide:
    start: float
    seconds: float
    begin: float  # both ends in fader travel, 0..1
    end: float
    target: float


@dataclass(slots=True)
class _Pending:
    """What has arrived since the last frame: values, newest wins, between presses, in order."""

    values: dict[Knob, Any] = field(default_factory=dict)
    sent: dict[tuple[Knob, Any, Tree], object] = field(default_factory=dict)
    press: Knob | None = None


class Sent(NamedTuple):
    """What somebody sent to a knob, whether it was taken or not; None where it was no one value."""

    stamp: int
    knob: Knob
    sender: Any
    value: object  # as it was sent
    tree: Tree


@dataclass(slots=True)
class Changes:
    """What has happened between two stamps of a space's clock."""

    until: int  # the later one: where to go on
    changed: list[Knob]  # oldest change first
    sent: list[Sent]  # oldest first
    values: dict[Knob, Value]  # of all these knobs, as they stood at the later stamp


class AddressSpace:
    """Every knob by its OSC address. `set` from any thread; `apply` from the frame thread.

    Values that arrive between two frames coalesce to the newest; presses stay in order, also with
    respect to the values sent before them (`/brain/slot 3`, then `/brain/save`). Between `hold` and
    `complete` messages are kept, for knobs that have no address yet. Under `/norm` every knob takes
    a fader's travel. `aliases` gives addresses of other programs the meaning of ours.
    """

    refused = Reading(0, doc="values refused: the wrong kind, NaN, read-only, too many at once")
    clipped = Reading(0, doc="values that lay outside their range and were clipped to it")
    unknown = Reading(0, doc="messages to addresses that are not here")

    def __init__(self) -> None:
        self.aliases: Mapping[str, str] = {}
        self.slew = 0.0  # seconds, for continuous knobs that declare none of their own
        self._knobs: dict[str, Knob] = {}
        self._clock = Clock()
        self._lock = threading.Lock()
        self._pending = [_Pending()]
        self._held: Held | None = None
        self._sent: deque[Sent] = deque(maxlen=MOST_SENT)
        self._glides: dict[Knob, _Glide] = {}
        self._now = 0.0  # of the last frame
        self._said: set[tuple[str, str]] = set()
        self._addresses: Addresses | None = None  # once somebody asks with a pattern
        self._find = lru_cache(512)(self._search)

    # Declaring and finding

    def add(self, group: str, owner: object) -> None:
        """Give every knob declared on `owner`'s class an address under `group` ("/learn").

        Harmless where that owner has it already: some are here before the loop is.
        """
        for name, declared in _declarations(type(owner)):
            address = f"{group}/{name}"
            if address in self._knobs:
                if self._knobs[address].owner is owner:
                    continue
                raise ValueError(f"two knobs want the address {address}")
            knob = Knob(address, name, owner, declared, self._clock)
            self._knobs[address] = knob
            owner.__dict__.setdefault("__knobs__", {})[name] = knob
        self._addresses = None
        self._find.cache_clear()

    def __getitem__(self, address: str) -> Knob:
        return self._knobs[address]

    def __contains__(self, address: object) -> bool:
        return address in self._knobs

    def __iter__(self) -> Iterator[Knob]:
        return iter(list(self._knobs.values()))

    def match(self, pattern: str) -> tuple[Knob, ...]:
        """The knobs that an OSC 1.0 address pattern names, in the order they were added."""
        knob = self._knobs.get(pattern)
        return (knob,) if knob else self._find(pattern)

    def _search(self, pattern: str) -> tuple[Knob, ...]:
        if self._addresses is None:
            self._addresses = Addresses(list(self._knobs))
        return tuple(self._knobs[address] for address in self._addresses.match(pattern))

    # Setting: any thread

    def set(self, address: str, arguments: Sequence[object] = (), sender: Any = None) -> bool:
        """Put what a message says in line for the next frame.

        `address` may be a pattern. Nothing is raised: what cannot be taken is counted, and
        logged once. Returns whether every knob it named took it. `sender` is anything that tells
        one hand from another; `changes` tells who sent what.
        """
        tree, knobs = self._named(address)
        holding = self._held is not None and self._hold_back(address, knobs, arguments, sender)
        if holding:
            knobs = tuple(knob for knob in knobs if _at_once(knob))
        return self._deliver(address, tree, knobs, arguments, sender, known=holding)

    def _hold_back(
        self, address: str, knobs: Sequence[Knob], arguments: Sequence[object], sender: Any
    ) -> bool:
        """Keep a message that is not for what is done at once alone, while messages are kept."""
        with self._lock:
            if self._held is None:
                return False
            if not (knobs and all(map(_at_once, knobs))):
                self._held.keep(address, arguments, sender)
            return True

    def _named(self, address: str) -> tuple[Tree, tuple[Knob, ...]]:
        """What an address names, by way of the aliases: knobs, and the tree it names them in."""
        tree, plain = trees.split(self.aliases.get(address, address))
        if tree == "plain":
            return tree, self.match(plain)
        return tree, tuple(k for k in self.match(plain) if trees.has(tree, k))

    def hold(self) -> None:
        """Keep what arrives until `complete`; only what is done at once is done."""
        with self._lock:
            self._held = Held()

    def complete(self) -> None:
        """Every knob has its address now: line up what has arrived before, in its order."""
        self._find.cache_clear()
        while True:
            with self._lock:  # what comes meanwhile is newer, and waits for the next round
                held = self._held.take() if self._held is not None else []
                if not held:
                    self._held = None
                    return
            for address, arguments, sender in held:
                tree, knobs = self._named(address)
                waiting = [knob for knob in knobs if not _at_once(knob)]
                self._deliver(address, tree, waiting, arguments, sender, known=bool(knobs))

    def _deliver(
        self,
        address: str,
        tree: Tree,
        knobs: Sequence[Knob],
        arguments: Sequence[object],
        sender: Any,
        *,
        known: bool,
    ) -> bool:
        if not knobs and not known:
            with self._lock:
                self.unknown += 1
            if self.unknown <= MOST_UNKNOWN:
                self._say_once(address, "is not an address here; `firstlight params` lists them")
            return False
        taken = [self._line_up(tree, knob, arguments, sender) for knob in knobs]
        return all(taken)

    def _line_up(self, tree: Tree, knob: Knob, arguments: Sequence[object], sender: Any) -> bool:
        try:
            if _at_once(knob):
                getattr(knob.owner, knob.name)(arguments, sender)
                return True
            with self._lock:
                self._note(tree, knob, arguments, sender)
            units = arguments if tree == "plain" else self._in_units(tree, knob, arguments)
            with self._lock:
                self._take(knob, units)
        except Refused as problem:
            with self._lock:
                self.refused += 1
            self._say_once(knob.address, str(problem))
            return False
        return True

    def _in_units(self, tree: Tree, knob: Knob, arguments: Sequence[object]) -> Sequence[object]:
        """What a message to `/norm` says, said to the plain address."""
        if tree == "text":
            raise Refused("tells, under /text; set it at its plain address, or under /norm")
        if not isinstance(knob.declared, Param):
            return arguments
        if len(arguments) != 1:
            raise Refused(f"takes one value, not {len(arguments)}")
        value = knob.declared.at(arguments[0])
        if not 0 <= float(arguments[0]) <= 1:  # type: ignore[arg-type]  # `at` took it
            with self._lock:
                self.clipped += 1
        return [value]

    def _note(self, tree: Tree, knob: Knob, arguments: Sequence[object], sender: Any) -> None:
        """Remember who sent what, also what will be refused: that fader must come back."""
        sent, key = self._pending[-1].sent, (knob, sender, tree)
        if sender is None or knob.access != "rw" or (key not in sent and len(sent) >= MOST_SENT):
            return
        sent[key] = arguments[0] if len(arguments) == 1 else None

    def _take(self, knob: Knob, arguments: Sequence[object]) -> None:
        if isinstance(knob.declared, Trigger):
            if _pressed(arguments):
                if len(self._pending) > MOST_PRESSES:
                    raise Refused(f"was pressed over {MOST_PRESSES} times between two frames")
                self._pending[-1].press = knob
                self._pending.append(_Pending())
            return
        self._pending[-1].values[knob] = self._fit(knob, arguments)

    def _fit(self, knob: Knob, arguments: Sequence[object]) -> Any:
        declared = knob.declared
        if not isinstance(declared, Param):
            raise Refused("can be read, not set")
        if len(arguments) != 1:
            raise Refused(f"takes one value, not {len(arguments)}")
        value = declared.coerce(knob.named(arguments[0]))
        inside = declared.clipped(value)
        if inside != value:
            self.clipped += 1
        return inside

    def _say_once(self, address: str, what: str) -> None:
        if (address, what) not in self._said and len(self._said) < MOST_SAID:
            self._said.add((address, what))
            log.warning("%s %s", address, what)

    # Applying: the frame thread

    def apply(self, now: float) -> None:
        """Move every knob to what has arrived. `now` in seconds, on the frame's own clock.

        A press that fails takes nothing with it: what was behind it in line waits for the next.
        """
        with self._lock:
            pending, self._pending = self._pending, [_Pending()]
        taken, self._now = 0, now
        try:
            for batch in pending:
                taken += 1
                with self._clock.lock:  # who sees a value sees who sent it
                    for knob, value in batch.values.items():
                        self._move(knob, value, now)
                    for (knob, sender, tree), sent in batch.sent.items():
                        self._sent.append(Sent(self._clock.tick(), knob, sender, sent, tree))
                if batch.press is not None:
                    getattr(batch.press.owner, batch.press.name)()
        finally:
            if pending[taken:]:
                with self._lock:
                    self._pending = pending[taken:] + self._pending
        for knob, glide in list(self._glides.items()):
            self._step(knob, glide, now)

    def _move(self, knob: Knob, value: Any, now: float, seconds: float = 0.0) -> None:
        """Set off to a value, over `seconds` at least, where the knob glides at all."""
        declared = knob.declared
        assert isinstance(declared, Param)
        least = declared.slew
        seconds = 0.0 if least == 0 else max(self.slew, least or 0.0, seconds)
        if declared.kind == "float" and seconds > 0 and value != knob.value:
            begin, end = declared.to_norm(knob.value), declared.to_norm(value)
            self._glides[knob] = _Glide(now, seconds, begin, end, value)
        else:
            self._glides.pop(knob, None)
            declared.__set__(knob.owner, value)

    def _step(self, knob: Knob, glide: _Glide, now: float) -> None:
        assert isinstance(knob.declared, Param)
        along = (now - glide.start) / glide.seconds
        if along >= 1.0:
            del self._glides[knob]
            value = glide.target
        else:
            value = knob.declared.from_norm(glide.begin + along * (glide.end - glide.begin))
        knob.declared.__set__(knob.owner, value)

    # Whole states

    def assign(self, address: str, value: object) -> None:
        """Set one knob now. Raises KeyError for an unknown address, Refused for a bad value."""
        knob = self._knobs[address]
        if isinstance(knob.declared, Trigger):
            raise Refused("is pressed, not set")
        knob.declared.__set__(knob.owner, self._fit(knob, [value]))
        self._glides.pop(knob, None)

    def preset(self) -> dict[str, Value]:
        """Every Param's value by address: what a preset is."""
        return {k.address: k.value for k in self if k.in_presets}

    def recall(
        self,
        preset: Mapping[str, object],
        *,
        at_once: bool = False,
        seconds: float | None = None,
    ) -> list[str]:
        """Put a preset in line for the next frame; or `at_once`, before the first, in force; or,
        where `seconds` are given, on the frame thread, set off to it now: continuous knobs glide
        over so long, or over their own slew if that is longer.

        Returns a warning for each entry not taken.
        """
        take = self.assign if at_once else self._queue
        if seconds is not None:
            take = partial(self._set_off, seconds)
        warnings = []
        for address, value in preset.items():
            if address not in self._knobs:
                warnings.append(f"{address} is not an address here; {self.nearest(address)}")
            elif not self._knobs[address].in_presets:  # a preset must not press anything
                warnings.append(f"{address} is not a knob that a preset can set")
            else:
                try:
                    take(address, value)
                except Refused as problem:
                    with self._lock:
                        self.refused += 1
                    warnings.append(f"{address} {problem}")
        return warnings

    def _queue(self, address: str, value: object) -> None:
        with self._lock:
            self._take(self._knobs[address], [value])

    def _set_off(self, seconds: float, address: str, value: object) -> None:
        knob = self._knobs[address]
        self._move(knob, self._fit(knob, [value]), self._now, seconds)

    def nearest(self, address: str) -> str:
        """Where whoever wrote an address that is not here may look."""
        near = difflib.get_close_matches(address, list(self._knobs), n=1)
        return f"did you mean {near[0]}?" if near else "`firstlight params` lists them."

    def values(self) -> dict[str, Value]:
        """Every Param and Reading as it will be at the next frame. Any thread."""
        with self._lock:
            coming = {k: v for batch in self._pending for k, v in batch.values.items()}
        return {k.address: coming.get(k, k.value) for k in self if k.access != "w"}

    def changes(self, since: int) -> Changes:
        """What has changed, and who has sent what, after stamp `since`. Any thread."""
        with self._clock.lock:
            changed = sorted((k for k in self if k.stamp > since), key=lambda k: k.stamp)
            sent = list(takewhile(lambda one: one.stamp > since, reversed(self._sent)))[::-1]
            values = {k: k.value for k in (*changed, *(one.knob for one in sent))}
            return Changes(self._clock.now, changed, sent, values)


def _declarations(owner: type) -> Iterator[tuple[str, Declared[Any] | Trigger]]:
    """What a class and its bases declare, bases first, in the order written; each name once."""
    found: dict[str, Declared[Any] | Trigger] = {}
    for base in reversed(owner.__mro__):
        for name, member in vars(base).items():
            declared = member if isinstance(member, Declared) else getattr(member, "declared", None)
            if isinstance(declared, (Declared, Trigger)):
                found[name] = declared
    yield from found.items()


def _at_once(knob: Knob) -> bool:
    return isinstance(knob.declared, Trigger) and knob.declared.at_once


def _pressed(arguments: Sequence[object]) -> bool:
    """Whether a trigger's message is a press: no argument, impulse, true or non-zero."""
    if not arguments:
        return True
    given = arguments[0]
    if len(arguments) > 1 or not (given is None or isinstance(given, (bool, int, float))):
        raise Refused("is pressed with no argument, or with 1")
    if given is not None and not finite(given):
        raise Refused(f"is pressed with no argument, or with 1, not {given}")
    return given is None or bool(given)
