"""paint: patches of 16×16 pixels as 24 numbers, each seen together with its neighbours.

A soft wash of colour that sharpens like oil paint under a brush; wrong colours for half a second
after a cut; forgetting shows as tinted edges. The default. 411 thousand weights.
"""

from torch import Tensor

from bridge.nets import Answer, Network
from bridge.nets.layers import Residual, double, halve, leak, one, three


class Net(Network):
    patch = 8
    multiple = 16

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        pixels = 3 * self.patch**2
        self.stem, self.down = one(pixels, 48), halve(48, 96)
        self.squeeze, self.unfold = one(96, 24), one(24, 96)
        self.bend = Residual(96)
        self.up, self.head = double(96, 48), three(48, pixels)

    def forward(self, x: Tensor) -> Answer:
        code = self.squeeze(leak(self.down(leak(self.stem(x)))))  # (B, 24, H/16, W/16)
        y = self.bend(self.unfold(code))
        return self.head(leak(self.up(leak(y)))), 0.0
