"""sharp: patches of 8×8 pixels as 12 numbers, brought back together with their neighbours.

Blurred where tiles are blocky, clear within two seconds, with a slight lag of colour; a cut hardly
shows, and it forgets little. 135 thousand weights.
"""

from torch import Tensor

from bridge.nets import Answer, Network
from bridge.nets.code import Bottleneck, Code
from bridge.nets.layers import Head, Residual, leak, one

CODE = 12  # numbers that hold a patch


class Net(Network):
    patch = 8
    multiple = 8
    plays = (Code,)

    def __init__(self, size: tuple[int, int], code: Code) -> None:
        super().__init__(size)
        self.stem, self.squeeze = one(3 * self.patch**2, 48), one(48, CODE)
        self.code = Bottleneck(code, CODE)
        self.unfold, self.bend = one(CODE, 48), Residual(48)
        self.head = Head(48, self.patch)

    def forward(self, x: Tensor) -> Answer:
        code, penalty = self.code(self.squeeze(leak(self.stem(x))))  # (B, 12, H/8, W/8)
        return self.head(leak(self.bend(self.unfold(code)))), penalty
