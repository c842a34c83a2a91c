"""What has been looked at: so that nobody looks twice, also after a run that was killed.

`looks.jsonl` in the museum's folder: a line for each picture, with its file's size and time,
written once what was found is through to the disk in a shard. A picture that has changed is looked
at again; so is one whose shard is gone, and all of them where another `side` is asked for.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bridge import Refusal
from bridge.learn import shards

LOG = "looks.jsonl"
SKIPPED = "skipped.jsonl"
FORMAT = "first-light-looks-1"  # another one where a look finds other things
OURS = (shards.CARD, shards.LIST, LOG, SKIPPED)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a file of `size` bytes, changed at `time` (nanoseconds): the reason why it
    is not kept, or where it is, with its first file's area in pixels, its print in hexadecimal
    digits and its palette."""

    path: str
    size: int
    time: int
    reason: str = ""
    shard: str = ""
    number: int = -1
    area: int = 0
    print: str = "0"
    palette: list[float] = field(default_factory=list)


class Ledger:
    """The log of a folder that a museum is prepared in. Raises Refusal where that has something
    else in it; `anew` forgets what was looked at."""

    def __init__(self, folder: Path, side: int, *, anew: bool = False) -> None:
        self.folder = folder
        self._head = {"format": FORMAT, "side": side}
        self._known: dict[str, Looked] = {}
        _check_is_ours(folder)
        if anew or not self._read():
            self._begin()
        self._write()  # without half a line that a power cut may have left

    def __getitem__(self, path: str) -> Looked | None:
        """What was found in a file, if it is as it was then."""
        known = self._known.get(path)
        return known if known and (known.size, known.time) == state_of(path) else None

    @property
    def next_number(self) -> int:
        return 1 + max((known.number for known in self._known.values()), default=-1)

    @property
    def next_shard(self) -> int:
        found = (shards.SHARD.fullmatch(known.shard) for known in self._known.values())
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def add(self, looks: Iterable[Looked]) -> None:
        """Remember these: what they found is through to the disk. Raises Refusal."""
        found = list(looks)
        try:
            with open(self.folder / LOG, "a", encoding="utf-8", newline="\n") as log:
                log.writelines(map(_line, found))
        except OSError as problem:
            raise Refusal(f"{self.folder / LOG}: could not be written ({problem}).") from problem
        self._known.update((look.path, look) for look in found)

    def keep_only(self, looks: Iterable[Looked]) -> None:
        """Forget all others, and remove the shards that none of these is in."""
        self._known = {look.path: look for look in looks}
        self._write()
        self._remove_shards_but({look.shard for look in self._known.values()})

    def _write(self) -> None:
        lines = [json.dumps(self._head) + "\n", *map(_line, self._known.values())]
        shards.write_text(self.folder / LOG, "".join(lines))

    def _begin(self) -> None:
        """Forget all, and take the museum away that was made of it: it is not whole any more."""
        self._known = {}
        for name in (shards.CARD, shards.LIST):
            _remove(self.folder / name)
        self._remove_shards_but(set())

    def _read(self) -> bool:
        """Whether there is a log of looks as these; what it tells is known then."""
        try:
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return False
        if _json(lines[0]) != self._head:
            return False
        for line in lines[1:]:
            look = _look(_json(line))
            if look is not None:
                self._known[look.path] = look
        self._forget_what_is_gone()
        return True

    def _forget_what_is_gone(self) -> None:
        there: dict[str, set[str]] = {"": {"-1"}}
        for name in {look.shard for look in self._known.values()} - {""}:
            try:
                there[name] = shards.names_in(self.folder / name)
            except Refusal:
                there[name] = set()
        self._known = {
            path: look
            for path, look in self._known.items()
            if str(look.number) in there[look.shard]
        }

    def _remove_shards_but(self, kept: set[str]) -> None:
        for place in self.folder.iterdir():
            if shards.SHARD.fullmatch(place.name) and place.name not in kept:
                _remove(place)


def state_of(path: str) -> tuple[int, int]:
    """A file's size and time; (-1, -1) where it is not there."""
    try:
        told = os.stat(path)
    except OSError:
        return -1, -1
    return told.st_size, told.st_mtime_ns


def _check_is_ours(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [place.name for place in folder.iterdir()]
    except OSError as problem:
        raise Refusal(
            f"--out {folder}: the folder cannot be made or read ({problem.strerror}); "
            "choose another."
        ) from problem
    others = [n for n in names if not (n in OURS or n.startswith(".") or shards.SHARD.fullmatch(n))]
    if others:
        raise Refusal(
            f"--out {folder}: has other things in it ({min(others)}); choose a folder that is "
            "empty or not there yet."
        )


def _line(look: Looked) -> str:
    return json.dumps(asdict(look), ensure_ascii=False) + "\n"


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _look(told: Any) -> Looked | None:
    """What a line tells; None where it is none of ours, such as half of one."""
    try:
        look = Looked(**told)
        int(look.print, 16)
        whole = [look.size, look.time, look.number, look.area, *map(float, look.palette)]
        return look if all(isinstance(n, (int, float)) for n in whole) else None
    except (TypeError, ValueError):
        return None


def _remove(place: Path) -> None:
    with contextlib.suppress(OSError):
        place.unlink()
