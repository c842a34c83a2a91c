"""Points of oscillation: settings at which a network swings steadily instead of converging.

Random settings of network, rule, rate, momentum, second and trust are played on every clip, small
and offline. A setting is as good as its worst clip: how far the strongest wave in the picture's
light stands over the waves beside it. `--preset` measures those that are known, at full size, and
`--fader` how their wave follows a fader.
"""

import argparse
import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bridge import Refusal, nets, preset
from bridge.bench.measure import fitted, frames
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.learn.optimiser import SCALE
from bridge.params import Param
from bridge.space import AddressSpace

WOKEN, SETTLED, HEARD = (
    60,
    90,
    300,
)  # frames at rest, then before the waves are looked at, and while
SHORTEST, LONGEST = 3.0, 100.0  # frames a period
BESIDE = 12  # neighbouring waves on each side, beyond the peak's own two
TRIED, SHOWN = 100, 15  # settings of a search
MOVED = (-0.2, -0.1, 0.0, 0.1, 0.2)  # of a fader's travel
SEARCHED, MEASURED = "160x96", "320x192"
WIDTH = 130  # of the table


@dataclass(frozen=True)
class Wave:
    """The strongest wave in a curve: frames a period; its power over the median of its neighbours';
    how far it swings to each side, in the curve's unit."""

    period: float
    stands_out: float
    swing: float


@dataclass
class Trace:
    """What a network did, a number a frame. A restart is one that was lost and began again."""

    loss: list[float] = field(default_factory=list)
    light: list[float] = field(default_factory=list)  # of the picture less the frame's, in levels
    decibels: list[float] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)  # seen and made, side by side
    restarts: int = 0


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    tuning.keep_memory()
    tuning.use_threads(tuning.OFFLINE_THREADS)
    size = image.parse_size(options.size or (MEASURED if options.preset else SEARCHED))
    clips = {
        address.rsplit("/", 1)[-1]: fitted(frames(address, WOKEN + SETTLED + HEARD), size)
        for address in options.sources or ["pattern:"]
    }
    if not options.preset:
        console.print(search(clips, size, options.frames or TRIED))
        return
    table = _table("waves of the presets", ("preset", "fader at"))
    for name in options.preset:
        for at, knobs in _moved(preset.read(name), options.fader):
            for clip, source in clips.items():
                table.add_row(name, at, *_cells(clip, played(knobs, size, source)))
    console.print(table)


def search(clips: Mapping[str, Sequence[Frame]], size: tuple[int, int], tries: int) -> Table:
    """The best of `tries` random settings, best first."""
    dice = random.Random(1)
    found = []
    for knobs in (_drawn(dice) for _ in range(tries)):
        traces = {clip: played(knobs, size, source) for clip, source in clips.items()}
        found.append((min(map(_worth, traces.values())), knobs, traces))
    table = _table(f"the best of {tries} settings", ("setting", "worth"))
    for worth, knobs, traces in sorted(found, key=lambda each: -each[0])[:SHOWN]:
        said = " ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in knobs.values())
        for clip, trace in traces.items():
            table.add_row(said, f"{worth:.0f}", *_cells(clip, trace))
    return table


def _drawn(dice: random.Random) -> dict[str, Any]:
    return {
        "/net/name": dice.choice(nets.NAMES[:-1]),
        "/learn/rule": dice.choice(list(SCALE)),
        "/learn/rate": 10 ** dice.uniform(-3, -1),
        "/learn/momentum": 1 - 10 ** dice.uniform(-3.5, -1),
        "/learn/second": 1 - 10 ** dice.uniform(-3, -0.5),
        "/learn/trust": 10 ** dice.uniform(-2, -0.5),
    }


def _worth(trace: Trace) -> float:
    """0 for what cannot be seen, or is lost; the steadier half counts for neither."""
    half = len(trace.light) // 2
    whole, first, last = map(strongest, (trace.light, trace.light[:half], trace.light[half:]))
    if trace.restarts or whole.swing < 2 or statistics.mean(trace.decibels) < 5:
        return 0.0
    steady = abs(first.period - last.period) < 0.35 * max(first.period, last.period)
    return whole.stands_out * (1.0 if steady else 0.3)


