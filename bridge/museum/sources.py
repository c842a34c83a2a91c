"""What pictures there are to look at: folders of collections, flat folders and manifests.

In a folder each sub-folder is a collection, however deep its pictures lie; pictures that lie in it
directly are the collection of its own name. A `manifest.csv` or `manifest.jsonl` in it, or one
given instead of a folder, says it itself: path, collection, license, title, source. Nothing is
opened but manifests. What cannot be read is passed over, and told.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge import Refusal
from bridge.learn import shards
from bridge.museum import manifests
from bridge.museum.look import ENDINGS

MANIFESTS = ("manifest.csv", "manifest.jsonl")  # the first that is there
COLUMNS = ("path", "collection", "license", "title", "source", "url")
TEXTS = ("license", "title", "source")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to look at: `path` is absolute; `name` is the collection's, a stroke, and where it
    lies in there, without its ending."""

    path: str
    name: str
    collection: str
    license: str = ""
    title: str = ""
    source: str = ""


@dataclass(slots=True)
class Gathered:
    """The pictures, in an order that is the same everywhere; what was passed over, and why."""

    wanted: list[Wanted] = field(default_factory=list)
    passed: list[tuple[str, str]] = field(default_factory=list)  # a path or a line, the reason


def gather(places: Iterable[Path]) -> Gathered:
    """What is in these folders and manifests, each file once. Raises Refusal where one of them is
    not there, or is none of a kind that can be read."""
    found = Gathered()
    for place in places:
        place = Path(os.path.abspath(place.expanduser()))
        if place.is_dir():
            _gather_folder(place, found)
        elif place.suffix.lower() in (".csv", ".jsonl") and place.is_file():
            _gather_manifest(place, found)
        elif place.exists():
            raise Refusal(f"{place}: is neither a folder nor a manifest (.csv, .jsonl).")
        else:
            raise Refusal(f"{place}: there is no such folder; check the path.")
    found.wanted = _named_apart(_once(found.wanted))
    return found


def _once(wanted: Iterable[Wanted]) -> list[Wanted]:
    return list({one.path: one for one in reversed(list(wanted))}.values())[::-1]


def _named_apart(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Each with a name of its own: a.jpg beside a.png is a.png, and then comes a.png-2."""
    taken: set[str] = set()
    apart = []
    for one in wanted:
        name = one.name
        if name in taken:
            name += Path(one.path).suffix
        number = 2
        while name in taken:
            name, number = f"{one.name}-{number}", number + 1
        taken.add(name)
        apart.append(
            one
            if name == one.name
            else Wanted(one.path, name, one.collection, one.license, one.title, one.source)
        )
    return apart


# Folders


def _gather_folder(folder: Path, found: Gathered) -> None:
    if (folder / shards.CARD).exists() and (folder / shards.LIST).exists():
        raise Refusal(
            f"{folder}: is a museum that was prepared; give the folder that the pictures are in."
        )
    manifest = next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)
    if manifest is not None:
        _gather_manifest(manifest, found)
        return
    for path in _pictures(folder, found):
        parts = path.relative_to(folder).parts
        collection = parts[0] if len(parts) > 1 else folder.name or "pictures"
        inner = "/".join((*parts[1:-1], path.stem))
        found.wanted.append(Wanted(str(path), f"{collection}/{inner}", collection))


def _pictures(folder: Path, found: Gathered) -> Iterator[Path]:
    """Every picture below a folder, sorted. Links to folders are followed, each folder once."""
    seen = {os.path.realpath(folder)}

    def unreadable(problem: OSError) -> None:
        found.passed.append((str(problem.filename), f"cannot be read ({problem.strerror})"))

    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        wanted = []
        for name in sorted(folders):
            path = os.path.join(place, name)
            real = os.path.realpath(path)
            if name.startswith((".", "__")):  # a system's own
                continue
            if real in seen:
                found.passed.append((path, f"leads back to {real}"))
                continue
            seen.add(real)
            wanted.append(name)
        folders[:] = wanted
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                yield Path(place, name)


# Manifests


def _gather_manifest(manifest: Path, found: Gathered) -> None:
    text = manifests.text_of(manifest, str(manifest))
    if manifest.suffix.lower() == ".csv":
        _must_have_path(manifest, manifests.columns(text))
    there = 0
    for line, row in manifests.rows(manifest, text, str(manifest)):
        wanted = "is no JSON object" if row is None else _row(manifest, row)
        if isinstance(wanted, str):
            found.passed.append((f"{manifest}, line {line}", wanted))
        else:
            found.wanted.append(wanted)
            there += 1
    if not there:
        last = f" ({found.passed[-1][1]})" if found.passed else ""
        raise Refusal(f"{manifest}: names no picture{last}; it needs a column `path`.")


def _must_have_path(manifest: Path, columns: Sequence[str]) -> None:
    if "path" not in columns:
        told = ", ".join(columns) or "nothing"
        raise Refusal(
            f"{manifest}: has no column `path` in its first line (it has {told}); "
            f"the columns are {', '.join(COLUMNS)}."
        )


def _row(manifest: Path, row: manifests.Row) -> Wanted | str:
    """What a row names; or why nothing."""
    texts = {name: value.strip() for name, value in row.items() if isinstance(value, str)}
    told = texts.get("path", "")
    if not told and texts.get("url"):
        return "is not on this disk yet; run firstlight collect"
    if not told or "\0" in told:
        return "says no `path`"
    path = Path(os.path.abspath(manifest.parent / Path(told.replace("\\", os.sep)).expanduser()))
    collection = texts.get("collection", "").replace("/", "-") or path.parent.name
    license, title, source = (texts.get(column, "") for column in TEXTS)
    return Wanted(
        str(path),
        f"{collection}/{path.stem}",
        collection,
        license,
        title,
        source or texts.get("url", ""),
    )
