"""What became of the cards on their way: how many came, how late, and what was wrong with them.

Numbers only, from two lists: when each card was sent, and what was read of each picture that came.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge.bench.card import ROUND, Reading


class Tolerance(NamedTuple):
    """Levels of 255 that black, greys and white may be off by, and that colours may be."""

    grey: float
    colour: float


class Arrival(NamedTuple):
    """A picture that came: when it could be had, what was read of it (None: no card), and how many
    others it replaced unseen, as its receiver tells."""

    time: float
    reading: Reading | None
    skipped: int = 0


class Spread(NamedTuple):
    """Of times, in ms."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(slots=True)
class Passage:
    """One way that cards went, over a stretch of time.

    sent, received        cards of that stretch, and how many of them came, each counted once
    sent_fps, received_fps  a second, from the first to the last; 0 where there are not two
    missing               cards that never came, or not so that they can be read
    replaced              of these, what the receiver says that a newer one took the place of
    latency               from just before a card was handed over until it could be had; ms
    age                   how old the picture shown was when the next one came; ms
    held                  pictures that came again because no new one had come for a while
    duplicated            pictures that came again without such a reason
    backwards             cards that came after a later one
    pictures              that came, each time counted; what follows counts among these
    unread, torn          no card; two cards in one picture
    flipped, mirrored, swapped, discoloured, veiled, translucent
                          upside down; left for right; red for blue; colours off by more than is
                          allowed; alpha multiplied into colours; alpha other than 255
    grey, off             levels that the worst grey was off by, and the worst colour
    """

    sent: int = 0
    received: int = 0
    sent_fps: float = 0.0
    received_fps: float = 0.0
    missing: int = 0
    replaced: int = 0
    latency: Spread | None = None
    age: Spread | None = None
    held: int = 0
    duplicated: int = 0
    backwards: int = 0
    pictures: int = 0
    unread: int = 0
    torn: int = 0
    flipped: int = 0
    mirrored: int = 0
    swapped: int = 0
    discoloured: int = 0
    veiled: int = 0
    translucent: int = 0
    grey: float = 0.0
    off: float = 0.0

    @property
    def gone(self) -> int:
        """Cards in whose place no picture came, not even one that cannot be read."""
        return max(0, self.missing - self.unread - self.torn)

    @property
    def lost(self) -> float:
        """The share that these are."""
        return self.gone / self.sent if self.sent else 0.0


def passage(
    sent: Sequence[float],
    arrivals: Sequence[Arrival],
    begin: float,
    end: float,
    *,
    tolerance: Tolerance,
    patience: float | None = None,
) -> Passage:
    """What became of the cards sent from `begin` until `end`, on the clock of all times.

    sent       when each card was sent, by its number
    patience   seconds after which whoever is on the way sends a picture again for want of a new
               one; None: nobody does
    """
    first, after = bisect_left(sent, begin), bisect_left(sent, end)
    found = Passage(sent=after - first, sent_fps=_rate(sent[first:after]))
    came: dict[int, float] = {}  # by number, when it came first
    latest: int | None = None
    for arrival in arrivals:
        number = _number(sent, arrival)
        if number is None:
            if begin <= arrival.time < end:
                _inspect(found, _unknown(arrival), tolerance)
            continue
        known = came.setdefault(number, arrival.time)
        if first <= number < after:
            _inspect(found, arrival, tolerance)
            if number == latest:
                is_held = patience is not None and arrival.time - known >= patience
                found.held += is_held
                found.duplicated += not is_held
            elif latest is not None and number < latest:
                found.backwards += 1
        latest = number
    ways = [(number, moment) for number, moment in came.items() if first <= number < after]
    found.received, found.missing = len(ways), found.sent - len(ways)
    found.received_fps = _rate(sorted(moment for _, moment in ways))
    found.latency = spread([moment - sent[number] for number, moment in ways])
    found.age = spread(
        [later - sent[number] for (number, _), (_, later) in itertools.pairwise(ways)]
    )
    return found


def spread(seconds: Sequence[float]) -> Spread | None:
    """None of none; else 50, 95 and 99 in a hundred stay within these, and all within the last."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    last = len(ordered) - 1
    shares = (ordered[min(last, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99, 1.0))
    return Spread(*(round(second * 1e3, 3) for second in shares))


def _number(sent: Sequence[float], arrival: Arrival) -> int | None:
    """Which card it is: the newest sent before it came that ends in what was read."""
    if arrival.reading is None or arrival.reading.number is None:
        return None
    newest = bisect_right(sent, arrival.time) - 1
    number = newest - (newest - arrival.reading.number) % ROUND
    return number if number >= 0 else None


def _unknown(arrival: Arrival) -> Arrival:
    """The same, torn or not read at all, where a number is none that was sent."""
    is_torn = arrival.reading is not None and arrival.reading.number is None
    return arrival if is_torn else arrival._replace(reading=None)


def _inspect(found: Passage, arrival: Arrival, tolerance: Tolerance) -> None:
    reading = arrival.reading
    found.pictures += 1
    found.replaced += arrival.skipped
    if reading is None:
        found.unread += 1
        return
    found.torn += reading.number is None
    found.flipped += reading.flipped
    found.mirrored += reading.mirrored
    found.swapped += reading.swapped
    right = reading.grey <= tolerance.grey and reading.off <= tolerance.colour
    found.discoloured += not right
    found.veiled += right and reading.clear > tolerance.colour
    found.translucent += reading.alpha < 255
    found.grey = max(found.grey, round(reading.grey, 1))
    found.off = max(found.off, round(reading.off, 1))


def _rate(times: Sequence[float]) -> float:
    """A second, from the first to the last."""
    if len(times) < 2 or times[-1] <= times[0]:
        return 0.0
    return round((len(times) - 1) / (times[-1] - times[0]), 2)
