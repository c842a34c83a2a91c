"""tiles: each tile of 8×8 pixels becomes 16 numbers and comes back, knowing nothing of the next.

A mosaic of mean colours at first, a codec within seconds. It barely forgets, and a cut hardly
shows: the fast, plain one. 27 thousand weights.
"""

from torch import Tensor

from bridge.nets import Answer, Network
from bridge.nets.code import Bottleneck, Code
from bridge.nets.layers import leak, one

CODE = 16  # numbers that hold a tile


class Net(Network):
    patch = 8
    multiple = 8
    plays = (Code,)

    def __init__(self, size: tuple[int, int], code: Code) -> None:
        super().__init__(size)
        pixels = 3 * self.patch**2
        self.stem, self.squeeze = one(pixels, 64), one(64, CODE)
        self.code = Bottleneck(code, CODE)
        self.unfold, self.head = one(CODE, 64), one(64, pixels)

    def forward(self, x: Tensor) -> Answer:
        code, penalty = self.code(self.squeeze(leak(self.stem(x))))  # (B, 16, H/8, W/8)
        return self.head(leak(self.unfold(code))), penalty
