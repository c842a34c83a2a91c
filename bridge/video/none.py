"""Nowhere: `none:` takes pictures and counts them."""

from bridge.frame import Frame
from bridge.video import Sink


class Sender:
    """Keeps nothing but `count`, how many pictures it was sent."""

    def __init__(self, rest: str, *, live: bool, rate: float) -> None:  # noqa: ARG002
        self.count = 0

    def send(self, frame: Frame) -> None:  # noqa: ARG002
        self.count += 1

    def status(self) -> Sink:
        return Sink("nowhere")

    def close(self) -> None: ...
