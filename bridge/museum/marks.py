"""Marks: how well a network does on pictures that it was not taught on.

dB and SSIM of an eye's pictures; of a hand, how far its answer to a pen drawing is from the
painting, plainly and untold (no number of the painting reaches it), and, painting out of a blur
with the painting's own palette told, how much texture and colour it has beside the painting.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from bridge.learn import canny, drawing, filters, image
from bridge.learn.life import Life
from bridge.learn.losses import similarity
from bridge.museum.critic import STEADY_MEAN, STEADY_SPREAD
from bridge.nets import hand

WINDOW, SPREAD = 11, 1.5  # SSIM's Gaussian, in pixels
SOFT = 10.2  # levels of a pen's ink from grey to nearly black or white
FINE = 2.0  # pixels of deviation of what counts as texture: less


def pen(x: Tensor) -> Tensor:
    """What a pen of soft ink would draw of (B, 3, H, W): half black ten levels under the mean of
    its square of 15 pixels. It is what is marked, and in no exercise."""
    seen = filters.gaussian(filters.light(x), 0.8)
    over = seen - filters.boxed(seen, 15)
    return torch.tanh(over / (SOFT * filters.LEVEL) + 1).expand_as(x)


def pencil(x: Tensor) -> Tensor:
    """And a soft pencil, as it is played."""
    return drawing.thresholded(filters.gaussian(filters.light(x), 0.8), 15, 0, 0.3).expand_as(x)


def edges(x: Tensor) -> Tensor:
    """Its outlines, dark on light."""
    return -canny.cannied(x, 40, 100)


def blurred(x: Tensor) -> Tensor:
    """Its light through eight times fewer pixels."""
    return drawing.coarsened(filters.light(x), 8.0).expand_as(x)


@torch.no_grad()
def given_back(life: Life, x: Tensor) -> Tensor:
    """What an autoencoder makes of (B, 3, H, W): alike."""
    patches = image.patches(x.to(life.weights.flat.device), life.net.patch, life.weights.dtype)
    return image.planes(life.net(patches)[0], life.net.patch).clamp(-1, 1).cpu()


@torch.no_grad()
def painted(
    life: Life, seen: Tensor, palette: Tensor, grain: float, noise: Tensor | None = None
) -> Tensor:
    """What a hand makes of what it sees, (B, 3, H, W), with palettes (B or 1, 6): alike. The noise,
    (B, p·p, H/p, W/p), is that of the start where none is given."""
    net = life.net
    assert isinstance(net, hand.Net)
    device, dtype = life.weights.flat.device, life.weights.dtype
    patches = image.patches(seen.to(device), net.patch, dtype)
    told = hand.standard(palette.expand(len(seen), 6), grain).to(device, dtype)
    light = hand.luma(patches)
    noise = net.knobs.noise(light).expand_as(light) if noise is None else noise.to(light)
    return image.planes(net(patches, told, noise)[0], net.patch).clamp(-1, 1).cpu()


def decibels(y: Tensor, x: Tensor) -> float:
    """Likeness of (B, 3, H, W) in [-1, 1], the mean of pictures'."""
    wrong = (y - x).square().mean((1, 2, 3)).clamp(min=1e-10) / 4
    return float((-10 * wrong.log10()).mean())


def ssim(y: Tensor, x: Tensor) -> float:
    """Structural similarity of (B, 3, H, W) in [-1, 1], taken as 0 to 1, over colours and places
    (Wang et al. 2004, a Gaussian window of 11 pixels, deviation 1.5)."""
    at = torch.arange(WINDOW) - WINDOW // 2
    taps = torch.exp(-(at**2) / (2 * SPREAD**2))
    taps = (taps / taps.sum()).expand(3, 1, 1, WINDOW)

    def mean(z: Tensor) -> Tensor:
        return conv2d(conv2d(z, taps, groups=3), taps.transpose(2, 3), groups=3)

    alike = similarity(y * 0.5 + 0.5, x * 0.5 + 0.5, mean, STEADY_MEAN, STEADY_SPREAD)
    return float(alike.mean())


def texture(x: Tensor) -> Tensor:
    """(B,): the deviation of light from its blur by two pixels."""
    seen = filters.light(x)
    return (seen - filters.gaussian(seen, FINE)).flatten(1).std(1)


def saturation(x: Tensor) -> Tensor:
    """(B,): how far apart the colours of a pixel are, in the mean."""
    return (x.amax(1) - x.amin(1)).mean((1, 2))


def periodicity(x: Tensor, period: int) -> tuple[float, float]:
    """How strong what comes again every `period` pixels is, across and down, beside neighbouring
    frequencies: 1 is no stronger. Of (B, 3, H, W), the mean power of all lines of all pictures."""
    fine = filters.light(x)
    fine = (fine - filters.gaussian(fine, 4.0))[:, 0]
    return _stands_out(fine, period), _stands_out(fine.transpose(1, 2), period)


def _stands_out(lines: Tensor, period: int) -> float:
    power = torch.fft.rfft(lines * torch.hann_window(lines.shape[-1]), dim=-1)
    power = power.abs().square().mean((0, 1))
    at = lines.shape[-1] // period
    # A window of Hann's spreads a line over three frequencies.
    beside = torch.cat([power[at - 7 : at - 2], power[at + 3 : at + 8]])
    return float(power[at - 1 : at + 2].mean() / beside.mean())


def of_eye(life: Life, pictures: Sequence[Tensor]) -> dict[str, float]:
    """The marks of an eye, on crops (1, 3, H, W)."""
    pairs = [(given_back(life, x), x) for x in pictures]
    return {
        "dB": _mean(decibels(y, x) for y, x in pairs),
        "SSIM": _mean(ssim(y, x) for y, x in pairs),
    }


def of_hand(life: Life, pictures: Sequence[Tensor], untold: Tensor) -> dict[str, float]:
    """The marks of a hand, on crops (1, 3, H, W); `untold` is all paintings' palette."""
    drawn = [(painted(life, pen(x), untold, 0.0), x) for x in pictures]
    paint = [(painted(life, blurred(x), hand.palette_of(x), 1.0), x) for x in pictures]
    return {
        "dB": _mean(decibels(y, x) for y, x in drawn),
        "SSIM": _mean(ssim(y, x) for y, x in drawn),
        "texture": _mean(float(texture(y) / texture(x)) for y, x in paint),
        "saturation": _mean(float(saturation(y) / saturation(x)) for y, x in paint),
    }


def _mean(numbers: Iterable[float]) -> float:
    found = [number for number in numbers if math.isfinite(number)]
    return sum(found) / len(found) if found else math.nan
