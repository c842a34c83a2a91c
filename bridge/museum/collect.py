"""Collecting: pictures of museums from Wikimedia Commons, or from any list of addresses.

Collection by collection what is wanted is listed, what is there is passed over, and the rest is
asked for, one picture at a time; each is decoded before it is kept, and written down with its
licence and where it is from. It goes on where it was stopped. All of it on the main thread.
It has been tested against a local server that answers as Commons' documentation says, and never
against the real Commons.
"""

import argparse
import contextlib
import difflib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from bridge import Refusal
from bridge.museum import wanted
from bridge.museum.commons import Commons, check_thumbnail, permitted
from bridge.museum.fetch import Closed, Web
from bridge.museum.haul import FAILED, MANIFEST, Haul, picture
from bridge.museum.outside import Failed
from bridge.museum.wanted import Wanted

MOST = 1 << 26  # bytes of a picture
FASTEST = 10.0  # requests a second: nobody's server is ours
CHECKPOINT = 50  # pictures
PLAIN_EVERY = 15.0  # seconds between plain lines
ALL = 1 << 40


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, and how to learn what is in it. `robots`: its hosts' robots.txt is obeyed,
    which Commons' own API goes before."""

    name: str
    pictures: Callable[[], list[Wanted]]
    robots: bool


@dataclass(slots=True)
class Tally:
    fetched: int = 0
    there: int = 0
    failed: int = 0
    empty: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    closed: str = ""  # why a host is asked no more


def main(options: argparse.Namespace) -> int:
    """Collect. Answers 0, or 1 if there is not one picture in the end."""
    if not 0 < options.rate <= FASTEST:
        raise Refusal(f"--rate {options.rate:g}: choose up to {FASTEST:g} requests a second.")
    web = Web(options.contact, options.rate, anywhere=options.anywhere)
    with contextlib.closing(web):
        return collect(options, web)


def collect(
    options: argparse.Namespace, web: Web, clock: Callable[[], float] = time.monotonic
) -> int:
    """The same with `web` to ask, and `clock` (seconds) for what is told meanwhile."""
    if options.most is not None and options.most < 1:
        raise Refusal(f"--most {options.most}: choose at least 1 picture of each collection.")
    folder = Path(options.out).expanduser()
    listed = chosen(list(_collections(options, web, folder)), options.only or [])
    haul, tally = Haul(folder), Tally()
    with Voice(len(listed), clock) as voice:
        try:
            for collection in listed:
                _collect(collection, options.most or ALL, web, haul, tally, voice)
        except KeyboardInterrupt:
            voice.say("stopped; the same command goes on from here.")
            raise
        finally:
            haul.save()
        _tell(tally, haul, folder, voice)
    if tally.closed and not tally.fetched:
        raise Refusal(tally.closed)
    return 0 if len(haul) else 1


# What there is to collect


def _collections(options: argparse.Namespace, web: Web, folder: Path) -> Iterator[Collection]:
    if options.config or not options.manifest:
        config = wanted.collections(options.config)
        commons = Commons(web, config.api, permitted(options.width))
        below = options.subcategories or config.subcategories
        for name in config.collections:
            yield Collection(
                name, _of_commons(commons, name, config.titles(name), options.most, below), False
            )
    for text in options.manifest or []:
        path = Path(text).expanduser()
        if path.resolve() == (folder / MANIFEST).resolve():
            raise Refusal(f"--manifest {path}: it would be written over; choose another --out.")
        found, without = wanted.manifest(path)
        if without:
            print(f"firstlight: {path}: {without} lines list no picture.", file=sys.stderr)
        for name, pictures in found.items():
            yield Collection(name, _of_list(pictures), True)


def _of_commons(
    commons: Commons, name: str, titles: list[str], most: int | None, below: bool
) -> Callable[[], list[Wanted]]:
    return lambda: commons.pictures(name, titles, most or ALL, below=below)


