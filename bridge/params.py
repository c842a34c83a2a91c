"""The knobs: everything that can be moved or read while it runs, declared once, where it is used.

A class body is the declaration: `rate = Param(2e-3, min=0.0, max=1.0, taper="log", floor=1e-6,
doc="…")`, `loss = Reading(0.0, doc="…")`, `@trigger("…")`. Reading a value is an ordinary
attribute; `AddressSpace.add` (bridge/space.py) gives it an OSC address.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Self, TypeVar, overload

Value = float | int | bool | str
Taper = Literal["linear", "log", "antilog"]
T = TypeVar("T", bound=Value)
F = TypeVar("F", bound=Callable[..., None])

LONGEST_TEXT = 1024  # characters of a text value


class Refused(ValueError):
    """A value that a knob does not take; the text says what it takes."""


class Declared(Generic[T]):
    """What Param and Reading share: a default, a doc, and values kept on the instance."""

    writable = False

    def __init__(self, default: T, *, unit: str = "", doc: str) -> None:
        self.default = default
        # "float", "int", "bool", "choice" or "text"
        self.kind = {bool: "bool", int: "int", float: "float"}.get(type(default), "text")
        self.unit = unit
        self.doc = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> Self | T:
        if owner is None:
            return self
        value: T = owner.__dict__.get(self.name, self.default)
        return value

    def __set__(self, owner: object, value: T) -> None:
        values = owner.__dict__
        if values.get(self.name, self.default) != value:
            values[self.name] = value
            knob = values.get("__knobs__", {}).get(self.name)
            if knob is not None:
                knob.clock.stamp(knob)


class Reading(Declared[T]):
    """A value that the program reports and nobody outside can set."""


class Param(Declared[T]):
    """A value that a hand can move.

    min, max   the range, both included; beyond it a value is clipped (and counted)
    taper      how a fader's travel spreads over the range: "linear"; "log" (equal travel, equal
               ratio; where min is 0, from `floor` up, and 0 at the very end); "antilog" (the
               same mirrored: fine near max, for momentum and its kin)
    choices    the names of a choice, in the order of their indices
    suggests   tells, from the owner, what a text may be at present: names for a menu, of which a
               number takes the one at its place; any other text is taken too
    only       whether what it suggests is all that it can be, for surfaces that can to let choose
    slew       seconds that a continuous knob takes at least to glide to a new value, and longer if
               the space's own `slew` is; 0 = always at once; None = as long as the space's own
    active     tells, from the owner, whether the knob does anything at present
    preset     whether presets hold it: not what a recalled look must neither start nor stop
    """

    writable = True

    def __init__(
        self,
        default: T,
        *,
        min: float = -math.inf,
        max: float = math.inf,
        taper: Taper = "linear",
        floor: float = 0.0,
        choices: Sequence[str] = (),
        suggests: Callable[[Any], Sequence[str]] | None = None,
        only: bool = False,
        unit: str = "",
        slew: float | None = None,
        active: Callable[[Any], bool] | None = None,
        preset: bool = True,
        doc: str,
    ) -> None:
        super().__init__(default, unit=unit, doc=doc)
        self.min, self.max, self.taper, self.floor = min, max, taper, floor
        self.choices = tuple(choices)
        self.kind = "choice" if choices else self.kind
        self.suggests, self.only = suggests, only
        self.slew = slew
        self.active = active
        self.preset = preset
        if self.kind in ("float", "int") and not (math.isfinite(min) and math.isfinite(max)):
            raise TypeError(f"a number needs min and max ({doc})")
        lowest = (min or floor) if taper == "log" else floor
        if taper != "linear" and not 0 < lowest < (max if taper == "log" else max - min):
            raise TypeError(f"a {taper} taper needs a floor above 0 and below its span ({doc})")
        if self.clipped(default) != default:
            raise TypeError(f"the default {default} is outside its own range ({doc})")

    def coerce(self, given: object) -> T:
        """`given` as this knob's kind, not yet clipped. Raises Refused, saying what it takes."""
        value: object
        if self.kind == "text":
            value = self._text(given)
        elif self.kind == "choice":
            value = self._choice(given)
        else:
            value = self._number(given)
        return value  # type: ignore[return-value]  # the kind is the default's own type

    def clipped(self, value: T) -> T:
        """The nearest value inside the range."""
        if self.kind not in ("float", "int"):
            return value
        number: Any = value
        inside: T = type(self.default)(min(max(number, self.min), self.max))
        return inside

    def _number(self, given: object) -> object:
        if isinstance(given, str) or not isinstance(given, (bool, int, float)):
            raise Refused(f"takes a number, not {shown(given)}")
        if not finite(given):
            raise Refused(f"takes a finite number, not {shown(given)}")
        if self.kind == "bool":
            return bool(given)
        return float(given) if self.kind == "float" else round(given)

    def _choice(self, given: object) -> str:
        if isinstance(given, str) and given in self.choices:
            return given
        if isinstance(given, (int, float)) and not isinstance(given, bool) and finite(given):
            return self.choices[min(max(round(given), 0), len(self.choices) - 1)]
        raise Refused(f"takes one of {', '.join(self.choices)}, or its index, not {shown(given)}")

    def _text(self, given: object) -> str:
        if isinstance(given, str) and len(given) <= LONGEST_TEXT:
            return given
        raise Refused(f"takes a text of at most {LONGEST_TEXT} characters, not {shown(given)}")

    def to_norm(self, value: float) -> float:
        """Where in a fader's travel, 0 to 1, `value` lies."""
        if self.taper == "log":
            return _log_norm(value, self.min or self.floor, self.max)
        if self.taper == "antilog":
            return 1.0 - _log_norm(self.max - value, self.floor, self.max - self.min)
        span = self.max - self.min
        return (value - self.min) / span if span else 0.0

    def from_norm(self, norm: float) -> float:
        """The number at `norm` of a fader's travel, 0 to 1."""
        norm = min(max(norm, 0.0), 1.0)
        value = self.min + norm * (self.max - self.min)
        if self.taper == "log" and norm > 0:
            value = _log_value(norm, self.min or self.floor, self.max)
        elif self.taper == "antilog" and norm < 1:
            value = self.max - _log_value(1.0 - norm, self.floor, self.max - self.min)
        return min(max(value, self.min), self.max)  # a power may land a hair outside

    def travel(self, value: T) -> float | None:
        """Where on a fader a value of any kind lies, 0 to 1: names of a choice stand evenly along
        it, off and on are its ends. None for a text."""
        given: Any = value
        if self.kind in ("float", "int"):
            return self.to_norm(given)
        if self.kind == "choice":
            return self.choices.index(given) / max(len(self.choices) - 1, 1)
        return float(given) if self.kind == "bool" else None

    def at(self, travel: object) -> T:
        """The value at `travel` of a fader; beyond its ends, the end. Raises Refused."""
        if self.kind == "text":
            raise Refused("is a text and has no fader; send it to its plain address")
        if isinstance(travel, str) or not isinstance(travel, (bool, int, float)):
            raise Refused(f"takes 0 to 1 under /norm, not {shown(travel)}")
        if not finite(travel):
            raise Refused(f"takes 0 to 1 under /norm, not {shown(travel)}")
        value: object
        norm = min(max(float(travel), 0.0), 1.0)
        if self.kind == "choice":
            value = self.choices[round(norm * (len(self.choices) - 1))]
        elif self.kind == "bool":
            value = norm >= 0.5
        else:
            value = self.from_norm(norm)
            value = round(value) if self.kind == "int" else value
        return value  # type: ignore[return-value]  # the kind is the default's own type


def _log_norm(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low) if value > low else 0.0


def _log_value(norm: float, low: float, high: float) -> float:
    value: float = low * (high / low) ** norm
    return value


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that happens when pressed; `trigger` says what the marks mean."""

    doc: str
    at_once: bool = False
    critical: bool = False
    asks: bool = False


def trigger(
    doc: str, *, at_once: bool = False, critical: bool = False, asks: bool = False
) -> Callable[[F], F]:
    """Declare a method that happens when its address is pressed.

    It takes no argument and runs on the frame thread, between frames, in the order pressed. With
    `at_once` it runs on the thread that called `AddressSpace.set`, and is given that call's
    arguments and sender; it may raise Refused. `critical`: a press must not get lost on the way;
    `asks`: it loses what cannot be had back, so surfaces ask before they press.
    """

    def mark(method: F) -> F:
        method.declared = Trigger(doc, at_once, critical, asks)  # type: ignore[attr-defined]
        return method

    return mark


def finite(number: float) -> bool:
    """Whether a float can hold it: not NaN or Inf, nor an int of JSON beyond 1e308."""
    return abs(number) <= sys.float_info.max


def shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 40 else text[:37] + "…"
