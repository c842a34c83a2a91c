"""through: gives back what it gets and has nothing to learn. For latency and for tests."""

from torch import Tensor

from bridge.nets import Answer, Network


class Net(Network):
    patch = 1
    multiple = 1

    def forward(self, x: Tensor) -> Answer:
        return x, 0.0
