"""Slots: past selves of the network within reach of a hand, under /brain."""

from bridge.params import Param


class Slots:
    """What a hand can do with sets of weights."""

    anchor = Param(
        0.0, min=0.0, max=1.0, taper="log", floor=1e-4,
        doc="pull, at each step, to how it began or was last recalled: 0.03 is there in 2 seconds",
    )  # fmt: skip
