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
LATE = 1e9  # a step count at which torch's own correction for a young mean has long been 1
# The same fader means the same pace: one unit of rate in each rule's own measure. Gradients of a
# mean over a picture are 0.03 to 0.2 long, so that SGD wants a rate near 1 where Adam wants 0.002
# (docs/log.md 9 has the sweep).
SCALE = {
    "sgd": 120.0, "momentum": 600.0, "nesterov": 450.0, "rmsprop": 0.12, "adam": 1.0, "sign": 0.2,
}  # fmt: skip
DIRECTED = ("momentum", "nesterov", "adam", "sign")  # rules that keep a direction
MEASURED = ("rmsprop", "adam")  # rules that keep the gradient's size
# Rules whose step does not tell a short gradient from a long one: for these half a gradient has to
# be made half a step, or the clip fader would do nothing (docs/log.md 9).
SIZELESS = ("rmsprop", "adam", "sign")
USUAL = 1.0  # the longest that this counts for: an explosion's is longer and has to find back
# A tensor of length 0 (a fresh bias) may still move: lengths count as at least this, per weight.
LEAST_BIAS, LEAST_WEIGHT = 0.1, 0.005
CEILING, BIAS_CEILING = 3.0, 0.5  # times the first length; a bias starts at 0, so 0.5 a weight
TINY = 1e-12


class Moments:
    """What a rule remembers of one set of weights, laid out as they are.

    first, second   running means of the gradient and of its square, from 0
    aged, measured  how much of each mean is filled, 0 to 1: the running mean of 1. Dividing by it
                    corrects a young mean exactly, also while the faders of momentum and second
                    move (1 - beta^steps holds for a beta that never moved: from 0.9 to 0.9999 at
                    step 200 it made an update fifty times too long)
    """

    def __init__(self, weights: Weights) -> None:
        flat = weights.flat
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)
        self.update = torch.zeros_like(flat)
        self.late = torch.full((), LATE, device=flat.device)
        biases = [len(shape) < 2 for shape in weights.shapes]
        roots = [math.sqrt(n) for n in weights.lengths]
        self.least = flat.new_tensor(
            [(LEAST_BIAS if b else LEAST_WEIGHT) * r for b, r in zip(biases, roots, strict=True)]
        )
        self._slack = flat.new_tensor(
            [BIAS_CEILING * r if b else 0.0 for b, r in zip(biases, roots, strict=True)]
        )
        self.begin(weights)

    def begin(self, weights: Weights) -> None:
        """Forget everything, and take the weights as they are for the ones at the beginning."""
        self.ceiling = torch.zeros_like(self.least)
        self.restart(weights)
        self.ceiling = torch.maximum(CEILING * self.lengths, self._slack)

    def restart(self, weights: Weights) -> None:
        """Forget everything; the weights are others, grown from a beginning like this one's. The
        ceiling gives way only to what is there, or recalling again and again would raise it."""
        self.forget_direction()
        self.forget_size()
        self.lengths = weights.measure(weights.flat)
        self.ceiling = torch.maximum(self.ceiling, self.lengths)

    def forget_direction(self) -> None:
        self.first.zero_()
        self.aged = 0.0

    def forget_size(self) -> None:
        self.second.zero_()
        self.measured = 0.0


