"""ghost: the whole picture as 128 numbers.

One global code has no place for "here": after a cut the old scene stands in the new one, dissolves,
and the new one condenses out of it; what moves leaves doubles. It forgets within seconds what it
no longer meets. Its weights grow with the picture's area: 1.5 million at 256×256.
"""

from torch import Tensor, nn

from bridge.nets import Answer, Network
from bridge.nets.layers import Residual, double, halve, leak, one, three

CODE = 128  # numbers that hold the picture
THIN = 32  # channels on the way into the code and out of it


class Net(Network):
    patch = 8
    multiple = 32

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        pixels = 3 * self.patch**2
        self.grid = size[1] // 32, size[0] // 32  # rows, columns of the coarsest level
        flat = THIN * self.grid[0] * self.grid[1]
        self.stem = one(pixels, 48)
        self.down, self.deeper = halve(48, 96), halve(96, 128)
        self.thin, self.squeeze = one(128, THIN), nn.Linear(flat, CODE)
        self.unfold, self.thicken = nn.Linear(CODE, flat), one(THIN, 128)
        self.bend = Residual(128)
        self.up, self.higher = double(128, 96), double(96, 48)
        self.head = three(48, pixels)

    def forward(self, x: Tensor) -> Answer:
        y = self.thin(leak(self.deeper(leak(self.down(leak(self.stem(x)))))))
        code = self.squeeze(y.permute(0, 2, 3, 1).flatten(1))  # (B, 128)
        rows, columns = self.grid
        y = self.unfold(code).view(-1, rows, columns, THIN).permute(0, 3, 1, 2)
        y = self.bend(self.thicken(y))
        return self.head(leak(self.higher(leak(self.up(leak(y)))))), 0.0
