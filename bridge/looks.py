"""Looks: presets within reach of a hand, under /preset: save, recall, and morph between them.

Eight slots of values by address, in memory; what is saved is also written, beside, as a preset in
the presets folder, and is in its slot again at the next start. On the frame thread, between
frames; only files are read and written, on a thread of its own.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge import Refusal, preset
from bridge.files import MOST, file_name, sweep
from bridge.params import Param, Reading, Refused, Value, trigger
from bridge.space import AddressSpace

log = logging.getLogger("bridge.preset")

SLOTS = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """A preset at hand: its name, the values of knobs that are here, and what was not taken."""

    name: str
    values: dict[str, Value]
    problem: str = ""


class Presets:
    """What a hand can do with presets: of every knob in `space` that presets hold.

    trouble  what could not be done, and what to do about it
    """

    slot = Param(1, min=1, max=SLOTS, preset=False, doc="where save and load put, recall takes")
    time = Param(
        0.0, min=0.0, max=60.0, taper="log", floor=0.05, unit="s", slew=0.0, preset=False,
        doc="how long recall glides there; what has no in-between is there at once",
    )  # fmt: skip
    a = Param(0, min=0, max=SLOTS, preset=False, doc="one end of morph: a slot; 0 = as it stood")
    b = Param(1, min=0, max=SLOTS, preset=False, doc="the other end of morph; 0 = as it stood")
    morph = Param(
        0.0, min=0.0, max=1.0, slew=0.0, preset=False,
        doc="from a to b, every knob in its fader's travel; names and whole numbers at the half",
    )  # fmt: skip
    name = Param(
        "", preset=False, suggests=lambda presets: presets._names,
        doc="name of the preset that the next save writes, or that load reads",
    )  # fmt: skip
    slots = Reading("", doc="what is in the slots")

    def __init__(self, space: AddressSpace) -> None:
        self.trouble = ""
        self._space = space
        self._folder: Path | None = None
        self._ships = preset.shipped()
        self._names: tuple[str, ...] = tuple(self._ships)  # what there is to load
        self._shelf: dict[int, Kept] = {}
        self._stood = 0.0  # where morph stood
        self._ends = (0, 0)
        # Where every knob stood when the fader left either end.
        self._left: tuple[dict[str, Value], dict[str, Value]] = {}, {}
        self._beside = ThreadPoolExecutor(1, "presets")
        self._writing: list[Future[tuple[str, ...]]] = []  # what there is, once it is written
        self._reading: list[tuple[Future[Kept], int]] = []  # for a slot
        self._recall_loaded: int | None = None  # the slot to recall once it is read

    def open(self, folder: Path) -> None:
        """Keep presets in this folder from here on, and put into the slots what is in it."""
        self._folder = folder
        self._shelf, self._names = self._beside.submit(self._survey, folder).result()
        self._tell()

    def close(self) -> None:
        """Wait for what is being written."""
        told = self.trouble
        self._beside.shutdown()
        self._conclude()
        if self.trouble not in ("", told):
            log.warning("%s", self.trouble)

    # Save, recall

    @trigger("keep where every knob stands in the slot, and write it as a preset")
    def save(self) -> None:
        self._follow_morph()
        slot, kept = self.slot, self._shelf.get(self.slot)
        name = file_name(self.name) or (kept.name if kept else f"preset {slot}")
        name = f"_{name}" if name in self._ships else name  # what ships stays what it is
        self._shelf[slot] = Kept(name, self._space.preset())
        self._reading = [one for one in self._reading if one[1] != slot]  # that was before
        self.trouble = self.name = ""
        self._tell()
        if self._folder and self._room("/preset/save"):
            table = {"slot": slot, **self._shelf[slot].values}
            self._writing.append(self._beside.submit(self._write, self._folder, name, table))

    @trigger("go to what is in the slot, in so long as time says")
    def recall(self) -> None:
        self._follow_morph()
        if any(slot == self.slot for _, slot in self._reading):
            self._recall_loaded = self.slot
        else:
            self._recall(self.slot)

    def _recall(self, slot: int) -> None:
        kept = self._shelf.get(slot)
        if kept is None:
            self.trouble = f"/preset/recall: slot {slot} is empty; save into it first."
            return
        self.trouble = kept.problem
        self._space.recall(kept.values, seconds=self.time)

    @trigger("read the preset called name, saved or shipped, into the slot")
    def load(self) -> None:
        name, self.name = file_name(self.name), ""
        if not name:
            self.trouble = "/preset/load: say which preset first, with /preset/name."
        elif self._room("/preset/load"):
            self.trouble = ""
            read = self._beside.submit(self._read, self._folder, name)
            self._reading.append((read, self.slot))

    def _room(self, pressed: str) -> bool:
        """Whether the disk keeps up."""
        room = len(self._writing) + len(self._reading) < MOST
        if not room:
            self.trouble = f"{pressed}: the disk is {MOST} presets behind; press again later."
        return room

    def _conclude(self) -> None:
        """Take what has been read, and what there is since something was written."""
        for written in [future for future in self._writing if future.done()]:
            self._writing.remove(written)
            if self._went_well(written):
                self._names = written.result()
        for read, slot in [one for one in self._reading if one[0].done()]:
            self._reading.remove((read, slot))
            if self._went_well(read):
                self._shelf[slot] = read.result()
                self.trouble = self._shelf[slot].problem or self.trouble
                self._tell()
            elif self._recall_loaded == slot:
                self._recall_loaded = None

    def _went_well(self, future: Future[Any]) -> bool:
        problem = future.exception()
        if problem is not None:
            self.trouble = f"/preset: {problem}"
        return problem is None

    def _tell(self) -> None:
        self.slots = ", ".join(f"{slot} {kept.name}" for slot, kept in sorted(self._shelf.items()))

    # Morph

    def follow(self) -> None:
        """Between frames: go along with the morph fader, and take what has been read. A hand that
        moves a knob and the fader before the same frame has moved the knob first."""
        self._conclude()
        if self._recall_loaded is not None and not self._reading:
            slot, self._recall_loaded = self._recall_loaded, None
            self._recall(slot)
        self._follow_morph()

    def _follow_morph(self) -> None:
        begin, self._stood = self._stood, self.morph
        if begin != self._stood:
            self._go(begin, self._stood)

    def _go(self, begin: float, end: float) -> None:
        """Put every knob of the two presets at `end` of its way. What one of them lacks is there
        as it stood when the fader left that end; a slot of 0 lacks everything."""
        ends = self.a, self.b
        missing = [slot for slot in ends if slot and slot not in self._shelf]
        if missing:
            self.trouble = f"/preset/morph: slot {missing[0]} is empty; save into it first."
            return
        stands = self._space.preset()
        if ends != self._ends:
            self._ends, self._left = ends, (stands, stands)
        left_a, left_b = self._left
        self._left = stands if begin == 0 else left_a, stands if begin == 1 else left_b
        held = [self._shelf[slot].values if slot else {} for slot in ends]
        a, b = (left | values for left, values in zip(self._left, held, strict=True))
        way = {at: self._between(at, a[at], b[at], end) for at in held[0] | held[1]}
        self._space.recall(way, seconds=0.0)

    def _between(self, address: str, a: Value, b: Value, share: float) -> Value:
        declared = self._space[address].declared
        assert isinstance(declared, Param)
        if a == b or share in (0, 1) or declared.kind != "float":
            return a if share < 0.5 else b
        begin, end = declared.to_norm(float(a)), declared.to_norm(float(b))
        return declared.from_norm(begin + share * (end - begin))

    # The thread beside

    def _survey(self, folder: Path) -> tuple[dict[int, Kept], tuple[str, ...]]:
        """What is in a folder: for each slot the newest file, and the names of all."""
        sweep(folder)
        dated: dict[int, tuple[int, Kept]] = {}
        for name, path in preset.saved(folder).items():
            try:
                table = preset.opened(path, str(path))
                slot, date = table.get("slot"), path.stat().st_mtime_ns
            except (Refusal, OSError) as problem:
                log.warning("%s", problem)
                continue
            if isinstance(slot, int) and 1 <= slot <= SLOTS and date >= dated.get(slot, (0,))[0]:
                dated[slot] = date, self._kept(name, table)
        return {slot: kept for slot, (_, kept) in dated.items()}, self._all(folder)

    def _write(self, folder: Path, name: str, table: Mapping[str, object]) -> tuple[str, ...]:
        names = preset.saved(folder)
        if name not in names and len(names) >= MOST:
            raise Refusal(f"{MOST} presets are in {folder}; move some away.")
        preset.write(folder / f"{name}.json", table)
        return self._all(folder)

    def _read(self, folder: Path | None, name: str) -> Kept:
        names = self._ships | (preset.saved(folder) if folder else {})
        if name not in names:
            raise Refusal(f"there is no preset called {name}, only {', '.join(names)}.")
        return self._kept(name, preset.opened(names[name], name))

    def _all(self, folder: Path) -> tuple[str, ...]:
        return tuple(self._ships | preset.saved(folder))

    def _kept(self, name: str, table: Mapping[str, object]) -> Kept:
        """What of a file can be taken, as it will be."""
        values: dict[str, Value] = {}
        problems = []
        for address, value in table.items():
            if address in preset.ABOUT:
                continue
            if address not in self._space or not self._space[address].in_presets:
                problems.append(f"{address} is not a knob that a preset can set")
                continue
            declared: Any = self._space[address].declared
            try:
                values[address] = declared.clipped(declared.coerce(value))
            except Refused as problem:
                problems.append(f"{address} {problem}")
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        return Kept(
            name, values, f"{name}: {problems[0]}{more}; the rest is taken." if problems else ""
        )
