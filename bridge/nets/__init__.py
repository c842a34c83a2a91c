"""The networks: one module is one network, each on a page.

A module of the network's name holds a class `Net(size, *knobs)`, `size` being (width, height) in
pixels, each side a multiple of `Net.multiple`, `knobs` an object of each class in `Net.plays`. It
takes and gives patches, (B, 3·p·p, H/p, W/p) in [-1, 1] with p = `Net.patch`, and answers
`(y, penalty)`: the penalty is the network's own regulariser, 0.0 for a plain autoencoder. No batch
normalisation (the statistics of frames that follow each other mean nothing) and no output
activation (the picture is clipped when quantised).
"""

import difflib
import importlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bridge import Refusal

NAMES = ("tiles", "sharp", "paint", "dream", "ghost", "hand", "through")
EVERY = 32  # a size whose sides are multiples of this suits every network

Answer = tuple[Tensor, Tensor | float]


class Knobs:
    """Knobs that networks share; they keep their values while another network runs.

    used     whether the network that runs has them
    chance   where their random numbers come from, on the network's device
    """

    def __init__(self, chance: torch.Generator) -> None:
        self.used = True
        self.chance = chance

    def pass_time(self, now: float) -> None:
        """Tell what moves by itself that it is `now`, in seconds of the show; most do not."""


class Network(nn.Module):
    """What every network is: the side of its patches, what its sides must be multiples of, and
    the classes of the knobs it is played by.

    translates   whether it is to give back the frame as it was, not as it was shown it
    """

    patch: int
    multiple: int
    plays: tuple[type[Knobs], ...] = ()
    translates = False

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def hint(self, target: Tensor) -> None:
        """What a translator may know of the `target`, in patches, before it looks."""

    def know(self, told: Mapping[str, str]) -> None:
        """What a brain tells beside the weights; most have no use for it."""


def net_class(name: str) -> type[Network]:
    """The class of the network called `name`. Raises Refusal, with the nearest name."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}."
        raise Refusal(f"--net {name}: no such network; {hint}")
    found: type[Network] = importlib.import_module(f"bridge.nets.{name}").Net
    return found


def knobs(chance: torch.Generator) -> dict[type[Knobs], Knobs]:
    """An object of each class of knobs that any network has: the union of all."""
    kinds = dict.fromkeys(kind for name in NAMES for kind in net_class(name).plays)
    return {kind: kind(chance) for kind in kinds}


def build(
    name: str, size: tuple[int, int], played: dict[type[Knobs], Knobs] | None = None
) -> Network:
    """The network `name` for pictures of `size` = (width, height), its weights as torch made them,
    moved by the `played` knobs (its own, at rest, if none are given).

    `layers.blank` gives it its random beginning. Raises Refusal for a name or size that cannot be.
    """
    kind = net_class(name)
    width, height = size
    if width % kind.multiple or height % kind.multiple or width < 1 or height < 1:
        raise Refusal(
            f"--size {width}x{height}: {name} needs sides that are multiples of {kind.multiple};"
            f" try {round_up(width, kind.multiple)}x{round_up(height, kind.multiple)}."
        )
    played = played or {knob: knob(torch.Generator()) for knob in kind.plays}
    return kind(size, *(played[knob] for knob in kind.plays))


def round_up(side: int, multiple: int) -> int:
    """The smallest multiple that is no less than `side`, and at least one."""
    return max(1, -(-side // multiple)) * multiple
