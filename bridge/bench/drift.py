"""Drift: what 300 live frames make of an eye that comes from the museum, and the way back.

The eye goes on learning from a clip at a high rate, and forgets the museum; then at a low one with
the anchor, while the clip plays on, until what it knew of the museum's held-out pictures is back.
Through the learner itself, as it is played, but for time.
"""

import statistics
from collections.abc import Callable, Sequence

from rich.table import Table
from torch import Tensor
from torch.nn.functional import interpolate

from bridge.bench.baselines import code_bits
from bridge.bench.measure import frames
from bridge.frame import Frame
from bridge.learn import image
from bridge.learn.learner import Learner
from bridge.learn.life import Life
from bridge.museum import marks

FRAMES = 300
FALL, BACK, PULL = 0.02, 2e-4, 0.03  # rates, and the anchor
LOOK = 10  # frames between two looks at the museum
WORD = 16  # bits of a number of the code

Held = Sequence[tuple[str, Tensor]]


def live(source: str) -> list[Frame]:
    """Frames of a clip, as they come."""
    return frames(source, FRAMES)


def table(eye: Life, held: Held, clip: Sequence[Frame]) -> Table:
    """Every figure of an eye, in dB."""
    told = Table(title=f"eye, {eye.name}: dB on held-out pictures, and on a clip it never saw")
    for head in ("", "dB"):
        told.add_column(head)
    numbers = code_bits(eye.name, eye.size) // WORD
    first, museum = learner(eye), of_museum(eye, held)
    blank = Learner(eye.name, eye.size, fit="crop", seed=1)
    rows = {
        "museum, taught": museum,
        "museum, blank": of_museum(blank.life, held),
        f"museum, a resize of {numbers} numbers": statistics.fmean(
            marks.decibels(resized(x, numbers), x) for _, x in held
        ),
        "clip, first frame": first.score_of(clip[0]),
        "clip, first frame, blank": blank.score_of(clip[0]),
        "clip, first frame, a resize": marks.decibels(resized(seen(first, clip[0]), numbers),
                                                      seen(first, clip[0])),
    }  # fmt: skip
    fallen = learner(eye)
    play(fallen, clip, FALL, 0.0)
    low = rows[f"museum, after {len(clip)} frames at rate {FALL}"] = of_museum(fallen.life, held)
    found = play(
        fallen, clip, BACK, PULL,
        lambda: (of_museum(fallen.life, held) - low) / max(museum - low, 1e-6),
    )  # fmt: skip
    for name, value in rows.items():
        told.add_row(name, f"{value:.2f}")
    back = [(at, share) for at, share in found if share >= 0.9]
    told.add_row(
        f"back by 90 % with rate {BACK:g} and anchor {PULL}",
        f"after {back[0][0]} frames" if back else "not",
    )
    told.add_row("  share back, by frames", "  ".join(f"{at}: {s:.0%}" for at, s in found[2::3]))
    gentle = learner(eye)
    play(gentle, clip, 2.5e-3, 0.0)
    told.add_row(f"museum, after {len(clip)} frames at rate 0.0025",
                 f"{of_museum(gentle.life, held):.2f}")  # fmt: skip
    return told


def learner(eye: Life) -> Learner:
    """One that goes on as `eye`, as a brain that is loaded."""
    made = Learner(eye.name, eye.size, fit="crop", seed=1)
    made.life.become(eye.weights.flat.clone(), {"seed": "0", "hash": eye.hash, "steps": "1"})
    made.announce()
    return made


def play(
    one: Learner,
    clip: Sequence[Frame],
    rate: float,
    anchor: float,
    asked: Callable[[], float] | None = None,
) -> list[tuple[int, float]]:
    """Let it see and learn a clip; every so many frames, what is asked."""
    one.optimiser.rate, one.slots.anchor = rate, anchor
    found = []
    for number, frame in enumerate(clip, 1):
        one.look(one.see(frame))
        one.learn()
        if asked and number % LOOK == 0:
            found.append((number, asked()))
    return found


def of_museum(eye: Life, held: Held) -> float:
    """dB of what it makes of held-out pictures."""
    return statistics.fmean(marks.decibels(marks.given_back(eye, x), x) for _, x in held)


def seen(one: Learner, frame: Frame) -> Tensor:
    pixels = image.fit(image.upload(frame, one.device), one.size, "crop")
    return image.to_planes(pixels)


def resized(x: Tensor, numbers: int) -> Tensor:
    """(1, 3, H, W) as so many numbers hold it by being made smaller, at the same aspect: areas
    down, cubics up."""
    height, width = x.shape[2:]
    share = (numbers / x.numel()) ** 0.5
    small = interpolate(x, (round(height * share), round(width * share)), mode="area")
    return interpolate(small, (height, width), mode="bicubic").clamp(-1, 1)
