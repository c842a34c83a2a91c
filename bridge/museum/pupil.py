"""The pupil: a network at its lesson, step by step, and the running mean of what it was.

A step is a function of the weights and its number alone. So a pupil that is put away and taken up
again becomes what it would have become, and many processes, each with its own pictures of every
step, become what one would have.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from bridge import Refusal, nets
from bridge.learn import tuning
from bridge.learn.life import Life
from bridge.learn.shards import Shards
from bridge.museum import lessons
from bridge.museum.crops import Crops
from bridge.museum.taught import Taught, summed

RATE, WARM = 2e-3, 50  # steps in which the rate comes in
LEAST = 0.02  # share of the rate that is left at the end of the lesson
BETAS = 0.9, 0.99
MEAN = 0.995  # how much of the mean stays at each step
MOST_LOST = 20  # steps in a row whose gradient was not finite


@dataclass(frozen=True, slots=True)
class Plan:
    """What a school is to do: of the same plan, the same weights come.

    side, batch  crops of so many pixels a side, so many a step (of all processes together)
    museum       what its card is known by
    """

    lesson: str
    net: str
    side: int
    batch: int
    steps: int
    seed: int
    precision: str
    museum: str


class Pupil:
    """The network of `plan` on `device`, taught out of `museum`.

    rank, world   which of how many processes this is
    step          steps done
    """

    def __init__(self, plan: Plan, museum: Shards, device: torch.device) -> None:
        self.plan, self.museum, self.device = plan, museum, device
        self.rank, self.world = 0, 1
        if dist.is_initialized():
            self.rank, self.world = dist.get_rank(), dist.get_world_size()
        size = (plan.side, plan.side)
        played = nets.knobs(torch.Generator(device))
        dtype = tuning.PRECISIONS[plan.precision]
        self.life = Life(plan.net, size, played, device, dtype, plan.seed)
        self.crops = Crops(museum, size, plan.seed)
        ours = range(self.rank, plan.batch, self.world)
        kind = lessons.LESSONS[plan.lesson]
        self.lesson: lessons.Lesson = kind(self.life, self.crops, plan.batch, ours)
        self._taught = Taught(self.life.weights, BETAS)
        self._mean = self.life.weights.flat.clone()
        self.step = self._lost = 0

    def turn(self) -> Tensor:
        """One step. Answers its loss, (), over all processes' pictures. Raises Refusal where it
        has been no number for too long."""
        rate = RATE * let_in(self.step, self.plan.steps, self.lesson.faded)
        loss = self.lesson.loss(self.step, self.step / self.plan.steps, rate)
        told = summed(loss.detach().clone())
        if self._taught.step(loss, rate):
            self._lost = 0
        else:
            self._lost += 1
        if self._lost > MOST_LOST:
            raise Refusal(
                f"step {self.step}: the loss is no finite number any more; begin again with another"
                " --seed, and if it comes again, with --precision float32."
            )
        self.step += 1
        self.life.learnt = self.step
        stays = min(MEAN, (self.step + 1) / (self.step + 10))
        self._mean.lerp_(self.life.weights.flat, 1 - stays)
        return told

    def mean(self) -> Life:
        """A network of the mean of all that it was, which is what it is judged by and kept as."""
        plan, life = self.plan, self.life
        played = nets.knobs(torch.Generator(self.device))
        kept = Life(plan.net, life.size, played, self.device, life.weights.dtype, plan.seed)
        kept.weights.put(self._mean)
        kept.learnt = self.step
        return kept

    def state(self) -> dict[str, Tensor]:
        """All there is, as tensors on the host."""
        parts = {"taught": self._taught.state(), "lesson": self.lesson.state()}
        tensors = {f"{part}/{name}": t for part, kept in parts.items() for name, t in kept.items()}
        return tensors | {"mean": self._mean.cpu().clone()}

    def take(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from there. Raises KeyError or RuntimeError where it does not fit."""

        def part(name: str) -> dict[str, Tensor]:
            return {
                at.removeprefix(name): tensor for at, tensor in state.items() if at.startswith(name)
            }

        self._taught.take(part("taught/"))
        self.lesson.take(part("lesson/"))
        self._mean.copy_(state["mean"])
        self.step = self.life.learnt = step


def let_in(step: int, steps: int, faded: float) -> float:
    """How much of the rate is let in at a step of so many, 0 to 1, going out in a share of them."""
    left = (1 - step / steps) / faded
    return min(1.0, (step + 1) / WARM) * (LEAST + (1 - LEAST) * min(1.0, left))
