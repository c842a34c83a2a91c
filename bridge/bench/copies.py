"""Which copies a frame takes, and what they weigh: counted by torch's profiler, not claimed.

A frame of 1920x1080 is seen and looked at by a network, and the picture leaves. On the card it
comes in OpenGL's texture and leaves in another, as Spout hands them over; by the host an array
comes and an array leaves. Without an NVIDIA card the host's way alone is counted, on the processor.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from bridge import Refusal, video
from bridge.bench import egl
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.video import _texture

SOURCE, SIZE = (1920, 1080), "960x544"
COUNTED, TIMED, WARM = 10, 50, 8  # frames
WAYS = {  # how CUDA's profiler calls a copy's way; arrays are what textures are to it
    "HtoD": "host to card", "DtoH": "card to host", "DtoD": "on the card",
    "AtoD": "texture to tensor", "DtoA": "tensor to texture", "AtoA": "texture to texture",
    "HtoA": "host to texture", "AtoH": "texture to host",
}  # fmt: skip
ON_CPU = "in memory"
BYTES = {  # of a number, by the profiler's name for its kind
    "bool": 1, "unsigned char": 1, "signed char": 1, "short int": 2, "int": 4, "long int": 8,
    "c10::Half": 2, "c10::BFloat16": 2, "float": 4, "double": 8,
}  # fmt: skip

Turn = Callable[[], object]

os.environ.setdefault("KINETO_LOG_LEVEL", "5")  # or the profiler tells that it begins and ends


@dataclass
class Copies:
    """What `frames` frames copied, by its way; `whole` are those that weigh a picture or more."""

    frames: int = 0
    count: Counter[str] = field(default_factory=Counter)
    weight: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)

    def through_the_host(self) -> float:
        """Pictures a frame that crossed between the host and the card."""
        return sum(self.whole[WAYS[way]] for way in WAYS if "H" in way) / self.frames


def main(options: argparse.Namespace) -> None:
    console = Console()
    tuning.keep_memory()
    size = image.parse_size(options.size or SIZE)
    name = (options.net or ["paint"])[0]
    frames = options.frames or COUNTED
    device = "cuda" if torch.cuda.is_available() else "cpu"
    learner = Learner(name, size, device=device)
    table = Table(title=f"{SOURCE[0]}x{SOURCE[1]} in, {name} {size[0]}x{size[1]} on {device}")
    for heading in ("", "copies", "a frame", "of a picture or more", "kB a frame", "ms a frame"):
        table.add_column(heading, justify="left" if heading in ("", "copies") else "right")
    told = []
    try:
        with _on_card(learner) as turn:
            told.append(_rows(table, "on the card", turn, learner, frames))
    except (Refusal, ImportError) as problem:
        console.print(f"left out: the way on the card ({problem})")
    with _by_host(learner) as turn:
        told.append(_rows(table, "by the host", turn, learner, frames))
    console.print(table)
    if device == "cuda":
        for way, copies in zip(("by the host", "on the card"), reversed(told), strict=False):
            pictures = copies.through_the_host()
            console.print(f"{way}: {pictures:g} pictures a frame between host and card")


def _rows(table: Table, way: str, turn: Turn, learner: Learner, frames: int) -> Copies:
    times = [_timed(turn, learner.device) for _ in range(WARM + TIMED)][WARM:]
    copies = counted(turn, frames, _weight(learner.size), learner.device)
    took = f"{statistics.median(times):.2f}"
    for kind in sorted(copies.count, key=lambda kind: -copies.weight[kind]):
        each, whole = copies.count[kind] / frames, copies.whole[kind] / frames
        table.add_row(
            way, kind, f"{each:g}", f"{whole:g}", f"{copies.weight[kind] / frames / 1e3:,.1f}", took
        )
        way = took = ""
    if not copies.count:
        table.add_row(way, "none", "", "", "", took)
    return copies


def _weight(size: tuple[int, int]) -> int:
    """Bytes of the smaller picture of the two, the one that leaves, without its alpha."""
    return 3 * min(size[0] * size[1], SOURCE[0] * SOURCE[1])


def _timed(turn: Turn, device: torch.device) -> float:
    begun = time.perf_counter()
    turn()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - begun) * 1e3


# The two ways of a frame


@contextlib.contextmanager
def _by_host(learner: Learner) -> Iterator[Turn]:
    pixels = np.random.default_rng(0).integers(0, 256, (SOURCE[1], SOURCE[0], 4), np.uint8)

    def turn() -> object:
        return learner.look(learner.see(Frame(pixels, "bgra", 0.0))).cpu().numpy()

    yield turn


@contextlib.contextmanager
def _on_card(learner: Learner) -> Iterator[Turn]:
    """Raises Refusal or ImportError where OpenGL and CUDA do not meet."""
    if learner.device.type != "cuda":
        raise Refusal("torch computes on no NVIDIA card here")
    with _context(), contextlib.ExitStack() as opened:
        incoming = _texture.Incoming(SOURCE, "cuda")
        opened.callback(incoming.close)
        sink = _texture.outgoing(learner.size, "cuda")
        opened.callback(sink.close)

        def turn() -> None:
            incoming.read()
            picture = learner.look(learner.see(Frame(incoming.keep(), incoming.layout, 0.0)))
            sink.write(picture, "bgra")

        yield turn


@contextlib.contextmanager
def _context() -> Iterator[None]:
    if sys.platform != "win32":
        with egl.offscreen():
            yield
        return
    with contextlib.closing(video.open_sender("spout:First Light, measuring", live=True, rate=60)):
        yield


# Counting


def counted(turn: Turn, frames: int, weight: int, device: torch.device) -> Copies:
    """What `frames` turns copy; a copy of `weight` bytes or more is a picture's."""
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds, record_shapes=True, acc_events=True) as profile:
        for _ in range(frames):
            turn()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(place))
        trace = json.loads(place.read_text(encoding="utf-8"))
    return tallied(trace["traceEvents"], frames, weight, device.type)


def tallied(events: list[dict[str, Any]], frames: int, weight: int, device: str) -> Copies:
    """The copies among a trace's events: on a card those of its memory, else torch's own."""
    copies, weigh = Copies(frames), _card_copy if device == "cuda" else _cpu_copy
    for kind, weighs in filter(None, map(weigh, events)):
        copies.count[kind] += 1
        copies.weight[kind] += weighs
        copies.whole[kind] += weighs >= weight
    return copies


def _card_copy(event: dict[str, Any]) -> tuple[str, int] | None:
    if event.get("cat") != "gpu_memcpy":
        return None
    way = event["name"].split()[1]  # "Memcpy HtoD (Pageable -> Device)"
    return WAYS.get(way, way), int(event["args"].get("bytes", 0))


def _cpu_copy(event: dict[str, Any]) -> tuple[str, int] | None:
    if event.get("cat") != "cpu_op" or event["name"] != "aten::copy_":
        return None
    shape, kind = event["args"]["Input Dims"][0], event["args"]["Input type"][0]
    return ON_CPU, math.prod(shape) * BYTES.get(kind, 1)
