"""Wander: where a network's code goes by itself while there is no source: a dream.

A way through codes, from the last picture's to another and on from there, without a cut: to those
of remembered pictures; where nothing is remembered, to the last one bent; and where the code is
variational, to any like those it has met. Each place of the picture goes in its own time. What is
made of these codes is the network's own picture. Runs on the frame thread.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from bridge.nets import Network
from bridge.nets.code import Code

Codes = dict[str, Tensor]  # by name, each (1, channels, rows, columns)

SHORTEST, LONGEST = 5.0, 9.0  # seconds from one code to the next
STALL = 0.1  # seconds: after a longer silence the way goes on from where it was
APART = 1.0  # how long the last place waits for its turn, in times that a place takes
SMOOTH = 4  # places from which on neighbours in a draw know little of each other
BEND = 0.25  # how far a place is taken from, as a share of half the picture: beyond .4 it is crumbs
LEAN = 2.0  # how far a code without places strays, in its own deviations: at 1 one hardly sees it
MET = 16  # codes that a draw is made from


class Wander:
    """The way of `code`. `remembered` gives a remembered picture, in patches as the running network
    takes them, or None. The same seed is the same way: its draws are shared with nobody."""

    def __init__(self, code: Code, remembered: Callable[[], Tensor | None], seed: int) -> None:
        self._code, self._remembered = code, remembered
        self._chance = torch.Generator().manual_seed(seed)
        self._net: Network | None = None
        self._x: Tensor | None = None

    @torch.no_grad()
    def look(self, net: Network, x: Tensor, now: float) -> Tensor:
        """The network's answer at this point of the way, which begins as its answer to `x`: another
        network or another `x` is another dream. `now` in seconds."""
        if net is not self._net or x is not self._x:
            self._net, self._x, self._now = net, x, now
            self._first = self._there = self._codes(net, x)
            self._met = [self._first["code"]]
            self._set_out(net)
        self._gone += min(now - self._now, STALL) / self._seconds
        self._now = now
        if self._gone >= 1:
            self._set_out(net)
        self._code.given = {
            name: between(here, self._there[name], self._share())
            for name, here in self._here.items()
        }
        try:
            y: Tensor = net(x)[0]
        finally:
            self._code.given = None
        return y

    def _codes(self, net: Network, x: Tensor) -> Codes:
        heard: Codes = {}
        self._code.heard = heard
        try:
            net(x)
        finally:
            self._code.heard = None
        return heard

    def _set_out(self, net: Network) -> None:
        """From where it has arrived to somewhere else."""
        self._here = self._there
        x = self._remembered()
        if x is None:
            self._there = {name: self._bent(z) for name, z in self._first.items()}
        else:
            self._there = self._codes(net, x)
            self._met = [*self._met, self._there["code"]][-MET:]
        if self._code.kl > 0:
            self._there = self._there | {"code": self._drawn(self._there["code"])}
        drawn = float(torch.rand((), generator=self._chance))
        self._seconds, self._gone = SHORTEST + drawn * (LONGEST - SHORTEST), 0.0
        self._turns = torch.special.ndtr(self._smooth(1, self._first["code"].shape[2:]))

    def _share(self) -> Tensor:
        """(1, 1, rows, columns): how far each place is, 0 to 1, from rest to rest. A single place
        takes all the time there is."""
        apart = APART if self._turns.numel() > 1 else 0.0
        return smoothstep((self._gone * (1 + apart) - self._turns * apart).clamp(0, 1))

    def _bent(self, z: Tensor) -> Tensor:
        """The code with each place taken from somewhere near; a single place, which has no near,
        leans away by twice what its numbers differ by.

        Noise in a code of places leads where the network has never been, and shows as a grid.
        """
        _, channels, rows, columns = z.shape
        if rows * columns == 1:
            return z + LEAN * z.std() * self._smooth(channels, z.shape[2:]).to(z)
        down, across = torch.meshgrid(
            torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij"
        )
        off = BEND * self._smooth(2, z.shape[2:])[0].permute(1, 2, 0)
        grid = (torch.stack([across, down], -1) + off)[None]
        source = z.float().cpu()
        return grid_sample(source, grid, padding_mode="reflection", align_corners=True).to(z)

    def _drawn(self, otherwise: Tensor) -> Tensor:
        """A code as likely as those met, which is a normal draw of their own middle and spread;
        `otherwise`, where only one place has been met.

        N(0, 1), which they are pulled towards, they do not reach in a show: what a network makes of
        that is a lattice of grey or violet (docs/log.md 20).
        """
        met = torch.cat([z.float().cpu().movedim(1, 3).flatten(0, 2) for z in self._met])
        if len(met) < 2:
            return otherwise
        mix = self._smooth(len(met), otherwise.shape[2:])
        apart = (met - met.mean(0)) / (len(met) - 1) ** 0.5
        drawn = met.mean(0).view(1, -1, 1, 1) + torch.einsum("bnhw,nc->bchw", mix, apart)
        return drawn.to(otherwise)

    def _smooth(self, channels: int, places: torch.Size) -> Tensor:
        """(1, channels, rows, columns) of N(0, 1), each place like its neighbours."""
        coarse = [-(-side // SMOOTH) + (side > 1) for side in places]
        drawn = torch.randn((1, channels, *coarse), generator=self._chance)
        if places.numel() == 1:
            return drawn
        drawn = interpolate(drawn, size=places, mode="bicubic", align_corners=True)
        return drawn / drawn.square().mean().sqrt()


def smoothstep(share: Tensor) -> Tensor:
    return share * share * (3 - 2 * share)


def between(here: Tensor, there: Tensor, share: Tensor) -> Tensor:
    """The code `share` of the way from `here` to `there`, as strong as its ends are.

    A plain mixture of codes unlike each other is weaker than both, and its picture a sixth paler.
    """
    share = share.to(here)
    mixed = here + (there - here) * share
    size = strength(here) + (strength(there) - strength(here)) * share.mean()
    return mixed * (size / strength(mixed)).nan_to_num(1.0, 1.0, 1.0)


def strength(z: Tensor) -> Tensor:
    """() the root of the mean square."""
    return z.square().mean(dtype=torch.float32).sqrt().to(z.dtype)
