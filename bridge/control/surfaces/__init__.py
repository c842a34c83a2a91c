"""Surfaces: what other programs open to play First Light, made from the knobs.

One module = one program = one folder of patches. Each has `files(space, place)`: every file of its
folder by name, as text or bytes, the README with its steps too. The same knobs give the same bytes.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

from bridge import Refusal
from bridge.space import AddressSpace

NAMES = tuple(
    sorted(
        path.stem.replace("_", "-")
        for path in Path(__file__).parent.glob("*.py")
        if path.stem != "__init__"
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a First Light runs, as a surface reaches it, and where it tells what changes."""

    host: str = "127.0.0.1"
    osc: int = 9137
    feedback: int = 9138
    page: int = 9180


def files(name: str, space: AddressSpace, place: Place) -> dict[str, bytes]:
    """The files of a surface's folder, by name. Raises Refusal for a name that is none."""
    if name not in NAMES:
        raise Refusal(f"patch {name}: there is none; there are {', '.join(NAMES)}.")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    made = module.files(space, place)
    return {
        path: content if isinstance(content, bytes) else content.encode()
        for path, content in made.items()
    }


def write(name: str, space: AddressSpace, place: Place, folder: Path) -> list[Path]:
    """Write a surface's files into `folder`/NAME, over those that are there. Raises Refusal."""
    written = []
    for path, content in files(name, space, place).items():
        target = folder / name / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as problem:
            raise Refusal(
                f"patch {name}: {target} could not be written ({problem.strerror});"
                " choose another place with --out FOLDER."
            ) from problem
        written.append(target)
    return written
