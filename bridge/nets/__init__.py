"""The networks: one module is one network, each on a page.

A module of the network's name holds a class `Net(size)`, `size` being (width, height) in pixels,
each side a multiple of `Net.multiple`. It takes and gives patches, (B, 3·p·p, H/p, W/p) in
[-1, 1] with p = `Net.patch`, and answers `(y, penalty)`: the penalty is the network's own
regulariser, 0.0 for a plain autoencoder. No batch normalisation (the statistics of frames that
follow each other mean nothing) and no output activation (the picture is clipped when quantised).
"""

import difflib
import importlib

from torch import Tensor, nn

from bridge import Refusal

NAMES = ("tiles", "paint", "ghost", "through")

Answer = tuple[Tensor, Tensor | float]


class Network(nn.Module):
    """What every network is: the side of its patches, and what its sides must be multiples of."""

    patch: int
    multiple: int

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size


def net_class(name: str) -> type[Network]:
    """The class of the network called `name`. Raises Refusal, with the nearest name."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}."
        raise Refusal(f"--net {name}: no such network; {hint}")
    found: type[Network] = importlib.import_module(f"bridge.nets.{name}").Net
    return found


def build(name: str, size: tuple[int, int]) -> Network:
    """The network `name` for pictures of `size` = (width, height), its weights as torch made them.

    `layers.blank` gives it its random beginning.
    """
    kind = net_class(name)
    width, height = size
    if width % kind.multiple or height % kind.multiple or width < 1 or height < 1:
        raise Refusal(
            f"--size {width}x{height}: {name} needs sides that are multiples of {kind.multiple};"
            f" try {round_up(width, kind.multiple)}x{round_up(height, kind.multiple)}."
        )
    return kind(size)


def round_up(side: int, multiple: int) -> int:
    """The smallest multiple that is no less than `side`, and at least one."""
    return max(1, -(-side // multiple)) * multiple
