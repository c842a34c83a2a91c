"""How late, how many, and whether upright: from one program through the bridge into another.

`firstlight latency SCHEME`: a sender with cards in its pixels, in a process of its own; the bridge
as it is played, in another; and here, on the main thread, a receiver. First the receiver takes the
sender's pictures straight, then those of the bridge. An artist can run it on site; for us it says
whether a transport keeps its promises on a system that we have not seen.
"""

import argparse
import contextlib
import json
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from bridge import Refusal, __version__
from bridge.bench import rig, verdict
from bridge.bench.card import Reading, read
from bridge.bench.passage import Arrival, Passage, Tolerance, passage
from bridge.bench.source import Sent
from bridge.bench.verdict import Found
from bridge.video import SHARED, Receiver

WHERE = {"spout": "Windows", "syphon": "macOS", "ndi": "all systems"}
SMALLEST, LARGEST = 160, 8192  # pixels a side of what the sender sends
STRAIGHT = 2.0  # seconds that pictures are taken straight from the sender
SETTLE = 0.5  # seconds left out after anything that may have held up the receiver
GRACE = 0.5  # seconds after the last card that counts, for it to come
SEEN = 15.0  # seconds after which a sender that is not seen is none
STARTED = 90.0  # the same of the bridge: a first start on Windows reads all of torch
READ = 10.0  # seconds after the first picture in which a card must have come, or none will
WAIT = 0.1  # seconds between two looks whether all still run
HELD = 0.6  # of the time after which the bridge sends its last picture again: none is earlier


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    scheme: str
    size: tuple[int, int]
    rate: float
    seconds: float
    warm: float
    net: str
    words: tuple[str, ...]  # further options of the bridge's

    @property
    def patience(self) -> float:
        """Seconds after which a picture that comes again is the bridge's, for want of another."""
        return HELD * max(2 / self.rate, 1 / 30)


class Stage(Protocol):
    """What a measurement is made on: see `rig.Rig`, whose words these are."""

    def clock(self) -> float: ...

    def source(self) -> str: ...

    def bridge(self, source: str) -> str: ...

    def receiver(self, address: str) -> Receiver: ...

    def check(self) -> None: ...

    def stats(self) -> dict[str, Any]: ...

    def said(self) -> str: ...

    def sent(self) -> Sent: ...


@dataclass(slots=True)
class Watched:
    """What came to a receiver, which stretch of it counts, and what was wrong in the end."""

    arrivals: list[Arrival]
    begin: float = 0.0
    end: float = 0.0
    error: str = ""


def main(options: argparse.Namespace) -> int:
    """Measure, print, and answer 0 for passed, 1 for failed. Raises Refusal or ImportError where it
    could not be run."""
    plan = planned(options)
    rig.needed(plan.scheme)
    with tempfile.TemporaryDirectory(prefix="first-light-") as folder, _interruptible():
        stage = rig.Rig(plan.scheme, plan.size, plan.rate, plan.net, plan.words, folder)
        with contextlib.closing(stage):
            found, stats = perform(plan, stage, _tell)
    tell(found)
    if options.json:
        _write(options.json, report(plan, found, stats))
    return 1 if verdict.faults(found) else 0


def planned(options: argparse.Namespace) -> Plan:
    """What the command line asks for. Raises Refusal."""
    if options.scheme not in SHARED:
        choices = ", ".join(f"{scheme} ({WHERE[scheme]})" for scheme in SHARED)
        hint = f"choose what two programs share pictures by: {choices}."
        raise Refusal(f"latency {options.scheme}: nothing to measure there; {hint}")
    for name, low, high in (("rate", 1, 240), ("seconds", 1, 3600), ("warm", 0, 600)):
        if not low <= getattr(options, name) <= high:
            raise Refusal(f"--{name} {getattr(options, name):g}: choose {low} to {high}.")
    words = [f"--set={assignment}" for assignment in options.sets]
    for name, value in (
        ("lines", options.lines), ("size", options.out_size), ("device", options.device),
    ):  # fmt: skip
        words += [f"--{name}", str(value)] if value else []
    return Plan(
        options.scheme, _size(options.size), options.rate, options.seconds, options.warm,
        options.net, tuple(words),
    )  # fmt: skip


