"""Manifests: lists of pictures, CSV or JSONL, as whoever gathers or fetches them reads them.

Columns are known by what they mean: `Path `, `URL`, `licence`. A spreadsheet's marks, commas,
semicolons and tabs are its own affair, and JSON may hold a U+2028, which is no end of a line.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge import Refusal

JSONL = (".jsonl", ".ndjson", ".json")
SEPARATORS = ",;\t"  # Excel's depends on where it was bought
FIELD_BYTES = 1 << 20  # of a table's field; the csv module's own limit is less than some titles

Row = dict[str, Any]


def text_of(path: Path, said: str) -> str:
    """The text of a manifest. Raises Refusal, which begins with what was `said`."""
    try:
        return path.read_bytes().decode("utf-8-sig")  # Excel likes a mark in front
    except OSError as problem:
        raise Refusal(f"{said}: cannot be read ({problem.strerror}); check the path.") from problem
    except UnicodeDecodeError as problem:
        raise Refusal(f"{said}: is not UTF-8; save it as UTF-8 text.") from problem


def rows(path: Path, text: str, said: str) -> Iterator[tuple[int, Row | None]]:
    """Each row, by the number of its line; None for a line of JSONL that is no object. Raises
    Refusal for a table that is none."""
    return _of_json(text) if path.suffix.lower() in JSONL else _of_csv(text, said)


def columns(text: str) -> list[str]:
    """The columns that a table's first line names."""
    return [_meant(name) for name in next(_reader(text), [])]


def _of_json(text: str) -> Iterator[tuple[int, Row | None]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield number, _named(row) if isinstance(row, dict) else None


def _of_csv(text: str, said: str) -> Iterator[tuple[int, Row]]:
    reader = _reader(text)
    try:
        names: list[str] = next(reader, [])
        for values in reader:
            if any(value.strip() for value in values):
                yield reader.line_num, _named(dict(zip(names, values, strict=False)))
    except csv.Error as problem:
        raise Refusal(
            f"{said}, line {reader.line_num}: is no CSV ({problem}); save it as CSV again."
        ) from problem


def _reader(text: str) -> Any:
    head = text.partition("\n")[0]
    csv.field_size_limit(FIELD_BYTES)
    return csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=head.count))


def _named(row: Row) -> Row:
    named = {_meant(name): value for name, value in row.items()}
    if "licence" in named:
        named.setdefault("license", named["licence"])
    return named


def _meant(name: object) -> str:
    return str(name).strip().casefold()
