"""Learner: sees a frame, looks at it through the network as it is, and learns from it.

`look` is one forward pass and keeps its graph; the picture it gives can leave at once. `learn`
is the backward pass of that same forward, so that the picture costs no pass of its own, and then
as many further steps on the same frame as the knobs and the time allow. Everything runs on the
frame thread, but for the drawing of a network that is switched to, which has a thread of its own.
What is measured is measured before the frame has been learnt from.
"""

import logging
import math
import random
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bridge import nets
from bridge.frame import Frame
from bridge.learn import image
from bridge.learn.denoising import Denoising
from bridge.learn.governor import Governor
from bridge.learn.life import Life
from bridge.learn.losses import Losses
from bridge.learn.memory import ReplayMemory
from bridge.learn.optimiser import SIZELESS, Optimiser
from bridge.learn.running import Running
from bridge.learn.score import Score, decibels, mean_square
from bridge.learn.seeing import Seeing, Seen
from bridge.learn.slots import Slots
from bridge.learn.wander import Wander
from bridge.learn.weights import Weights
from bridge.nets.code import Code
from bridge.params import Param, trigger

log = logging.getLogger("bridge.learn")

CALM = 1.5  # power of the present's share in the rate: 0 falls by 3.9 dB, 1 by 2.5, 1.5 by 1.7
EASE = 30  # frames that the rate takes to come in