def perform(plan: Plan, stage: Stage, say: Callable[[str], object]) -> tuple[Found, dict[str, Any]]:
    """The measurement: straight, then through the bridge. Answers what was found, and what the
    bridge told of itself."""
    source = stage.source()
    say(f"cards go out as {source}, {plan.size[0]}x{plan.size[1]} at {plan.rate:g} a second")
    straight = _watched(stage, source, within=SEEN, warm=SETTLE, seconds=STRAIGHT)
    through = Watched([])
    told: list[dict[str, Any]] = [{}]
    arrived = bool(straight.arrivals)
    if arrived:
        say("they are seen; the bridge starts")
        bridge = stage.bridge(source)
        say(f"the bridge sends {bridge}; {plan.seconds:g} seconds are measured")
        through = _watched(
            stage, bridge, within=STARTED, warm=plan.warm, seconds=plan.seconds,
            around=lambda: told.append(stage.stats()),
        )  # fmt: skip
    said, sent = stage.said(), stage.sent()
    exact, like = verdict.tolerance(plan.scheme), verdict.tolerance(plan.scheme, plan.net)
    found = Found(
        plan.scheme, plan.rate, plan.net,
        straight=_passage(sent.times, straight, exact),
        through=_passage(sent.times, through, like, plan.patience) if arrived else None,
        skipped=_grown("/stats/skipped", *told[-2:]) if told[1:] else None,
        route=told[-1].get("/stats/route", ""),
        said=said,
        ends=tuple(filter(None, (sent.error, (through if arrived else straight).error))),
    )  # fmt: skip
    return found, told[-1]


def _watched(
    stage: Stage,
    address: str,
    *,
    within: float,
    warm: float,
    seconds: float,
    around: Callable[[], object] = lambda: None,
) -> Watched:
    """What comes from `address`: nothing where no picture came `within` so many seconds; else all
    that came, of which `seconds` count, begun when it is `warm`. `around` is called before and
    after those."""
    arrivals: list[Arrival] = []
    with contextlib.closing(stage.receiver(address)) as receiver:

        def take(until: float, enough: Callable[[Arrival], bool] = lambda _: False) -> bool:
            for arrival in _arrivals(stage, receiver, until):
                arrivals.append(arrival)
                if enough(arrival):
                    return True
            return False

        if not take(stage.clock() + within, lambda _: True):
            return Watched(arrivals, error=receiver.status().error)
        if arrivals[0].reading is None:
            take(stage.clock() + READ, lambda arrival: arrival.reading is not None)
        take(stage.clock() + warm)
        around()
        take(stage.clock() + SETTLE)
        begin = stage.clock()
        end = begin + seconds
        take(end + GRACE)
        around()
    return Watched(arrivals, begin, end)


def _arrivals(stage: Stage, receiver: Receiver, until: float) -> Iterator[Arrival]:
    """Pictures as they come. Raises Refusal when a process has ended."""
    while stage.clock() < until:
        frame = receiver.receive(WAIT)
        if frame is None:
            stage.check()
            continue
        reading: Reading | None = read(frame.pixels, frame.layout)
        yield Arrival(frame.time, reading, frame.skipped)


def _passage(
    sent: list[float], watched: Watched, tolerance: Tolerance, patience: float | None = None
) -> Passage:
    return passage(
        sent, watched.arrivals, watched.begin, watched.end, tolerance=tolerance, patience=patience
    )


def _grown(address: str, before: dict[str, Any], after: dict[str, Any]) -> int | None:
    """By how much a count went up, where it was told both times."""
    if address not in before or address not in after:
        return None
    return int(after[address] - before[address])


# What is said


