"""Putting the instrument together and playing it: the only place where the rooms meet.

The ear comes up first (the command opens it before this module brings torch), the source next,
and only then is the frame thread pinned to its core. Sinks open last: a set-up that fails leaves
no empty file behind.
"""

import contextlib
import json
import logging
import os
import platform
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from platformdirs import user_data_dir

from bridge import Refusal, __version__, going_on, nets, preset, trees, video
from bridge.config import Config
from bridge.control import web
from bridge.control.ear import Ear
from bridge.engine import Engine
from bridge.frame import Frame
from bridge.learn import image, tuning, visit
from bridge.learn.autosave import Autosave
from bridge.learn.learner import Learner
from bridge.looks import Presets
from bridge.params import Refused
from bridge.pictures import Pictures
from bridge.space import AddressSpace
from bridge.video import Receiver
from bridge.video.takes import Takes

log = logging.getLogger("bridge.play")

LINES_CPU, LINES_GPU = 192, 540  # what a laptop's processor, and its graphics card, play easily


@dataclass(slots=True)
class Instrument:
    """Everything that runs, ready to play."""

    config: Config
    space: AddressSpace
    engine: Engine
    greeting: str
    first: dict[str, Any]  # what is known before the first frame, for the report
    closing: contextlib.ExitStack

    def play(self) -> None:
        """Run to the end, then finish every file. Raises Refusal for what could not be written."""
        begun = time.perf_counter()
        with self.closing:
            if self.config.report:
                self.engine.rows = []
            try:
                self.engine.run(self.config.frames)
            finally:
                self._keep(time.perf_counter() - begun)
        for sender in self.engine.senders:
            if sender.status().error:
                raise Refusal(sender.status().error)

    def _keep(self, seconds: float) -> None:
        """The brains and the report, each even if another cannot be written."""
        with contextlib.ExitStack() as both:
            if self.config.report:
                both.callback(self._report, self.config.report, seconds)
            if self.config.brain:
                for life in self.engine.learner.running.lives.values():
                    both.callback(going_on.keep, self.config, life)

    def _report(self, path: str, seconds: float) -> None:
        rows = self.engine.rows or []
        decibels = [row[0] for row in rows]
        summary = self.first | {
            "seconds": round(seconds, 3),
            "frames_seen": len(rows),
            "mean_db": _mean(decibels),
            "mean_db_last_100": _mean(decibels[-100:]),
            "first_frame_of_20_db": next((i + 1 for i, d in enumerate(decibels) if d >= 20), None),
            "last_hash": self.engine.learner.weights.hash(),
            "stats": {k: v for k, v in self.space.values().items() if k.startswith("/stats/")},
            "knobs": self.space.preset(),
        }
        frames = [{"db": round(db, 3), "loss": loss, "ms": round(ms, 3)} for db, loss, ms in rows]
        text = json.dumps({"summary": summary, "frames": frames}, indent=1)
        try:
            Path(path).expanduser().write_text(text + "\n", encoding="utf-8")
        except OSError as problem:
            raise Refusal(
                f"--report {path}: could not be written ({problem.strerror}); choose another place."
            ) from problem


