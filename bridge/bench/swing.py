"""Points of oscillation: settings at which a network swings steadily instead of converging.

Random settings of rule, rate, momentum, second and trust are played on every clip, small and
offline. A setting is as good as its worst clip: how far the strongest wave in the loss stands over
the waves beside it, in both halves of what was played. `--preset` measures one that is known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bridge.frame import Frame
from bridge.learn.learner import Learner

WARM, HEARD = 150, 300  # frames before the waves are looked at, and while
SHORTEST, LONGEST = 4.0, 100.0  # frames a period
BESIDE = 12  # neighbouring waves on each side, beyond the peak's own two
TRIED = 200  # settings
SHOWN = 20  # of them


@dataclass
class Wave:
    """The strongest wave in a curve: frames a period, its power over the median of its
    neighbours', and its swing from the middle, in the curve's own unit."""

    period: float
    stands_out: float
    swing: float


@dataclass
class Trace:
    """What one setting did to one clip, a number a frame."""

    loss: list[float] = field(default_factory=list)
    light: list[float] = field(default_factory=list)  # of the picture less the frame's, in levels
    decibels: list[float] = field(default_factory=list)


def play(learner: Learner, source: Sequence[Frame], settle: int = 0) -> Trace:
    """Play the frames; the first `settle` are not written down."""
    trace = Trace()
    for number, frame in enumerate(source):
        picture = learner.look(learner.see(frame))
        learner.learn()
        if number >= settle:
            trace.loss.append(math.log(max(learner.score.loss, 1e-9)))
            made, seen = float(picture[..., :3].float().mean()), float(frame.pixels[..., :3].mean())
            trace.light.append(made - seen)
            trace.decibels.append(learner.score.psnr)
    return trace


def strongest(curve: Sequence[float]) -> Wave:
    """The strongest wave between SHORTEST and LONGEST frames a period."""
    values = np.asarray(curve, float)
    count = len(values)
    slow = np.polynomial.Polynomial.fit(np.arange(count), values, 3)(np.arange(count))
    values = (values - slow) * np.hanning(count)
    power = np.abs(np.fft.rfft(values, 4 * count)) ** 2  # four times as fine, for the period
    low, high = math.ceil(4 * count / LONGEST), math.floor(4 * count / SHORTEST)
    peak = low + int(np.argmax(power[low:high]))
    beside = np.r_[
        power[max(low, peak - 4 * (BESIDE + 2)) : max(low, peak - 8)],
        power[peak + 8 : peak + 4 * (BESIDE + 2)],
    ]
    swing = 4 * math.sqrt(power[peak]) / count  # a Hann window halves it
    return Wave(4 * count / peak, float(power[peak] / (np.median(beside) + 1e-12)), swing)