def _of_list(pictures: list[Wanted]) -> Callable[[], list[Wanted]]:
    return lambda: pictures


def chosen(listed: list[Collection], only: Iterable[str]) -> list[Collection]:
    """Those of these names, whatever their capitals; all, where none is named. Raises Refusal."""
    names = {collection.name.casefold(): collection.name for collection in listed}
    for name in only:
        if name.casefold() not in names:
            near = difflib.get_close_matches(name.casefold(), names, n=3, cutoff=0.4)
            hint = " or ".join(names[key] for key in near) or "one that the list has"
            raise Refusal(f"--only {name}: there is no such collection; write {hint}.")
    asked = {name.casefold() for name in only}
    return [one for one in listed if not asked or one.name.casefold() in asked]


# Collecting


def _collect(
    collection: Collection, most: int, web: Web, haul: Haul, tally: Tally, voice: "Voice"
) -> None:
    voice.begin(collection.name)
    try:
        pictures = collection.pictures()[:most]
    except Closed as problem:
        raise Refusal(str(problem)) from problem
    except Failed as problem:
        tally.unlisted.append(f"{collection.name} ({problem})")
        return
    if not pictures:
        tally.empty.append(collection.name)
    for number, one in enumerate(pictures):
        voice.at(number, len(pictures))
        if haul.has(one):
            tally.there += 1
            continue
        try:
            _fetch(one, collection.robots, web, haul)
            tally.fetched += 1
        except Failed as problem:
            haul.fail(one, str(problem))
            tally.failed += 1
            _mind(problem, collection, tally)
        if (tally.fetched + tally.failed) % CHECKPOINT == 0:
            haul.save()
    voice.at(len(pictures), len(pictures))


def _fetch(one: Wanted, robots: bool, web: Web, haul: Haul) -> None:
    check_thumbnail(one.url)
    haul.take(one, *web.get(one.url, MOST, picture, robots=robots))


def _mind(problem: Failed, collection: Collection, tally: Tally) -> None:
    """A host that gives nothing ends the run where all is from it, but not that of a manifest,
    whose other hosts may be well."""
    if isinstance(problem, Closed):
        if not collection.robots:
            raise Refusal(str(problem)) from problem
        tally.closed = str(problem)


def _tell(tally: Tally, haul: Haul, folder: Path, voice: "Voice") -> None:
    voice.say(
        f"{tally.fetched} fetched, {tally.there} there already, {tally.failed} failed; "
        f"pictures in {folder}: {len(haul)}."
    )
    if tally.unlisted:
        voice.say(f"could not be listed: {'; '.join(tally.unlisted)}.")
    if tally.empty:
        voice.say(
            f"without a picture, or called otherwise on Commons: {'; '.join(tally.empty)}. Give "
            "their categories under [exceptions] in a copy of the list (--config)."
        )
    if haul.failed:
        voice.say(f"what failed, and why, is in {folder / FAILED}; the same command tries again.")
    if len(haul):
        voice.say(f"next: firstlight collections {folder} --out museum")


class Voice:
    """What is told meanwhile: a progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, collections: int, clock: Callable[[], float]) -> None:
        self._count, self._number, self._name = collections, 0, ""
        self._clock, self._told = clock, clock()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            words = TextColumn("{task.description}", markup=False)  # names come from outside
            self._bar = Progress(words, *columns, console=self._console)
            self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Voice":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def begin(self, name: str) -> None:
        self._number, self._name = self._number + 1, name
        told = f"{self._number}/{self._count} {name}"
        if self._bar:
            self._bar.reset(self._task, total=None, description=told)
        else:
            self.say(told)

    def at(self, done: int, total: int) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)
        elif self._clock() - self._told >= PLAIN_EVERY:
            self.say(f"{self._number}/{self._count} {self._name}: {done} of {total}")

    def say(self, line: str) -> None:
        self._told = self._clock()
        if self._bar:
            self._bar.console.print(Text(line))
        else:
            print(line, file=sys.stderr, flush=True)
