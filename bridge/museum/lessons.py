"""The two lessons: what a pupil is given, and how wrong its answer is.

The eye is any of the autoencoders, which gives back what it sees: from what it learnt here, live
learning goes on. The hand is given what a drawing leaves of a painting, and gives the painting
back: half of the time plainly, without noise, and judged place by place; half of the time with
noise, as paint, and judged by surface and colours more than by place. One fader leads from one to
the other when it is played.

A step's pictures follow from its number, and each process takes its own of them: losses are sums
of pictures' over all pictures of a step, so that it does not matter who has which.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bridge.learn import image
from bridge.learn.life import Life
from bridge.learn.weights import Weights
from bridge.museum import critic, exercises
from bridge.museum.crops import Crops, generator
from bridge.museum.taught import Taught
from bridge.nets import hand

PLAIN = 0.5  # share of a step's pictures that are to be given back plainly
UNTOLD = 0.7  # share of those of which the palette is not told, but all paintings' one
VAGUE = 0.025  # deviation of what is told of a palette
RECOLOURED = 0.5  # and of the others that are given another painting's colours, more or less
STRUCTURE = 1.0  # beside the absolute error, plainly
# As paint: near in place, nearer where only the mean of each 4×4 pixels is asked for, or that of
# the whole picture, which the palette tells; and what is heard wherever it is.
NEAR, NEAR_IN_MEAN, NEAR_IN_ALL, ALIKE = 0.2, 1.0, 2.0, 0.1
PATCHES, COLOURS, FREQUENCIES = 0.5, 0.6, 0.1
CRITIC = 0.05
CRITIC_FROM, HEEDED_FROM, HEEDED_WHOLLY = 0.15, 0.25, 0.40  # of the lesson
VIEW = 64  # pixels of what the critic sees, wherever: it cannot know where patches begin


class Lesson(Protocol):
    """What a school needs of a lesson.

    faded   share of the lesson in which the rate goes out
    loss    of this process's pictures of a step, to be descended: () float32
    state   what it keeps beside the pupil's weights
    """

    faded: float

    def loss(self, step: int, progress: float, rate: float, /) -> Tensor: ...
    def state(self) -> dict[str, Tensor]: ...
    def take(self, state: dict[str, Tensor]) -> None: ...


class Eye:
    """An autoencoder gives crops back."""

    faded = 1.0  # it has never learnt enough: .15 dB more than in a tenth (docs/log.md 25)

    def __init__(self, pupil: Life, crops: Crops, batch: int, ours: Sequence[int]) -> None:
        self._pupil, self._crops, self._batch, self._ours = pupil, crops, batch, ours

    def loss(self, step: int, _progress: float, _rate: float) -> Tensor:
        drawn = [self._crops.draw(self._crops.dice(step, one))[1] for one in self._ours]
        net, weights = self._pupil.net, self._pupil.weights
        x = image.patches(torch.cat(drawn).to(weights.flat.device), net.patch, weights.dtype)
        y, _ = net(x)
        wrong: Tensor = (y.float() - x.float()).square().mean((1, 2, 3)).sum() / self._batch
        return wrong

    def state(self) -> dict[str, Tensor]:
        return {}

    def take(self, state: dict[str, Tensor]) -> None:
        pass


class Exercise(NamedTuple):
    """One picture of a step, on the host.

    x, seen      the painting, (1, 3, H, W), and what is shown of it, (1, 1, H, W)
    told, noise  as the hand takes them
    """

    x: Tensor
    seen: Tensor
    told: Tensor
    noise: Tensor


class Hand:
    """The hand gives paintings back out of what is left of them."""

    # The mean of its weights does what a long fading would, and at the same time what is not in the
    # lesson's pictures is met better (docs/log.md 23).
    faded = 0.1

    def __init__(self, pupil: Life, crops: Crops, batch: int, ours: Sequence[int]) -> None:
        self._pupil, self._crops, self._batch = pupil, crops, batch
        assert isinstance(pupil.net, hand.Net)
        self._net = pupil.net
        self._device = pupil.weights.flat.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(pupil.seed)
            judge = critic.Critic()
        self._critic = judge.to(self._device)
        self._judge = Taught(Weights(self._critic, torch.float32), betas=(0.5, 0.99))
        self._all = all_together(crops)
        plain = [one for one in ours if is_plain(one, batch)]
        painted = [one for one in ours if not is_plain(one, batch)]
        self._ours, self._plain = [*plain, *painted], len(plain)

    def loss(self, step: int, progress: float, rate: float) -> Tensor:
        x, y = self._answers(step)
        dice = self._crops.dice(step)  # every process's alike
        # Squares that are compared begin anywhere: where patches begin, they would be blind to a
        # pattern that each patch has.
        y, x = shifted((y, x), dice)
        count = self._plain
        wrong = plainly(y[:count], x[:count]).sum()
        if len(y) > count:
            wrong = wrong + self._as_paint(y[count:], x[count:], dice, progress, rate)
        return wrong / self._batch

    def _answers(self, step: int) -> tuple[Tensor, Tensor]:
        """The paintings, plain ones first, and what the hand makes of what is left of them:
        (B, 3, H, W)."""
        given = [self._exercise(step, one) for one in self._ours]
        x, seen, told, noise = (torch.cat(p).to(self._device) for p in zip(*given, strict=True))
        dtype = self._pupil.weights.dtype
        patches = image.patches(seen.expand_as(x), self._net.patch, dtype)
        y, _ = self._net(patches, told.to(dtype), noise.to(dtype))
        return x, image.planes(y, self._net.patch)

    def _exercise(self, step: int, one: int) -> Exercise:
        dice = self._crops.dice(step, one)
        plain = is_plain(one, self._batch)
        x = self._crops.draw(dice)[1]
        chance = generator(dice)
        if plain and dice.random() < UNTOLD:
            palette = self._all
        else:
            if dice.random() < RECOLOURED:
                x = exercises.recoloured(x, self._crops.palette(dice), dice.random())
            palette = hand.palette_of(x) + VAGUE * torch.randn((1, 6), generator=chance)
        told = hand.standard(palette, 0.0 if plain else 1.0)
        width, height = (side // self._net.patch for side in self._crops.size)
        noise = hand.draw_noise((1, self._net.patch**2, height, width), chance)
        return Exercise(x, exercises.shown(x, dice, plain), told, noise)

    def _as_paint(
        self, y: Tensor, x: Tensor, dice: random.Random, progress: float, rate: float
    ) -> Tensor:
        wrong = as_paint(y, x, dice).sum()
        if progress < CRITIC_FROM:
            return wrong
        y_part, x_part = viewed((y, x), dice)
        self._teach_the_critic(y_part.detach(), x_part, rate)
        if progress < HEEDED_FROM:
            return wrong
        heed = min(1.0, (progress - HEEDED_FROM) / (HEEDED_WHOLLY - HEEDED_FROM))
        seems: Tensor = self._critic(y_part).mean((1, 2, 3)).sum()
        return wrong - CRITIC * heed * seems

    def _teach_the_critic(self, y: Tensor, x: Tensor, rate: float) -> None:
        painted, made = self._critic(torch.cat([x, y])).chunk(2)
        fooled = (1 - painted).relu().mean((1, 2, 3)) + (1 + made).relu().mean((1, 2, 3))
        painted_in_all = sum(not is_plain(one, self._batch) for one in range(self._batch))
        self._judge.step(fooled.sum() / painted_in_all, rate)

    def state(self) -> dict[str, Tensor]:
        buffers = {f"buffer/{name}": held for name, held in self._critic.named_buffers()}
        return self._judge.state() | {name: held.cpu().clone() for name, held in buffers.items()}

    def take(self, state: dict[str, Tensor]) -> None:
        self._judge.take(state)
        for name, held in self._critic.named_buffers():
            held.copy_(state[f"buffer/{name}"])


def is_plain(one: int, batch: int) -> bool:
    """Whether a step's picture of this number is to be given back plainly: every other one."""
    return one < batch * PLAIN


