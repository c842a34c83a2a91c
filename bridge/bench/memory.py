"""How well it remembers: one clip, then another, then the first again, for several shares.

`firstlight bench memory A.mp4 B.mp4`. What is measured and how is `bench/retention.py`'s word;
beside it what a sceptic asks for, and what remembering costs. Offline, one step a frame, every
other knob at rest. Without clips the built-in scene is A and, from a later cut on, B. The curves
are drawn to a PNG (`--out`), with the extra `plots`.
"""

import argparse
import importlib
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from rich.console import Console
from rich.table import Table

from bridge import Refusal
from bridge.bench import baselines, meeting, retention
from bridge.bench.measure import fitted, frames
from bridge.bench.retention import Clip, Course
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75)
SEEDS = (1, 2, 3)
SIZE, FRAMES = "160x96", 450
SCENE = 210  # frames from one cut of the built-in scene to the next
CONSTANTS = (30, 300)  # frames: of the moving averages
COSTLY, COST_SIZE = ("paint", "ghost"), "320x192"
WIDTH = 160  # of the tables

Lines = dict[str, list[float]]  # of A: one level, or one for each look at the probes


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    tuning.keep_memory()
    tuning.use_threads(1)  # at this size a second one gains nothing, and on a busy machine it waits
    size = image.parse_size(options.size or SIZE)
    names = options.net or ["ghost"]
    paths = _paths(options.out or "memory.png", names)
    count = -(-(options.frames or FRAMES) // retention.PROBED) * retention.PROBED
    a, b = _clips(options.sources, size, count)
    for name, path in zip(names, paths, strict=True):
        with console.status(f"{name}: {a.name}, then {b.name}") as status:
            courses = {
                share: [_lived(name, size, a, b, share, seed, status.update) for seed in SEEDS]
                for share in SHARES
            }
            table, lines = _sceptics(name, size, a, b)
        console.print(shares(f"{name} {size[0]}x{size[1]}, {_told(a, b)}", courses))
        console.print(table)
        console.print(_drawn(name, size, (a, b), courses, lines, path), markup=False)
    cost_size = image.parse_size(options.size or COST_SIZE)
    for name in options.net or COSTLY:
        console.print(meeting.costs(name, cost_size, fitted(meeting.pictures(a, b), cost_size)))


def _paths(out: str, names: Sequence[str]) -> list[Path]:
    """Where each network's plot goes: looked at now, not after minutes of work."""
    path = Path(out)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise Refusal(f"--out {out}: write the name of a PNG in a folder that is there: memory.png")
    if len(names) == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{name}{path.suffix}") for name in names]


def _clips(addresses: Sequence[str], size: tuple[int, int], count: int) -> tuple[Clip, Clip]:
    length = retention.to_read(count)
    if not addresses:
        later = -(-length // SCENE) * SCENE  # B shares no scene with A
        names = ["pattern:", f"pattern: from {later}"]
        scene = frames(f"pattern:{size[0]}x{size[1]}", later + length)
        sources = [scene[:length], scene[later:]]
    elif len(addresses) == 2:
        names = [address.rsplit("/", 1)[-1] for address in addresses]
        sources = [fitted(frames(address, length), size) for address in addresses]
    else:
        raise Refusal(
            "bench memory takes two clips, one to be remembered and one to play after it:"
            " firstlight bench memory A.mp4 B.mp4"
        )
    a, b = retention.clips(names, sources, count)
    return a, b


def _told(a: Clip, b: Clip) -> str:
    return f"{len(a.learnt)} frames of {a.name}, then {len(b.learnt)} of {b.name}, then A again"


class Living:
    """A network that lives, as a pupil."""

    def __init__(self, name: str, size: tuple[int, int], share: float, seed: int) -> None:
        self.learner = Learner(name, size, seed=seed)
        self.learner.memory.share = share
        self.score_of = self.learner.score_of

    def learn(self, frame: Frame) -> None:
        self.learner.look(self.learner.see(frame))
        self.learner.learn()


def _lived(
    name: str,
    size: tuple[int, int],
    a: Clip,
    b: Clip,
    share: float,
    seed: int,
    tell: Callable[[str], object],
) -> Course:
    tell(f"{name}: {a.name}, {b.name}, {a.name}; share {share:g}, seed {seed} of {len(SEEDS)}")
    return retention.walk(Living(name, size, share, seed), a, b)


# What is kept


def shares(title: str, courses: dict[float, list[Course]]) -> Table:
    """A line for each share of the memory."""
    table = Table(
        title=f"what is kept, {title}: dB over held-out frames, mean of {len(SEEDS)} seeds ± the"
        " farthest"
    )
    sooner = [f"{part:.0%} {what}" for part in retention.RELEARNT for what in ("in", "savings")]
    for heading in (
        "share", "A after A", "A while B", "A after B", "fall", "B after B", "half-life", *sooner,
        "largest drop",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for share, lives in courses.items():
        cells = [_times(lives, part) for part in retention.RELEARNT]
        table.add_row(
            f"{share:g}",
            _seeds([life.known for life in lives]),
            _seeds([life.meanwhile for life in lives]),
            _seeds([life.kept for life in lives]),
            _seeds([life.fall for life in lives]),
            _seeds([life.other for life in lives]),
            _seeds([life.half_life for life in lives], "{:.0f}"),
            *(cell for pair in cells for cell in pair),
            _seeds([life.drop for life in lives]),
        )
    blank = _seeds([life.blank for lives in courses.values() for life in lives])
    table.caption = (
        f"Blank: {blank} dB of A. After: the mean of the last second. Half-life: frames until half"
        " of what A gained over blank is lost. In: frames until that part of it is there, from"
        " blank and from B's end. Largest drop: from one look at the probes to the"
        f" next, {retention.PROBED} frames, while B plays."
    )
    return table


def _times(lives: Sequence[Course], part: float) -> tuple[str, str]:
    """Frames to know A, the first time and the second, and what that saves."""
    first, second = zip(*(life.times(part) for life in lives), strict=True)
    saved = _seeds([life.savings(part) for life in lives], "{:.0%}").replace("never", "none")
    return f"{_seeds(first, '{:.0f}', False)}, {_seeds(second, '{:.0f}', False)}", saved


def _seeds(values: Sequence[float | None], form: str = "{:.1f}", spread: bool = True) -> str:
    """ "mean ±farthest", or without `spread` the mean; where a seed never came there, each."""
    there = [value for value in values if value is not None]
    if not there:
        return "never"
    if len(there) < len(values):
        return " / ".join("never" if v is None else form.format(v) for v in values)
    mean = statistics.mean(there)
    farthest = form.format(max(abs(value - mean) for value in there))
    return f"{form.format(mean)} ±{farthest}" if spread else form.format(mean)


# What a sceptic asks for


def _sceptics(name: str, size: tuple[int, int], a: Clip, b: Clip) -> tuple[Table, Lines]:
    table = Table(title=f"beside it, {size[0]}x{size[1]}: dB over the same held-out frames")
    for heading in ("", "A after A", "A after B", "B after B"):
        table.add_column(heading, justify="right" if heading else "left")
    lines: Lines = {}
    mean = baselines.mean_picture(a.learnt)
    of_a, of_b = (f"{baselines.against_one(mean, asked):.1f}" for asked in (a, b))
    table.add_row("mean of all frames of A", of_a, of_a, of_b)
    lines["mean of A"] = [baselines.against_one(mean, a)]
    for constant in CONSTANTS:
        course = retention.walk(baselines.MovingAverage(size, constant), a, b)
        levels = (course.known, course.kept, course.other)
        table.add_row(f"moving average, {constant} frames", *(f"{level:.1f}" for level in levels))
        lines[f"moving average, {constant} frames"] = _along(course)
    mixed = [_shuffled(name, size, a, b, seed) for seed in SEEDS]
    of_a, of_b = (_seeds(levels) for levels in zip(*mixed, strict=True))
    table.add_row(f"{name}, the frames of A and B shuffled", "", of_a, of_b)
    lines["shuffled"] = [statistics.mean(level for level, _ in mixed)]
    bits = baselines.code_bits(name, size)
    if bits:
        small = baselines.thumbnail_size(size, bits)
        what = f"thumbnail of {small[0]}x{small[1]}, {small[0] * small[1] * baselines.DEEP} bits"
        _add_codec(table, lines, what, a, b, lambda seen: baselines.thumbnail(seen, small))
        codec = _extra("jpeg")
        if codec:
            what = f"JPEG of {bits} bits and its headers"
            _add_codec(table, lines, what, a, b, lambda seen: codec.within(seen, bits))
    table.caption = (
        f"The code of {name} is {bits // baselines.WORD} numbers, {bits} bits. Thumbnail and JPEG"
        " are made of the very frame that is asked for: they recall nothing."
    )
    return table, lines


def _along(course: Course) -> list[float]:
    first, second, third = course.of_a
    return [*first, *second[1:], *third[1:]]


def _add_codec(
    table: Table,
    lines: Lines,
    what: str,
    a: Clip,
    b: Clip,
    shown: Callable[[np.ndarray], np.ndarray | None],
) -> None:
    """A line for what needs the frame itself to show it."""
    levels = []
    for asked in (a, b):
        seen = [baselines.levels(frame) for frame in asked.probes]
        made = [shown(picture) for picture in seen]
        pairs = [(one, other) for one, other in zip(made, seen, strict=True) if one is not None]
        if len(pairs) < len(seen):
            return  # too few bits for a JPEG of any size
        levels.append(statistics.mean(baselines.decibels(*pair) for pair in pairs))
    table.add_row(what, f"{levels[0]:.1f}", f"{levels[0]:.1f}", f"{levels[1]:.1f}")
    lines[what.split(",")[0].removesuffix(" and its headers")] = [levels[0]]


def _shuffled(name: str, size: tuple[int, int], a: Clip, b: Clip, seed: int) -> tuple[float, float]:
    """dB of A and of B after as many steps, when all frames came in no order: there is nothing to
    forget."""
    pupil = Living(name, size, 0.0, seed)
    mixed = [*a.learnt, *b.learnt]
    random.Random(seed).shuffle(mixed)
    looks: list[tuple[float, float]] = []
    for number, frame in enumerate(mixed, 1):
        pupil.learn(frame)
        left = len(mixed) - number
        if left % retention.PROBED == 0 and left < retention.LAST * retention.PROBED:
            looks.append((retention.level(pupil, a), retention.level(pupil, b)))
    of_a, of_b = zip(*looks, strict=True)
    return statistics.mean(of_a), statistics.mean(of_b)


# What can be done without


def _drawn(
    name: str,
    size: tuple[int, int],
    clips: tuple[Clip, Clip],
    courses: dict[float, list[Course]],
    lines: Lines,
    path: Path,
) -> str:
    """Draw the curves; answers what to tell."""
    plots = _extra("plots")
    if plots is None:
        return "no plot, and no JPEG above: python -m pip install matplotlib pillow brings both"
    a, b = clips
    plots.retention(
        f"{name} {size[0]}×{size[1]}: what it keeps of {a.name} while {b.name} plays",
        (a.name, b.name),
        len(a.learnt),
        {f"share {share:g}": [_along(life) for life in lives] for share, lives in courses.items()},
        lines,
        path,
    )
    return f"drawn to {path}"


def _extra(module: str) -> ModuleType | None:
    """A bench's module that needs a package of the extra `plots`, if that is installed."""
    try:
        return importlib.import_module(f"bridge.bench.{module}")
    except ImportError:
        return None
