"""The list of knobs, as text for the terminal, as the README's tables, and as JSON."""

from itertools import groupby
from typing import Any

from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace


def rows(space: AddressSpace) -> list[dict[str, Any]]:
    """One dictionary a knob: all that its one line declares."""
    return [_row(knob) for knob in space]


def _row(knob: Knob) -> dict[str, Any]:
    declared = knob.declared
    row: dict[str, Any] = {"address": knob.address, "kind": knob.kind, "access": knob.access}
    row["active"] = knob.active
    if isinstance(declared, Param):
        if knob.kind in ("float", "int"):
            row |= {"min": declared.min, "max": declared.max, "taper": declared.taper}
            if declared.floor:
                row["floor"] = declared.floor
        if declared.choices:
            row["choices"] = list(declared.choices)
    if not isinstance(declared, Trigger):
        row["default"] = declared.default
        if declared.unit:
            row["unit"] = declared.unit
    return row | {"doc": declared.doc}


def plain(space: AddressSpace) -> str:
    """Aligned columns."""
    lines = [(k.address, _takes(k), _default(k), k.declared.doc) for k in ordered(space)]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[3]])
        for line in lines
    )


def markdown(space: AddressSpace) -> str:
    """A table for each group: knobs first, then what can only be read."""
    parts = []
    for name, knobs in groupby(ordered(space), key=group):
        parts += [
            f"**`{name}`**",
            "",
            "| address | takes | default | what it does |",
            "|---|---|---|---|",
        ]
        parts += [
            f"| `{k.address}` | {_takes(k)} | {_default(k)} | {k.declared.doc} |" for k in knobs
        ]
        parts.append("")
    return "\n".join(parts).rstrip()


def ordered(space: AddressSpace) -> list[Knob]:
    """By group, in the order the groups were first added; last those that are there before all."""
    groups = list(dict.fromkeys(group(knob) for knob in space))
    groups.sort(key=lambda name: name in ("/stats", "/system"))
    return sorted(space, key=lambda knob: groups.index(group(knob)))


def pages(space: AddressSpace) -> list[tuple[str, list[Knob]]]:
    """Each group with its knobs, first those that are played, then those that are only told."""
    return [
        (name, sorted(knobs, key=lambda knob: knob.access == "r"))
        for name, knobs in groupby(ordered(space), key=group)
    ]


def group(knob: Knob) -> str:
    """The group's address: "/learn" of "/learn/rate"."""
    return knob.address.rsplit("/", 1)[0]


def _takes(knob: Knob) -> str:
    declared = knob.declared
    if isinstance(declared, Trigger):
        return "press"
    if not isinstance(declared, Param):
        return "read"
    if knob.kind in ("float", "int"):
        unit = f" {declared.unit}" if declared.unit else ""
        taper = "" if declared.taper == "linear" else f", {declared.taper}"
        return f"{declared.min:g} to {declared.max:g}{unit}{taper}"
    return ", ".join(declared.choices) if declared.choices else knob.kind


def _default(knob: Knob) -> str:
    declared = knob.declared
    if not isinstance(declared, Param):
        return ""
    if isinstance(declared.default, bool):
        return "on" if declared.default else "off"
    return f"{declared.default:g}" if knob.kind in ("float", "int") else str(declared.default)
