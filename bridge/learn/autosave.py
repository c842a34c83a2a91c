"""Autosave: the whole of what runs as a file, every so often, so that a power cut costs a minute.

Every network that has run with its weights, moments and beginning; where the chances stand; the
knobs; and in a file of its own, every tenth time, the memory. What is to be written is copied on
the frame thread, after the picture has left, into buffers that are there already; a thread beside
writes it. `--resume` reads it.
"""

import datetime
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bridge import Refusal, __version__
from bridge.files import sweep
from bridge.learn import brain, image, schooling, tuning
from bridge.learn.learner import Learner
from bridge.learn.life import Life
from bridge.params import Param, Reading

log = logging.getLogger("bridge.learn")

FORMAT = "first-light-state-1"
STATE, MEMORY = "autosave.safetensors", "autosave-memory.safetensors"
MEMORY_EVERY = 10  # saves; a large memory a minute would wear a disk out
COUNTS = ("ease", "given", "seed", "hash", "learnt", "psnr")  # of a life
FILLED = ("aged", "measured")  # of its moments


class Autosave:
    """Saves `learner`, and the knobs that `knobs` tells, into `folder`; on the frame thread."""

    autosave = Param(
        60.0, min=0.0, max=3600.0, taper="log", floor=1.0, unit="s", preset=False,
        doc="how often all is saved, for --resume after a crash or a power cut; 0 = never",
    )  # fmt: skip
    autosaved = Reading("", doc="when all was last saved, by this machine's clock")

    def __init__(
        self, learner: Learner, folder: Path, knobs: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._learner, self._folder, self._knobs = learner, folder, knobs
        self.trouble = ""  # why it could not be saved
        self.resumed = False  # whether it goes on from what is there, or has already kept that
        self._buffers: dict[str, dict[str, Tensor]] = {}  # by network
        self._ran = ""  # the network that ran when it was last saved
        self._next: float | None = None
        self._count = 0
        self._swept = False
        self._writer = ThreadPoolExecutor(1, "save", tuning.step_back)
        self._writing: Future[None] | None = None

    def go_on(self, state: "State") -> None:
        """Save as often as was saved, over what is there, which is not another's."""
        self.autosave = float(state.told["autosave"])
        self.resumed = True

    def turn(self, now: float) -> None:
        """Save if it is time; `now` in seconds. While the last is still being written, later."""
        if self._writing is not None and self._writing.done():
            self._conclude()
        if self._next is None or self._next - now > self.autosave:
            self._next = now + self.autosave
        if self.autosave > 0 and now >= self._next and self._writing is None:
            self._next = now + self.autosave
            self.save(with_memory=self._count % MEMORY_EVERY == MEMORY_EVERY - 1)

    def save(self, with_memory: bool = True) -> None:
        """Copy all there is, and have it written; `finish` waits for it. What was saved before
        stands while the network is exploding."""
        self.finish()
        if not self._learner.weights.finite():
            return
        self._count += 1
        files = [(STATE, *self._whole())]
        if with_memory:
            files.append((MEMORY, *self._remembered()))
        with tuning.roaming():
            self._writing = self._writer.submit(self._write, files)

    def finish(self) -> None:
        """Wait until what is being written is written."""
        if self._writing is not None:
            wait([self._writing])
            self._conclude()

    def close(self) -> None:
        """Save a last time, if anything has been played. Harmless where there is no place for it:
        `trouble` says so."""
        if self.autosave > 0 and self._next is not None:
            self.save()
        self.finish()
        self._writer.shutdown()
        if self.trouble:
            log.warning("%s", self.trouble)

    def _conclude(self) -> None:
        assert self._writing is not None
        problem, self._writing = self._writing.exception(), None
        self.trouble = "" if problem is None else f"/brain/autosave: {problem}"
        if problem is None:
            self.autosaved = datetime.datetime.now().isoformat(" ", "seconds")

    def _write(self, files: list[tuple[str, dict[str, Tensor], dict[str, str]]]) -> None:
        if not self._swept:
            sweep(self._folder)
            self._swept = True
        if not self.resumed:
            self._keep_the_one_before()
            self.resumed = True
        for name, tensors, told in files:
            brain.write(self._folder / name, tensors, told)

    def _keep_the_one_before(self) -> None:
        """Whoever forgot `--resume` can still have it: copy what would be written over."""
        for name in (STATE, MEMORY):
            try:
                shutil.copy2(self._folder / name, self._folder / f"before-{name}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as problem:  # then what is there stays
                raise Refusal(
                    f"{self._folder / name} was there before and could not be copied"
                    f" ({problem.strerror}); make room, or move it away."
                ) from problem

    def _whole(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        learner = self._learner
        tensors = {"chance": learner.chance.get_state()}
        for life in learner.running.lives.values():
            if life.name not in self._buffers or life.name in (learner.life.name, self._ran):
                self._copy(life)  # the others sleep
            of_life = self._buffers[life.name]
            tensors |= {f"{life.name}/{name}": buffer for name, buffer in of_life.items()}
        self._ran = learner.life.name
        told = {
            "running": learner.life.name,
            "lives": {name: _counts(life) for name, life in learner.running.lives.items()},
            "dice": learner.dice.getstate(),
            "rested": learner.rested,
            "autosave": self.autosave,
            "knobs": dict(self._knobs()),
        }
        return tensors, _headed(learner) | {"state": json.dumps(told)}

    def _remembered(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        learner = self._learner
        state = learner.memory.state(learner.now)
        if learner.device.type == "mps":  # of which no other thread may ask anything
            state = {name: tensor.cpu() for name, tensor in state.items()}
        return state, _headed(learner)

    def _copy(self, life: Life) -> None:
        tensors = _tensors(life)
        mine = self._buffers.setdefault(life.name, {})
        for name, tensor in tensors.items():
            if name not in mine:
                mine[name] = torch.empty(tensor.shape, dtype=tensor.dtype)
            mine[name].copy_(tensor)


def _tensors(life: Life) -> dict[str, Tensor]:
    moments = life.moments
    return {
        "flat": life.weights.flat,
        "origin": life.origin,
        "first": moments.first,
        "second": moments.second,
        "ceiling": moments.ceiling,
        "lengths": moments.lengths,
    }


def _counts(life: Life) -> dict[str, Any]:
    counts = {name: getattr(life, name) for name in COUNTS}
    filled = {name: getattr(life.moments, name) for name in FILLED}
    return counts | filled | {"layout": life.weights.layout(), "schooling": life.schooling}


def _headed(learner: Learner) -> dict[str, str]:
    return {
        "format": FORMAT,
        "version": __version__,
        "size": image.size_name(learner.size),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


# Going on


@dataclass(slots=True)
class State:
    """What was saved: `size` as "WxH", the knobs by address, and the rest as `restore` wants it."""

    size: str
    date: str
    knobs: dict[str, Any]
    told: dict[str, Any]
    tensors: dict[str, Tensor] = field(repr=False)
    memory: dict[str, Tensor] | None = field(repr=False, default=None)


def read(folder: Path) -> State | None:
    """What was last saved in `folder`; None where nothing was. Raises Refusal for a file that is
    none of ours; a memory that is none is told and left out."""
    if not (folder / STATE).exists():
        return None
    head, tensors = _opened(folder / STATE)
    try:
        told = json.loads(head["state"])
        float(told["autosave"])
        state = State(head["size"], head["date"], told["knobs"], told, tensors)
    except (KeyError, ValueError, TypeError) as problem:
        raise Refusal(f"{folder / STATE}: does not say what it is ({problem}).") from problem
    if (folder / MEMORY).exists():
        try:
            head, memory = _opened(folder / MEMORY)
            state.memory = memory if head.get("size") == state.size else None
        except Refusal as problem:
            log.warning("%s It goes on with an empty memory.", problem)
    return state


def _opened(place: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    head, tensors = brain.read(place)
    if head.get("format") != FORMAT:
        raise Refusal(f"{place}: is not what First Light saved.")
    return head, tensors


def restore(learner: Learner, state: State, now: float) -> None:
    """Let `learner` be as it was; `now` in seconds of the show. Raises Refusal, with nothing
    changed, where the state is of other networks than this version's."""
    lives = {}
    try:
        for name, counts in state.told["lives"].items():
            lives[name] = _life(learner, name, counts, state.tensors)
        learner.chance.set_state(state.tensors["chance"])
        version, numbers, spare = state.told["dice"]
        learner.dice.setstate((version, tuple(numbers), spare))
        running = lives[state.told["running"]]
    except (KeyError, ValueError, TypeError, RuntimeError) as problem:
        raise Refusal(f"what was saved does not fit this version ({problem}).") from problem
    for life in lives.values():
        life.remember_school(life.schooling)
    learner.running.lives = lives
    learner.running.live(running)
    learner.rested = bool(state.told["rested"])
    if state.memory is not None:
        try:
            learner.memory.take(state.memory, now)
        except (KeyError, ValueError) as problem:
            log.warning("The memory that was saved is left out: %s.", problem)


def _life(learner: Learner, name: str, counts: dict[str, Any], tensors: dict[str, Tensor]) -> Life:
    life = learner.blank_life(name)
    if counts["layout"] != life.weights.layout():
        raise ValueError(f"{name} is laid out otherwise")
    life.schooling = schooling.of(dict(counts.get("schooling", {})))
    schooling.check(life.schooling)
    for part, mine in _tensors(life).items():
        saved = tensors[f"{name}/{part}"]
        if saved.shape != mine.shape or not bool(torch.isfinite(saved).all()):
            raise ValueError(f"{name} is not whole")
        with torch.no_grad():
            mine.copy_(saved)
    life.weights.publish()
    for owner, names in ((life, COUNTS), (life.moments, FILLED)):
        for name in names:
            setattr(owner, name, counts[name])
    return life


def set_aside(folder: Path) -> str:
    """Move what cannot be read out of the way, so that the next save does not destroy it; answers
    where it now is."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = folder / f"unreadable-{stamp}.safetensors"
    try:
        os.replace(folder / STATE, aside)
    except OSError as problem:
        return f"left where it is ({problem.strerror})"
    return f"kept as {aside}"
