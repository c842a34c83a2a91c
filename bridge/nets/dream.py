"""dream: patches of 32×32 pixels as 48 numbers, each seen together with its neighbours.

Blurred and wobbling, faces are blobs; after a cut the old palette stays for up to a second, and
what comes back has changed. More of a character than paint. 941 thousand weights.
"""

from torch import Tensor

from bridge.nets import Answer, Network
from bridge.nets.code import Bottleneck, Code
from bridge.nets.layers import Head, Residual, double, halve, leak, one

CODE = 48  # numbers that hold a patch


class Net(Network):
    patch = 8
    multiple = 32
    plays = (Code,)

    def __init__(self, size: tuple[int, int], code: Code) -> None:
        super().__init__(size)
        self.stem = one(3 * self.patch**2, 48)
        self.down, self.deeper = halve(48, 96), halve(96, 128)
        self.squeeze, self.unfold = one(128, CODE), one(CODE, 128)
        self.code = Bottleneck(code, CODE)
        self.bend = Residual(128)
        self.up, self.higher = double(128, 96), double(96, 48)
        self.head = Head(48, self.patch)

    def forward(self, x: Tensor) -> Answer:
        y = leak(self.deeper(leak(self.down(leak(self.stem(x))))))
        code, penalty = self.code(self.squeeze(y))  # (B, 48, H/32, W/32)
        y = leak(self.bend(self.unfold(code)))
        return self.head(leak(self.higher(leak(self.up(y))))), penalty