class Optimiser:
    """Moves `Weights` by their `gradient`, whichever weights it is given.

    A rule that is switched to goes on with what it shares with the one before (momentum's
    direction is adam's), and begins anew what that one did not keep: a direction or a size from
    minutes ago would be a blow from nowhere. SGD with momentum as a running mean, so that the
    fader does not change the pace; Nesterov as in Dozat 2016; RMSProp: Tieleman and Hinton 2012;
    Adam: Kingma and Ba 2014, arXiv 1412.6980; sign: Bernstein et al. 2018, arXiv 1802.04434. The
    bound per tensor follows LARS, You et al. 2017, arXiv 1708.03888.
    """

    rule = Param(
        "adam",
        choices=tuple(SCALE),
        doc="how a gradient becomes a step; sgd shivers. Momentum plays all but sgd and rmsprop",
    )
    rate = Param(
        2.5e-3, min=0.0, max=1.0, taper="log", floor=1e-6,
        doc="learning rate: 0 holds still, 0.0025 learns, 0.1 bursts as far as trust lets it",
    )  # fmt: skip
    momentum = Param(
        0.9, min=0.0, max=0.9999, taper="antilog", floor=1e-4,
        active=lambda self: self.rule in DIRECTED,
        doc="how long a direction is kept: 0 is rough, 0.99 sways, 0.999 overshoots, 0.9999 bursts",
    )  # fmt: skip
    second = Param(
        0.95, min=0.0, max=0.9999, taper="antilog", floor=1e-4,
        active=lambda self: self.rule in MEASURED,
        doc="for adam, rmsprop: how long a gradient's size counts: low, it swings; high, cuts hit",
    )  # fmt: skip
    clip = Param(
        1.0, min=1e-3, max=10.0, taper="log",
        doc="longest gradient let through: most are 0.02 to 0.5; lower, and all slows down",
    )  # fmt: skip
    decay = Param(
        0.0, min=0.0, max=100.0, taper="log", floor=1e-3,
        doc="pull of every weight towards 0, times the rate: from 10 the picture fades",
    )  # fmt: skip
    trust = Param(
        0.02, min=1e-3, max=1.0, taper="log",
        doc="farthest a layer may move in a step, as a share of its length; 1 lets it burst",
    )  # fmt: skip

    @torch.no_grad()
    def step(self, weights: Weights, moments: Moments, ease: float = 1.0) -> Tensor:
        """Move the weights once, at a share `ease`, 0 to 1, of the rate. Answers the gradient's
        length before clipping, (); where that is not finite no weight moves, and no moment but on
        a GPU, where it fades by a step."""
        norm: Tensor = torch.linalg.vector_norm(weights.gradient)
        share = self._clip(weights.gradient, norm)
        if share is not None:
            self._propose(weights, moments, share, self.rate * ease)
            self._move(weights, moments)
            weights.publish()
        return norm

    def _clip(self, gradient: Tensor, norm: Tensor) -> Tensor | float | None:
        """Bound the gradient's length. Answers what share of a usual one is left, 0 to 1; None
        where it is not finite, as far as can be told without waiting for the device."""
        if norm.device.type == "cpu":  # here a look costs nothing
            length = float(norm)
            if not math.isfinite(length):
                return None
            if length > self.clip:
                gradient.mul_(self.clip / length)
            return min(1.0, self.clip / min(length, USUAL)) if length else 1.0
        # NaN × 0 is NaN: choose between the gradient and zero, never mask by multiplying.
        sound = torch.isfinite(norm)
        factor = self.clip / norm.clamp(min=self.clip)
        gradient.copy_(torch.where(sound, gradient * factor, 0.0))
        return torch.where(sound, (self.clip / norm.clamp(max=USUAL)).clamp_(max=1), 0.0)

    def _propose(
        self, weights: Weights, moments: Moments, share: Tensor | float, pace: float
    ) -> None:
        """Fill `moments.update` with what the rule, and decay, would add to the weights."""
        self._age(moments)
        rate = pace * SCALE[self.rule]
        if self.rule in MEASURED:
            self._measured(weights.gradient, moments, rate)
        else:
            self._directed(weights.gradient, moments, rate)
        if self.rule in SIZELESS and (isinstance(share, Tensor) or share < 1):
            moments.update.mul_(share)
        if self.decay > 0:
            moments.update.add_(weights.flat, alpha=-min(1.0, pace * self.decay))
        if isinstance(share, Tensor):  # 0 where the gradient is not finite
            moments.update.copy_(torch.where(share > 0, moments.update, 0.0))

    def _age(self, moments: Moments) -> None:
        if self.rule in DIRECTED:
            moments.aged += (1 - self.momentum) * (1 - moments.aged)
        elif moments.aged:
            moments.forget_direction()
        if self.rule in MEASURED:
            moments.measured += (1 - self.second) * (1 - moments.measured)
        elif moments.measured:
            moments.forget_size()

    def _measured(self, gradient: Tensor, moments: Moments, rate: float) -> None:
        """adam, and rmsprop, which is adam whose direction is the gradient's own."""
        kept = self.rule == "adam"
        size = math.sqrt(moments.measured)
        moments.update.zero_()  # torch's own fused step, taken from zero, is the update itself
        # It is told to correct nothing: the corrections of our own go into rate and epsilon.
        adam(
            [moments.update], [gradient], [moments.first if kept else gradient],
            [moments.second], [], [moments.late],
            fused=True, amsgrad=False, maximize=False, weight_decay=0.0, eps=SMALL * size,
            beta1=self.momentum if kept else 0.0, beta2=self.second,
            lr=rate * size / (moments.aged if kept else 1.0),
        )  # fmt: skip

    def _directed(self, gradient: Tensor, moments: Moments, rate: float) -> None:
        """sgd, momentum, nesterov and sign."""
        update, first, keep = moments.update, moments.first, self.momentum
        if self.rule == "sgd":
            torch.mul(gradient, -rate, out=update)
            return
        first.lerp_(gradient, 1 - keep)
        if self.rule == "momentum":
            torch.mul(first, -rate / moments.aged, out=update)
        elif self.rule == "nesterov":  # where the direction will have led, a step ahead
            ahead = keep * moments.aged + (1 - keep)
            torch.mul(first, -rate * keep / ahead, out=update)
            update.add_(gradient, alpha=-rate * (1 - keep) / ahead)
        else:
            torch.sign(first, out=update)
            # Without a gradient no step: what a shut path remembers would march on at full pace.
            update.mul_(gradient != 0).mul_(-rate)

    def _move(self, weights: Weights, moments: Moments) -> None:
        """Add the update to the weights, each tensor within its trust and under its ceiling."""
        update = moments.update
        farthest = self.trust * torch.maximum(moments.lengths, moments.least)
        _bound(weights, update, weights.measure(update), farthest)
        weights.flat.add_(update)
        lengths = weights.measure(weights.flat)
        _bound(weights, weights.flat, lengths, moments.ceiling)
        moments.lengths = torch.minimum(lengths, moments.ceiling)


def _bound(weights: Weights, buffer: Tensor, lengths: Tensor, most: Tensor) -> None:
    """Shorten each tensor's part of a flat buffer to its most, given its length."""
    factors = (most / (lengths + TINY)).clamp_(max=1)
    # On the CPU a look costs nothing, and most steps are within their bounds.
    if factors.device.type != "cpu" or float(factors.min()) < 1:
        weights.scale(buffer, factors)
