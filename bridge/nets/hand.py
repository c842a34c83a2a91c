"""hand: paints what it is shown of a drawing, in the colours of whichever painting is chosen.

It sees only light and dark, and is taught on paintings (`firstlight school`): it is shown what a
drawing, a pencil or a blur would leave of one, and gives the painting back. Two things that a
drawing does not hold it is told: a palette, and noise, without which nothing that is fixed can
put texture on a smooth paper. Patches of 4×4 pixels through a small U-Net (Ronneberger et al.
2015, arXiv 1505.04597); a gate lets the drawing's own light past it. 781 thousand weights.
"""

import functools
import json
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pixel_unshuffle

from bridge.frame import LUMA
from bridge.nets import Answer, Knobs, Network
from bridge.nets.layers import EvenHead, EvenThree, Residual, double, halve, leak, one, three
from bridge.params import Param, Reading

WIDTHS = 32, 64, 96, 96  # channels at a quarter of the picture's side, an eighth, and so on
TOLD = 7  # numbers: mean and deviation of three colours, and how much noise
OPEN = 1.0  # what the gate begins at: sigmoid of it, .73 of the drawing's light
OWN = "own"  # the palette of what is seen itself
QUARTER = math.pi / 2
WIDE = 0.5  # how strong noise some pixels wide is beside each pixel's own
SMEARED = 85 / 625  # deviation that is left of noise under two squares of 5 pixels


class Paint(Knobs):
    """What a hand can do to the hand.

    known   palettes by name, (6,) each: mean of blue, green, red and their deviation, 0 to 1
    own     the picture that it is to give back, in patches, if it is known
    """

    palette = Param(
        "", active=lambda self: self.used, suggests=lambda self: self.names(),
        doc="hand: whose colours: a painting or collection it was taught on; own = of what is seen",
    )  # fmt: skip
    palette_b = Param(
        "", active=lambda self: self.used, suggests=lambda self: self.names(),
        doc="hand: the other end of crossfade",
    )  # fmt: skip
    crossfade = Param(
        0.0, min=0.0, max=1.0, active=lambda self: self.used,
        doc="hand: from palette to palette_b",
    )  # fmt: skip
    grain = Param(
        1.0, min=0.0, max=2.0, active=lambda self: self.used,
        doc="hand: gain of the noise that strokes are made of: 0 is a plain print, 1 is paint",
    )  # fmt: skip
    stir = Param(
        0.0, min=0.0, max=4.0, active=lambda self: self.used, unit="Hz",
        doc="hand: how often a second that noise is another; 0 = it stands, and nothing flickers",
    )  # fmt: skip
    colours = Reading("", doc="whose colours the hand has now")

    def __init__(self, chance: torch.Generator) -> None:
        super().__init__(chance)
        self.known: dict[str, Tensor] = {}
        self.own: Tensor | None = None
        self._phase, self._now = 0.0, 0.0
        self._fields: dict[tuple[object, ...], Tensor] = {}

    def names(self) -> Sequence[str]:
        """Every palette there is."""
        return (*self.known, OWN)

    def told(self) -> Tensor:
        """(1 or B, 7), as the network takes it: the palette between the two chosen, and the noise's
        gain. A name that is not there is the first that is."""
        ends = [self._name(asked) for asked in (self.palette, self.palette_b)]
        share = self.crossfade
        if share in (0, 1) or ends[0] == ends[1]:  # `own` takes a millisecond: not for nothing
            self.colours = ends[round(share)]
            return standard(self._numbers(self.colours), self.grain)
        self.colours = " → ".join(ends)
        first, second = (self._numbers(name) for name in ends)
        return standard(torch.lerp(first, second, share), self.grain)

    def _name(self, asked: str) -> str:
        there = asked in self.known or asked == OWN
        return asked if there else next(iter(self.known), OWN)

    def _numbers(self, name: str) -> Tensor:
        """(1 or B, 6)."""
        if name in self.known:
            return self.known[name][None]
        if self.own is None:
            return torch.full((1, 6), 0.25, device=self.chance.device)
        return palette_of(self.own)

    def pass_time(self, now: float) -> None:
        """Let the noise move on to `now`, in seconds of the show."""
        self._phase += QUARTER * self.stir * min(max(now - self._now, 0.0), 1.0)
        self._now = now

    def noise(self, like: Tensor) -> Tensor:
        """Normal noise of deviation 1, (1, ...) of the shape of `like`: the same while it stands;
        moving, a turn between two fields that are drawn once each, and its size does not change.
        """
        turn, angle = divmod(self._phase, QUARTER)
        here = self._field(int(turn), like)
        if angle == 0:
            return here
        return math.cos(angle) * here + math.sin(angle) * self._field(int(turn) + 1, like)

    def _field(self, number: int, like: Tensor) -> Tensor:
        shape = 1, *like.shape[1:]
        key = number, shape, like.dtype, like.device
        if key not in self._fields:
            while len(self._fields) > 3:
                self._fields.pop(next(iter(self._fields)))
            drawn = draw_noise(shape, torch.Generator().manual_seed(number))
            self._fields[key] = drawn.to(like).contiguous(memory_format=torch.channels_last)
        return self._fields[key]


