"""What each fader does: moved alone over its whole range and back, on a network that runs.

Every knob begins from the same network, taught by 150 frames. It is held for 40 at its top and for
40 at its bottom; then it goes from where it rests to its top, to its bottom and back, and the
network has three seconds with everything at rest. Offline, so that a figure can be made again. The
first row is nobody's: weights a millionth off, for how far two lives part by themselves.
"""

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from bridge import video
from bridge.bench.measure import fitted, frames
from bridge.frame import Frame
from bridge.knob import Knob
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.params import Param
from bridge.space import AddressSpace

TAUGHT, HELD, SWEPT, RESTED = 150, 40, 90, 90  # frames
HEALED = 18.0  # dB that a network is to reach at rest
NETS = ("paint", "ghost")  # a knob is moved on the first of these that has it
PEN, OUTLINE = {"/see/drawing": "threshold"}, {"/see/drawing": "canny"}
WITH: dict[str, dict[str, Any]] = {  # what else a knob needs
    "/learn/budget": {"/learn/steps": 16},
    "/see/canny_t1": OUTLINE, "/see/canny_t2": OUTLINE,
    "/see/threshold_block": PEN, "/see/threshold_c": PEN, "/see/pencil": PEN,
}  # fmt: skip
BUDGETED = 1.0  # seconds a frame while the budget is what holds the steps back
NUDGE = 1e-6
WIDTH = 130  # of the table


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    tuning.keep_memory()
    tuning.use_threads(tuning.OFFLINE_THREADS)
    size = image.parse_size(options.size or "320x192")
    sender = video.open_sender(options.out, live=False, rate=30.0) if options.out else None
    for address in options.sources or ["pattern:"]:
        source = fitted(frames(address, TAUGHT + SWEPT + RESTED), size)
        taught = [Taught(name, size, source) for name in options.net or NETS]
        table, strips = _table(address.rsplit("/", 1)[-1]), []
        table.add_row(*taught[0].nobody())
        for one, knob in _knobs(taught):
            table.add_row(*one.row(knob))
            strips.append(np.hstack(one.strip))
        console.print(table)
        if sender:
            sheet = np.ascontiguousarray(np.vstack(strips))
            sender.send(Frame(sheet, "bgra", 0.0))
    if sender:
        sender.close()
        console.print("the sheet has a row a knob: untouched, at the bottom, at the top")
    console.print(
        "/system's are moved in the tests. `off`: mean difference, in levels of 255, from the"
        " picture that the same network makes untouched."
    )


def _table(clip: str) -> Table:
    table = Table(title=f"each knob alone, held at its ends, then over its range and back: {clip}")
    for heading in (
        "knob", "on", "bottom", "dB", "off", "top", "dB", "off", "worst in travel", "18 dB after",
        "dB at rest", "untouched",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("knob", "on") else "right")
    return table


def _knobs(taught: Sequence["Taught"]) -> Iterator[tuple["Taught", Knob]]:
    """Every knob once, with the first network that is moved by it."""
    met = set()
    for one in taught:
        for knob in one.space:
            here = knob.active or knob.address in WITH
            if knob.access == "rw" and here and knob.address not in met:
                met.add(knob.address)
                yield one, knob


