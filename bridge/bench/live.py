"""How even: the interval between pictures, live, as a sender sees it.

A movie (or the built-in pattern) plays at its own rate through the whole engine, with an OSC
server beside it whose knobs are moved all the while.
"""

import argparse
import dataclasses
import statistics
import time

from rich.console import Console
from rich.table import Table

from bridge import play
from bridge.config import Config
from bridge.frame import Frame
from bridge.video import Sink

WARM = 30  # pictures left out at the start


class Stopwatch:
    """A sender that notes when each picture comes."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def send(self, frame: Frame) -> None:  # noqa: ARG002
        self.times.append(time.perf_counter())

    def status(self) -> Sink:
        return Sink("stopwatch")

    def close(self) -> None:
        """Nothing is open."""


def main(options: argparse.Namespace) -> None:
    console = Console()
    table = Table(title="live: the interval between pictures, ms")
    for heading in ("net", "size", "how", "fps", "median", "p95", "p99", "longest", "skipped",
                    "steps a frame", "latency"):  # fmt: skip
        table.add_column(heading, justify="right")
    source = (options.sources or ["pattern:"])[0]
    for name in options.net or ["paint"]:
        config = Config(source=source, net=name, size=options.size or "640x384", osc=0)
        config = dataclasses.replace(config, frames=options.frames or 600, seed=1)
        instrument = play.assemble(config)
        watch = Stopwatch()
        instrument.engine.senders.append(watch)
        begun = time.perf_counter()
        instrument.play()
        seconds = time.perf_counter() - begun
        stats, score = instrument.engine.stats, instrument.engine.learner.score
        gaps = [(b - a) * 1e3 for a, b in zip(watch.times, watch.times[1:], strict=False)][WARM:]
        ordered = sorted(gaps)
        facts = instrument.first
        table.add_row(
            name, str(facts["size"]), f"{facts['precision']} x {facts['threads']}",
            f"{1e3 / statistics.mean(gaps):.2f}", f"{statistics.median(gaps):.1f}",
            f"{ordered[int(len(ordered) * 0.95)]:.1f}", f"{ordered[int(len(ordered) * 0.99)]:.1f}",
            f"{ordered[-1]:.1f}", str(stats.skipped), f"{score.learnt / stats.frames:.2f}",
            f"{stats.latency:.1f}",
        )  # fmt: skip
        console.print(f"{name}: {stats.frames} frames in {seconds:.1f} s")
    console.print(table)
