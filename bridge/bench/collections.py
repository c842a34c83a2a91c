"""How long a museum takes to be prepared, and whether memory stays flat: 20,000 small pictures.

They are made for it in a temporary folder, or are those of --in FOLDER (repeatable), and looked at
in as many processes as there are cores. Beside the seconds there are the processors' own, for who
measures on a machine that does other things too. Memory is this process's; its peak is of the
shard that is being filled.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from bridge.bench.survive import resident
from bridge.museum import catalogue, sources
from bridge.museum.ledger import Ledger
from bridge.museum.sources import Gathered

FILES = 20_000
COLLECTIONS = 40
SIZE = 160, 128
BLOTS = 16, 12, 3  # random colours, that a picture is made of
SIDE = 384
PARTS = 4, 2, 1  # the memory is read at a quarter of the files, at half and at all


def main(options: argparse.Namespace) -> None:
    folders = [source.removeprefix("file:") for source in options.sources or ()]
    with tempfile.TemporaryDirectory() as place:
        if not folders:
            folders = [os.path.join(place, "pictures")]
            make(Path(folders[0]), options.frames or FILES)
        table = measured(sources.gather(map(Path, folders)), Path(place, "museum"))
    Console().print(table)


def make(folder: Path, files: int) -> None:
    """So many different JPEGs, in COLLECTIONS sub-folders."""
    for number in range(files):
        blots = np.random.default_rng(number).integers(0, 256, BLOTS, np.uint8)
        collection = folder / f"collection-{number % COLLECTIONS:02}"
        collection.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(blots).resize(SIZE, Image.Resampling.BICUBIC)
        picture.save(collection / f"{number:05}.jpg", quality=85)


def measured(gathered: Gathered, museum: Path) -> Table:
    """Look at the pictures, in PARTS, and then choose among them: a row for each."""
    table = Table(title=f"{len(gathered.wanted)} pictures, {catalogue.cores()} processes")
    for heading in ("", "files", "seconds", "files/s", "processors' s", "MB resident"):
        table.add_column(heading, justify="right")
    log = Ledger(museum, SIDE)
    begun, spent, done = time.perf_counter(), _processors(), 0
    held = [resident()]
    for part in PARTS:
        wanted = gathered.wanted[: len(gathered.wanted) // part]
        last = time.perf_counter()
        catalogue.look_at(wanted, log, SIDE, catalogue.cores())
        seconds = time.perf_counter() - last
        held.append(resident())
        pace = (len(wanted) - done) / seconds
        numbers = (len(wanted), seconds, pace, _processors() - spent, held[-1])
        table.add_row("looked at", *map(_short, numbers))
        done = len(wanted)
    catalogue.finish(gathered, log, [], 0.5, 0)
    seconds = time.perf_counter() - begun
    numbers = (done, seconds, done / seconds, _processors() - spent, resident())
    table.add_row("museum finished", *map(_short, numbers))
    table.caption = f"resident at all of them over at a quarter: {held[-1] / held[1]:.3f}"
    return table


def _processors() -> float:
    """Seconds that this process and the ended ones it started have had of the processors."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.1f}"
