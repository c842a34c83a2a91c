"""What is fixed when the program starts, and the TOML file that may say it.

The command line's options are these same keys and win over the file. `[knobs]` in the file sets
knobs by address: `"/learn/rate" = 0.001`. `[aliases]` gives addresses of other programs the meaning
of ours: `"/composition/dashboard/link1" = "/norm/learn/rate"`.
"""

import dataclasses
import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from bridge import Refusal


@dataclass(slots=True)
class Config:
    """Every setting with its default. None: chosen by the program when it starts."""

    source: str = "auto:"
    sinks: list[str] = field(default_factory=lambda: ["auto:"])
    name: str = "First Light"
    net: str | None = None
    lines: int | None = None
    size: str | None = None
    fit: str = "stretch"
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    listen: str = "127.0.0.1"
    osc: int = 9137
    page: int = 9180
    open: bool = False
    allow: list[str] = field(default_factory=list)
    token: str | None = None
    feedback: list[str] = field(default_factory=lambda: ["localhost:9138"])
    brain: str | None = None
    brains: str | None = None
    presets: str | None = None
    museum: str | None = None
    resume: bool = False
    seed: int | None = None
    frames: int | None = None
    offline: bool = False
    report: str | None = None
    record: str | None = None
    record_as: str = "mp4"
    preset: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    knobs: dict[str, Any] = field(default_factory=dict)
    sets: dict[str, Any] = field(default_factory=dict)  # --set: after the presets, and in no file


CHOICES = {
    "fit": ("stretch", "crop"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "float32", "bfloat16"),
    "record_as": ("mp4", "mkv"),
}
RANGES = {
    "lines": (1, 8192), "threads": (1, 1024), "osc": (0, 65535), "page": (-1, 65535),
    "seed": (0, 2**63 - 1), "frames": (1, 2**63 - 1),
}  # fmt: skip

# What a key takes, said to whoever got it wrong.
TAKES: dict[Any, str] = {
    str: "a text in quotes",
    int: "a whole number",
    bool: "true or false",
    list: 'a list of texts such as ["none:"]',
    dict: "a table of addresses and values",
}
SPELLED = {"source": "in", "sinks": "out"}  # `in` is a word of Python's own
KEYS = {  # what a file may say: the key, and the setting's name here
    SPELLED.get(f.name, f.name): f.name for f in dataclasses.fields(Config) if f.name != "sets"
}


def read(path: str) -> Config:
    """The configuration in a TOML file. Raises Refusal naming the key and what to write."""
    try:
        with Path(path).expanduser().open("rb") as file:
            table = tomllib.load(file)
    except OSError as problem:
        raise Refusal(
            f"--config {path}: cannot be read ({problem.strerror}); check the path."
        ) from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise Refusal(f"--config {path}: is not TOML ({problem}); mend that line.") from problem
    kinds = get_type_hints(Config)
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYS)}."
            raise Refusal(f"--config {path}: there is no key {key}; {hint}")
        kind = _kind(kinds[KEYS[key]])
        if type(value) is not kind or (kind is list and not all(isinstance(v, str) for v in value)):
            raise Refusal(f"--config {path}: {key} takes {TAKES[kind]}, not {value!r}.")
    for address in table.get("knobs", {}):
        if not address.startswith("/"):  # the usual slip: a setting written below the table's head
            hint = 'an address looks like "/learn/rate"; settings stand above [knobs].'
            raise Refusal(f"--config {path}: {address} is no address of a knob; {hint}")
    for foreign, ours in table.get("aliases", {}).items():
        if not (foreign.startswith("/") and isinstance(ours, str) and ours.startswith("/")):
            hint = 'write both addresses, "/fader/1" = "/norm/learn/rate"; settings stand above.'
            raise Refusal(f"--config {path}: {foreign} = {ours!r} is no alias; {hint}")
    return Config(**{KEYS[key]: value for key, value in table.items()})


def _kind(hint: Any) -> Any:
    """The plain type of an annotation: list[str] → list, int | None → int."""
    if get_origin(hint) in (list, dict):
        return get_origin(hint)
    return next((part for part in get_args(hint) if part is not type(None)), hint)


def check(chosen: Config) -> None:
    """Raise Refusal if a value is none that the program knows what to do with."""
    for key, names in CHOICES.items():
        if getattr(chosen, key) not in names:
            option = key.replace("_", "-")
            raise Refusal(f"--{option} {getattr(chosen, key)}: choose one of {', '.join(names)}.")
    for key in (
        "listen",
        "brain",
        "brains",
        "presets",
        "museum",
        "report",
        "record",
        "size",
        "net",
        "token",
        "name",
    ):
        if getattr(chosen, key) == "":
            raise Refusal(f"--{key}: it is empty; give it a value or leave it out.")
    for key, (low, high) in RANGES.items():
        value = getattr(chosen, key)
        if value is not None and not low <= value <= high:
            raise Refusal(f"--{key} {value}: choose a whole number from {low} to {high}.")
