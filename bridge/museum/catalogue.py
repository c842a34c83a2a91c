"""`firstlight collections`: folders of pictures become a prepared museum.

Every picture is looked at (`look`), in processes beside this one (`crew`), and put into shards as
it comes, so that memory stays flat; what was looked at is logged (`ledger`), and a run that was
killed goes on. Then duplicates are dropped (`alike`), some pictures are held out, the collections
are balanced (`balance`), and the dataset card is printed and written (`card`).
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge import Refusal
from bridge.learn import shards
from bridge.learn.shards import Entry
from bridge.museum import alike, balance, card, crew, ledger, sources
from bridge.museum.ledger import Ledger, Looked
from bridge.museum.look import ENDINGS, Found
from bridge.museum.sources import Gathered, Wanted

LEAST_SIDE, MOST_SIDE = 64, 2048  # what a picture's short side may be asked to be
PLAIN_EVERY = 5.0  # seconds between lines where there is no terminal
WIDTH = 100  # of the card, where there is no terminal
NEXT = "firstlight school --lesson hand --preset cpu --out hand.safetensors"

Passed = tuple[str, str]  # a path, and why it is not kept


def main(options: argparse.Namespace) -> None:
    """Prepare a museum and say what it is. Raises Refusal."""
    _check(options)
    out = Path(options.out).expanduser()
    gathered = sources.gather(map(Path, options.folders))
    log = Ledger(out, options.side, anew=options.anew)
    try:
        look_at(gathered.wanted, log, options.side, options.workers or cores())
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here.", file=sys.stderr)
        raise
    told, reasons = finish(gathered, log, options.hold, options.tau, options.seed)
    console = Console()
    card.tell(console if console.is_terminal else Console(width=WIDTH), told, reasons)
    print(f"next: {NEXT} {shlex.quote(options.out)}")


def _check(options: argparse.Namespace) -> None:
    if not 0 <= options.tau <= 1:
        raise Refusal(f"--tau {options.tau}: choose from 0 (collections alike) to 1 (pictures).")
    if not LEAST_SIDE <= options.side <= MOST_SIDE:
        raise Refusal(f"--side {options.side}: choose from {LEAST_SIDE} to {MOST_SIDE}.")
    if options.workers is not None and options.workers < 1:
        raise Refusal(f"--workers {options.workers}: choose 1 or more.")


def cores() -> int:
    """Cores that this process may have."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# Looking


def look_at(wanted: Sequence[Wanted], log: Ledger, side: int, workers: int) -> None:
    """Look at what was not looked at before, and put it into shards in the log's folder."""
    paths = [one.path for one in wanted if log[one.path] is None]
    states = [ledger.state_of(path) for path in paths]
    filling = _Filling(log)
    with _Telling(len(wanted) - len(paths), len(wanted)) as telling:
        for path, state, found in zip(paths, states, crew.looks(paths, side, workers), strict=True):
            filling.add(Looked(path, *state), found)
            telling.advance()
    filling.finish()


class _Filling:
    """What was found, on its way into shards: at most one shard of it is in memory."""

    def __init__(self, log: Ledger) -> None:
        self._log = log
        self._number, self._shard = log.next_number, log.next_shard
        self._pictures: dict[int, torch.Tensor] = {}
        self._looks: list[Looked] = []
        self._bytes = 0

    def add(self, looked: Looked, found: Found | str) -> None:
        if isinstance(found, str):
            self._log.add([replace(looked, reason=found)])
            return
        self._pictures[self._number] = torch.from_numpy(found.pixels)
        self._bytes += found.pixels.nbytes
        self._looks.append(
            replace(
                looked,
                shard=shards.shard_name(self._shard),
                number=self._number,
                area=found.area,
                print=f"{found.print:x}",
                palette=found.palette,
            )
        )
        self._number += 1
        if self._bytes >= shards.SHARD_BYTES:
            self.finish()

    def finish(self) -> None:
        """Write what is here; only then is it known to have been looked at."""
        if self._pictures:
            shards.write_shard(self._log.folder, self._shard, self._pictures)
            self._log.add(self._looks)
            self._shard += 1
        self._pictures, self._looks, self._bytes = {}, [], 0


