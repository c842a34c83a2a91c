"""The rule by which the gradient moves the weights; every hyperparameter is live.

One step is: clip the gradient, let the rule propose an update, let decay add to it, then bound
it. The bound is what makes a learning-rate fader playable: no tensor moves by more than `trust`
of its own length in one step, and none grows beyond three times its first length. Plain Adam
behind such a fader died for good in 10 of 11 bursts; with both bounds and leaky units a burst
of fifty times the rate is an explosion that heals within a second (docs/log.md).
"""

import math

import torch
from torch import Tensor
from torch.optim.adam import adam

from bridge.learn.weights import Weights
from bridge.params import Param

SMALL = 1e-8  # keeps Adam's quotient finite where a weight has never had a gradient
# The same fader means the same pace: one unit of rate in each rule's own measure. Gradients of a
# mean over a picture are 0.03 to 0.2 long, so that SGD wants a rate near 1 where Adam wants 0.002.
SCALE = {"adam": 1.0, "sgd": 300.0}
# A tensor of length 0 (a fresh bias) may still move: lengths count as at least this, per weight.
LEAST_BIAS, LEAST_WEIGHT = 0.1, 0.005
CEILING, BIAS_CEILING = 3.0, 0.5  # times the first length; a bias starts at 0, so 0.5 a weight
TINY = 1e-12


class Optimiser:
    """Moves `Weights` by their `gradient`. Adam: Kingma & Ba 2014, arXiv 1412.6980; the bound per
    tensor follows LARS, You et al. 2017, arXiv 1708.03888."""

    rule = Param("adam", choices=("sgd", "adam"), doc="how a gradient becomes a step")
    rate = Param(
        2.5e-3, min=0.0, max=1.0, taper="log", floor=1e-6,
        doc="learning rate: 0 holds still, 0.0025 learns, 0.1 bursts as far as trust lets it",
    )  # fmt: skip
    momentum = Param(
        0.9, min=0.0, max=0.9999, taper="antilog", floor=1e-4,
        active=lambda self: self.rule == "adam",
        doc="how long a direction is kept: 0 is rough, 0.99 sways, 0.999 overshoots for seconds",
    )  # fmt: skip
    second = Param(
        0.95, min=0.0, max=0.9999, taper="antilog", floor=1e-4,
        active=lambda self: self.rule == "adam",
        doc="how long the gradient's size is remembered; high, and a cut hits harder",
    )  # fmt: skip
    clip = Param(
        1.0, min=1e-3, max=10.0, taper="log",
        doc="longest gradient let through; below 0.1 it slows and softens, most under sgd",
    )  # fmt: skip
    decay = Param(
        0.0, min=0.0, max=100.0, taper="log", floor=1e-3,
        doc="pull of every weight towards 0, times the rate: from 10 the picture fades",
    )  # fmt: skip
    trust = Param(
        0.02, min=1e-3, max=1.0, taper="log",
        doc="farthest a layer may move in one step, as a share of its own length; 1 lets it burst",
    )  # fmt: skip

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        flat = weights.flat
        self._first, self._second = torch.zeros_like(flat), torch.zeros_like(flat)
        self._update = torch.zeros_like(flat)
        self._steps = torch.zeros((), device=flat.device)
        biases = [len(shape) < 2 for shape in weights.shapes]
        roots = [math.sqrt(n) for n in weights.lengths]
        self._least = flat.new_tensor(
            [(LEAST_BIAS if b else LEAST_WEIGHT) * r for b, r in zip(biases, roots, strict=True)]
        )
        self._slack = flat.new_tensor(
            [BIAS_CEILING * r if b else 0.0 for b, r in zip(biases, roots, strict=True)]
        )
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """Forget every moment, and take the weights as they are for the ones at the beginning."""
        for moment in (self._first, self._second, self._steps):
            moment.zero_()
        self._lengths = self.weights.measure(self.weights.flat)
        self._ceiling = torch.maximum(CEILING * self._lengths, self._slack)

    @torch.no_grad()
    def step(self) -> Tensor:
        """Move the weights once. Answers the gradient's length before clipping, (); where that
        is not finite nothing moves."""
        norm: Tensor = torch.linalg.vector_norm(self.weights.gradient)
        if self._clip(norm):
            self._propose()
            self._move()
            self.weights.publish()
        return norm

    def _clip(self, norm: Tensor) -> bool:
        """Bound the gradient's length. Answers whether it is finite, as far as can be told
        without waiting for the device."""
        gradient = self.weights.gradient
        if norm.device.type == "cpu":  # here a look costs nothing
            length = float(norm)
            if length > self.clip:
                gradient.mul_(self.clip / length)
            return math.isfinite(length)
        # NaN × 0 is NaN: choose between the gradient and zero, never mask by multiplying.
        factor = self.clip / norm.clamp(min=self.clip)
        gradient.copy_(torch.where(torch.isfinite(norm), gradient * factor, 0.0))
        return True

    def _propose(self) -> None:
        """Fill `_update` with what the rule, and decay, would add to the weights."""
        weights, update = self.weights, self._update
        rate = self.rate * SCALE[self.rule]
        if self.rule == "sgd":
            torch.mul(weights.gradient, -rate, out=update)
        else:
            update.zero_()  # torch's own fused step, taken from zero, is the update itself
            adam(
                [update], [weights.gradient], [self._first], [self._second], [], [self._steps],
                fused=True, amsgrad=False, maximize=False, weight_decay=0.0, eps=SMALL,
                beta1=self.momentum, beta2=self.second, lr=rate,
            )  # fmt: skip
        if self.decay > 0:
            update.add_(weights.flat, alpha=-min(1.0, self.rate * self.decay))

    def _move(self) -> None:
        """Add the update to the weights, each tensor within its trust and under its ceiling."""
        weights, update = self.weights, self._update
        farthest = self.trust * torch.maximum(self._lengths, self._least)
        self._bound(update, weights.measure(update), farthest)
        weights.flat.add_(update)
        lengths = weights.measure(weights.flat)
        self._bound(weights.flat, lengths, self._ceiling)
        self._lengths = torch.minimum(lengths, self._ceiling)

    def _bound(self, buffer: Tensor, lengths: Tensor, most: Tensor) -> None:
        """Shorten each tensor's part of a flat buffer to its most, given its length."""
        factors = (most / (lengths + TINY)).clamp_(max=1)
        # On the CPU a look costs nothing, and most steps are within their bounds.
        if factors.device.type != "cpu" or float(factors.min()) < 1:
            self.weights.scale(buffer, factors)