def plainly(y: Tensor, x: Tensor) -> Tensor:
    """(B,): how far a picture is from the painting, place by place."""
    return (y - x).abs().mean((1, 2, 3)) + STRUCTURE * critic.structure_apart(y, x)


def as_paint(y: Tensor, x: Tensor, dice: random.Random) -> Tensor:
    """(B,): how far a picture is from the painting, without asking it to guess each stroke."""
    in_mean = avg_pool2d(y, 4) - avg_pool2d(x, 4)
    in_all = y.mean((2, 3)) - x.mean((2, 3))
    return (
        NEAR * (y - x).abs().mean((1, 2, 3))
        + NEAR_IN_MEAN * in_mean.abs().mean((1, 2, 3))
        + NEAR_IN_ALL * in_all.abs().mean(1)
        + ALIKE * critic.structure_apart(y, x)
        + PATCHES * critic.patches_apart(y, x, dice)
        + COLOURS * critic.colours_apart(y, x, dice)
        + FREQUENCIES * critic.frequencies_apart(y, x)
    )


def shifted(pictures: Sequence[Tensor], dice: random.Random) -> list[Tensor]:
    """All of each but two patches' width, the same of each: sides stay multiples of 8."""
    less = 2 * critic.SIDE
    top, left = dice.randrange(less), dice.randrange(less)
    height, width = (side - less for side in pictures[0].shape[-2:])
    return [picture[..., top : top + height, left : left + width] for picture in pictures]


def viewed(pictures: Sequence[Tensor], dice: random.Random) -> list[Tensor]:
    """The same square of each, anywhere."""
    height, width = pictures[0].shape[-2:]
    high, wide = min(VIEW, height), min(VIEW, width)
    top, left = dice.randint(0, height - high), dice.randint(0, width - wide)
    return [picture[..., top : top + high, left : left + wide] for picture in pictures]


def all_together(crops: Crops) -> Tensor:
    """(1, 6): the palette of all that is taught, each picture by its share."""
    entries = [entry for entry in crops.museum.entries if entry.share > 0]
    shares = torch.tensor([entry.share for entry in entries])
    palettes = torch.tensor([entry.palette for entry in entries])
    return (shares[:, None] * palettes).sum(0, keepdim=True) / shares.sum()


LESSONS: dict[str, type[Eye] | type[Hand]] = {"eye": Eye, "hand": Hand}
