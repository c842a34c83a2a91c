"""Presets: where the faders stand, as a JSON file of addresses and values.

`configs/presets` in the repository holds those that come with the program; an installed package
carries the same folder as `bridge/presets`; those saved by hand are in a folder of the user's own.
`"about"`, a sentence for whoever opens the file, and `"slot"`, where it is at hand, are the keys
that are no address. Putting a preset in force is `AddressSpace.recall`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge import Refusal
from bridge.files import file_name, inside, whole

HERE = Path(__file__).parent
FOLDERS = (HERE / "presets", HERE.parent / "configs" / "presets")  # installed, in the repository
ABOUT = ("about", "slot")  # what a file tells of itself


def shipped() -> dict[str, Path]:
    """The presets that come with the program, by name."""
    return {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.json"))}


def saved(folder: Path) -> dict[str, Path]:
    """The presets in a folder of the user's own, by name: no links, and no name that none has
    who asks for it by OSC. Raises Refusal for a folder that cannot be looked into."""
    try:
        return {
            path.stem: path
            for path in sorted(folder.glob("*.json"))
            if file_name(path.stem) == path.stem and not path.is_symlink() and path.is_file()
        }
    except OSError as problem:
        raise Refusal(
            f"{folder}: cannot be looked into ({problem.strerror}); choose another with --presets."
        ) from problem


def read(asked: str, folder: Path | None = None) -> dict[str, Any]:
    """A preset by its name ("default") or its file ("looks/mine.json"), as {address: value}.

    A name is looked for in `folder` first, then among those that ship. Whether the addresses are
    there is the AddressSpace's to say. Raises Refusal for what is no preset.
    """
    table = opened(_find(asked, folder), f"--preset {asked}")
    return {key: value for key, value in table.items() if key not in ABOUT}


def opened(path: Path, said: str) -> dict[str, Any]:
    """All that a file says, also of itself. Raises Refusal, which begins with what was `said`."""
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))  # Notepad likes a mark in front
    except OSError as problem:
        raise Refusal(f"{said}: cannot be read ({problem.strerror}); check the path.") from problem
    except (ValueError, RecursionError) as problem:
        raise Refusal(f"{said}: is not JSON ({problem}); mend that line.") from problem
    if not isinstance(table, dict):
        raise Refusal(
            f"{said}: is JSON but no preset; "
            'write addresses and values between braces: {"/learn/rate": 0.01}.'
        )
    return table


def write(path: Path, table: Mapping[str, object]) -> None:
    """Write a file whole or not at all. Raises Refusal when that cannot be."""
    try:
        with whole(inside(path)) as beside:
            text = json.dumps(table, indent=1, ensure_ascii=False)
            beside.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        raise Refusal(
            f"{path}: could not be written ({problem.strerror}); make room or choose another place."
        ) from problem


def _find(asked: str, folder: Path | None) -> Path:
    names = shipped() | (saved(folder) if folder else {})
    if asked in names:
        return names[asked]
    path = Path(asked).expanduser()
    if path.suffix or path.name != asked:
        return path
    where = f" or is in {folder}" if folder else ""
    raise Refusal(
        f"--preset {asked}: no preset of that name comes with First Light{where}, only "
        f"{', '.join(names)}; for a file of your own write its ending too: {asked}.json."
    )
