"""The yardstick: what a good engineer would write in an afternoon.

The same layers, but in the usual way: NCHW, float32, pixel_unshuffle and
pixel_shuffle around the network, torch.optim.Adam, clip_grad_norm_, mse_loss.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss, pixel_shuffle, pixel_unshuffle

from bridge import nets
from bridge.nets import layers


class Afternoon:
    """One turn is a frame in, a picture out, and a step of Adam."""

    def __init__(self, name: str, size: tuple[int, int]) -> None:
        self.net = nets.build(name, size)
        layers.blank(self.net, torch.Generator().manual_seed(0))
        self.adam = torch.optim.Adam(self.net.parameters(), lr=2e-3, betas=(0.9, 0.99))

    def turn(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 4) uint8 in, (H, W, 3) uint8 out."""
        bgr = torch.from_numpy(pixels)[..., :3]
        x = bgr.permute(2, 0, 1).unsqueeze(0).float() / 127.5 - 1  # (1, 3, H, W)
        y, _ = self.net(pixel_unshuffle(x, self.net.patch))
        y = pixel_shuffle(y, self.net.patch)
        picture = ((y.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        loss = mse_loss(y, x)
        self.adam.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.adam.step()
        loss.item()
        made: np.ndarray = picture[0].permute(1, 2, 0).contiguous().numpy()
        return made