def travel(knob: Knob, count: int) -> list[Any]:
    """`count` values of a knob: from its rest to its top, to its bottom and back."""
    declared = knob.declared
    assert isinstance(declared, Param)
    if knob.kind in ("float", "int"):
        rest, leg = declared.to_norm(declared.default), count // 3
        norms = [
            begin + (end - begin) * step / leg
            for begin, end in itertools.pairwise((rest, 1.0, 0.0, rest))
            for step in range(1, leg + 1)
        ]
        return [declared.clipped(declared.coerce(declared.from_norm(norm))) for norm in norms]
    whole = declared.choices or (not declared.default, declared.default)
    return [whole[step * len(whole) // count] for step in range(count)]


class Taught:
    """A network that has learnt, to begin from again and again."""

    def __init__(self, name: str, size: tuple[int, int], source: Sequence[Frame]) -> None:
        self.name, self.learner, self.space = name, Learner(name, size, seed=1), AddressSpace()
        for group, owner in self.learner.knobs():
            self.space.add(group, owner)
        for frame in source[:TAUGHT]:
            self._turn(frame)
        self._source = source[TAUGHT:]
        life = self.learner.life
        self._life = life
        self._held = [t.clone() for t in self._tensors()], vars(life.moments).copy()
        untouched = [(self._turn(frame)[0], life.psnr) for frame in self._source]
        self._shown = [picture for picture, _ in untouched]
        self._untouched = statistics.mean(level for _, level in untouched[-10:])

    def row(self, knob: Knob) -> list[str]:
        """The knob's line of the table."""
        bottom, top = _ends(knob)
        self.strip = [self._shown[HELD - 1].numpy()]
        held = [cell for end in (bottom, top) for cell in (_said(end), *self._hold(knob, end))]
        self._begin(knob)
        worst = math.inf
        for number, value in enumerate(travel(knob, SWEPT)):
            self.space.assign(knob.address, value)
            self._turn(self._source[number], knob.name == "budget")
            worst = min(worst, self.learner.score.psnr)
        return [knob.address, self.name, *held, f"{worst:.1f}", *self._after()]

    def nobody(self) -> list[str]:
        """The line for no knob at all, from weights a millionth off."""
        self._begin()
        self.learner.weights.flat.mul_(1 + NUDGE)
        levels, apart = self._play(HELD)
        for frame in self._source[HELD:SWEPT]:
            self._turn(frame)
        cells = ["", f"{statistics.mean(levels[-10:]):.1f}", f"{apart:.1f}"]
        return ["nobody", self.name, *cells, *[""] * 3, "", *self._after()]

    def _hold(self, knob: Knob, value: Any) -> list[str]:
        """dB and difference after the knob has stood at `value`."""
        self._begin(knob)
        self.space.assign(knob.address, value)
        levels, apart = self._play(HELD, knob.name == "budget")
        assert self.learner.last is not None
        self.strip.append(self.learner.last.numpy())
        return [f"{statistics.mean(levels[-10:]):.1f}", f"{apart:.1f}"]

    def _play(self, count: int, budgeted: bool = False) -> tuple[list[float], float]:
        """dB of each frame, and the mean difference of the last ten pictures."""
        levels, apart = [], []
        for number in range(count):
            picture, _ = self._turn(self._source[number], budgeted)
            levels.append(self.learner.score.psnr)
            apart.append(_apart(picture, self._shown[number]))
        return levels, statistics.mean(apart[-10:])

    def _after(self) -> list[str]:
        """At rest again: the first frame of 18 dB, and where it ends."""
        self._rest()
        levels = []
        for frame in self._source[SWEPT:]:
            self._turn(frame)
            levels.append(self.learner.score.psnr)
        again = next((i + 1 for i, level in enumerate(levels) if level >= HEALED), None)
        return [
            str(again or "never"), f"{statistics.mean(levels[-10:]):.1f}", f"{self._untouched:.1f}"
        ]  # fmt: skip

    def _turn(self, frame: Frame, budgeted: bool = False) -> tuple[Tensor, int]:
        picture = self.learner.look(self.learner.see(frame))
        return picture, self.learner.learn(time.perf_counter() + BUDGETED if budgeted else None)

    def _tensors(self) -> list[Tensor]:
        moments = self.learner.life.moments
        return [self.learner.weights.flat, moments.first, moments.second, moments.lengths]

    @torch.no_grad()
    def _begin(self, knob: Knob | None = None) -> None:
        """The taught network again, whatever has become of it, and what `knob` needs beside it."""
        self._rest()
        self.learner.see(self._source[0])  # follows the name back
        tensors, numbers = self._held
        for into, kept in zip(self._tensors(), tensors, strict=True):
            into.copy_(kept)
        self._life.moments.aged, self._life.moments.measured = numbers["aged"], numbers["measured"]
        self.learner.weights.publish()
        for address, value in WITH.get(knob.address if knob else "", {}).items():
            self.space.assign(address, value)

    def _rest(self) -> None:
        for knob in self.space:
            if isinstance(knob.declared, Param):
                name = knob.address == "/net/name"
                self.space.assign(knob.address, self.name if name else knob.declared.default)


def _ends(knob: Knob) -> tuple[Any, Any]:
    """The least and the most; of a choice, the first and the last that are not its default."""
    declared = knob.declared
    assert isinstance(declared, Param)
    if declared.choices:
        others = [choice for choice in declared.choices if choice != declared.default]
        return others[0], others[-1]
    return (False, True) if knob.kind == "bool" else (declared.min, declared.max)


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float())[..., :3].abs().mean())


def _said(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