class _Telling:
    """How far it is: a bar on a terminal, else a line every few seconds."""

    def __init__(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        self._begun = self._told = 0.0  # with the first picture, for processes take time to start
        self._began_at = done
        console = Console(stderr=True)
        bar = Progress(
            TextColumn("looking"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar = bar if console.is_terminal and done < total else None
        self._task = bar.add_task("", total=total, completed=done)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if self._bar:
            self._bar.advance(self._task)
        elif not self._begun:
            self._begun, self._told, self._began_at = now, now, self._done
        elif now - self._told >= PLAIN_EVERY:
            self._told = now
            pace = (self._done - self._began_at) / (self._told - self._begun)
            left = (self._total - self._done) / pace
            told = (
                f"looked at {self._done} of {self._total}, {pace:.0f} a second, {left:.0f} s left"
            )
            print(told, file=sys.stderr, flush=True)


# Choosing


def finish(
    gathered: Gathered, log: Ledger, holds: Sequence[str], tau: float, seed: int
) -> tuple[dict[str, Any], Counter[str]]:
    """Choose among what was looked at, and write the list and the card. Answers the card, and how
    many were skipped for which reason. Raises Refusal where nothing is left to teach."""
    kept, dropped, duplicates = _sorted_out(gathered, log)
    if not kept:
        raise Refusal(_nothing(gathered, dropped))
    pictures = {one.name: one.collection for one, _ in kept}
    held = balance.named(pictures, holds) if holds else balance.held_out(pictures, seed)
    counts = Counter(dict.fromkeys(pictures.values(), 0))
    counts.update(where for name, where in pictures.items() if name not in held)
    if not counts.total():
        raise Refusal("everything is held out and nothing is left to teach; hold out less.")
    shares = balance.shares(counts, tau)
    entries = [_entry(one, look, one.name in held, shares, counts) for one, look in kept]
    told = card.card_of(entries, tau, shares, len(dropped), len(duplicates))
    _write(log, [*dropped, *duplicates], entries, told)
    log.keep_only(look for one in gathered.wanted if (look := log[one.path]))
    return told, _reasons(dropped)


def _sorted_out(
    gathered: Gathered, log: Ledger
) -> tuple[list[tuple[Wanted, Looked]], list[Passed], list[Passed]]:
    """What is kept, in the order of the shards; what is not, and why; and the duplicates."""
    fit: list[tuple[Wanted, Looked]] = []
    dropped = list(gathered.passed)
    for one in gathered.wanted:
        look = log[one.path]
        if look is None:
            dropped.append((one.path, "changed while it was looked at"))
        elif look.reason:
            dropped.append((one.path, look.reason))
        else:
            fit.append((one, look))
    fit.sort(key=lambda pair: -pair[1].area)  # the larger of two is kept
    first = alike.first_of_each(int(look.print, 16) for _, look in fit)
    kept = [fit[index] for index, of in enumerate(first) if index == of]
    duplicates = [
        (fit[index][0].path, f"the same picture as {fit[of][0].path}")
        for index, of in enumerate(first)
        if index != of
    ]
    return sorted(kept, key=lambda pair: pair[1].number), dropped, duplicates


def _entry(
    one: Wanted, look: Looked, held: bool, shares: dict[str, float], counts: Counter[str]
) -> Entry:
    return Entry(
        name=one.name,
        collection=one.collection,
        held=held,
        share=0.0 if held else shares[one.collection] / counts[one.collection],
        palette=tuple(look.palette),
        title=one.title,
        license=one.license,
        source=one.source,
        shard=look.shard,
        number=look.number,
    )


def _write(
    log: Ledger, dropped: Iterable[Passed], entries: Sequence[Entry], told: dict[str, Any]
) -> None:
    lines = [json.dumps({"path": path, "reason": why}, ensure_ascii=False) for path, why in dropped]
    shards.write_text(log.folder / ledger.SKIPPED, "".join(f"{line}\n" for line in lines))
    shards.write_list(log.folder, entries)
    shards.write_card(log.folder, told)


def _nothing(gathered: Gathered, dropped: Sequence[Passed]) -> str:
    if not gathered.wanted and not dropped:
        return (
            f"there is no picture there; it reads {', '.join(ENDINGS)} in folders of collections."
        )
    reasons = Counter(_reasons(dropped)).most_common(3)
    told = "; ".join(f"{count}: {reason}" for reason, count in reasons)
    return f"none of the pictures there can be used ({told}); give a folder of paintings."


def _reasons(dropped: Iterable[Passed]) -> Counter[str]:
    """How many for which reason, without its particulars."""
    return Counter(reason.partition(" (")[0] for _, reason in dropped)
