"""paint: patches of 16×16 pixels as 24 numbers, each seen together with its neighbours.

A soft wash of colour that sharpens like oil paint under a brush; wrong colours for half a second
after a cut; forgetting shows as tinted edges. The default. 411 thousand weights.
"""

from torch import Tensor

from bridge.nets import Answer, Network
from bridge.nets.code import Bottleneck, Code
from bridge.nets.layers import Head, Residual, double, halve, leak, one

CODE = 24  # numbers that hold a patch


class Net(Network):
    patch = 8
    multiple = 16
    plays = (Code,)

    def __init__(self, size: tuple[int, int], code: Code) -> None:
        super().__init__(size)
        self.stem, self.down = one(3 * self.patch**2, 48), halve(48, 96)
        self.squeeze, self.unfold = one(96, CODE), one(CODE, 96)
        self.code = Bottleneck(code, CODE)
        self.bend = Residual(96)
        self.up, self.head = double(96, 48), Head(48, self.patch)

    def forward(self, x: Tensor) -> Answer:
        y = self.squeeze(leak(self.down(leak(self.stem(x)))))
        code, penalty = self.code(y)  # (B, 24, H/16, W/16)
        y = self.bend(self.unfold(code))
        return self.head(leak(self.up(leak(y)))), penalty
