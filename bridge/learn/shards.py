"""A prepared museum: a folder of small pictures that a lesson and a live memory draw from.

`firstlight collections` makes it: `card.json` says what is in it, `pictures.jsonl` has a line for
each picture, and each `shard-0000.safetensors` holds some hundred of them, uint8 and blue first.
Every file is written whole or not at all. Reading takes one picture at a time from the disk, so a
museum of any size costs no memory. Any thread, one at a time; pictures leave as host tensors of
their own.
"""

import bisect
import contextlib
import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bridge import Refusal
from bridge.files import whole

FORMAT = "first-light-card-1"
CARD, LIST = "card.json", "pictures.jsonl"
SHARD = re.compile(r"shard-(\d{4,})\.safetensors")  # a name from a file is no path
SHARD_BYTES = 64 << 20  # what a shard is filled to: it is held in memory until it is written
PALETTE = 6  # mean of blue, green, red, and their standard deviation, in 0..1
NEAR = 1e-6  # how far from 1 the shares may sum up
AGAIN = "run firstlight collections again"


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a museum, and where it is.

    share   of the draws, 0 to 1; 0 where it is held out; all of them sum up to 1
    """

    name: str
    collection: str
    held: bool
    share: float
    palette: tuple[float, ...]
    title: str
    license: str
    source: str
    shard: str
    number: int


class Shards:
    """A museum that was prepared: its card, what is in it, and each picture when it is asked for.

    Raises Refusal where the folder is none, or is not whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = read_card(folder)
        self.entries = read_list(folder, self.card)
        _check_shards(folder, self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def picture(self, index: int) -> Tensor:
        """(H, W, 3) uint8, blue first, on the host, nobody else's. Raises Refusal where the shard
        has been changed or lost meanwhile."""
        entry = self.entries[index]
        place = self.folder / entry.shard
        try:
            # As numpy's, for it copies what it is asked for: torch's own way maps the whole file,
            # which takes 30 times as long, and which Windows does not let go of.
            with safe_open(place, "np") as file:
                told = file.get_slice(str(entry.number))
                if told.get_dtype() != "U8" or len(told.get_shape()) != 3:
                    raise _broken(place, f"{entry.number} is no picture")
                picture = torch.from_numpy(file.get_tensor(str(entry.number)))
        except (OSError, SafetensorError) as problem:
            raise _broken(place, str(problem)) from problem
        if picture.shape[2] != 3 or not picture.numel():
            raise _broken(place, f"{entry.number} is no picture")
        return picture


# Drawing by chance


def odds(entries: Iterable[Entry]) -> list[float]:
    """The shares summed up from the first picture on, for `chosen`. Raises Refusal where nothing
    may be drawn."""
    summed = list(itertools.accumulate(entry.share for entry in entries))
    if not summed or summed[-1] <= 0:
        raise Refusal(f"no picture there is to be taught on; {AGAIN}, and hold out less.")
    return summed


def chosen(odds: Sequence[float], dice: random.Random) -> int:
    """The index of a picture, drawn by its share; one of share 0 never is. One throw a picture."""
    return bisect.bisect_right(odds, dice.random() * odds[-1])


# Reading


def read_card(folder: Path) -> dict[str, Any]:
    """What a museum says of itself. Raises Refusal where it is none."""
    if not folder.is_dir():
        raise Refusal(
            f"{folder}: there is no such folder; make one with "
            f"firstlight collections DIR --out {folder}."
        )
    place = folder / CARD
    if not place.exists():
        raise Refusal(
            f"{folder}: is no prepared museum, or was not finished (it has no {CARD}); "
            f"run firstlight collections DIR --out {folder}."
        )
    card = _json(place, _text(place))
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise _broken(place, f'it does not say "format": "{FORMAT}"')
    for key in ("pictures", "held_out"):
        if not _is_count(card.get(key)):
            raise _broken(place, f'"{key}" is no count')
    if not isinstance(card.get("collections"), list):
        raise _broken(place, '"collections" is no list')
    return card


def read_list(folder: Path, card: Mapping[str, Any]) -> list[Entry]:
    """A line for each picture. Raises Refusal where one cannot be read, or they do not fit together
    or the card."""
    place = folder / LIST
    # Not splitlines, which also takes the breaks of Unicode that a title may have in it.
    lines = enumerate(_text(place).removesuffix("\n").split("\n"), 1)
    entries = [_entry(place, number, _json(place, line, number)) for number, line in lines]
    held = sum(entry.held for entry in entries)
    if (len(entries) - held, held) != (card["pictures"], card["held_out"]):
        raise _broken(place, f"it does not list what {CARD} counts")
    if len({entry.name for entry in entries}) != len(entries):
        raise _broken(place, "a name is in it twice")
    if abs(sum(entry.share for entry in entries) - 1) > NEAR:
        raise _broken(place, "its shares do not sum up to 1")
    return entries


def _entry(place: Path, line: int, told: object) -> Entry:
    """An entry of what a line says; what a later version may add is passed over."""
    if not isinstance(told, dict):
        raise _broken(place, f"line {line} is no picture")
    found: dict[str, Any] = {field.name: told.get(field.name) for field in fields(Entry)}
    for name in ("name", "collection", "title", "license", "source", "shard"):
        if not isinstance(found[name], str):
            raise _broken(place, f'line {line}: "{name}" is no text')
    if not SHARD.fullmatch(found["shard"]):
        raise _broken(place, f'line {line}: "shard" is none')
    if not _is_count(found["number"]) or not isinstance(found["held"], bool):
        raise _broken(place, f'line {line}: "number" or "held" is none')
    if not _is_share(found["share"]) or (found["held"] and found["share"] != 0):
        raise _broken(place, f'line {line}: "share" is none')
    palette = found["palette"]
    if not isinstance(palette, list) or len(palette) != PALETTE or not all(map(_is_share, palette)):
        raise _broken(place, f'line {line}: "palette" is not {PALETTE} numbers from 0 to 1')
    return Entry(**{**found, "palette": tuple(map(float, palette)), "share": float(found["share"])})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _check_shards(folder: Path, entries: Sequence[Entry]) -> None:
    """Raise Refusal unless every picture is in its shard: now, and not in the middle of a show."""
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        wanted.setdefault(entry.shard, set()).add(str(entry.number))
    for name, numbers in wanted.items():
        if missing := numbers - names_in(folder / name):
            raise _broken(folder / name, f"{min(missing)} is not in it")


def names_in(place: Path) -> set[str]:
    """The numbers, as text, of the pictures in a shard. Raises Refusal where it is not whole."""
    try:
        with safe_open(place, "np") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as problem:
        raise _broken(place, str(problem)) from problem


def _text(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise _broken(place, str(problem)) from problem


def _json(place: Path, text: str, line: int = 0) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        where = f"line {line}: " if line else ""
        raise _broken(place, f"{where}{problem}") from problem


def _broken(place: Path, why: str) -> Refusal:
    return Refusal(f"{place}: cannot be read ({why.rstrip('.')}); {AGAIN}.")


# Writing


def shard_name(index: int) -> str:
    return f"shard-{index:04}.safetensors"


def write_shard(folder: Path, index: int, pictures: Mapping[int, Tensor]) -> None:
    """Write pictures, (H, W, 3) uint8 blue first, by number; through to the disk. Raises
    Refusal."""
    place = folder / shard_name(index)
    with _writing(place) as beside:
        save_file({str(number): picture for number, picture in pictures.items()}, beside)


def write_list(folder: Path, entries: Iterable[Entry]) -> None:
    """Write the line of each picture. Raises Refusal."""
    lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in entries]
    write_text(folder / LIST, "".join(f"{line}\n" for line in lines))


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write what a museum says of itself: last, for with it the museum is finished. Raises
    Refusal."""
    told = {"format": FORMAT, **card}
    write_text(folder / CARD, json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def write_text(place: Path, text: str) -> None:
    """Write a text whole or not at all. Raises Refusal."""
    with _writing(place) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[Path]:
    try:
        with whole(place) as beside:
            yield beside
    except (OSError, SafetensorError) as problem:
        raise Refusal(
            f"{place}: could not be written ({problem}); make room or choose another place."
        ) from problem
