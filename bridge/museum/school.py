"""School: `firstlight school`, where a network is taught on a museum before the show.

    firstlight school --lesson hand --preset cpu --out hand.safetensors museum
    torchrun --nproc_per_node=4 -m bridge.museum.school --lesson hand … museum

A time that is asked for is turned into steps at the start, so that a school that was stopped
goes on to the same weights. `--out` is a brain from the first minute on; beside it, in a folder of
its name, are sheets of what the pupil makes, its curves, and what is needed to go on.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from bridge import Refusal, nets, parsers
from bridge.learn import brain, tuning
from bridge.learn.shards import Shards
from bridge.museum import crops, marks, report
from bridge.museum.pupil import Plan, Pupil

FORMAT = "first-light-school-1"
TOLD_EVERY = 10  # steps
FIRST_LOOK = 200  # steps after which there is something to be seen
LOOKS, APART = 10, 100  # sheets in all, about, and steps between them at least
KEPT_EVERY = 60.0  # seconds
TIMED, WARM = 9, 2  # steps by which a time becomes steps
MOST_EPOCHS = 800  # times that a painting is met, beyond which few of them are learnt by heart
JUDGED, SHOWN = 8, 4  # pictures that are marked, and of those in a sheet
MOST_PALETTES = 256  # pictures whose palettes a brain has, beside the collections'
TOGETHER = "all"  # the palette of all of them


@dataclass(frozen=True, slots=True)
class Preset:
    """Minutes of teaching, and crops: pixels a side and how many a step, for hand and eye."""

    minutes: float
    hand: tuple[int, int]
    eye: tuple[int, int]


PRESETS = {
    "cpu": Preset(2, (128, 8), (128, 4)),
    "evening": Preset(180, (192, 16), (256, 8)),
    "day": Preset(1320, (256, 48), (384, 16)),
}


def main(options: argparse.Namespace) -> None:
    """Teach, or go on teaching. Raises Refusal."""
    museum = Shards(Path(options.museum).expanduser())
    out = Path(options.out).expanduser()
    if out.is_dir() or not out.parent.exists():
        raise Refusal(f"--out {out}: is no place for a file; name one such as hand.safetensors.")
    with together(tuning.pick_device(options.device)) as device, _unpinned():
        precision = _precision(options, device)
        plan = _plan(options, museum, device, precision)
        desk = Desk(out, plan)
        pupil = Pupil(plan, museum, device)
        before = None if options.anew else desk.found()
        if before:
            pupil.take(*before)
            _say(pupil, f"going on from step {pupil.step} of {plan.steps}.")
        _warn(pupil)
        teach(pupil, desk)
        if pupil.rank == 0:
            print(f"next: firstlight --net {plan.net} --brain {out}")


class Desk:
    """Where a school keeps things: the brain at `out`, and a folder beside it."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        self.folder = state_of(out).parent
        self.curve: list[dict[str, float]] = []

    def found(self) -> tuple[dict[str, Tensor], int] | None:
        """What a stopped school of this plan left, and its step. Raises Refusal where another's
        is there, or it cannot be read."""
        place = state_of(self.out)
        if not place.exists():
            return None
        told, state = brain.read(place)
        anew = "add --anew to begin again, or choose another --out."
        if told.get("format") != FORMAT:
            raise Refusal(f"{place}: is not a school's; {anew}")
        before = json.loads(told["plan"])
        other = [key for key, value in asdict(self.plan).items() if before.get(key) != value]
        if other:
            was = ", ".join(f"{key} {before.get(key)}" for key in other)
            raise Refusal(f"{place}: was taught with {was}; {anew}")
        self.curve = json.loads(told["curve"])
        return state, int(told["step"])

    def keep(self, pupil: Pupil) -> None:
        """Write the brain, and all that is needed to go on. Raises Refusal."""
        told = {
            "format": FORMAT, "plan": json.dumps(asdict(self.plan)), "step": str(pupil.step),
            "curve": json.dumps(self.curve),
        }  # fmt: skip
        brain.write(state_of(self.out), pupil.state(), told)
        life = pupil.mean()
        schooled = {
            "card": json.dumps(pupil.museum.card),
            "palettes": json.dumps(palettes(pupil.museum)),
        }
        brain.write(self.out, life.weights.state(), brain.describe(life) | schooled)


def state_of(out: Path) -> Path:
    """Where the school of a brain keeps what is needed to go on."""
    return out.with_name(f"{out.stem}-school") / "state.safetensors"


