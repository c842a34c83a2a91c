"""How even: the interval between pictures, live, as a sender sees it.

A movie (or the built-in scene) plays at its own rate through the whole instrument; once left
alone, and once with every continuous knob of the learner being moved, 400 messages a second.
"""

import argparse
import contextlib
import math
import socket
import statistics
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from bridge import play
from bridge.config import Config
from bridge.control.osc import encode
from bridge.frame import Frame
from bridge.params import Param
from bridge.space import AddressSpace
from bridge.video import Sink

WARM = 30  # pictures left out at the start
MESSAGES = 400  # a second
WIDTH = 120  # of the table


class Stopwatch:
    """A sender that notes when each picture comes."""

    host = False  # it does not look at them

    def __init__(self) -> None:
        self.times: list[float] = []

    def send(self, frame: Frame) -> None:  # noqa: ARG002
        self.times.append(time.perf_counter())

    def status(self) -> Sink:
        return Sink("stopwatch")

    def close(self) -> None:
        """Nothing is open."""


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    table = Table(title="live: the interval between pictures, ms")
    for heading in (
        "net", "size", "computed in", "faders", "fps", "median", "p95", "p99", "longest",
        "skipped", "steps a frame", "latency",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for name in options.net or ["paint"]:
        for moving in (False, True):
            config = Config(
                source=(options.sources or ["pattern:"])[0],
                net=name,
                size=options.size or "640x384",
                frames=options.frames or 600,
                osc=free_port(),
                page=-1,
                seed=1,
            )
            table.add_row(*_played(config, moving))
    console.print(table)


def _played(config: Config, moving: bool) -> list[str]:
    instrument = play.assemble(config)
    watch = Stopwatch()
    instrument.engine.senders.append(watch)
    hand = _hand(instrument.space, config.osc) if moving else contextlib.nullcontext()
    with hand:
        instrument.play()
    stats, score, facts = (
        instrument.engine.stats, instrument.engine.learner.score, instrument.first
    )  # fmt: skip
    gaps = [(b - a) * 1e3 for a, b in zip(watch.times, watch.times[1:], strict=False)]
    gaps = gaps[min(WARM, len(gaps) // 2) :]
    ordered = sorted(gaps)
    of = (ordered[int(len(ordered) * share)] for share in (0.5, 0.95, 0.99))
    return [
        str(facts["net"]), str(facts["size"]), f"{facts['precision']} x {facts['threads']}",
        "moved" if moving else "still", f"{1e3 / statistics.mean(gaps):.2f}",
        *(f"{gap:.1f}" for gap in of), f"{ordered[-1]:.1f}", str(stats.skipped),
        f"{score.learnt / stats.frames:.2f}", f"{stats.latency:.1f}",
    ]  # fmt: skip


@contextlib.contextmanager
def _hand(space: AddressSpace, port: int) -> Iterator[None]:
    """A controller that sweeps every continuous knob of the learner to and fro."""
    faders = [
        (knob.address, knob.declared)
        for knob in space
        if knob.address.startswith("/learn/")
        and isinstance(knob.declared, Param)
        and knob.kind == "float"
    ]
    done = threading.Event()

    def sweep() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            step = 0
            while not done.wait(len(faders) / MESSAGES):
                step += 1
                travel = 0.5 + 0.3 * math.sin(step / 20)  # of a fader, short of the explosions
                for address, declared in faders:
                    wire.sendto(encode(address, declared.from_norm(travel)), ("127.0.0.1", port))

    thread = threading.Thread(target=sweep, name="hand", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