def _moved(knobs: dict[str, Any], fader: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The preset with a fader moved to each side; by itself if no fader is named."""
    if fader is None:
        yield "", knobs
        return
    space, _ = instrument("tiles", (8, 8))
    declared = space[fader].declared if fader in space else None
    if not isinstance(declared, Param) or declared.choices:
        raise Refusal(f"--fader {fader}: there is no such fader; {space.nearest(fader)}")
    stands: Any = knobs.get(fader, declared.default)
    middle = declared.to_norm(stands)
    for step in MOVED:
        value = declared.from_norm(middle + step)
        yield f"{value:.5g}", knobs | {fader: value}


def instrument(name: str, size: tuple[int, int]) -> tuple[AddressSpace, Learner]:
    """A learner and its knobs by their addresses, without a show around them."""
    learner, space = Learner(name, size, seed=1), AddressSpace()
    for group, owner in learner.knobs():
        space.add(group, owner)
    return space, learner


def played(knobs: Mapping[str, Any], size: tuple[int, int], source: Sequence[Frame]) -> Trace:
    """The network wakes at rest, the knobs are turned, it settles, and then it is written down."""
    space, learner = instrument(knobs.get("/net/name", "paint"), size)
    for frame in source[:WOKEN]:
        learner.look(learner.see(frame))
        learner.learn()
    for address, value in knobs.items():
        if address in space:  # but for /system's, which a show has
            space.assign(address, value)
    trace = Trace()
    for number, frame in enumerate(source[WOKEN:]):
        picture = learner.look(learner.see(frame))
        learner.learn()
        if number >= SETTLED:
            trace.loss.append(math.log(max(learner.score.loss, 1e-9)))
            made, seen = float(picture[..., :3].float().mean()), float(frame.pixels[..., :3].mean())
            trace.light.append(made - seen)
            trace.decibels.append(learner.score.psnr)
            trace.pictures.append(np.hstack([frame.pixels, picture.numpy()]))
    trace.restarts = learner.score.seed - 1
    return trace


def one_period(trace: Trace, count: int) -> list[np.ndarray]:
    """`count` of its pictures, from the darkest of the last two periods on, over one."""
    period = min(strongest(trace.light).period, len(trace.light) / 2)
    window = trace.light[-math.floor(2 * period) : -math.floor(period)]
    begin = len(trace.light) - math.floor(2 * period) + int(np.argmin(window))
    return [trace.pictures[begin + round(step * period / count)] for step in range(count)]


def strongest(curve: Sequence[float], shortest: float = SHORTEST, longest: float = LONGEST) -> Wave:
    """The strongest wave between `shortest` and `longest` frames a period, by the power spectrum
    of the curve less its slow course, under a Hann window."""
    values = np.asarray(curve, float)
    count, places = len(values), np.arange(len(values))
    values = values - np.polynomial.Polynomial.fit(places, values, 3)(places)
    power = np.abs(np.fft.rfft(values * np.hanning(count), 4 * count)) ** 2  # four times as fine
    low, high = math.ceil(4 * count / longest), math.floor(4 * count / shortest) + 1
    peak = low + int(np.argmax(power[low:high]))
    beside = np.r_[
        power[max(2, peak - 4 * (BESIDE + 2)) : max(2, peak - 8)],
        power[peak + 8 : peak + 4 * (BESIDE + 2)],
    ]
    swing = 4 * math.sqrt(power[peak]) / count  # half of it is the window's
    return Wave(4 * count / peak, float(power[peak] / (np.median(beside) + 1e-12)), swing)


def in_loss(trace: Trace) -> Wave:
    """The light's wave as the loss has it: at its period, or at half of it, because too dark is as
    wrong as too bright; whichever stands out more."""
    period = strongest(trace.light).period
    seen = [p for p in (period, period / 2) if p >= 2]  # no wave is shorter than two frames
    near = (strongest(trace.loss, 0.85 * p, 1.15 * p) for p in seen)
    return max(near, key=lambda wave: wave.stands_out)


def _table(title: str, first: Sequence[str]) -> Table:
    table = Table(title=f"{title}: frames a period, power over its neighbours', swing to each side")
    for heading in (*first, "clip", "dB", "light", "over", "levels", "loss", "over", "dB", "lost"):
        table.add_column(heading, justify="left" if heading in (*first, "clip") else "right")
    return table


def _cells(clip: str, trace: Trace) -> list[str]:
    light, loss = strongest(trace.light), in_loss(trace)
    return [
        clip, f"{statistics.mean(trace.decibels):.1f}", f"{light.period:.1f}",
        f"{light.stands_out:.0f}", f"{light.swing:.1f}", f"{loss.period:.1f}",
        f"{loss.stands_out:.0f}", f"{10 / math.log(10) * loss.swing:.1f}", str(trace.restarts),
    ]  # fmt: skip
