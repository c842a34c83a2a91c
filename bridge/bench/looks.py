"""How it looks: a contact sheet of networks waking up, as one picture.

The top row is what was seen, each row below is what a network made of it at that moment; from
left to right the frames at which the eye sees a difference. Then a sheet of the presets: one period
of each one's wave, what was seen above what was made of it.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console

from bridge import nets, preset, video
from bridge.bench import swing
from bridge.bench.measure import fitted, frames
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner

LONG = swing.WOKEN + swing.SETTLED + swing.HEARD
MOMENTS = (1, 8, 16, 30, 60, 120, 240, 450)  # frames, counted from 1


def main(options: argparse.Namespace) -> None:
    console = Console()
    tuning.keep_memory()
    tuning.use_threads(tuning.OFFLINE_THREADS)
    size = image.parse_size(options.size or "320x192")
    last = options.frames or MOMENTS[-1]
    moments = [moment for moment in MOMENTS if moment <= last]
    names = options.net or [name for name in nets.NAMES if name != "through"]
    presets = options.preset or ([] if options.net else swinging())
    out = options.out or "stills:looks"
    sender = video.open_sender(out, live=False, rate=30.0)
    for address in options.sources or ["pattern:"]:
        source = fitted(frames(address, moments[-1]), size)
        rows = [[source[moment - 1].pixels for moment in moments]]
        rows += [strip(name, size, source, moments) for name in names]
        sheet = np.vstack([np.hstack(row) for row in rows])
        sender.send(Frame(np.ascontiguousarray(sheet), "bgra", 0.0))
        console.print(f"{address}: the source, then {', '.join(names)}, at frames {moments}")
        if presets:
            source = fitted(frames(address, LONG), size)
            sheet = np.vstack([period(name, size, source) for name in presets])
            sender.send(Frame(np.ascontiguousarray(sheet), "bgra", 0.0))
            console.print(f"{address}: a period of {', '.join(presets)}, above what was seen")
    sender.close()
    console.print(f"written to {sender.status().name}")


def strip(
    name: str, size: tuple[int, int], source: Sequence[Frame], moments: Sequence[int]
) -> list[np.ndarray]:
    """What the network `name`, learning from blank, made of the frames at `moments`."""
    learner = Learner(name, size, seed=1)
    kept = []
    for number, frame in enumerate(source, 1):
        picture = learner.look(learner.see(frame))
        learner.learn()
        if number in moments:
            kept.append(picture.numpy())
    return kept


def swinging() -> list[str]:
    """The presets that ship, but for the one of all faders at rest."""
    return sorted(set(preset.shipped()) - {"default"})


def period(name: str, size: tuple[int, int], source: Sequence[Frame]) -> np.ndarray:
    """Two rows: what was seen over one period of a preset's wave, and what was made of it."""
    trace = swing.played(preset.read(name), size, source)
    pairs = swing.one_period(trace, len(MOMENTS))
    seen, made = zip(*(np.split(pair, 2, axis=1) for pair in pairs), strict=True)
    return np.vstack([np.hstack(seen), np.hstack(made)])
