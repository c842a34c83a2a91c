"""A network's weights in one flat buffer, so that a whole network is one norm, one step, one copy.

The master is float32. The network itself computes with views of it, or, in bfloat16, of a second
flat buffer that `publish` refreshes: one cast a step instead of two for every layer of every
pass, as autocast would do.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

ROW = 256  # each tensor fills whole rows of its own, so that all lengths are one pass


class Weights:
    """The weights of `net`, on its device; `net` computes with them from here on.

    flat      (N,) float32, the master: each tensor, filled up with zeros to whole rows
    gradient  (N,) float32, laid out alike
    owners    (N / ROW,) which tensor a row belongs to
    members   (tensors, N / ROW) the same, as 1 where it belongs and 0 elsewhere
    names     the tensors' names, in order
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        named = list(net.named_parameters())
        self.names = [name for name, _ in named]
        self.tensors = [tensor for _, tensor in named]
        self.shapes = [tensor.shape for tensor in self.tensors]
        self.lengths = [tensor.numel() for tensor in self.tensors]
        device = self.tensors[0].device if named else torch.device("cpu")
        rows = torch.tensor([_rows(length) for length in self.lengths], dtype=torch.long)
        self.owners = torch.repeat_interleave(rows).to(device)
        tensors = torch.arange(len(self.lengths), device=device)
        self.members = (tensors[:, None] == self.owners).float()
        self.flat = torch.zeros(len(self.owners) * ROW, device=device)
        self.gradient = torch.zeros_like(self.flat)
        self._computed = self.flat if dtype == torch.float32 else self.flat.to(dtype)
        self._gradients = self.shaped(self.gradient)
        self.take(net)
        for tensor, view in zip(self.tensors, self.shaped(self._computed), strict=True):
            tensor.data = view

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in."""
        return self._computed.dtype

    def shaped(self, buffer: Tensor) -> list[Tensor]:
        """Views of a flat buffer as the network's tensors, convolutions channels last."""
        views = []
        start = 0
        for length, shape in zip(self.lengths, self.shapes, strict=True):
            part = buffer[start : start + length]
            start += _rows(length) * ROW
            if len(shape) == 4:
                first, second, *taps = shape
                views.append(part.view(first, *taps, second).permute(0, 3, 1, 2))
            else:
                views.append(part.view(shape))
        return views

    @torch.no_grad()
    def take(self, net: nn.Module) -> None:
        """Copy another network's weights (of the same kind and size) into these."""
        for view, tensor in zip(self.shaped(self.flat), net.parameters(), strict=True):
            view.copy_(tensor)
        self.publish()

    @torch.no_grad()
    def put(self, flat: Tensor) -> None:
        """Make a flat buffer's weights these."""
        self.flat.copy_(flat)
        self.publish()

    @torch.no_grad()
    def publish(self) -> None:
        """Make the network compute with the master as it now is."""
        if self._computed is not self.flat:
            self._computed.copy_(self.flat)

    @torch.no_grad()
    def gather(self, gradients: Sequence[Tensor | None]) -> None:
        """Put what the backward pass gave, one tensor a weight tensor, into `gradient`; None is a
        tensor that the picture did not pass through, such as one of a path that is shut."""
        pairs = list(zip(self._gradients, gradients, strict=True))
        torch._foreach_copy_(
            [into for into, g in pairs if g is not None], [g for _, g in pairs if g is not None]
        )
        if shut := [into for into, g in pairs if g is None]:
            torch._foreach_zero_(shut)

    def state(self) -> dict[str, Tensor]:
        """Copies of the weights on the host, by name."""
        return self.named(self.flat)

    def named(self, buffer: Tensor) -> dict[str, Tensor]:
        """Copies on the host, by name, of a flat buffer's weights."""
        return {
            name: view.detach().cpu().contiguous().clone()
            for name, view in zip(self.names, self.shaped(buffer), strict=True)
        }

    @torch.no_grad()
    def laid_out(self, state: dict[str, Tensor]) -> Tensor:
        """Weights by name as a flat buffer like `flat`; the caller has checked names, shapes."""
        buffer = torch.zeros_like(self.flat)
        for name, view in zip(self.names, self.shaped(buffer), strict=True):
            view.copy_(state[name])
        return buffer

    def finite(self) -> bool:
        """Whether every weight is a finite number (or so large that it will not be for long)."""
        return bool(torch.isfinite(torch.linalg.vector_norm(self.flat)))

    def layout(self) -> str:
        """What tells whether a flat buffer is laid out as these weights are."""
        shapes = [list(shape) for shape in self.shapes]
        return hashlib.sha256(repr((ROW, self.names, shapes)).encode()).hexdigest()

    def hash(self) -> str:
        """SHA-256 of the weights' bytes, tensor by tensor: proof of which network this is."""
        digest = hashlib.sha256()
        for tensor in self.state().values():
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def measure(self, buffer: Tensor) -> Tensor:
        """The Euclidean length of each tensor's part of a flat buffer, (tensors,)."""
        # A product, not index_add_: on CUDA that sums in an order of its own each time.
        rows: Tensor = torch.linalg.vector_norm(buffer.view(-1, ROW), dim=1)
        return (self.members @ rows.square_()).sqrt_()

    def scale(self, buffer: Tensor, factors: Tensor) -> None:
        """Multiply each tensor's part of a flat buffer by its factor, of (tensors,)."""
        buffer.view(-1, ROW).mul_(factors[self.owners, None])


def _rows(length: int) -> int:
    return -(-length // ROW)
