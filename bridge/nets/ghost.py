"""ghost: the whole picture as 128 numbers, and as much of the place itself as `detail` lets in.

One global code has no place for "here": after a cut the old scene stands in the new one, dissolves,
and the new one condenses out of it; what moves leaves doubles. It forgets within seconds what it
no longer meets. Its weights grow with the picture's area: 1.5 million at 256×256. A small grid of
local numbers runs beside the code, shut at rest: opening it leads from memory to presence.
"""

from torch import Tensor, nn

from bridge.nets import Answer, Knobs, Network
from bridge.nets.code import Bottleneck, Code
from bridge.nets.layers import Head, Residual, double, halve, leak, one
from bridge.params import Param

CODE = 128  # numbers that hold the picture
THIN = 32  # channels on the way into the code and out of it
LOCAL = 12  # numbers that hold a patch of 16×16 pixels beside it


class Detail(Knobs):
    detail = Param(
        0.0, min=0.0, max=1.0, active=lambda self: self.used,
        doc="ghost's: how much of the place itself gets by the code: 0 all memory, 1 all presence",
    )  # fmt: skip


class Net(Network):
    patch = 8
    multiple = 32
    plays = (Code, Detail)

    def __init__(self, size: tuple[int, int], code: Code, detail: Detail) -> None:
        super().__init__(size)
        self.knobs = detail
        self.grid = size[1] // 32, size[0] // 32  # rows, columns of the coarsest level
        flat = THIN * self.grid[0] * self.grid[1]
        self.stem = one(3 * self.patch**2, 48)
        self.down, self.deeper = halve(48, 96), halve(96, 128)
        self.thin, self.squeeze = one(128, THIN), nn.Linear(flat, CODE)
        self.code = Bottleneck(code, CODE)
        self.unfold, self.thicken = nn.Linear(CODE, flat), one(THIN, 128)
        self.bend = Residual(128)
        self.up, self.higher = double(128, 96), double(96, 48)
        self.head = Head(48, self.patch)
        self.near, self.beside = one(96, LOCAL), one(LOCAL, 96)

    def forward(self, x: Tensor) -> Answer:
        local = leak(self.down(leak(self.stem(x))))  # (B, 96, H/16, W/16)
        y = self.thin(leak(self.deeper(local)))
        y = self.squeeze(y.permute(0, 2, 3, 1).flatten(1))
        code, penalty = self.code(y[:, :, None, None])  # (B, 128, 1, 1)
        rows, columns = self.grid
        y = self.unfold(code.flatten(1)).view(-1, rows, columns, THIN).permute(0, 3, 1, 2)
        y = self.up(leak(self.bend(self.thicken(y))))
        if self.knobs.detail > 0 or self.code.knobs.heard is not None:
            place = self.code.knobs.passing("place", self.near(local))
            y = y + self.knobs.detail * self.beside(place)
        return self.head(leak(self.higher(leak(y)))), penalty
