"""Seeing: what a network is shown of a frame, and what it is to make of that.

An autoencoder is to give back what it is shown. A translator is shown a frame as Sight treats it,
a drawing perhaps, and is to give back the frame as it was. Both in patches, as the network that is
to look takes them. On the frame thread.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from bridge.frame import Frame
from bridge.learn import image
from bridge.learn.sight import Sight
from bridge.nets import Network


class Seen(NamedTuple):
    """What is shown and what is wanted: each (B, 3·p·p, H/p, W/p) in [-1, 1], for an autoencoder
    one and the same tensor."""

    x: Tensor
    target: Tensor


class Seeing:
    """Frames fitted to `size` = (width, height), on `device`, treated by `sight`."""

    def __init__(
        self, size: tuple[int, int], fit: image.Fit, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._size, self._fit, self._device, self._dtype = size, fit, device, dtype
        self.sight = Sight()

    def of(self, frame: Frame, net: Network, last: Tensor | None) -> Seen:
        """The frame as `net` sees it; `last`, (H, W, 4) uint8, is the last picture, if there is
        one. While Sight rests, uint8 pixels become patches in one copy."""
        pixels = image.fit(image.upload(frame, self._device), self._size, self._fit)
        if self.sight.rests:
            return _alike(image.to_patches(pixels, net.patch, self._dtype))
        last = last if self.sight.feedback > 0 else None
        planes = self.sight.treat(
            image.to_planes(pixels), None if last is None else image.to_planes(last)
        )
        x = image.patches(planes, net.patch, self._dtype)
        if net.translates:
            return Seen(x, image.to_patches(pixels, net.patch, self._dtype))
        return _alike(x)

    def again(self, kept: Tensor, net: Network) -> Seen:
        """Remembered pictures, in patches of float32, as `net` sees them now.

        What an autoencoder met was treated then and is shown as it is; so are a museum's pictures,
        for so it was taught on them. What a translator met was not, and is treated as the faders
        now stand, but for feedback: the last picture is not of that time. One memory serves every
        network, so that a translator that is switched to takes what an autoencoder has met (a
        drawing, say) for frames, and draws and wants that; and an autoencoder is shown a
        translator's frames untreated.
        """
        target = kept.to(self._dtype)
        if self.sight.rests or not net.translates:
            return _alike(target)
        planes = self.sight.treat(image.planes(kept, net.patch), None)
        return Seen(image.patches(planes, net.patch, self._dtype), target)


def _alike(x: Tensor) -> Seen:
    return Seen(x, x)