def assemble(config: Config, ear: Ear | None = None) -> Instrument:
    """Build what `config` asks for. Raises Refusal or ImportError, with nothing left open.

    An `ear` that is given stays its giver's to close; else the instrument has its own, if live.
    """
    config = replace(config, net=going_on.net_of(config), seed=_seed(config))
    _keep_source(config)
    for option, place in (
        ("--brain", config.brain),
        ("--report", config.report),
        ("--record", config.record),
    ):
        if place:
            _probe(option, Path(place).expanduser())
    live = not config.offline
    device = tuning.pick_device(config.device)
    with contextlib.ExitStack() as opened:
        opened.callback(tuning.unpin)
        if live and ear is None:
            ear = opened.enter_context(
                Ear(
                    host=config.listen,
                    port=config.osc,
                    feedback=config.feedback,
                    allow=config.allow,
                    token=config.token or "",
                )
            )
            if config.page >= 0:
                web.open_page(ear, config.listen, config.page)
        space = ear.space if ear else AddressSpace()
        source = f"auto:{config.source.removeprefix('auto:')}" if live else config.source
        loops, where = config.frames is not None, str(device)
        receiver = video.open_receiver(source, live=live, loop=loops, device=where)
        opened.callback(receiver.close)
        size = _size(config, device, receiver)
        brains = going_on.brains_of(config)
        state, size = going_on.resumed(config, brains, size)
        dice = random.Random(config.seed)
        hung = visit.pictures(config.museum, size, device, dice) if config.museum else ()
        make, settled = _settle(config, size, device)
        learner = make(settled.precision)
        learner.memory.hung = hung
        if state and not going_on.restored(
            learner, state, brains, time.perf_counter() if live else 0.0
        ):
            state = None
        if config.brain:
            learner.prepare = partial(going_on.remember, config)
            if not state:
                learner.prepare(learner.life)
                learner.announce()
        with tuning.roaming():
            heard: dict[str, Any] = {"stats": ear.stats, "system": ear.system} if ear else {}
            pictures = ear.web.pictures if ear and ear.web else Pictures()
            learner.slots.pictures = pictures
            engine = Engine(learner, receiver, [], space, live=live, pictures=pictures, **heard)
            rate = receiver.status().rate or 30.0
            takes = Takes(
                config.record or ".",
                config.record_as,
                rate=lambda: receiver.status().rate or 30.0,
            )
            opened.callback(takes.close)
            if live:
                space.add("/system", receiver)
            space.add("/stats", takes)
            space.add("/system", takes.button)
            learner.slots.folder = brains
            for life in learner.running.lives.values():
                learner.slots.fill(life)
            learner.slots.turn_to(learner.life)
            opened.callback(learner.slots.close)
            engine.troubles.append(lambda: learner.slots.trouble)
            saver = Autosave(learner, brains, space.preset)
            space.add("/brain", saver)
            presets = Presets(space)
            opened.callback(presets.close)
            space.add("/preset", presets)
            presets.open(_presets(config))
            engine.afterwards.append(lambda _now: presets.follow())
            engine.troubles.append(lambda: presets.trouble)
            alias(space, config.aliases)
            _set(space, config.knobs, "[knobs]")
            safe = space.preset()  # not what is resumed: that may be what panic is pressed for
            if state:
                saver.go_on(state)
                for warning in space.recall(state.knobs, at_once=True):
                    log.warning("--resume: %s", warning)
            engine.keep_safe(safe | _play_in(space, config))
            learner.running.settle()
            if live:
                opened.callback(saver.close)
                engine.afterwards.append(saver.turn)
                engine.troubles.append(lambda: saver.trouble)
            for address in config.sinks:
                sink = _named(address, config)
                engine.senders.append(video.open_sender(sink, live=live, rate=rate, device=where))
                opened.callback(engine.senders[-1].close)
            if live:
                engine.senders.append(takes)
            elif takes.button.record:
                log.warning("/system/record does nothing offline; use --out file:NAME.mp4")
            if ear:
                ear.complete()
        first = _facts(config, learner, settled)
        greeting = _greeting(first, ear, config)
        return Instrument(config, space, engine, greeting, first, opened.pop_all())


def _seed(config: Config) -> int:
    """Of all that is by chance: offline it is the same each time."""
    if config.seed is not None:
        return config.seed
    return 0 if config.offline else random.SystemRandom().randrange(1 << 31)


def _presets(config: Config) -> Path:
    """Where presets are kept; made when something is written there."""
    place = config.presets or f"{user_data_dir('First Light', appauthor=False)}/presets"
    return Path(place).expanduser()


def _play_in(space: AddressSpace, config: Config) -> dict[str, Any]:
    """Set what was asked for on top of the configuration; answers those knobs as they now are."""
    asked = dict(config.sets)
    for name in config.preset:
        values = preset.read(name, _presets(config))
        asked |= values
        for warning in space.recall(values, at_once=True):
            log.warning("--preset %s: %s", name, warning)
    _set(space, config.sets, "--set")
    return {a: v for a, v in space.preset().items() if a in asked}


def _probe(option: str, place: Path) -> None:
    """Refuse now what could not be written later. Folders are made, but for a report."""
    folder = place if option == "--record" else place.parent
    while option != "--report" and not folder.exists():
        folder = folder.parent
    a_folder_already = option != "--record" and place.is_dir()
    if a_folder_already or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise Refusal(f"{option} {place}: cannot be written there; choose another place.")


def _keep_source(config: Config) -> None:
    """Refuse to record over what is being played."""
    for address in config.sinks:
        scheme, _, rest = address.partition(":")
        played_scheme, _, played = config.source.removeprefix("auto:").partition(":")
        if scheme in ("file", "stills") and scheme == played_scheme:
            here, there = Path(rest).expanduser(), Path(played).expanduser()
            if here.exists() and there.exists() and here.samefile(there):
                raise Refusal(f"--out {address}: that is the source itself; choose another name.")


@dataclass(frozen=True, slots=True)
class Settled:
    """How this machine will compute; `milliseconds` a step, 0 where nothing was measured."""

    precision: str
    threads: int
    milliseconds: float = 0.0


