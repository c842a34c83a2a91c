"""Taught: weights that a lesson moves, with what the rule remembers of them.

Adam (Kingma and Ba 2014) on one flat buffer, its gradient's length bounded. Where several
processes teach together, each has the gradient of its own pictures, and they are summed before
the step: one sum of one buffer, after which all have the same weights.
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim.adam import adam

from bridge.learn.weights import Weights

CLIP = 0.5  # longest gradient
SMALL = 1e-8


class Taught:
    """`weights` under Adam; `betas` say how long a gradient's direction and size are kept."""

    def __init__(self, weights: Weights, betas: tuple[float, float]) -> None:
        self.weights, self._betas = weights, betas
        self._first = torch.zeros_like(self.weights.flat)
        self._second = torch.zeros_like(self.weights.flat)
        self._steps = torch.zeros((), device=self.weights.flat.device)

    def step(self, loss: Tensor, rate: float) -> bool:
        """Descend `loss`, this process's share of it, once. Where the gradient is not finite,
        nothing moves, and the answer is False."""
        found = torch.autograd.grad(loss, self.weights.tensors, allow_unused=True)
        self.weights.gather(found)
        gradient = summed(self.weights.gradient)
        length = float(torch.linalg.vector_norm(gradient))
        if not math.isfinite(length):
            return False
        if length > CLIP:
            gradient.mul_(CLIP / length)
        with torch.no_grad():
            adam(
                [self.weights.flat], [gradient], [self._first], [self._second], [],
                [self._steps], fused=True, amsgrad=False, maximize=False, weight_decay=0.0,
                eps=SMALL, lr=rate, beta1=self._betas[0], beta2=self._betas[1],
            )  # fmt: skip
        self.weights.publish()
        return True

    def state(self) -> dict[str, Tensor]:
        """All of it, on the host."""
        kept = {
            "flat": self.weights.flat, "first": self._first, "second": self._second,
            "steps": self._steps,
        }  # fmt: skip
        return {name: tensor.cpu().clone() for name, tensor in kept.items()}

    def take(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` was. Raises KeyError, RuntimeError where it does not fit."""
        self.weights.put(state["flat"])
        self._first.copy_(state["first"])
        self._second.copy_(state["second"])
        self._steps.copy_(state["steps"])


def summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place; of a single process, itself."""
    if dist.is_initialized():
        dist.all_reduce(tensor)
    return tensor
