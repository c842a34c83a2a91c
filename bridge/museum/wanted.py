"""What is to be fetched: a list of collections on Commons (TOML), or a manifest of addresses.

A manifest is CSV or JSONL, one picture a line, with a column `url` and, where it has them,
`collection`, `license`, `title`, `artist` and `source`. Lines that say no address are told and
passed over. Only files of this machine are read here.
"""

import difflib
import re
import tomllib
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge import Refusal
from bridge.museum import manifests

HERE = Path(__file__).parents[1]
FOLDERS = (HERE / "configs", HERE.parent / "configs")  # installed, in the repository
SHIPPED = "collections-2017"
MOST_TEXT = 500  # characters that are kept of a title, a name, a licence


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture to fetch. `key` is what makes it this one: the same key is not fetched twice."""

    collection: str
    url: str
    key: str
    title: str = ""
    artist: str = ""
    license: str = ""
    source: str = ""


@dataclass(slots=True)
class Collections:
    """Collections on Wikimedia Commons: what each is called, and the categories it may be in."""

    api: str
    category: list[str]  # titles to look under, in this order, with {name} for the collection
    collections: list[str]
    subcategories: bool = False  # also what is one category below
    exceptions: dict[str, str] = field(default_factory=dict)  # the category of those called else

    def titles(self, name: str) -> list[str]:
        """The categories that a collection may be in, the likeliest first."""
        if name in self.exceptions:
            return [self.exceptions[name]]
        return [pattern.replace("{name}", name) for pattern in self.category]


# Collections


def collections(asked: str | None) -> Collections:
    """The collections in a TOML file: a path, or the name of the one that ships (the default).
    Raises Refusal naming the key and what to write."""
    path, said = _find(asked or SHIPPED), f"--config {asked or SHIPPED}"
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as problem:
        raise Refusal(f"{said}: cannot be read ({problem.strerror}); check the path.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise Refusal(f"{said}: is not TOML ({problem}); mend that line.") from problem
    if isinstance(table.get("category"), str):
        table["category"] = [table["category"]]
    for key, value in table.items():
        if key not in TAKES:
            near = difflib.get_close_matches(key, TAKES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TAKES)}."
            raise Refusal(f"{said}: there is no key {key}; {hint}")
        if not _fits(key, value):
            raise Refusal(f"{said}: {key} takes {TAKES[key]}, not {str(value)[:100]!r}.")
    if lacking := [key for key in ("api", "category", "collections") if not table.get(key)]:
        raise Refusal(f"{said}: it lacks {' and '.join(lacking)}; see {SHIPPED}.toml.")
    return Collections(**table)


TAKES = {
    "api": "the address of the API, in quotes",
    "category": 'a text with {name} in it, such as "Paintings in {name}", or a list of such texts',
    "collections": "a list of names in quotes",
    "subcategories": "true or false",
    "exceptions": "a table of collections and their categories",
}


def _fits(key: str, value: Any) -> bool:
    match key:
        case "api":
            return isinstance(value, str) and value.startswith(("http://", "https://"))
        case "subcategories":
            return isinstance(value, bool)
        case "exceptions":
            return isinstance(value, dict) and _texts(value.values())
        case "category":
            return isinstance(value, list) and _texts(value) and all("{name}" in v for v in value)
        case _:
            return isinstance(value, list) and _texts(value)


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


def _find(asked: str) -> Path:
    path = Path(asked).expanduser()
    if path.exists():
        return path
    name = Path(asked).name.removesuffix(".toml") + ".toml"
    return next((there for f in FOLDERS if (there := f / name).is_file()), path)


# Manifests


def manifest(path: Path) -> tuple[dict[str, list[Wanted]], int]:
    """The pictures that a manifest lists, by collection (its own name where it says none), and
    the number of lines that list none. Raises Refusal where that is all of them."""
    said = f"--manifest {path}"
    text = manifests.text_of(path, said)
    rows = [row or {} for _, row in manifests.rows(path, text, said)]
    if columns := next((row for row in rows if row), None):
        _must_have_url(path, rows, columns)
    found: dict[str, dict[str, Wanted]] = {}
    for row in rows:
        if url := _text(row, "url"):
            wanted = _wanted(row, url, path.stem)
            found.setdefault(wanted.collection, {})[wanted.key] = wanted
    if not found:
        raise Refusal(
            f'--manifest {path}: no line of it lists a picture; write {{"url": "https://…"}} in '
            "each line of a .jsonl, or a column url in a .csv."
        )
    return {name: list(of.values()) for name, of in found.items()}, _without(rows)


def _must_have_url(path: Path, rows: list[dict[str, Any]], columns: dict[str, Any]) -> None:
    if not any("url" in row for row in rows):
        raise Refusal(
            f"--manifest {path}: there is no column url, only {', '.join(list(columns)[:12])}; "
            "call the one with the pictures' addresses url."
        )


def _without(rows: list[dict[str, Any]]) -> int:
    return sum(not _text(row, "url") for row in rows)


def _wanted(row: dict[str, Any], url: str, otherwise: str) -> Wanted:
    last = re.split("[?#]", url)[0].rstrip("/").rpartition("/")[2]
    return Wanted(
        collection=_text(row, "collection") or otherwise,
        url=url,
        key=url,
        title=_text(row, "title") or Path(urllib.parse.unquote(last)).stem,
        artist=_text(row, "artist"),
        license=_text(row, "license"),
        source=_text(row, "source"),
    )


def _text(row: dict[str, Any], key: str) -> str:
    """What a column says, on one line."""
    value = row.get(key)
    told = str(value) if isinstance(value, (str, int, float)) else ""
    return one_line(told, len(told) if key == "url" else MOST_TEXT)


def one_line(text: str, most: int = MOST_TEXT) -> str:
    """A text that can be written into a line of a list: JSON can hold halves of letters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(whole.split())[:most]
