"""How well: decibels from blank, under every rule, and what a burst of the learning rate does.

Offline, so that a figure can be made again: one step a frame, default knobs, the same seed.
"""

import argparse
import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bridge import nets
from bridge.bench.measure import fitted, frames
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.learn.optimiser import SCALE

BEFORE, BURST, AFTER = 200, 45, 150  # frames of the burst's three parts
BURST_RATE = 0.1
RULED = 90  # frames under each rule
WIDTH = 120  # of the tables
KNOWN, KNOWN_GHOST = 18.0, 15.0  # dB at which a picture can be recognised


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    tuning.keep_memory()
    tuning.use_threads(tuning.OFFLINE_THREADS)
    size = image.parse_size(options.size or "320x192")
    count = options.frames or 450
    names = options.net or [name for name in nets.NAMES if name != "through"]
    waking, bursts, rules = _waking_table(count), _burst_table(), _rules_table()
    for address in options.sources or ["pattern:"]:
        longest = max(count, BEFORE + BURST + AFTER)
        source = fitted(frames(address, longest), size)
        for name in names:
            waking.add_row(address.rsplit("/", 1)[-1], name, *_waking(name, size, source[:count]))
            bursts.add_row(address.rsplit("/", 1)[-1], name, *_burst(name, size, source))
            rules.add_row(address.rsplit("/", 1)[-1], name, *_ruled(name, size, source[:RULED]))
    console.print(waking)
    console.print(rules)
    console.print(bursts)


def decibels(learner: Learner, source: Sequence[Frame]) -> list[float]:
    """dB of each frame, before it is learnt from."""
    curve = []
    for frame in source:
        learner.look(learner.see(frame))
        learner.learn()
        curve.append(learner.score.psnr)
    return curve


def _waking_table(count: int) -> Table:
    table = Table(title=f"from blank, one step a frame, {count} frames: dB")
    for heading in ("clip", "net", "first 20 dB", "30", "60", "150", "last 100"):
        table.add_column(heading, justify="right")
    return table


def _waking(name: str, size: tuple[int, int], source: Sequence[Frame]) -> list[str]:
    curve = decibels(Learner(name, size, seed=1), source)
    first = next((str(i + 1) for i, d in enumerate(curve) if d >= 20), "never")
    at = [f"{curve[i - 1]:.1f}" for i in (30, 60, 150) if i <= len(curve)]
    return [first, *at, f"{statistics.mean(curve[-100:]):.1f}"]


def _rules_table() -> Table:
    title = f"rules at the default rate: first frame of {KNOWN:.0f} dB (ghost {KNOWN_GHOST:.0f}),"
    table = Table(title=f"{title} and dB of the last 10 of {RULED}")
    for heading in ("clip", "net", *SCALE):
        table.add_column(heading, justify="right")
    return table


def _ruled(name: str, size: tuple[int, int], source: Sequence[Frame]) -> list[str]:
    cells = []
    for rule in SCALE:
        learner = Learner(name, size, seed=1)
        learner.optimiser.rule = rule
        curve = decibels(learner, source)
        known = KNOWN_GHOST if name == "ghost" else KNOWN
        first = next((str(i + 1) for i, d in enumerate(curve) if d >= known), "never")
        cells.append(f"{first} / {statistics.mean(curve[-10:]):.1f}")
    return cells


def _burst_table() -> Table:
    table = Table(title=f"a burst of /learn/rate {BURST_RATE} for {BURST} frames: dB")
    for heading in ("clip", "net", "before", "worst in it", "+15", "+30", "+75", "+150"):
        table.add_column(heading, justify="right")
    return table


def _burst(name: str, size: tuple[int, int], source: Sequence[Frame]) -> list[str]:
    learner = Learner(name, size, seed=1)
    usual = learner.optimiser.rate
    before = decibels(learner, source[:BEFORE])
    learner.optimiser.rate = BURST_RATE
    during = decibels(learner, source[BEFORE : BEFORE + BURST])
    learner.optimiser.rate = usual
    after = decibels(learner, source[BEFORE + BURST :][:AFTER])
    at = [statistics.mean(after[i - 5 : i]) for i in (15, 30, 75, 150)]
    levels = [statistics.mean(before[-15:]), min(during), *at]
    return [f"{level:.1f}" for level in levels]
