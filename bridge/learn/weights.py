"""A network's weights in one flat buffer, so that a whole network is one norm, one step, one copy.

The master is float32. The network itself computes with views of it, or, in bfloat16, of a second
flat buffer that `publish` refreshes: one cast a step instead of two for every layer of every
pass, as autocast would do.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Weights:
    """The weights of `net`, on its device; `net` computes with them from here on.

    flat      (N,) float32, the master        gradient  (N,) float32
    segments  views of `flat`, one a tensor   names     the tensors' names, in order
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype) -> None:
        named = list(net.named_parameters())
        self.names = [name for name, _ in named]
        self.tensors = [tensor for _, tensor in named]
        self.shapes = [tensor.shape for tensor in self.tensors]
        self.lengths = [tensor.numel() for tensor in self.tensors]
        device = self.tensors[0].device if named else torch.device("cpu")
        self.flat = torch.zeros(sum(self.lengths), device=device)
        self.gradient = torch.zeros_like(self.flat)
        self._computed = self.flat if dtype == torch.float32 else self.flat.to(dtype)
        self.segments = parts(self.flat, self.lengths)
        self._gradients = self._shaped(self.gradient)
        self.take(net)
        for tensor, view in zip(self.tensors, self._shaped(self._computed), strict=True):
            tensor.data = view

    def _shaped(self, buffer: Tensor) -> list[Tensor]:
        """Views of a flat buffer as the network's tensors, convolutions channels last."""
        views = []
        for part, shape in zip(parts(buffer, self.lengths), self.shapes, strict=True):
            if len(shape) == 4:
                first, second, *taps = shape
                views.append(part.view(first, *taps, second).permute(0, 3, 1, 2))
            else:
                views.append(part.view(shape))
        return views

    @torch.no_grad()
    def take(self, net: nn.Module) -> None:
        """Copy another network's weights (of the same kind and size) into these."""
        for view, tensor in zip(self._shaped(self.flat), net.parameters(), strict=True):
            view.copy_(tensor)
        self.publish()

    @torch.no_grad()
    def publish(self) -> None:
        """Make the network compute with the master as it now is."""
        if self._computed is not self.flat:
            self._computed.copy_(self.flat)

    @torch.no_grad()
    def gather(self, gradients: Sequence[Tensor]) -> None:
        """Put what the backward pass gave, one tensor a weight tensor, into `gradient`."""
        torch._foreach_copy_(self._gradients, list(gradients))

    def state(self) -> dict[str, Tensor]:
        """Copies of the weights on the host, by name."""
        shaped = self._shaped(self.flat)
        return {
            name: view.detach().cpu().contiguous().clone()
            for name, view in zip(self.names, shaped, strict=True)
        }

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take weights by name; the caller has checked names and shapes."""
        for name, view in zip(self.names, self._shaped(self.flat), strict=True):
            view.copy_(state[name])
        self.publish()

    def hash(self) -> str:
        """SHA-256 of the master's bytes: proof of which network this is."""
        return hashlib.sha256(self.flat.detach().cpu().numpy().tobytes()).hexdigest()


def parts(buffer: Tensor, lengths: list[int]) -> list[Tensor]:
    """Views of a flat buffer, one of each length."""
    return list(torch.split(buffer, lengths))
