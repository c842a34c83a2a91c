"""The code: the few numbers that pass between a network's two halves, and the hand on them.

At rest it is a plain autoencoder's bottleneck and costs nothing. The gate shuts channels, noise
shakes them, and with a KL weight above 0 the code is variational: each number becomes a small
cloud, drawn from anew at every look, and is pulled towards the middle of all codes (Kingma and
Welling 2013, arXiv 1312.6114; the weight as in Higgins et al. 2017, beta-VAE).
"""

import torch
from torch import Tensor, nn

from bridge.nets import Knobs
from bridge.nets.layers import Still
from bridge.params import Param

START = -6.0  # log variance of a cloud that has not yet learnt its width: a hand's breadth of 0.05
STRETCH = 40.0  # log variance a unit of `width`: its bias may move by 0.002 a step (trust), 0.08 so
WIDEST, NARROWEST = 4.0, -12.0


class Code(Knobs):
    """What a hand can do to a code, and how the codes of a look are read and others given instead.

    heard   where each code that passes is put, by its name; None: nobody listens
    given   what passes on instead of the look's own, by name
    """

    heard: dict[str, Tensor] | None = None
    given: dict[str, Tensor] | None = None

    gate = Param(
        1.0, min=0.0, max=1.0, slew=0.5, active=lambda self: self.used,
        doc="how far the code is open: lower, and the picture melts into fewer, larger shapes",
    )  # fmt: skip
    noise = Param(
        0.0, min=0.0, max=2.0, active=lambda self: self.used,
        doc="noise in the code, times its own size: shapes shiver, and dissolve into static at 2",
    )  # fmt: skip
    kl = Param(
        0.0, min=0.0, max=10.0, taper="log", floor=1e-5, active=lambda self: self.used,
        doc="pull of the code towards its middle: above 0 it trembles, from 1 it becomes clouds",
    )  # fmt: skip

    def passing(self, name: str, z: Tensor) -> Tensor:
        """The code called `name` on its way: `z` itself, or what is given in its place."""
        if self.heard is not None:
            self.heard[name] = z
        return z if self.given is None else self.given.get(name, z)


class Bottleneck(nn.Module):
    """(B, channels, h, w) → the same through gate, cloud and noise, and the penalty, () or 0.0."""

    def __init__(self, knobs: Code, channels: int) -> None:
        super().__init__()
        self.knobs = knobs
        self.width = Still(channels, channels)  # of the clouds; at rest nobody asks it

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor | float]:
        penalty: Tensor | float = 0.0
        own, z = z, self.knobs.passing("code", z)
        if self.knobs.kl > 0 and z is own:  # what is given is a draw already
            z, penalty = self._cloud(z)
        if self.knobs.noise > 0:
            size = z.detach().square().mean(dtype=torch.float32).sqrt()
            z = z + self._random(z) * (self.knobs.noise * size).to(z.dtype)
        if self.knobs.gate < 1:
            z = z * self._passes(z)
        return z, penalty

    def _cloud(self, z: Tensor) -> tuple[Tensor, Tensor]:
        spread = (START + STRETCH * self.width(z).float()).clamp(NARROWEST, WIDEST)
        middle = z.float()
        # Of N(middle, e^spread) from N(0, 1), in nats a number.
        apart = 0.5 * (middle.square() + spread.exp() - 1 - spread).mean()
        drawn = middle + (0.5 * spread).exp() * self._random(z).float()
        return drawn.to(z.dtype), self.knobs.kl * apart

    def _random(self, z: Tensor) -> Tensor:
        made: Tensor = torch.randn(
            z.shape, generator=self.knobs.chance, device=z.device, dtype=torch.float32
        )
        return made.to(z.dtype)

    def _passes(self, z: Tensor) -> Tensor:
        """(1, channels, 1, 1): how open each channel is. At the bottom of the fader the first alone
        is; at the top all are.

        The front of closing channels is a third as wide as what is open, and moves with the cube of
        the fader, so that a network can follow while it moves. What passes is made stronger, by
        half of what would keep the code's strength: a network that has to grow its weights for
        that itself bursts when it is opened again. For the same reason the gate always glides
        (docs/log.md 12 has what each of these is worth).
        """
        channels = z.shape[1]
        front = 1 + (1.5 * (channels - 1) - 1) * self.knobs.gate**3
        order = torch.arange(channels, device=z.device, dtype=torch.float32)
        opened = ((front - order) / max(1.0, front / 3)).clamp_(0, 1)
        stronger = (channels / opened.sum()) ** 0.25
        return (opened * stronger).view(1, -1, 1, 1).to(z.dtype)
