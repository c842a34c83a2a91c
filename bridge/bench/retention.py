"""What is kept of a clip while another plays: A, then B, then A again.

Every fifteenth picture of each clip is held out: a probe, never learnt from, and asked for every
ten frames. What is kept is the mean dB over a clip's probes, and at a phase's end the mean over its
last second, because living weights shake by several dB from one frame to the next. Whatever learns
a frame and can say how well it would show another can be walked through: a network, or a baseline.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from typing import Protocol

from bridge import Refusal
from bridge.frame import Frame

EVERY = 15  # of so many different pictures one is a probe
PROBED = 10  # frames from one look at the probes to the next
LAST = 3  # looks in a phase's last second
RELEARNT = 0.75, 0.9  # of the dB that A had gained over blank at the end of its first phase
HARDLY = 1.0  # dB of gain, below which there is nothing to be learnt again


@dataclass(frozen=True)
class Clip:
    name: str
    learnt: Sequence[Frame]
    probes: Sequence[Frame]


class Pupil(Protocol):
    def learn(self, frame: Frame) -> None: ...

    def score_of(self, frame: Frame) -> float:
        """dB of what it would show of this frame; it must not learn from it."""


@dataclass(frozen=True)
class Course:
    """Mean dB over the probes of A and of B, by phase (A, B, A again), every PROBED frames. A
    phase's first is what the one before it ended with."""

    of_a: tuple[list[float], list[float], list[float]]
    of_b: tuple[list[float], list[float], list[float]]

    @property
    def blank(self) -> float:
        """dB of A before anything was learnt."""
        return self.of_a[0][0]

    @property
    def known(self) -> float:
        """dB of A after A."""
        return at_end(self.of_a[0])

    @property
    def kept(self) -> float:
        """dB of A after B."""
        return at_end(self.of_a[1])

    @property
    def meanwhile(self) -> float:
        """dB of A over the whole of B."""
        return statistics.mean(self.of_a[1][1:])

    @property
    def fall(self) -> float:
        """dB of A that B has cost."""
        return self.known - self.kept

    @property
    def other(self) -> float:
        """dB of B after B."""
        return at_end(self.of_b[1])

    @property
    def half_life(self) -> float | None:
        """Frames of B until half of what A had gained over blank is lost, by the mean over a
        second; None if it never is."""
        chain = self.of_a[0][-LAST:] + self.of_a[1][1:]
        steady = [statistics.mean(chain[i : i + LAST]) for i in range(len(chain) - LAST + 1)]
        half = (self.blank + self.known) / 2
        return _reached([-level for level in steady], -half)

    def times(self, part: float) -> tuple[float | None, float | None]:
        """Frames until A had `part` of what it had gained over blank: from blank, and from B's end;
        None if it never had."""
        wanted = self.blank + part * (self.known - self.blank)
        return _reached(self.of_a[0], wanted), _reached(self.of_a[2], wanted)

    def savings(self, part: float) -> float | None:
        """How much sooner A was known to `part` the second time, as a share of the first
        (Ebbinghaus 1885): 1 is at once, 0 no sooner, below 0 later; None if it was not, or had
        hardly been learnt at all."""
        first, second = self.times(part)
        if self.known - self.blank < HARDLY or not first or second is None:
            return None
        return 1 - second / first

    @property
    def drop(self) -> float:
        """The largest loss of A, in dB, from one look to the next, while B played."""
        return max(before - after for before, after in pairwise(self.of_a[1]))


def clips(names: Sequence[str], sources: Sequence[Sequence[Frame]], count: int) -> tuple[Clip, ...]:
    """`count` frames of each source to learn from, going round if there are fewer, and its probes.

    A picture that comes again, in a clip that goes round or in the other one, is what it was the
    first time: no probe is ever met. Raises Refusal where there are too few different pictures.
    """
    held: dict[bytes, bool] = {}
    return tuple(
        _clip(name, source, count, held) for name, source in zip(names, sources, strict=True)
    )


def _clip(name: str, source: Sequence[Frame], count: int, held: dict[bytes, bool]) -> Clip:
    probes: dict[bytes, Frame] = {}
    different: set[bytes] = set()
    learnt = []
    for frame in source:
        picture = frame.pixels.tobytes()
        if held.setdefault(picture, len(different) % EVERY == EVERY // 2):
            probes.setdefault(picture, frame)
        else:
            learnt.append(frame)
        different.add(picture)
    if not probes:
        raise Refusal(
            f"{name}: memory cannot be measured with {len(different)} different pictures; choose a"
            f" clip that moves, or ask for more --frames (it takes {EVERY // 2 + 1})."
        )
    return Clip(name, list(islice(cycle(learnt), count)), list(probes.values()))


def to_read(count: int) -> int:
    """Frames of a source that hold `count` to learn from, and the probes."""
    return -(-count * EVERY // (EVERY - 1)) + EVERY


def walk(pupil: Pupil, a: Clip, b: Clip) -> Course:
    """Through A, B, and A again until it is known as it was; no less than a third of the last
    phase is played, so that there is something to see."""
    course = Course(([], [], []), ([], [], []))
    for phase, played in enumerate((a, b, a)):
        of_a, of_b = course.of_a[phase], course.of_b[phase]
        least = len(played.learnt) // 3
        for begin in range(0, len(played.learnt), PROBED):
            of_a.append(level(pupil, a))
            of_b.append(level(pupil, b))
            if phase == 2 and begin >= least and course.times(max(RELEARNT))[1] is not None:
                break
            for frame in played.learnt[begin : begin + PROBED]:
                pupil.learn(frame)
        else:
            of_a.append(level(pupil, a))
            of_b.append(level(pupil, b))
    return course


def level(pupil: Pupil, asked: Clip) -> float:
    """Mean dB over a clip's probes."""
    return statistics.mean(pupil.score_of(frame) for frame in asked.probes)


def at_end(levels: Sequence[float]) -> float:
    """The mean over the last second."""
    return statistics.mean(levels[-LAST:])


def _reached(levels: Sequence[float], wanted: float) -> float | None:
    """Frames until a curve first is at or above `wanted`, between two looks by a straight line."""
    if levels[0] >= wanted:
        return 0.0
    for number, (before, after) in enumerate(pairwise(levels)):
        if after >= wanted:
            return PROBED * (number + (wanted - before) / (after - before))
    return None