class Net(Network):
    patch = 4
    multiple = 32
    plays = (Paint,)
    translates = True

    def __init__(self, size: tuple[int, int], paint: Paint) -> None:
        super().__init__(size)
        self.knobs = paint
        pixels, (first, *deeper) = self.patch**2, WIDTHS
        self.stem, self.tint = three(2 * pixels, first), nn.Linear(TOLD, first)
        self.down = nn.ModuleList(map(halve, WIDTHS, deeper))
        self.bend, self.mood = Residual(WIDTHS[-1]), nn.Linear(TOLD, WIDTHS[-1])
        self.up = nn.ModuleList(map(double, WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.join = nn.ModuleList(one(2 * width, width) for width in WIDTHS[-2::-1])
        self.head, self.gate = EvenHead(first, self.patch), EvenThree(first, pixels)

    def forward(self, x: Tensor, told: Tensor | None = None, noise: Tensor | None = None) -> Answer:
        """`x` is (B, 48, H/4, W/4). `told` (B, 7) and `noise` (B, 16, H/4, W/4), as the school
        draws them; without, as the knobs say."""
        light = luma(x)  # (B, 16, H/4, W/4)
        if told is None:
            told = self.knobs.told().to(x)
        if noise is None:
            noise = self.knobs.noise(light).expand_as(light)
        y = torch.cat([light, noise * told[:, -1, None, None, None]], 1)
        y = self.stem(y) + self.tint(told)[:, :, None, None]
        passed = []
        for halving in self.down:
            passed.append(y)
            y = halving(leak(y))
        y = self.bend(y + self.mood(told)[:, :, None, None])
        for doubling, joining in zip(self.up, self.join, strict=True):
            y = doubling(leak(y))
            y = y + joining(leak(torch.cat([y, passed.pop()], 1)))
        y = leak(y)
        return self.head(y) + _in_every_colour(torch.sigmoid(self.gate(y) + OPEN) * light), 0.0

    def hint(self, target: Tensor) -> None:
        """Tell it whose colours `own` are: those of what it is to give back, in patches."""
        self.knobs.own = target

    def know(self, told: Mapping[str, str]) -> None:
        known = json.loads(told.get("palettes") or "{}")
        self.knobs.known = {
            name: torch.tensor(numbers, dtype=torch.float32, device=self.knobs.chance.device)
            for name, numbers in known.items()
        }


def draw_noise(shape: Sequence[int], chance: torch.Generator) -> Tensor:
    """Noise of deviation 1 for patches of `shape`, (B, p·p, h, w), on the host: each pixel's own,
    and half as strong one that is some pixels wide, so that there are grains and spots."""
    batch, pixels, rows, columns = shape
    patch = math.isqrt(pixels)
    height, width = rows * patch, columns * patch
    own = torch.randn((batch, 1, height, width), generator=chance)
    # Smeared, not enlarged from fewer: that varies more at some pixels of a patch than at others.
    wide = torch.randn((batch, 1, height + 8, width + 8), generator=chance)
    wide = avg_pool2d(avg_pool2d(wide, 5, 1), 5, 1) / SMEARED
    return pixel_unshuffle((own + WIDE * wide) / math.hypot(1, WIDE), patch)


def luma(x: Tensor) -> Tensor:
    """(B, 3·p·p, h, w) → (B, p·p, h, w): the light of each pixel, channels last."""
    batch, channels, rows, columns = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, rows, columns, channels // 3, 3)
    return (pixels @ _luma(x.device, x.dtype)).permute(0, 3, 1, 2)


@functools.cache
def _luma(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Kept on the device: made anew, it would be brought there with each frame."""
    return torch.tensor(LUMA, device=device, dtype=dtype)


def _in_every_colour(light: Tensor) -> Tensor:
    """(B, p·p, h, w) → (B, 3·p·p, h, w): each pixel's light as its blue, green and red."""
    batch, pixels, rows, columns = light.shape
    spread = light.permute(0, 2, 3, 1)[..., None].expand(-1, -1, -1, -1, 3)
    return spread.reshape(batch, rows, columns, 3 * pixels).permute(0, 3, 1, 2)


def palette_of(x: Tensor) -> Tensor:
    """(B, 3·p·p, h, w) in [-1, 1] → (B, 6): mean and deviation of its colours, 0 to 1."""
    batch = len(x)
    pixels = x.float().permute(0, 2, 3, 1).reshape(batch, -1, 3)
    return torch.cat([pixels.mean(1) * 0.5 + 0.5, pixels.std(1) * 0.5], 1)


def standard(palette: Tensor, grain: float) -> Tensor:
    """(B, 6) and how much noise → (B, 7), each about as large as the others."""
    mean, deviation = palette[:, :3], palette[:, 3:]
    return torch.cat(
        [2 * mean - 1, 4 * deviation - 1, palette.new_full((len(palette), 1), grain)], 1
    )
