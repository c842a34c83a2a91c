"""Files that a hand asks for from anywhere: names that stay in their folder, and writing that
leaves a whole file or none, also when the power is cut meanwhile."""

import contextlib
import os
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from bridge import Refusal

MOST = 256  # files of a kind: whoever can send a name could fill the disk
LONGEST = 60  # characters of a file's name
BYTES = 200  # and what they may take, where the longest that a system takes is 255
RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}
OURS = ("autosave", "before-autosave", "unreadable")  # beginnings of names that are not the hand's
OLD = 3600.0  # seconds after which a file that is being written is one that a killed writer left


def file_name(text: str) -> str:
    """The name of a file, without its ending, made of a text from anywhere: letters and digits of
    any script, spaces and - _ . are kept, and what a system reserves is not. "" where nothing is
    left."""
    told = unicodedata.normalize("NFC", text)
    name = "".join(c if c.isalnum() or c in " -_." else "-" for c in told).strip(" .-")
    name = name[:LONGEST]
    while len(name.encode()) > BYTES:
        name = name[:-1]
    name = name.strip(" .-")
    first = name.split(".")[0].strip().casefold()
    return f"_{name}" if first in RESERVED or name.casefold().startswith(OURS) else name


def inside(place: Path) -> Path:
    """The place, if it is not a way out of its folder. Raises Refusal for a link that is."""
    if place.is_symlink():
        raise Refusal(f"{place} is a link to somewhere else; put the file itself there.")
    return place


@contextlib.contextmanager
def whole(place: Path) -> Iterator[Path]:
    """A path to write to, which becomes `place` once the block has ended well and it is through
    to the disk. Else nothing is left of it, and what was there before stays. Raises OSError."""
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, place)
        _sync_folder(place.parent)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk too, where the system lets a folder be asked for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):
            os.fsync(handle)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left; nobody writes for an hour."""
    with contextlib.suppress(OSError):
        for left in folder.glob(".*.part"):
            if time.time() - left.stat().st_mtime > OLD:
                left.unlink()