def teach(pupil: Pupil, desk: Desk) -> None:
    """Every step that is left, with marks, sheets and checkpoints on the way."""
    plan = pupil.plan
    looks = {FIRST_LOOK, *range(0, plan.steps, max(APART, plan.steps // LOOKS)), plan.steps} - {0}
    side = plan.side if plan.lesson == "eye" else max(plan.side, crops.LINES[0])
    judged = [x for _, x in pupil.crops.held(JUDGED, side)]
    begun = kept = told = time.perf_counter()
    first, total = pupil.step, 0.0
    try:
        while pupil.step < plan.steps:
            total += float(pupil.turn())
            now = time.perf_counter()
            if pupil.step % TOLD_EVERY == 0 and pupil.rank == 0:
                desk.curve.append({"step": pupil.step, "loss": total / TOLD_EVERY})
                total = 0.0
                if now - told > 5 or pupil.step == plan.steps:
                    told = now
                    left = (now - begun) / (pupil.step - first) * (plan.steps - pupil.step)
                    loss = desk.curve[-1]["loss"]
                    _say(
                        pupil,
                        f"step {pupil.step} of {plan.steps}, loss {loss:.4f}, {left:.0f} s left",
                    )
            if pupil.rank == 0 and pupil.step in looks:
                look(pupil, desk, judged)
            if pupil.rank == 0 and now - kept > KEPT_EVERY:
                kept = now
                keep_if_there_is_room(pupil, desk)
        if pupil.rank == 0 and pupil.step > first:
            desk.keep(pupil)
    except KeyboardInterrupt:
        if pupil.rank == 0:
            desk.keep(pupil)
            print("stopped; the same command goes on from here.", file=sys.stderr)
        raise


def keep_if_there_is_room(pupil: Pupil, desk: Desk) -> None:
    """On the way a full disk is told, and the teaching goes on."""
    try:
        desk.keep(pupil)
    except Refusal as problem:
        _say(pupil, str(problem))


def look(pupil: Pupil, desk: Desk, judged: Sequence[Tensor]) -> None:
    """Mark the pupil and draw a sheet of what it makes."""
    life = pupil.mean()
    name = desk.folder / f"sheet-{pupil.step:06}.png"
    known = {key: torch.tensor([value]) for key, value in palettes(pupil.museum).items()}
    eye = pupil.plan.lesson == "eye"
    told = marks.of_eye(life, judged) if eye else marks.of_hand(life, judged, known[TOGETHER])
    desk.curve.append({"step": pupil.step, **told})
    try:
        if eye:
            report.of_eye(life, judged[:SHOWN], name)
        else:
            report.of_hand(life, judged[:SHOWN], known, name)
        report.curves(desk.curve, desk.folder / "curves.png")
    except OSError as problem:
        _say(pupil, f"{name}: could not be written ({problem.strerror}); the teaching goes on.")
    said = ", ".join(f"{key} {value:.2f}" for key, value in told.items())
    _say(pupil, f"step {pupil.step}: {said}; {name}")
    if pupil.step == FIRST_LOOK:
        _say(pupil, sanity(pupil, told, judged))


def sanity(pupil: Pupil, told: dict[str, float], judged: Sequence[Tensor]) -> str:
    """Whether it looks, after its first steps, as such a school does."""
    flat = sum(marks.decibels(x.mean((2, 3), keepdim=True).expand_as(x), x) for x in judged)
    flat /= len(judged)
    if pupil.plan.lesson == "eye":
        well = told["dB"] > flat + 2
        should = "each picture of the sheet should be seen in its own colours, out of focus"
    else:
        well = told["dB"] > flat - 4
        should = (
            "its lines should stand in the sheet, on a paper with a tint, in each palette its own"
        )
    if well:
        return f"so far as it should be: {should}."
    return (
        f"not as it should be by now ({should}); one flat colour has {flat:.1f} dB. Look at the"
        " sheet: if it is grey, the pictures may be; if it is noise, begin again with --seed 1."
    )


def palettes(museum: Shards) -> dict[str, list[float]]:
    """What a hand may be told: the palette of all, of each collection, and of as many pictures as
    a menu can hold, evenly over all that are taught."""
    entries = [entry for entry in museum.entries if entry.share > 0]
    by_collection: dict[str, list[tuple[float, ...]]] = {}
    for entry in entries:
        by_collection.setdefault(entry.collection, []).append(entry.palette)
    found = {TOGETHER: _mean([e.palette for e in entries], [e.share for e in entries])}
    for name, held in sorted(by_collection.items()):
        found[name] = _mean(held, [1.0] * len(held))
    every = -(-len(entries) // MOST_PALETTES)
    for entry in entries[::every]:
        found[entry.name] = [round(number, 4) for number in entry.palette]
    return found


def _mean(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    whole = sum(weights)
    columns = zip(*rows, strict=True)
    return [
        round(sum(n * w for n, w in zip(column, weights, strict=True)) / whole, 4)
        for column in columns
    ]


@contextlib.contextmanager
def together(device: torch.device) -> Iterator[torch.device]:
    """One of the processes that `torchrun` started, with the graphics card that is its own; alone
    where nobody did."""
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def _precision(options: argparse.Namespace, device: torch.device) -> str:
    """bfloat16 on NVIDIA's cards, float32 elsewhere; on a processor also settles its threads."""
    if device.type == "cpu":
        tuning.keep_memory()
        if options.threads or not dist.is_initialized():
            tuning.use_threads(options.threads or max(tuning.thread_choices()))
    asked: str = options.precision
    if asked == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    return asked


@contextlib.contextmanager
def _unpinned() -> Iterator[None]:
    """What is pinned inside may move again afterwards."""
    try:
        yield
    finally:
        tuning.unpin()


def _plan(
    options: argparse.Namespace, museum: Shards, device: torch.device, precision: str
) -> Plan:
    """What is to be done, its time turned into steps. Raises Refusal."""
    preset = PRESETS[options.preset]
    lesson: str = options.lesson
    net: str = options.net or {"hand": "hand", "eye": "paint"}[lesson]
    if (net == "hand") != (lesson == "hand") or net == "through":
        eyes = ", ".join(name for name in nets.NAMES if name not in ("hand", "through"))
        raise Refusal(f"--net {net}: the lesson hand is for hand alone, the lesson eye for {eyes}.")
    side, batch = preset.hand if lesson == "hand" else preset.eye
    batch = options.batch or batch
    world = dist.get_world_size() if dist.is_initialized() else 1
    if batch < world:
        raise Refusal(f"--batch {batch}: {world} processes need a picture each; ask for more.")
    plan = Plan(
        lesson=lesson, net=net, side=options.side or side, batch=batch, steps=options.steps or 0,
        seed=options.seed, precision=precision, museum=_known_by(museum),
    )  # fmt: skip
    nets.build(net, (plan.side, plan.side))
    if plan.steps:
        return plan
    minutes = options.minutes or preset.minutes
    before = None if options.anew else _steps_before(options, plan)
    return replace(plan, steps=before or steps_in(minutes * 60, plan, museum, device))


def _steps_before(options: argparse.Namespace, plan: Plan) -> int | None:
    """The steps that a stopped school of the same plan was to take: a time is measured once."""
    place = state_of(Path(options.out).expanduser())
    told = json.loads(brain.head(place).get("plan") or "{}")
    steps = told.pop("steps", None)
    return steps if told == {k: v for k, v in asdict(plan).items() if k != "steps"} else None


def steps_in(seconds: float, plan: Plan, museum: Shards, device: torch.device) -> int:
    """How many steps go into a time, measured on a pupil that is thrown away: by the middle one of
    some whole steps, as they are once everything has come in. All processes agree on it."""
    trial = Pupil(replace(plan, steps=1 << 20), museum, device)
    trial.step = trial.plan.steps // 2
    for _ in range(WARM):
        trial.turn()
    took = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        float(trial.turn())
        took.append(time.perf_counter() - begun)
    pace = torch.tensor(statistics.median(took), device=device)
    if dist.is_initialized():
        dist.all_reduce(pace, dist.ReduceOp.MAX)
    return max(FIRST_LOOK, int(seconds / float(pace)))


def _known_by(museum: Shards) -> str:
    """Alike where the same pictures are prepared alike, whenever that was."""
    listed = hashlib.sha256(repr(museum.entries).encode()).hexdigest()
    return f"{museum.card['pictures']} + {museum.card['held_out']}, {listed[:12]}"


def _warn(pupil: Pupil) -> None:
    plan, count = pupil.plan, pupil.museum.card["pictures"]
    if plan.lesson == "hand" and plan.steps * plan.batch / count > MOST_EPOCHS:
        _say(
            pupil,
            f"{plan.steps * plan.batch // count} looks at each of {count} pictures: it will know"
            " these by heart, and others the worse for it. More pictures, or fewer --minutes.",
        )
    if not pupil.museum.card["held_out"]:
        _say(pupil, "nothing is held out: its marks are of pictures that it knows.")


def _say(pupil: Pupil, text: str) -> None:
    if pupil.rank == 0:
        print(text, flush=True)


if __name__ == "__main__":
    try:
        main(parsers.school_parser().parse_args())
    except (Refusal, ImportError) as refused:
        sys.exit(f"firstlight school: {refused}")