def tell(found: Found, console: Console | None = None) -> None:
    """Print the numbers, then the verdict."""
    console = console or Console()
    ways = [("straight", found.straight), ("through the bridge", found.through)]
    table = Table(title=f"latency {found.scheme}: from being sent to being received")
    for heading in ("", *(heading for heading, way in ways if way)):
        table.add_column(heading, justify="right" if heading else "left")
    for row in zip(*(_cells(way) for _, way in ways if way), strict=True):
        table.add_row(row[0][0], *(cell for _, cell in row))
    console.print(table)
    if found.route:
        console.print(f"The bridge's pictures: {found.route}.", markup=False, soft_wrap=True)
    skipped, replaced, between = verdict.shares(found)
    if skipped + replaced + between:
        console.print(
            f"Of those lost through the bridge, it left out {skipped} itself, {replaced} were "
            f"replaced by newer ones at the receiver, and {between} were lost between programs.",
            soft_wrap=True,
        )
    console.print(verdict.verdict(found), markup=False, highlight=False, soft_wrap=True)
    if not verdict.faults(found):
        console.print(verdict.ALIKE, markup=False, highlight=False, soft_wrap=True)


def _cells(way: Passage) -> list[tuple[str, str]]:
    late, age = way.latency, way.age
    return [
        ("ms, half within", f"{late.p50:.1f}" if late else "-"),
        ("ms, 95 of 100", f"{late.p95:.1f}" if late else "-"),
        ("ms, 99 of 100", f"{late.p99:.1f}" if late else "-"),
        ("ms, all", f"{late.max:.1f}" if late else "-"),
        ("ms old when replaced, half", f"{age.p50:.1f}" if age else "-"),
        ("ms old when replaced, all", f"{age.max:.1f}" if age else "-"),
        ("sent a second", f"{way.sent_fps:.2f}"),
        ("received a second", f"{way.received_fps:.2f}"),
        ("cards sent", str(way.sent)),
        ("lost", str(way.gone)),
        ("shown again for want of a new one", str(way.held)),
        ("twice", str(way.duplicated)),
        ("out of order", str(way.backwards)),
        ("upside down", str(way.flipped)),
        ("left for right", str(way.mirrored)),
        ("red and blue swapped", str(way.swapped)),
        ("colours wrong", str(way.discoloured)),
        ("alpha multiplied in", str(way.veiled)),
        ("alpha below 255", str(way.translucent)),
        ("torn", str(way.torn)),
        ("not to be read", str(way.unread)),
        ("levels off, of the worst grey", f"{way.grey:.0f}"),
        ("levels off, of the worst colour", f"{way.off:.0f}"),
    ]


def report(plan: Plan, found: Found, stats: dict[str, Any]) -> dict[str, Any]:
    """All of it, for a file."""
    told = verdict.faults(found)
    skipped, replaced, between = verdict.shares(found)
    return {
        "passed": not told,
        "verdict": verdict.verdict(found),
        "faults": [fault.what for fault in told],
        "plan": asdict(plan),
        "straight": _named(found.straight),
        "through": _named(found.through) if found.through else None,
        "lost": {"by the bridge": skipped, "at the receiver": replaced, "between": between},
        "allowed": {
            "rate": verdict.RATE * found.rate, "lost": verdict.LOST, "p99": found.within,
        },
        "bridge": stats,
        "said": found.said,
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {"firstlight": __version__, "python": platform.python_version()},
    }  # fmt: skip


def _named(way: Passage) -> dict[str, Any]:
    spreads = {"latency": way.latency, "age": way.age}
    named = {name: spread._asdict() if spread else None for name, spread in spreads.items()}
    return asdict(way) | named


def _write(path: str, told: dict[str, Any]) -> None:
    text = json.dumps(told, indent=1) + "\n"
    try:
        Path(path).expanduser().write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Refusal(
            f"--json {path}: could not be written ({problem.strerror}); choose another place."
        ) from problem


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text.lower())
    if match:
        width, height = int(match[1]), int(match[2])
        if all(SMALLEST <= side <= LARGEST and side % 2 == 0 for side in (width, height)):
            return width, height
    sides = f"even sides from {SMALLEST} to {LARGEST}"
    raise Refusal(f"--size {text}: write width x height, such as 640x360, {sides}.")


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """What ends a program otherwise at once ends it in order here, with all that it started."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP", "SIGBREAK")  # the last is Windows' own
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
