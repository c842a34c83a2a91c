"""Life: one network with all that it has become: its weights, their moments, where it began.

A learner may hold several; one is looked through and learnt in at a time, and the others wait
as they were left.
"""

import torch

from bridge import nets
from bridge.learn.optimiser import Moments
from bridge.learn.weights import Weights
from bridge.nets import Knobs, layers


class Life:
    """The network `name`, blank from `seed`, on `device`, computing in `dtype`.

    seed, hash, learnt   where its beginning came from, the SHA-256 of its weights then, and the
                         steps taken since
    psnr                 dB of the last picture it made
    pace                 seconds that a further step takes, smoothed
    """

    psnr = 0.0
    pace = 0.0

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        played: dict[type[Knobs], Knobs],
        device: torch.device,
        dtype: torch.dtype,
        seed: int,
    ) -> None:
        self.name, self.size, self._played = name, size, played
        net = nets.build(name, size, played)
        layers.blank(net, torch.Generator().manual_seed(seed))
        self.net = net.to(device)
        self.weights = Weights(self.net, dtype)
        self.moments = Moments(self.weights)
        self.begin_from_here(seed)

    def blank(self, seed: int) -> None:
        """Begin again, from another seed."""
        fresh = nets.build(self.name, self.size, self._played)
        layers.blank(fresh, torch.Generator().manual_seed(seed))
        self.weights.take(fresh)
        self.begin_from_here(seed)

    def begin_from_here(self, seed: int) -> None:
        """Take the weights as they are for a beginning: no moments, no steps, a new hash."""
        self.moments.begin(self.weights)
        self.seed, self.hash, self.learnt = seed, self.weights.hash(), 0
