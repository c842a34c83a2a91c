"""How fast: against an afternoon's work, stage by stage, network by network.

Everything is compared as a ratio in this one run, on the same frames and the same pinned
threads, in blocks that take turns, because machines drift.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from operator import attrgetter

from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from bridge import nets, video
from bridge.bench.afternoon import Afternoon
from bridge.bench.measure import convolution_peak, fitted, frames, milliseconds, spread
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner

SIZES = ("128x128", "320x192", "512x512", "640x384")
BLOCK, BLOCKS = 60, 5  # frames a block, blocks a contender

Turn = Callable[[Frame], object]


def main(options: argparse.Namespace) -> None:
    console = Console()
    source = frames((options.sources or ["pattern:"])[0], BLOCK)
    threads = max(tuning.thread_choices())
    tuning.use_threads(threads)
    size = image.parse_size(options.size or "320x192")
    name = (options.net or ["paint"])[0]
    peaks = {name: convolution_peak(dtype) for name, dtype in tuning.PRECISIONS.items()}
    best = ", ".join(f"{peak:.0f} GFLOP/s in {kind}" for kind, peak in peaks.items())
    console.print(f"{threads} threads, pinned where the system allows; 3x3 convolutions: {best}")
    console.print(against(name, size, fitted(source, size)))
    console.print(stages(name, size, source, peaks))
    console.print(costs(size, fitted(source, size)))
    console.print(networks(options.net or nets.NAMES, source))


def against(name: str, size: tuple[int, int], source: list[Frame]) -> Table:
    """Ours beside the afternoon's."""
    tuning.keep_memory()  # for both: it is the process's, and would favour whoever came second
    afternoon = Afternoon(name, size)
    contenders: dict[str, Turn] = {"an afternoon's work, float32": partial(_usual, afternoon)}
    for precision, dtype in tuning.PRECISIONS.items():
        contenders[f"First Light, {precision}"] = turn_of(Learner(name, size, dtype=dtype))
    times = take_turns(contenders, source)
    table = Table(title=f"a whole frame, {name} {size[0]}x{size[1]}: ms, median (5 % .. 95 %)")
    for heading in ("what", "ms", "times faster"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    base = statistics.median(next(iter(times.values())))
    for what, measured in times.items():
        table.add_row(what, spread(measured), f"{base / statistics.median(measured):.2f}")
    return table


def _usual(afternoon: Afternoon, frame: Frame) -> object:
    return afternoon.turn(frame.pixels)


def turn_of(learner: Learner) -> Turn:
    """See, look, learn: the whole of a frame but for its transport."""

    def turn(frame: Frame) -> object:
        picture = learner.look(learner.see(frame)).cpu().numpy()
        learner.learn()
        return picture

    return turn


def take_turns(contenders: dict[str, Turn], source: Sequence[Frame]) -> dict[str, list[float]]:
    """Milliseconds a frame of each, in blocks one after the other, the blocks' starts left out."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(BLOCKS):
        for name, turn in contenders.items():
            times[name] += milliseconds([partial(turn, frame) for frame in source])
    return times


def stages(name: str, size: tuple[int, int], source: list[Frame], peaks: dict[str, float]) -> Table:
    """Where a frame's time goes, from a source of its own size to a sender."""
    table = Table(title=f"stages of a frame, {name} {size[0]}x{size[1]}: median ms")
    for heading in (
        "", "see", "look", "send", "learn", "sum", "GFLOP", "GFLOP/s", "of the peak"
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    sender = video.open_sender("none:", live=True, rate=30.0)
    for precision, dtype in tuning.PRECISIONS.items():
        learner = Learner(name, size, dtype=dtype)
        rows = [_stages_of(learner, sender, frame) for frame in source * 3][8:]
        medians = [statistics.median(column) * 1e3 for column in zip(*rows, strict=True)]
        work = gigaflops(learner, source[0])
        pace = work / (medians[1] + medians[3]) * 1e3
        table.add_row(
            precision, *(f"{m:.2f}" for m in medians), f"{sum(medians):.2f}", f"{work:.2f}",
            f"{pace:.0f}", f"{pace / peaks[precision]:.0%}",
        )  # fmt: skip
    return table


def _stages_of(learner: Learner, sender: video.Sender, frame: Frame) -> list[float]:
    """Seconds of see, look, send, learn."""
    marks = [time.perf_counter()]
    x = learner.see(frame)
    marks.append(time.perf_counter())
    picture = learner.look(x)
    marks.append(time.perf_counter())
    sender.send(Frame(picture.cpu().numpy(), "bgra", 0.0))
    marks.append(time.perf_counter())
    learner.learn()
    marks.append(time.perf_counter())
    return [after - before for before, after in pairwise(marks)]


IN_USE: dict[str, dict[str, float | str]] = {  # knobs whose use costs something, and a usual use
    "/see/feedback": {"sight.feedback": 0.5}, "/see/zoom": {"sight.zoom": 2.0},
    "/see/mirror": {"sight.mirror": "four"}, "/see/gray": {"sight.gray": 1.0},
    "/see/blur 2 px": {"sight.blur": 2.0}, "/see/blur 32 px": {"sight.blur": 32.0},
    "/see/contrast": {"sight.contrast": 2.0}, "/see/invert": {"sight.invert": 1.0},
    "/learn/noise": {"denoising.noise": 0.3}, "/learn/mask": {"denoising.mask": 0.5},
    "/learn/l1": {"losses.l1": 0.5}, "/learn/ssim": {"losses.ssim": 0.5},
    "/learn/edges": {"losses.edges": 0.5},
    "/learn/decay": {"optimiser.decay": 1.0}, "/net/gate": {"net.code.knobs.gate": 0.5},
    "/net/noise": {"net.code.knobs.noise": 0.5}, "/net/kl": {"net.code.knobs.kl": 1e-3},
}  # fmt: skip
RULES = ("sgd", "momentum", "nesterov", "rmsprop", "sign")


def costs(size: tuple[int, int], source: Sequence[Frame]) -> Table:
    """What each knob in use adds to a frame, beside the same network with all at rest."""
    played: dict[str, Turn] = {"all at rest": turn_of(Learner("paint", size))}
    played["all at rest, once more"] = turn_of(Learner("paint", size))
    uses = IN_USE | {f"/learn/rule {rule}": {"optimiser.rule": rule} for rule in RULES}
    for name, knobs in uses.items():
        learner = Learner("paint", size)
        for path, value in knobs.items():
            owner, _, knob = path.rpartition(".")
            setattr(attrgetter(owner)(learner), knob, value)
        played[name] = turn_of(learner)
    times = take_turns(played, source)
    table = Table(title=f"a knob in use, paint {size[0]}x{size[1]}, float32: ms a frame, median")
    for heading in ("", "ms", "more"):
        table.add_column(heading, justify="right" if heading else "left")
    base = statistics.median(times["all at rest"])
    for name, measured in times.items():
        middle = statistics.median(measured)
        table.add_row(name, f"{middle:.2f}", f"{middle - base:+.2f}")
    return table


def gigaflops(learner: Learner, frame: Frame) -> float:
    """GFLOP of one look and one step."""
    x = learner.see(frame)
    with FlopCounterMode(display=False) as counter:
        learner.look(x)
        learner.learn()
    return float(counter.get_total_flops()) / 1e9


def networks(names: Sequence[str], source: list[Frame]) -> Table:
    """A whole frame, every network at every size."""
    table = Table(title="a whole frame at the network's size: median ms, float32 / bfloat16")
    table.add_column("")
    for size in SIZES:
        table.add_column(size, justify="right")
    for name in names:
        cells = []
        for at in map(image.parse_size, SIZES):
            at_size = fitted(source, at)
            medians = []
            for dtype in tuning.PRECISIONS.values():
                turn = turn_of(Learner(name, at, dtype=dtype))
                calls = [partial(turn, frame) for frame in at_size]
                medians.append(statistics.median(milliseconds(calls)))
            cells.append(" / ".join(f"{m:.1f}" for m in medians))
        table.add_row(name, *cells)
    return table