class Learner:
    """A network, and how it changes.

    size is (width, height) in pixels; dtype the precision it computes in (the weights' master is
    always float32). With `waits` (and always on MPS), a network that is switched to is drawn at
    once, so that all is as the frame's number says; without, beside the frames. Raises Refusal
    for a network or size that cannot be.
    """

    on = Param(True, doc="learn from what is seen; off, not one weight moves")
    steps = Param(
        1, min=0, max=16,
        doc="steps on each frame, as far as time allows: more is more immediate, and forgets more",
    )  # fmt: skip
    budget = Param(
        0.0, min=0.0, max=100.0, unit="ms",
        doc="most time to spend on a frame's steps after the first; 0 = until the next is due",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
        fit: image.Fit = "stretch",
        waits: bool = True,
    ) -> None:
        self.size = size
        self.device, self.dtype = torch.device(device), dtype
        self.chance = torch.Generator(self.device).manual_seed(seed)
        self.dice = random.Random(seed)
        self.denoising = Denoising(self.chance, self.dice)
        self.played = nets.knobs(self.chance)
        code = self.played[Code]
        assert isinstance(code, Code)
        self.wander = Wander(code, self._glimpse, seed)
        self.optimiser, self.losses = Optimiser(), Losses()
        self.seeing = Seeing(size, fit, self.device, dtype)
        self.sight = self.seeing.sight
        self.memory = ReplayMemory(size, self.device, self.dice)
        self.slots = Slots(self._begin_anew, lambda: self.last)
        self.governor = Governor(self.optimiser, self.losses, self.denoising, self.slots, code)
        self.score = Score()
        self.prepare: Callable[[Life], None] = lambda _: None  # done to a network before it runs
        self._seed = seed
        self._blank_asked = False
        self.now = 0.0  # seconds of the show, as of the last frame
        self.rested = False  # whether the last frame was only looked at
        self.last: Tensor | None = None  # the last picture, as it was sent
        self._shown: Seen | None = None  # what is next looked at, if it is looked at
        self._seen: Seen  # what the last picture was made of
        self._looked_at: Tensor  # the same under noise and mask
        self._mean_square: Tensor
        # Two threads that compute on MPS at once end the process (pytorch/pytorch#197805).
        waits = waits or self.device.type == "mps"
        self.running = Running(self._drawn, self._turn_to, waits=waits)
        self.running.size = image.size_name(size)
        self.running.live(self._drawn(name))

    @property
    def life(self) -> Life:
        """The network that runs, with all that it has become."""
        return self.running.life

    @property
    def net(self) -> nets.Network:
        """The network that runs."""
        return self.life.net

    @property
    def weights(self) -> Weights:
        """Its weights."""
        return self.life.weights

    @trigger("begin again: a fresh random network, from the next seed", critical=True, asks=True)
    def blank(self) -> None:
        # Only asked for here: drawing a network takes milliseconds, a hand that hammers the
        # button would hold the picture up, and who has pressed ten times wants one new network.
        self._blank_asked = True

    def _begin_next(self) -> None:
        self._blank_asked = False
        self._seed += 1
        self.life.blank(self._seed)
        self._begin_anew()

    def blank_life(self, name: str) -> Life:
        """The network `name` as it begins."""
        return Life(name, self.size, self.played, self.device, self.dtype, self._seed)

    def _begin_anew(self) -> None:
        """The same network, of another beginning."""
        self.governor.forget(self.life)
        self.announce()

    def _drawn(self, name: str) -> Life:
        life = self.blank_life(name)
        self.prepare(life)
        self.slots.fill(life)
        return life

    def _turn_to(self, life: Life) -> None:
        """Another network lives, from the next look."""
        for kind, knobs in self.played.items():
            knobs.used = kind in life.net.plays
        self.announce()

    def announce(self) -> None:
        """Publish whose beginning this was; whoever gives the life other weights calls it."""
        life, score = self.life, self.score
        score.seed, score.hash, score.learnt = life.seed, life.hash, life.learnt
        self._seed = life.seed
        self.governor.start_over(self.now)
        self.slots.turn_to(life)
        self._y: Tensor | None = None

    # See, look, learn

    def see(self, frame: Frame, now: float | None = None) -> Tensor:
        """The frame as it is shown to the network: (1, 3·p·p, H/p, W/p) in [-1, 1], on the device.
        What is to be made of it, which for a translator is another picture, is kept for `look`.

        `now` is the show's time in seconds; where none is given, thirty frames make a second.
        """
        self._go_on(self.now + 1 / 30 if now is None else now)
        if self.slots.follow():  # what lies between two selves is the hand's own picture
            self.governor.start_over(self.now)
        self.running.follow()
        self._shown = self.seeing.of(frame, self.life.net, self.last)
        return self._shown.x

    def _go_on(self, now: float) -> None:
        """It is `now`, also for what moves by itself."""
        self.now = now
        for knobs in self.played.values():
            knobs.pass_time(now)

    def look(self, x: Tensor) -> Tensor:
        """The network's picture of `x` through its weights as they are: (H, W, 4) uint8, BGRA.

        An `x` that is not what `see` has just given is itself what is to be given back. Where the
        governor says so, and where the picture would not be finite, the network falls back to a
        past self first, and the picture is that one's.
        """
        seen = self._shown if self._shown is not None and x is self._shown.x else Seen(x, x)
        if self._blank_asked:
            self._begin_next()
        elif self.governor.why:
            self._heed(seen)
        picture = self._pass(seen)
        if picture is None:
            picture = self._recover(seen)
        self.last = picture
        return picture

    def _heed(self, seen: Seen) -> None:
        """Fall back for the governor's reason, if that leads to anything better."""
        why = self.governor.why
        past = self.governor.refuge(self.life, seen, self._likeness, self.now)
        self.governor.start_over(self.now)
        if past is not None:
            self._fall_back(past, why)

    def _likeness(self, flat: Tensor, seen: Seen) -> float:
        """dB of what the network would make of `seen` with other weights; -inf where not finite."""
        weights = self.weights
        kept = None if flat is weights.flat else weights.flat.clone()
        if kept is not None:
            weights.put(flat)
        with torch.no_grad():
            y, _ = self._answer(seen.x, seen.target)
        if kept is not None:
            weights.put(kept)
        return decibels(float(mean_square(y - seen.target)))

    def _answer(self, x: Tensor, target: Tensor) -> nets.Answer:
        """What the network makes of `x`, knowing what it may of the `target`."""
        self.life.net.hint(target)
        answer: nets.Answer = self.life.net(x)
        return answer

    def _recover(self, seen: Seen) -> Tensor:
        """A picture in place of one that is not finite."""
        self.score.nonfinite += 1
        for past in self.governor.selves(self.life):
            self._fall_back(past, "its picture was no longer made of finite numbers")
            picture = self._pass(seen)
            if picture is not None:
                return picture
        self._begin_next()
        picture = self._pass(seen)
        if picture is None:
            raise FloatingPointError("the network gives no finite picture of this frame")
        return picture

    def _fall_back(self, past: Tensor, why: str) -> None:
        self.life.go_on_from(past)
        if past is self.life.origin and not self.life.given:
            self.life.ease = 1.0  # who knows nothing has nothing to lose
        if self.governor.trusted(self.now):  # of a series only the first is told
            log.warning("%s fell back to a past self: %s", self.life.name, why)
        self.governor.fell_back(self.now)
        self.score.rollbacks += 1
        self.score.rollback = why

    def dream(self, now: float) -> Tensor | None:
        """A picture of nothing that is there, at the show's time `now`: (H, W, 4) uint8, BGRA. The
        first is the last frame's again; nothing is learnt.

        None where there is none to be had: before the first look, from a network that has no code,
        or where its numbers are not finite.
        """
        self._go_on(now)
        self.running.follow()
        if self.last is None or not self.played[Code].used:
            return None
        patch = self.life.net.patch
        if self._looked_at.shape[1] != 3 * patch**2:  # another network's: begin at what was sent
            self._looked_at = image.to_patches(self.last, patch, self.dtype)
        y = self.wander.look(self.life.net, self._looked_at, now)
        if not bool(torch.isfinite(y).all()):
            return None
        self.last = image.quantise(y, patch)
        return self.last

    def panic(self) -> None:
        """Fall back to the last good self; pressed again, to the one before."""
        self._fall_back(self.governor.selves(self.life)[0], "panic")
        self.governor.disown(self.life)

    def _pass(self, seen: Seen) -> Tensor | None:
        """Look, measure, and keep the graph if it will be learnt from."""
        self._seen, self._looked_at = seen, self.denoising.spoil(seen.x)
        self._forward(self._learns())
        assert self._y is not None
        # The one wait for the device in a frame: what is sent must be known to be a picture.
        self._wrong_by = float(self._mean_square)
        if not math.isfinite(self._wrong_by):
            return None
        self.score.psnr = self.life.psnr = decibels(self._wrong_by)
        return image.quantise(self._y.detach(), self.life.net.patch)

    def seen(self) -> Tensor | None:
        """What was last looked at, without noise or mask: (H, W, 3) uint8, blue first, on the
        device. None before the first look."""
        if self.last is None:
            return None
        patch = math.isqrt(self._seen.x.shape[1] // 3)  # another network may live by now
        return image.levels(self._seen.x, patch)

    def score_of(self, frame: Frame) -> float:
        """dB of the picture that would be made of `frame`, which leaves no trace: it is neither
        shown, learnt from nor remembered."""
        return self._likeness(self.weights.flat, self.seeing.of(frame, self.life.net, self.last))

    def _forward(self, kept: bool) -> None:
        target = self._seen.target
        with torch.set_grad_enabled(kept):
            self._y, self._penalty = self._answer(self._looked_at, target)
        self._error = self._y.detach() - target
        self._mean_square = mean_square(self._error)

    def learn(self, until: float | None = None) -> int:
        """Judge the picture last looked at, and learn from it, once; answers how many steps were
        taken.

        Further steps, up to `steps`, are taken while they would end before `until` (on the
        `perf_counter` clock) and within the budget; with neither, all of them.
        """
        if self._y is None:
            return 0
        if self.life.weights.lengths:
            self.governor.watch(self.life, self._seen, self._y.detach(), self._learns(), self.now)
        pull = self._judge(publish=True)
        done = 0
        if self._learns():
            self._ease_in()
            self._step(pull)
            done = 1
        self.rested = not done
        if until is not None and self.budget > 0:
            until = min(until, time.perf_counter() + self.budget / 1e3)
        while 0 < done < self.steps and self._fits(until):
            start = time.perf_counter()
            self._forward(True)
            self._step(self._judge(publish=False))
            done += 1
            self.life.pace += 0.2 * (time.perf_counter() - start - self.life.pace)
        self._y = None  # the graph is spent
        self.memory.meet(self._seen.target, self.life.net.patch, self._wrong_by, self.now)
        return done

    def _ease_in(self) -> None:
        """Let the rate in over thirty frames after a rest, and after other weights were taken."""
        life = self.life
        if self.rested and (life.learnt or life.given):
            life.ease = 0.0
        life.ease = min(1.0, life.ease + 1 / EASE)

    def _judge(self, publish: bool) -> Tensor:
        """The gradient of the loss with respect to the picture."""
        assert self._y is not None
        y, target, patch = self._y.detach(), self._seen.target, self.life.net.patch
        value, pull = self.losses.judge(y, target, self._error, self._mean_square, patch)
        if publish:
            if isinstance(self._penalty, Tensor):
                value = value + self._penalty.detach()
            self.score.loss = float(value)
        return pull

    def _fits(self, until: float | None) -> bool:
        if until is None or time.perf_counter() + self.life.pace <= until:
            return True
        self.life.pace *= 0.9  # or one stall would keep every later step from being tried
        return False

    def _learns(self) -> bool:
        return self.on and self.steps > 0 and bool(self.life.weights.lengths)

    def _step(self, pull: Tensor) -> None:
        assert self._y is not None
        life = self.life
        remembered = self._remember()
        here = 1.0 - self.memory.share if remembered else 1.0
        judged = _weighed(self._y, pull, self._penalty, here)
        if remembered:
            judged += _weighed(*remembered, self.memory.share)
        outputs, pulls = zip(*judged, strict=True)
        # Unused: a path that a knob has shut.
        gradients = torch.autograd.grad(outputs, life.weights.tensors, pulls, allow_unused=True)
        self.weights.gather(gradients)
        # A rule that does not tell a short gradient from a long one would give the present its
        # whole step still, and each frame would shake what is remembered.
        calm = here**CALM if self.optimiser.rule in SIZELESS else 1.0
        norm = float(self.optimiser.step(life.weights, life.moments, life.ease * calm))
        if self.slots.anchor > 0:
            life.pull_back(self.slots.anchor)
        if math.isfinite(norm):
            self.score.gradient = norm
            life.learnt += 1
            self.score.learnt = life.learnt
        else:
            self.score.nonfinite += 1
        self.governor.stepped(math.isfinite(norm))

    def _remember(self) -> tuple[Tensor, Tensor, Tensor | float] | None:
        """Look at remembered pictures: the answer, what is wrong with it as a gradient, and the
        penalty. They have a pass of their own, after the picture has left."""
        patch = self.life.net.patch
        kept = self.memory.recollect(patch, torch.float32)
        if kept is None:
            return None
        x, target = self.seeing.again(kept, self.life.net)
        with torch.enable_grad():
            y, penalty = self._answer(self.denoising.spoil(x), target)
        error = y.detach() - target
        wrong = mean_square(error)
        wrong_by = float(wrong)
        if math.isfinite(wrong_by):
            self.memory.psnr = decibels(wrong_by)
        _, pull = self.losses.judge(y.detach(), target, error, wrong, patch)
        return y, pull, penalty

    def _glimpse(self) -> Tensor | None:
        return self.memory.glimpse(self.life.net.patch, self.dtype)

    def knobs(self) -> list[tuple[str, Any]]:
        """What to add to the address space: pairs of group and owner."""
        return [
            ("/see", self.sight),
            ("/learn", self),
            ("/learn", self.optimiser),
            ("/learn", self.losses),
            ("/learn", self.denoising),
            ("/learn", self.governor),
            ("/memory", self.memory),
            ("/brain", self.slots),
            ("/net", self.running),
            *(("/net", knobs) for knobs in self.played.values()),
            ("/stats", self.score),
        ]


def _weighed(
    y: Tensor, pull: Tensor, penalty: Tensor | float, weight: float
) -> list[tuple[Tensor, Tensor | None]]:
    """What a step descends: outputs, each with its gradient, times a weight."""
    whole = weight == 1.0
    judged: list[tuple[Tensor, Tensor | None]] = [(y, pull if whole else pull * weight)]
    if isinstance(penalty, Tensor):
        judged.append((penalty, None if whole else torch.full_like(penalty, weight)))
    return judged
