"""Denoising: what is taken from the network's sight, that it may learn to give it back.

The network looks at a frame under noise, or with patches missing, and is to make the whole one
(Vincent et al. 2008; masks of patches as in He et al. 2021, arXiv 2111.06377). At rest it costs
nothing.
"""

import random

import torch
from torch import Tensor

from bridge.params import Param

GRAIN = 1 << 16  # numbers of noise beyond a frame's own, from which each frame begins elsewhere


class Denoising:
    """Spoils what the network looks at; `chance` is on the network's device, `dice` on the host."""

    noise = Param(
        0.0, min=0.0, max=1.0,
        doc="noise over what the network looks at, which it is to take away: stained, then softer",
    )  # fmt: skip
    mask = Param(
        0.0, min=0.0, max=0.95,
        doc="share of patches hidden from the network, which it is to fill in: holes, then guesses",
    )  # fmt: skip

    def __init__(self, chance: torch.Generator, dice: random.Random) -> None:
        self._chance, self._dice = chance, dice
        self._grain: Tensor | None = None

    def spoil(self, x: Tensor) -> Tensor:
        """`x`, (1, C, rows, columns), under noise of deviation `noise`, with a share `mask` of its
        places at mid-grey; `x` itself while both are 0."""
        if self.noise > 0:
            x = x + self.noise * self._some_grain(x)
        if self.mask > 0:
            _, _, rows, columns = x.shape
            drawn = torch.rand((1, 1, rows, columns), generator=self._chance, device=x.device)
            x = x * (drawn >= self.mask).to(x.dtype)
        return x

    def _some_grain(self, x: Tensor) -> Tensor:
        """Noise of deviation 1, of x's shape: drawn once, and begun elsewhere in each frame,
        because drawing it costs a millisecond a frame."""
        count = x.numel()
        if self._grain is None or len(self._grain) < count + GRAIN:
            grain = torch.randn(count + GRAIN, generator=self._chance, device=x.device)
            self._grain = grain.to(x.dtype)
        begin = self._dice.randrange(GRAIN)
        batch, channels, rows, columns = x.shape
        grain = self._grain[begin : begin + count].view(batch, rows, columns, channels)
        return grain.permute(0, 3, 1, 2)