def _settle(
    config: Config, size: tuple[int, int], device: torch.device
) -> tuple[Callable[[str], Learner], Settled]:
    """A maker of learners, and the precision and threads that suit this machine best."""
    seed, net = config.seed, config.net
    assert seed is not None  # `assemble` has chosen
    assert net is not None

    def make(precision: str) -> Learner:
        dtype = tuning.PRECISIONS[precision]
        fit: Any = config.fit
        return Learner(
            net, size, device=device, dtype=dtype, seed=seed, fit=fit, waits=config.offline
        )

    def step(precision: str) -> Callable[[], object]:
        learner = make(precision)
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)

        def once() -> None:
            learner.look(learner.see(Frame(noise, "bgra", 0.0)))
            learner.learn()

        return once

    tuning.keep_memory()
    torch.backends.cudnn.deterministic = config.offline
    precision, threads = config.precision, config.threads
    if config.offline:
        precision = "float32" if precision == "auto" else precision
        threads = threads or tuning.OFFLINE_THREADS
    if device.type != "cpu":
        precision = (
            ("bfloat16" if device.type == "cuda" else "float32")
            if precision == "auto"
            else precision
        )
        return make, Settled(precision, torch.get_num_threads())
    if net == "through":
        precision, threads = "float32", threads or 1
    if precision != "auto" and threads:
        tuning.use_threads(threads)
        return make, Settled(precision, threads)
    precisions = list(tuning.PRECISIONS) if precision == "auto" else [precision]
    counts = [threads] if threads else tuning.thread_choices()
    return make, Settled(*tuning.fastest(step, precisions, counts))


def _size(config: Config, device: torch.device, receiver: Receiver) -> tuple[int, int]:
    if config.size:
        return image.parse_size(config.size)
    lines = config.lines or (LINES_CPU if device.type == "cpu" else LINES_GPU)
    return image.size_for(lines, nets.EVERY, receiver.status().size)


def _named(address: str, config: Config) -> str:
    """An address to send to, with the name that others are to see where it has none."""
    shared = tuple(f"{scheme}:" for scheme in (*video.SHARED, "auto"))
    return f"{address}{config.name}" if address in shared else address


def _set(space: AddressSpace, knobs: dict[str, Any], where: str) -> None:
    """Set knobs before the start. Raises Refusal for an address or a value that is none."""
    for address, value in knobs.items():
        try:
            space.assign(address, value)
        except KeyError:
            hint = space.nearest(address)
            raise Refusal(f"{where} {address}: there is no such knob; {hint}") from None
        except Refused as problem:
            raise Refusal(f"{where} {address}={value}: it {problem}.") from problem


def alias(space: AddressSpace, aliases: dict[str, str]) -> None:
    """Give foreign addresses the meaning of ours, in any tree. Raises Refusal where ours is no knob
    that can be played, or the foreign one would hide a knob."""
    for foreign, ours in aliases.items():
        tree, plain = trees.split(ours)
        if plain not in space:
            hint = space.nearest(plain)
            raise Refusal(f"[aliases] {foreign}: there is no knob {ours}; {hint}")
        if space[plain].access == "r" or tree == "text" or not trees.has(tree, space[plain]):
            hint = "choose a knob at its plain address, or a number under /norm."
            raise Refusal(f"[aliases] {foreign}: {ours} takes no value; {hint}")
        if trees.split(foreign)[1] in space:
            hint = "leave that line out, or another fader could no longer reach it."
            raise Refusal(f"[aliases] {foreign}: that is an address of First Light's own; {hint}")
    space.aliases = aliases


def _facts(config: Config, learner: Learner, settled: Settled) -> dict[str, Any]:
    return {
        "net": learner.running.name,
        "size": learner.running.size,
        "weights": learner.running.weights,
        "seed": learner.score.seed,
        "first_hash": learner.weights.hash(),
        "taught": learner.slots.taught,
        "source": config.source,
        "sinks": config.sinks,
        "offline": config.offline,
        "device": str(learner.device),
        "precision": settled.precision,
        "threads": settled.threads,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "firstlight": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "av": av.__version__,
        },
    }


def _greeting(first: dict[str, Any], ear: Ear | None, config: Config) -> str:
    where = f"on {first['device']}, {first['precision']}"
    if first["device"] == "cpu":
        where += f" x {first['threads']} threads"
    heard = f"; OSC on {config.listen}:{ear.port}" if ear else ""
    heard += f"; page {ear.web.address}" if ear and ear.web else ""
    taught = f"; taught on {first['taught']}" if first["taught"] else ""
    return (
        f"{first['net']} {first['size']} {where}; seed {first['seed']},"
        f" network {first['first_hash'][:12]}{taught}{heard}"
    )


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def catalogue() -> AddressSpace:
    """The whole address tree, put together just as a running instrument's is."""
    config = Config(
        source="pattern:",
        sinks=["none:"],
        net="tiles",
        size="8x8",
        osc=0,
        page=-1,
        feedback=["none"],
        precision="float32",
        threads=1,
    )
    instrument = assemble(config)
    instrument.closing.close()
    return instrument.space
