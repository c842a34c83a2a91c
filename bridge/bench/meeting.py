"""What remembering costs: the picture's latency and the step after it, with and without a memory.

In turns in one run, on networks whose memories have met pictures from the whole of both clips.
Meeting one more is timed by itself: it happens four times a second, and no median would show it.
"""

import random
import statistics
import time
from collections.abc import Sequence

from rich.table import Table
from torch import Tensor

from bridge.bench.measure import spread
from bridge.bench.retention import Clip
from bridge.frame import Frame
from bridge.learn import memory
from bridge.learn.learner import Learner
from bridge.learn.memory import ReplayMemory

COUNTS = (1, 2, 3)  # of remembered pictures a step
SHARE = 0.5
ROUNDS, TURNS, WARM = 12, 16, 4  # in each round the first turns are left out


class Forgetful(ReplayMemory):
    """No memory at all: what a step takes without one."""

    def meet(self, x: Tensor, patch: int, error: float, now: float) -> None:
        """Nothing is met."""


def costs(name: str, size: tuple[int, int], source: Sequence[Frame]) -> Table:
    """Milliseconds of a picture and of a step: without a memory, at share 0, and with COUNTS
    remembered pictures a step (fewer, and told so, where the source has no more)."""
    contenders = {"no memory": _taught(name, size, source, 0)}
    contenders["no memory"].memory = Forgetful(
        size, contenders["no memory"].device, random.Random()
    )
    for count in (0, *COUNTS):
        one = _taught(name, size, source, count)
        there = min(count, len(one.memory))
        contenders[f"{there} remembered" if count else "share 0"] = one
    times: dict[str, list[tuple[float, float]]] = {what: [] for what in contenders}
    for _ in range(ROUNDS):
        for what, learner in contenders.items():
            times[what] += [_timed(learner, frame) for frame in source[:TURNS]][WARM:]
    table = _table(f"{name} {size[0]}x{size[1]}", times)
    met = spread(_meetings(contenders["share 0"], source)).strip()
    table.caption = (
        "A step is see, look and learn without a memory. Meeting a picture, four times a second,"
        f" in learn: {met}"
    )
    return table


def pictures(a: Clip, b: Clip) -> list[Frame]:
    """From the whole of both clips, as many as a memory holds and no fewer, if they have them."""
    both = [*a.learnt, *b.learnt]
    return both[:: max(1, len(both) // ReplayMemory.size.default)]


def _taught(name: str, size: tuple[int, int], source: Sequence[Frame], count: int) -> Learner:
    """A network that has met every picture, as over a show, to meet `count` again in each step."""
    learner = Learner(name, size, seed=1)
    for number, frame in enumerate(source):
        learner.memory.meet(learner.see(frame), learner.net.patch, 1.0, number * memory.EVERY)
    learner.memory.share, learner.memory.frames = (SHARE if count else 0.0), count
    return learner


def _timed(learner: Learner, frame: Frame) -> tuple[float, float]:
    """Milliseconds until the picture can leave, and of the learning after it."""
    begun = time.perf_counter()
    learner.look(learner.see(frame))
    seen = time.perf_counter()
    learner.learn()
    return (seen - begun) * 1e3, (time.perf_counter() - seen) * 1e3


def _meetings(learner: Learner, source: Sequence[Frame]) -> list[float]:
    """Milliseconds of each meeting, when it is time for one in every frame."""
    times = []
    for number, frame in enumerate(source, 1):
        x, now = learner.see(frame), learner.now + number * memory.EVERY
        begun = time.perf_counter()
        learner.memory.meet(x, learner.net.patch, 1.0, now)
        times.append((time.perf_counter() - begun) * 1e3)
    return times


def _table(title: str, times: dict[str, list[tuple[float, float]]]) -> Table:
    table = Table(title=f"what it costs, {title}: ms, median (5 % .. 95 %)")
    for heading in ("", "see and look", "learn", "more", "of a step"):
        table.add_column(heading, justify="right" if heading else "left")
    columns = {what: tuple(zip(*pairs, strict=True)) for what, pairs in times.items()}
    look, learn = (statistics.median(column) for column in columns["no memory"])
    for what, (looks, learns) in columns.items():
        more = statistics.median(learns) - learn
        table.add_row(
            what, spread(looks), spread(learns), f"{more:.2f}", f"{more / (look + learn):.0%}"
        )  # fmt: skip
    return table
