"""What is done to a picture before the network sees it, and what each treatment costs.

One frame, by default 256x256, through Sight with one knob moved, in blocks that take turns. The
ratio is to the cheapest of them: machines drift, ratios hardly do.
"""

import argparse
import statistics
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from bridge.bench.measure import fitted, frames, milliseconds, spread
from bridge.learn import image, tuning
from bridge.learn.sight import Sight
from bridge.params import Value

SIZE = "256x256"
BLOCK, BLOCKS = 18, 5  # pictures a block, the first eight left out; blocks a treatment
TREATMENTS: tuple[dict[str, Value], ...] = (
    {"invert": 1.0}, {"contrast": 2.0}, {"gray": 0.5}, {"gray": 1.0}, {"feedback": 0.5},
    {"zoom": 2.0}, {"mirror": "four"}, {"blur": 1.0}, {"blur": 4.0}, {"blur": 32.0},
    {"flatten": 1.0}, {"levels": 1.0}, {"coarse": 2.0}, {"coarse": 24.0},
    {"pre_median": 3}, {"pre_median": 5}, {"pre_median": 15}, {"pre_median": 5, "gray": 1.0},
    {"drawing": "canny"}, {"drawing": "canny", "canny_t1": 1.0, "canny_t2": 10.0},
    {"drawing": "threshold"}, {"drawing": "threshold", "pencil": 1.0},
    {"drawing": "threshold", "threshold_block": 101},
    {"drawing": "threshold", "flatten": 1.0, "pre_median": 3, "pre_blur": 1.0, "levels": 1.0},
    {"drawing": "canny", "flatten": 1.0, "pre_median": 3, "pre_blur": 1.0, "levels": 1.0},
)  # fmt: skip


def main(options: argparse.Namespace) -> None:
    console = Console()
    size = image.parse_size(options.size or SIZE)
    tuning.keep_memory()
    threads = max(tuning.thread_choices())
    tuning.use_threads(threads)
    for address in options.sources or ["pattern:"]:
        source = fitted(frames(address, BLOCK), size)
        pictures = [image.to_planes(torch.from_numpy(frame.pixels)) for frame in source]
        title = f"{address.rsplit('/', 1)[-1]}, {image.size_name(size)}, {threads} threads"
        console.print(table(title, costs(pictures)))


def costs(pictures: list[Tensor]) -> dict[str, list[float]]:
    """Milliseconds a picture of each treatment."""
    times: dict[str, list[float]] = {_said(knobs): [] for knobs in TREATMENTS}
    last = pictures[0].flip(-1)
    for _ in range(BLOCKS):
        for knobs in TREATMENTS:
            sight = Sight()
            for name, value in knobs.items():
                setattr(sight, name, value)
            turns = [partial(sight.treat, picture, last) for picture in pictures]
            times[_said(knobs)] += milliseconds(turns)
    return times


def table(title: str, times: dict[str, list[float]]) -> Table:
    shown = Table(title=f"treatment before the network, {title}: ms, median (5 % .. 95 %)")
    for heading in ("/see", "ms", "times the cheapest"):
        shown.add_column(heading, justify="left" if heading == "/see" else "right")
    base = min(map(statistics.median, times.values()))
    for what, measured in times.items():
        shown.add_row(what, spread(measured), f"{statistics.median(measured) / base:.1f}")
    return shown


def _said(knobs: dict[str, Value]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name, value in knobs.items()
    )
