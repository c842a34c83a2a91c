"""Nowhere: `none:` takes pictures and counts them."""

from bridge.frame import Frame
from bridge.video import Sink


def discover(timeout: float) -> list[str]:  # noqa: ARG001
    """Nothing is seen nowhere."""
    return []


class Sender:
    """Keeps nothing but `count`, how many pictures it was sent."""

    host = False  # what nobody looks at need not be brought

    def __init__(
        self,
        rest: str,  # noqa: ARG002
        *,
        live: bool,  # noqa: ARG002
        rate: float,  # noqa: ARG002
        device: str = "cpu",  # noqa: ARG002
    ) -> None:
        self.count = 0

    def send(self, frame: Frame) -> None:  # noqa: ARG002
        self.count += 1

    def status(self) -> Sink:
        return Sink("nowhere")

    def close(self) -> None: ...
