"""What has been fetched: pictures in `folder/<collection>/`, `manifest.jsonl` that says whose they
are, and `failed.jsonl` that says what could not be had, and why.

Every picture is a whole file before it is written down, and both lists are replaced whole: whoever
kills the program loses at most a picture that was on its way. What a killed run had not yet
written down is found again by its name. Runs on the main thread.
"""

import errno
import hashlib
import io
import json
import struct
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from bridge import Refusal
from bridge.files import file_name, sweep, whole
from bridge.install import pip
from bridge.museum.fetch import Again, Reply
from bridge.museum.outside import Failed
from bridge.museum.wanted import Wanted

try:
    from PIL import Image, UnidentifiedImageError
except ImportError as problem:
    words = pip("install 'firstlight[museum]'")
    raise ImportError(
        f"Pillow is not installed, and pictures are read by it; run: {words}"
    ) from problem

MANIFEST, FAILED = "manifest.jsonl", "failed.jsonl"
ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}
DIGITS = 12  # that end the name of a picture's file
READ = ("JPEG", "PNG", "WEBP", "TIFF")
MOST_PIXELS = 64_000_000
FULL = (errno.ENOSPC, errno.EDQUOT)
PAGES = ("text/html", "application/xhtml+xml", "image/svg+xml", "application/pdf")
# What Pillow raises for a file that is damaged, by kind of file and damage.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    KeyError,
    TypeError,
)


def picture(reply: Reply) -> tuple[bytes, str]:
    """The body and the ending that its file should have. Raises Failed for what is no picture,
    and Again for one that is not whole."""
    if reply.type in PAGES:
        raise Failed(f"it is no picture but {reply.type}")
    if not reply.body:
        raise Again("it is empty")
    return reply.body, decode(reply.body)


def decode(data: bytes) -> str:
    """The ending of a picture's file, once all of it has been decoded; else as `picture`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's: what it can mend, and its own size limit
        try:
            with Image.open(io.BytesIO(data), formats=READ) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Failed(f"it has more than {MOST_PIXELS // 1_000_000} million pixels")
                image.load()
                return ENDINGS[str(image.format)]
        except Image.DecompressionBombError as problem:
            raise Failed(f"it has more than {MOST_PIXELS // 1_000_000} million pixels") from problem
        except UnidentifiedImageError as problem:
            raise Failed("it is no picture that can be read") from problem
        except DAMAGED as problem:
            raise Again("it is damaged") from problem


class Haul:
    """The folder and its two lists. Raises Refusal where they are somebody else's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there = {
            row["path"].rpartition(".")[0][-DIGITS:]: row
            for row in self._read(MANIFEST)
            if self._is_ours(row)
        }
        self._failed = {str(row.get("key", "")): row for row in self._read(FAILED)}
        self._swept: set[str] = set()

    @property
    def failed(self) -> int:
        return len(self._failed)

    def __len__(self) -> int:
        return len(self._there)

    def has(self, wanted: Wanted) -> bool:
        """Whether the picture is there, whole; if so it is written down as it is described now."""
        row = self._there.pop(_id(wanted), None)
        stem = place(wanted)
        paths = [row["path"]] if row else [stem + ending for ending in set(ENDINGS.values())]
        for path in paths:
            digest = self._digest(path, row["sha256"] if row else "")
            if digest:
                self._enter(wanted, path, digest)
                return True
        return False

    def take(self, wanted: Wanted, data: bytes, ending: str) -> None:
        """Write a picture, whole, and write it down. Raises Refusal."""
        path = place(wanted) + ending
        try:
            with whole(self._folder / path) as beside:
                beside.write_bytes(data)
        except OSError as problem:
            self._refuse(problem)
        self._enter(wanted, path, hashlib.sha256(data).hexdigest())

    def fail(self, wanted: Wanted, reason: str) -> None:
        row = {name: value for name, value in asdict(wanted).items() if value}
        self._failed[_id(wanted)] = {**row, "reason": reason, "key": _id(wanted)}

    def save(self) -> None:
        """Replace both lists, each whole. Raises Refusal, and leaves what was there before."""
        if not self._there and not self._failed and not self._folder.exists():
            return
        try:
            _write(self._folder / MANIFEST, self._there.values())
            if self._failed:
                _write(self._folder / FAILED, self._failed.values())
            else:
                (self._folder / FAILED).unlink(missing_ok=True)
        except OSError as problem:
            self._refuse(problem)

    # Inside

    def _enter(self, wanted: Wanted, path: str, digest: str) -> None:
        told = {name: value for name, value in asdict(wanted).items() if name != "key"}
        self._there[_id(wanted)] = {"path": path, **told, "sha256": digest}
        self._failed.pop(_id(wanted), None)

    def _digest(self, path: str, before: str) -> str:
        """The SHA-256 of a picture that is there and whole, or "". `before`: what it was."""
        folder = path.partition("/")[0]
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(self._folder / folder)
        try:
            data = (self._folder / path).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if not before:
                decode(data)
        except (OSError, Failed, Again):
            return ""
        return digest if before in ("", digest) else ""

    def _read(self, name: str) -> list[dict[str, Any]]:
        """The rows of a list of ours. A line that is damaged is left out: its picture is found."""
        try:
            lines = (self._folder / name).read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        except OSError as problem:
            self._refuse(problem)
        rows = []
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                rows.append(row)
        return rows

    def _is_ours(self, row: dict[str, Any]) -> bool:
        """Whether the picture is still there. Raises Refusal for a line that this never wrote."""
        path = row.get("path")
        if not isinstance(path, str) or not isinstance(row.get("sha256"), str):
            raise Refusal(
                f"{self._folder / MANIFEST} was not written by firstlight collect, which would "
                "replace it; choose another folder with --out."
            )
        return stays_inside(path) and (self._folder / path).is_file()

    def _refuse(self, problem: OSError) -> NoReturn:
        if problem.errno in FULL:
            raise Refusal(
                f"{self._folder}: the disk is full; what is there is whole. Make room, and the "
                "same command goes on from here."
            ) from problem
        raise Refusal(
            f"{self._folder}: cannot be written or read ({problem.strerror}); choose another "
            "folder with --out."
        ) from problem


def stays_inside(path: str) -> bool:
    """Whether a path leads nowhere but into the folder that it is taken from, on any system."""
    within = PurePosixPath(path)
    return not (within.is_absolute() or ".." in within.parts or "\\" in path or ":" in path)


def place(wanted: Wanted) -> str:
    """Where a picture goes in the folder, without its ending: names that every system takes, and
    that differ in more than capitals where the pictures differ."""
    folder = file_name(wanted.collection) or "collection"
    return f"{folder}/{file_name(wanted.title) or 'picture'}-{_id(wanted)}"


def _id(wanted: Wanted) -> str:
    """What tells a picture of a collection from all others, in hexadecimal."""
    return hashlib.sha256(f"{wanted.collection}\n{wanted.key}".encode()).hexdigest()[:DIGITS]


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with whole(path) as beside, open(beside, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
