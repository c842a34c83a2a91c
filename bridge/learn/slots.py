"""Slots: past selves within reach of a hand, under /brain: save, recall, and morph between them.

Eight for each network, held on the device; what is saved is also written, beside, as a brain in
the brains folder, with a picture of what it makes, and is there again at the next start. On the
frame thread, between frames; only files are read and written on a thread of its own.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from bridge import Refusal
from bridge.files import MOST, file_name, inside
from bridge.learn import brain, image, schooling, tuning
from bridge.learn.life import Life
from bridge.params import Param, Reading, trigger
from bridge.pictures import Pictures

log = logging.getLogger("bridge.learn")

SLOTS = 8
HALFWAY = 0.5
NUMBERS = {str(number) for number in range(1, SLOTS + 1)}


@dataclass(frozen=True, slots=True)
class Kept:
    """A set of weights, laid out as its network's, and what is to be told of it; the picture it
    made when it was saved, if it is known: (h, w, 3) uint8, blue first, on the host."""

    flat: Tensor
    told: dict[str, str]
    name: str
    picture: Tensor | None = None


class Slots:
    """What a hand can do with sets of weights. `changed` is called when another set lives; `last`
    gives the last picture that was made: (H, W, 4) uint8, blue first, if there is one.

    folder    where brains are written and found; None: nowhere
    pictures  where those of this network's slots are published: brain/1 …
    trouble   what could not be done, and what to do about it
    """

    anchor = Param(
        0.0, min=0.0, max=1.0, taper="log", floor=1e-4,
        doc="pull, at each step, to how it began or was last recalled: 0.03 is there in 2 seconds",
    )  # fmt: skip
    slot = Param(1, min=1, max=SLOTS, preset=False, doc="where save and load put, recall takes")
    a = Param(0, min=0, max=SLOTS, preset=False, doc="one end of morph: a slot; 0 = as it lives")
    b = Param(1, min=0, max=SLOTS, preset=False, doc="the other end of morph; 0 = as it lives")
    morph = Param(
        0.0, min=0.0, max=1.0, preset=False,
        doc="from a to b: the weights go along, and go on learning on the way",
    )  # fmt: skip
    name = Param(
        "", preset=False, doc="name of the brain that the next save writes, or that load reads"
    )
    slots = Reading("", doc="what is in the slots of this network")
    saved = Reading("", doc="the brain that was last written")
    taught = Reading("", doc="what this brain was taught on, as its card counts it")

    def __init__(self, changed: Callable[[], None], last: Callable[[], Tensor | None]) -> None:
        self._changed, self._last = changed, last
        self.folder: Path | None = None
        self.pictures = Pictures()
        self._shown: dict[int, Tensor | None] = {}
        self._recalled: Kept | None = None  # since the last frame: it has made no picture yet
        self.trouble = ""
        self._shelves: dict[str, dict[int, Kept]] = {}
        self._life: Life | None = None
        self._stood = 0.0  # where morph stood
        self._ends = (0, 0)
        # The weights, their origin and schooling when the fader left an end that is 0.
        self._lived: tuple[Tensor, Tensor, dict[str, str]] | None = None
        self._beside = ThreadPoolExecutor(1, "brains", tuning.step_back)
        self._writing: list[Future[str]] = []  # the brain's name, once it is written
        self._reading: list[tuple[Future[Kept], int, str]] = []  # for a slot of a network
        self._saved_since: set[int] = set()  # slots saved into since the last frame
        self._recall_loaded = False  # whether to recall what is still being read

    def turn_to(self, life: Life) -> None:
        """This network lives from here on, as it now is."""
        self._life, self._lived, self._recalled = life, None, None
        self._tell()

    @property
    def _shelf(self) -> dict[int, Kept]:
        assert self._life is not None
        return self._shelves.setdefault(self._life.name, {})

    # Save, recall

    @trigger("keep the network as it is in the slot, and write it as a brain")
    def save(self) -> None:
        life, slot = self._life, self.slot
        if life is None or not life.weights.lengths:
            self.trouble = "/brain/save: this network has nothing to keep; play another."
            return
        if not life.weights.finite():
            self.trouble = "/brain/save: the network is exploding; save when it is back."
            return
        if slot in self._saved_since and not self.name:
            return  # pressed again before a frame: it is there
        self._saved_since.add(slot)
        name = file_name(self.name) or (self._shelf[slot].name if slot in self._shelf else "")
        name = name or f"{life.name} {image.size_name(life.size)} {slot}"
        told = brain.describe(life) | {"slot": str(slot), "name": name}
        picture = self._recalled.picture if self._recalled else self._made()
        kept = self._shelf[slot] = Kept(life.weights.flat.clone(), told, name, picture)
        # What was to be loaded there was asked for before.
        self._reading = [one for one in self._reading if one[1:] != (slot, life.name)]
        self.trouble = self.name = ""
        self._tell()
        if self.folder is not None:
            place = self.folder / f"{name}.safetensors"
            if not place.exists() and sum(1 for _ in self.folder.glob("*.safetensors")) >= MOST:
                self.trouble = f"/brain/save: {MOST} brains are in {self.folder}; move some away."
                return
            flat = kept.flat.cpu() if kept.flat.device.type == "mps" else kept.flat
            with tuning.roaming():
                self._writing.append(self._beside.submit(_write, kept, life, flat, place))

    def _made(self) -> Tensor | None:
        made = self._last()
        return None if made is None else image.small(made, brain.LARGEST).cpu()

    @trigger("let the network be what is in the slot, and be anchored to that")
    def recall(self) -> None:
        life, kept = self._life, self._shelf.get(self.slot)
        if any(slot == self.slot for _, slot, _ in self._reading):
            self._recall_loaded = True
            return
        if life is None or kept is None:
            self.trouble = f"/brain/recall: slot {self.slot} is empty; save into it first."
            return
        life.become(kept.flat, kept.told)
        self.trouble = ""
        self._changed()
        self._recalled = kept

    @trigger("read the brain called name from the brains folder into the slot")
    def load(self) -> None:
        name, self.name = file_name(self.name), ""
        if self.folder is None or self._life is None or not name:
            self.trouble = "/brain/load: say which brain first, with /brain/name."
            return
        with tuning.roaming():
            read = self._beside.submit(_read, self._life, self.folder / f"{name}.safetensors")
        self._reading.append((read, self.slot, self._life.name))

    def close(self) -> None:
        """Wait for what is being written."""
        self._beside.shutdown()
        self._conclude()

    def _conclude(self) -> None:
        """Take what has been read, and tell what has been written."""
        for written in [future for future in self._writing if future.done()]:
            self._writing.remove(written)
            if self._went_well(written):
                self.saved = written.result()
        for one in [one for one in self._reading if one[0].done()]:
            self._reading.remove(one)
            read, slot, network = one
            if self._went_well(read):
                self._shelves.setdefault(network, {})[slot] = read.result()
                self._tell()

    def _went_well(self, future: Future[Any]) -> bool:
        problem = future.exception()
        if problem is not None:
            self.trouble = f"/brain: {problem}"
        return problem is None

    def fill(self, life: Life) -> None:
        """Put what is in the folder of this network and size into its slots: the newest of each.
        May be called from the thread that draws networks."""
        if self.folder is None or not self.folder.is_dir():
            return
        mine = life.name, image.size_name(life.size)
        found: dict[int, tuple[str, Path]] = {}
        for place in sorted(self.folder.glob("*.safetensors")):
            told = brain.head(place)
            slot = told.get("slot", "")
            if (told.get("network"), told.get("size")) == mine and slot in NUMBERS:
                dated = told.get("date", ""), place
                found[int(slot)] = max(found.get(int(slot), dated), dated)
        shelf: dict[int, Kept] = {}
        for number, (_, place) in found.items():
            try:
                shelf[number] = _read(life, place)
            except Refusal as problem:
                log.warning("%s", problem)
        self._shelves[life.name] = shelf

    def _tell(self) -> None:
        """Say and show what is in the slots of this network, and what it was taught on."""
        assert self._life is not None
        self.taught = schooling.words(self._life.schooling)
        shelf = self._shelf
        self.slots = ", ".join(f"{slot} {kept.name}" for slot, kept in sorted(shelf.items()))
        for slot in range(1, SLOTS + 1):
            picture = shelf[slot].picture if slot in shelf else None
            if picture is self._shown.get(slot):
                continue
            self._shown[slot] = picture
            if picture is None:
                self.pictures.forget(f"brain/{slot}")
            else:
                self.pictures.publish(f"brain/{slot}", picture.numpy())

    # Morph

    def follow(self) -> bool:
        """Between frames: go along with the morph fader, and take what has been read. Answers
        whether the fader has moved."""
        self._saved_since.clear()
        self._recalled = None
        self._conclude()
        if self._recall_loaded and not self._reading:
            self._recall_loaded = False
            self.recall()
        moved = self.morph != self._stood
        if moved:
            self._go(self._stood, self.morph)
            self._stood = self.morph
        return moved

    def _go(self, begin: float, end: float) -> None:
        """Close the share of the way to the end that the fader has closed: so nothing jumps
        wherever the weights are, what is learnt on the way stays in, and both ends are exact.

        A schooling is not mixed: it is the one of the end that is gone to, once the fader is past
        the middle, and until then whatever it was."""
        life = self._life
        if (self.a, self.b) != self._ends:
            self._ends, self._lived = (self.a, self.b), None
        if life is None or self.a == self.b:
            return
        if self._lived is None or (begin == 0 and self.a == 0) or (begin == 1 and self.b == 0):
            self._lived = life.weights.flat.clone(), life.origin.clone(), life.schooling
        up = end > begin
        aim = self.b if up else self.a
        if aim and aim not in self._shelf:
            self.trouble = f"/brain/morph: slot {aim} is empty; save into it first."
            return
        flat, origin, schooled = self._lived
        if aim:
            kept = self._shelf[aim]
            flat, origin, schooled = kept.flat, kept.flat, schooling.of(kept.told)
        share = (end - begin) / (1 - begin) if up else (begin - end) / begin
        life.approach(flat, origin, share)
        if (end >= HALFWAY if up else end <= HALFWAY) and schooled != life.schooling:
            life.remember_school(schooled)
            self._tell()


def _write(kept: Kept, life: Life, flat: Tensor, place: Path) -> str:
    """Write a set of weights; another thread's work, on a buffer that nobody writes again."""
    tensors = life.weights.named(flat)
    if kept.picture is not None:
        tensors[brain.PICTURE] = kept.picture
    brain.write(inside(place), tensors, kept.told)
    return kept.name


def _read(life: Life, place: Path) -> Kept:
    told, flat, picture = brain.opened(life, inside(place))
    return Kept(flat, told, place.stem, picture)
