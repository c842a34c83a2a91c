"""Survival: every fader thrown to the ends of its range for thousands of frames, and back.

Offline and by chance of a seed. Now and then all faders go back to rest, and the network has three
seconds to be recognisable again.
"""

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from rich.console import Console
from rich.table import Table

from bridge import nets
from bridge.bench.learn import KNOWN, KNOWN_GHOST
from bridge.bench.measure import fitted, frames
from bridge.frame import Frame
from bridge.knob import Knob
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.params import Param
from bridge.space import AddressSpace

CLIP = 450  # frames that are played round and round
MOVE_EVERY = 3  # frames between two moves of a fader
THROWN, RETURN = 410, 90  # frames of hands, and then of none
AT_REST = 0.4  # how many faders are put back rather than thrown
KEPT = ("/net/name", "/learn/on")  # a network that does not learn survives anything


@dataclass(slots=True)
class Survival:
    """What became of one network."""

    returns: list[int | None] = field(default_factory=list)  # frames until it was known again
    broken: int = 0  # pictures made of numbers that are not finite
    megabytes: list[float] = field(default_factory=list)  # resident, at each return
    milliseconds: float = 0.0


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(120, Console().width))
    tuning.keep_memory()
    tuning.use_threads(1)
    size = image.parse_size(options.size or "64x64")
    count = options.frames or 20000
    table = Table(title=f"{count} frames, {size[0]}x{size[1]}, every fader thrown to its ends")
    headings = ("clip", "net", "back within 90 frames", "median", "slowest", "fell back",
                "not finite", "MB at 1/4", "MB at the end", "ms a frame")  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="right")
    for address in options.sources or ["pattern:"]:
        source = fitted(frames(address, CLIP), size)
        for name in options.net or [name for name in nets.NAMES if name != "through"]:
            learner = Learner(name, size, seed=1)
            table.add_row(
                address.rsplit("/", 1)[-1], *_row(learner, survive(learner, source, count))
            )
    console.print(table)


def survive(learner: Learner, source: Sequence[Frame], count: int, seed: int = 1) -> Survival:
    """Play `source` round and round for `count` frames under hands that throw every fader."""
    found, dice, space = Survival(), random.Random(seed), _space(learner)
    rest = space.preset()
    faders = [knob for knob in space if knob.in_presets and knob.address not in KEPT]
    known = KNOWN_GHOST if learner.life.name == "ghost" else KNOWN
    begun = time.perf_counter()
    for number in range(count):
        phase = number % (THROWN + RETURN)
        if phase == THROWN:
            space.recall(rest)
            found.returns.append(None)
            found.megabytes.append(resident())
        elif phase < THROWN and phase % MOVE_EVERY == 0:
            space.set(*_thrown(dice.choice(faders), dice, rest))
        space.apply(number / 30)
        _look(learner, source[number % len(source)], number / 30, found)
        back = found.returns and found.returns[-1] is None and phase >= THROWN
        if back and learner.score.psnr >= known:
            found.returns[-1] = phase - THROWN + 1
    found.milliseconds = (time.perf_counter() - begun) / count * 1e3
    return found


def _space(learner: Learner) -> AddressSpace:
    space = AddressSpace()
    for group, owner in learner.knobs():
        space.add(group, owner)
    return space


def _thrown(
    knob: Knob, dice: random.Random, rest: Mapping[str, object]
) -> tuple[str, list[object]]:
    """Where a fader goes: its address, and its value at rest or at one of its ends."""
    declared = knob.declared
    assert isinstance(declared, Param)
    if dice.random() < AT_REST or knob.kind == "text":
        return knob.address, [rest[knob.address]]
    ends = (False, True) if knob.kind == "bool" else (declared.min, declared.max)
    return knob.address, [dice.choice(declared.choices or ends)]


def _look(learner: Learner, frame: Frame, now: float, found: Survival) -> None:
    learner.look(learner.see(frame, now))
    assert learner._y is not None
    found.broken += not bool(torch.isfinite(learner._y).all())
    learner.learn()


def resident() -> float:
    """Megabytes that this process holds in memory; 0 where the system has no /proc to tell."""
    try:
        with open("/proc/self/status") as file:
            held = next(line for line in file if line.startswith("VmRSS"))
    except OSError:
        return 0.0
    return int(held.split()[1]) / 1e3


def _row(learner: Learner, found: Survival) -> list[str]:
    times = sorted(r for r in found.returns if r is not None)
    early = found.megabytes[len(found.megabytes) // 4] if found.megabytes else 0.0
    return [
        learner.life.name,
        f"{len(times)} of {len(found.returns)}",
        str(times[len(times) // 2]) if times else "never",
        str(times[-1]) if times else "never",
        str(learner.score.rollbacks),
        str(found.broken),
        f"{early:.0f}",
        f"{found.megabytes[-1] if found.megabytes else 0.0:.0f}",
        f"{found.milliseconds:.1f}",
    ]
