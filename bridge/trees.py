"""Three trees over the same knobs: plain units, a fader's travel under /norm, words under /text.

Few surfaces have a fader that is logarithmic, or a label that can show "1.5 ms". So the work is
done here: `/norm/learn/rate` takes 0 to 1 with our taper, `/text/learn/rate` only tells.
"""

from typing import Any, Literal

from bridge.knob import Knob
from bridge.params import Param, Trigger, Value

Tree = Literal["plain", "norm", "text"]
TREES: tuple[Tree, ...] = ("plain", "norm", "text")


def split(address: str) -> tuple[Tree, str]:
    """The tree that an address belongs to, and the plain address of its knob."""
    if address.startswith("/norm/"):
        return "norm", address[5:]
    if address.startswith("/text/"):
        return "text", address[5:]
    return "plain", address


def has(tree: Tree, knob: Knob) -> bool:
    """Whether a knob is in a tree: what has no fader is not under /norm, nor a press in /text."""
    if tree == "norm":
        return knob.access != "r" and knob.kind != "text"
    return tree == "plain" or knob.access != "w"


def address(tree: Tree, knob: Knob) -> str:
    return knob.address if tree == "plain" else f"/{tree}{knob.address}"


def told(tree: Tree, knob: Knob, value: Value) -> tuple[str, Value] | None:
    """What a tree says of a knob at a value: (address, value), or None where it has none."""
    if not has(tree, knob):
        return None
    if tree == "plain":
        return knob.address, value
    if tree == "text":
        return address(tree, knob), words(knob, value)
    assert isinstance(knob.declared, Param)
    travel = knob.declared.travel(value)
    return None if travel is None else (address(tree, knob), travel)


def words(knob: Knob, value: Any) -> str:
    """A value as a person reads it: three figures, and its unit."""
    if isinstance(value, bool):
        return "on" if value else "off"
    text = number(value) if isinstance(value, float) else str(value)
    unit = "" if isinstance(knob.declared, Trigger) else knob.declared.unit
    if unit.startswith("1/"):
        return text + unit[1:]
    return f"{text} {unit}" if unit else text


def number(value: float) -> str:
    return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"
