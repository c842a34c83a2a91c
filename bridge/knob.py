"""A knob: one declaration, bound to the object whose attribute it is, at its OSC address."""

import threading
from dataclasses import dataclass
from typing import Any

from bridge.params import Declared, Param, Trigger, finite


class Clock:
    """Numbers the changes. Locked, or a reader that has seen change 6 could miss change 5."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # again: a move and its stamp are one
        self.now = 0

    def tick(self) -> int:
        with self.lock:
            self.now += 1
            return self.now

    def stamp(self, knob: "Knob") -> None:
        with self.lock:
            self.now += 1
            knob.stamp = self.now


@dataclass(slots=True, eq=False)
class Knob:
    """A declaration at an address, bound to the object whose attribute it is."""

    address: str
    name: str
    owner: Any
    declared: Declared[Any] | Trigger
    clock: Clock
    stamp: int = 0  # the space's clock when the value last changed

    @property
    def kind(self) -> str:
        return "trigger" if isinstance(self.declared, Trigger) else self.declared.kind

    @property
    def access(self) -> str:
        """ "rw" for a Param, "r" for a Reading, "w" for a trigger."""
        if isinstance(self.declared, Trigger):
            return "w"
        return "rw" if self.declared.writable else "r"

    @property
    def in_presets(self) -> bool:
        return isinstance(self.declared, Param) and self.declared.preset

    @property
    def value(self) -> Any:
        return getattr(self.owner, self.name)

    @property
    def active(self) -> bool:
        """Whether it does anything at present (its value is kept either way)."""
        asks = self.declared.active if isinstance(self.declared, Param) else None
        return asks is None or asks(self.owner)

    @property
    def choices(self) -> tuple[str, ...]:
        """What it can be: the names of a choice, or what a text suggests at present."""
        declared = self.declared
        if not isinstance(declared, Param):
            return ()
        return declared.choices or tuple(declared.suggests(self.owner) if declared.suggests else ())

    def named(self, given: object) -> object:
        """What a number says to a text that suggests: the name at that place of its menu."""
        names = self.choices if self.kind == "text" else ()
        if names and isinstance(given, (int, float)) and not isinstance(given, bool):
            return names[min(max(round(given), 0), len(names) - 1)] if finite(given) else given
        return given
