"""Presets: where the faders stand, as a JSON file of addresses and values.

`configs/presets` in the repository holds those that come with the program; an installed package
carries the same folder as `bridge/presets`. `"about"`, a sentence for whoever opens the file, is
the one key that is no address. Putting a preset in force is `AddressSpace.recall`.
"""

import json
from pathlib import Path
from typing import Any

from bridge import Refusal

HERE = Path(__file__).parent
FOLDERS = (HERE / "presets", HERE.parent / "configs" / "presets")  # installed, in the repository


def shipped() -> dict[str, Path]:
    """The presets that come with the program, by name."""
    return {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.json"))}


def read(asked: str) -> dict[str, Any]:
    """A preset by its name ("default") or its file ("looks/mine.json"), as {address: value}.

    Whether the addresses are there is the AddressSpace's to say. Raises Refusal for what is no
    preset.
    """
    path = _find(asked)
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))  # Notepad likes a mark in front
    except OSError as problem:
        raise Refusal(
            f"--preset {asked}: cannot be read ({problem.strerror}); check the path."
        ) from problem
    except (ValueError, RecursionError) as problem:
        raise Refusal(f"--preset {asked}: is not JSON ({problem}); mend that line.") from problem
    if not isinstance(table, dict):
        raise Refusal(
            f"--preset {asked}: is JSON but no preset; "
            'write addresses and values between braces: {"/learn/rate": 0.01}.'
        )
    table.pop("about", None)
    return table


def _find(asked: str) -> Path:
    path = Path(asked).expanduser()
    if path.suffix or path.name != asked:
        return path
    names = shipped()
    if asked in names:
        return names[asked]
    raise Refusal(
        f"--preset {asked}: no preset of that name comes with First Light, only "
        f"{', '.join(names)}; for a file of your own write its ending too: {asked}.json."
    )
