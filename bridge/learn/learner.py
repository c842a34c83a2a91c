"""Learner: sees a frame, looks at it through the network as it is, and learns from it.

`look` is one forward pass and keeps its graph; the picture it gives can leave at once. `learn`
is the backward pass of that same forward, so that the picture costs no pass of its own, and then
as many further steps on the same frame as the knobs and the time allow. Everything runs on the
frame thread. What is measured is measured before the frame has been learnt from.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor

from bridge import nets
from bridge.frame import Frame
from bridge.learn import image
from bridge.learn.losses import Losses
from bridge.learn.optimiser import Optimiser
from bridge.learn.weights import Weights
from bridge.nets import layers
from bridge.params import Param, Reading, trigger

MOST_DB = 99.0  # what a perfect picture reads as
FULL = 2.0  # the range of a pixel, -1 to 1: the peak that dB are measured from
PATIENCE = 30  # steps in a row that may be lost before the network begins again
HOPELESS = -20.0  # dB: ten times out of range, black and white noise with a long way back


class Score:
    """What the learner publishes under /stats."""

    loss = Reading(0.0, doc="loss of the frame just seen, before it was learnt from")
    psnr = Reading(0.0, unit="dB", doc="likeness of the picture to the frame; 20 is recognisable")
    gradient = Reading(0.0, doc="length of the last gradient, before clipping")
    learnt = Reading(0, doc="steps since this network began")
    nonfinite = Reading(0, doc="times that numbers were no longer finite and were thrown away")
    seed = Reading(0, doc="seed of this network's random beginning")
    hash = Reading("", doc="SHA-256 of the weights at this network's beginning")


class Running:
    """What the network says of itself under /net."""

    name = Reading("", doc="the network that runs")
    size = Reading("", doc="width x height of the picture it makes")
    weights = Reading(0, doc="how many numbers it has learnt in")


class Learner:
    """A network, and how it changes.

    size is (width, height) in pixels; dtype the precision it computes in (the weights' master is
    always float32). Raises Refusal for a network or size that cannot be.
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
    ) -> None:
        self.size, self.fit = size, fit
        self.device, self.dtype = torch.device(device), dtype
        self.net = nets.build(name, size).to(self.device)
        self.weights = Weights(self.net, dtype)
        self.optimiser = Optimiser(self.weights)
        self.losses = Losses()
        self.score = Score()
        self.running = Running()
        self.running.name, self.running.size = name, f"{size[0]}x{size[1]}"
        self.running.weights = sum(self.weights.lengths)
        self._seed = seed
        self._blank_asked = False
        self._stuck = 0  # steps in a row that were lost
        self._pace = 0.0  # seconds that a further step takes, smoothed
        self._begin(seed)

    @trigger("begin again: a fresh random network, from the next seed")
    def blank(self) -> None:
        # Only asked for here: drawing a network takes milliseconds, a hand that hammers the
        # button would hold the picture up, and who has pressed ten times wants one new network.
        self._blank_asked = True

    def _begin_next(self) -> None:
        self._blank_asked = False
        self._seed += 1
        self._begin(self._seed)

    def _begin(self, seed: int) -> None:
        fresh = nets.build(self.running.name, self.size)
        layers.blank(fresh, torch.Generator().manual_seed(seed))
        self.weights.take(fresh)
        self.begin_from_here(seed)

    def begin_from_here(self, seed: int) -> None:
        """Take the weights as they are for a beginning: no moments, no steps, a new hash."""
        self.optimiser.begin()
        self.score.seed, self.score.hash, self.score.learnt = seed, self.weights.hash(), 0
        self._seed = seed
        self._stuck = 0
        self._y: Tensor | None = None

    def see(self, frame: Frame) -> Tensor:
        """The frame as the network takes it: (1, 3·p·p, H/p, W/p) in [-1, 1], on the device."""
        pixels = image.fit(image.upload(frame, self.device), self.size, self.fit)
        return image.to_patches(pixels, self.net.patch, self.dtype)

    def look(self, x: Tensor) -> Tensor:
        """The network's picture of `x` through its weights as they are: (H, W, 4) uint8, BGRA.

        A network whose numbers are no longer finite has nothing to show, and one that stays
        hopelessly out of range for a second finds no way back: it begins again, and that picture
        is the new one's.
        """
        if self._blank_asked or (self._stuck >= PATIENCE and self._learns()):
            self._begin_next()
        picture = self._pass(x)
        if picture is None:
            self.score.nonfinite += 1
            self._begin_next()
            picture = self._pass(x)
        if picture is None:
            raise FloatingPointError("the network gives no finite picture of this frame")
        return picture

    def _pass(self, x: Tensor) -> Tensor | None:
        """Look, measure, and keep the graph if it will be learnt from."""
        with torch.set_grad_enabled(self._learns()):
            y, penalty = self.net(x)
        self._x, self._y, self._penalty = x, y, penalty
        shown = y.detach()
        self._error = shown - x
        mean_square = _mean_square(self._error)
        loss = self.losses.value(self._error, mean_square)
        # The one wait for the device in a frame: what is sent must be known to be a picture.
        wrong, wrong_by = float(loss), float(mean_square)
        if not (math.isfinite(wrong) and math.isfinite(wrong_by)):
            return None
        self.score.loss, self.score.psnr = wrong, _decibels(wrong_by)
        return image.quantise(shown, self.net.patch)

    def learn(self, until: float | None = None) -> int:
        """Learn from the frame last looked at, once; answers how many steps were taken.

        Further steps, up to `steps`, are taken while they would end before `until` (on the
        `perf_counter` clock) and within the budget; with neither, all of them.
        """
        if self._y is None or not self._learns():
            return 0
        begun = time.perf_counter()
        if until is not None and self.budget > 0:
            until = min(until, begun + self.budget / 1e3)
        self._step()
        done = 1
        while done < self.steps and self._fits(until):
            start = time.perf_counter()
            self._again()
            self._step()
            done += 1
            self._pace += 0.2 * (time.perf_counter() - start - self._pace)
        self._y = None  # the graph is spent
        return done

    def _fits(self, until: float | None) -> bool:
        return until is None or time.perf_counter() + self._pace <= until

    def _learns(self) -> bool:
        return self.on and self.steps > 0 and bool(self.weights.lengths)

    def _again(self) -> None:
        """The forward pass of a further step on the same frame."""
        self._y, self._penalty = self.net(self._x)
        self._error = self._y.detach() - self._x

    def _step(self) -> None:
        assert self._y is not None
        outputs: list[Tensor] = [self._y]
        pulls: list[Tensor | None] = [self.losses.gradient(self._error)]
        if isinstance(self._penalty, Tensor):
            outputs.append(self._penalty)
            pulls.append(None)
        self.weights.gather(torch.autograd.grad(outputs, self.weights.tensors, pulls))
        norm = float(self.optimiser.step())
        if math.isfinite(norm):
            self.score.gradient = norm
            self.score.learnt += 1
        else:
            self.score.nonfinite += 1
        lost = not math.isfinite(norm) or self.score.psnr < HOPELESS
        self._stuck = self._stuck + 1 if lost else 0

    def knobs(self) -> list[tuple[str, Any]]:
        """What to add to the address space: pairs of group and owner."""
        return [
            ("/learn", self),
            ("/learn", self.optimiser),
            ("/learn", self.losses),
            ("/net", self.running),
            ("/stats", self.score),
        ]


def _mean_square(values: Tensor) -> Tensor:
    """() float32, whatever the precision of `values`."""
    norm: Tensor = torch.linalg.vector_norm(values, dtype=torch.float32)
    return norm.square() / values.numel()


def _decibels(mean_square: float) -> float:
    if mean_square <= 0:
        return MOST_DB
    return min(MOST_DB, 10 * math.log10(FULL**2 / mean_square))
