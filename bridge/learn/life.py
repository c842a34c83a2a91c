"""Life: one network with all that it has become: its weights, their moments, where it began.

A learner may hold several; one is looked through and learnt in at a time, and the others wait
as they were left.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from bridge import nets
from bridge.learn import schooling
from bridge.learn.optimiser import Moments
from bridge.learn.weights import Weights
from bridge.nets import Knobs, layers
from bridge.params import Param, Value


class Life:
    """The network `name`, blank from `seed`, on `device`, computing in `dtype`.

    seed, hash, learnt   where its beginning came from, the SHA-256 of its weights then, and the
                         steps taken since
    origin               (N,) its weights at the beginning, or those it was last given: what the
                         anchor pulls towards
    given                whether those were given to it, and may know something
    ease                 how much of the rate is let through, 0 to 1: with fresh moments and
                         weights that know something, a full first step throws five dB away
    schooling            what it was taught on, as its brain told it (bridge/learn/schooling.py);
                         empty for one that began blank
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
        self.origin = self.weights.flat.clone()
        self.schooling: dict[str, str] = {}
        self._begin(seed)

    def blank(self, seed: int) -> None:
        """Begin again, from another seed."""
        fresh = nets.build(self.name, self.size, self._played)
        layers.blank(fresh, torch.Generator().manual_seed(seed))
        self.weights.take(fresh)
        self._begin(seed)
        self.remember_school({})

    def _begin(self, seed: int) -> None:
        self.moments.begin(self.weights)
        self.origin.copy_(self.weights.flat)
        self.given = False
        self.ease = 1.0  # who knows nothing has nothing to lose
        self.seed, self.hash, self.learnt = seed, self.weights.hash(), 0

    def go_on_from(self, flat: Tensor) -> None:
        """Go on with other weights of this network, laid out as ours, eased in: what was gathered
        on the way of those before is forgotten."""
        self.weights.put(flat)
        self.moments.restart(self.weights)
        self.ease = 0.0

    def become(self, flat: Tensor, told: Mapping[str, str]) -> None:
        """Go on as a brain of this network: with its weights, anchored to them, and its beginning
        and schooling for one's own."""
        self.remember_school(schooling.of(told))
        self.go_on_from(flat)
        self.origin.copy_(flat)
        self.given = True
        self.seed, self.hash, self.learnt = int(told["seed"]), told["hash"], int(told["steps"])

    def remember_school(self, schooling: dict[str, str]) -> None:
        """Have been taught so, and let the network know."""
        self.schooling = schooling
        self.net.know(schooling)

    def options(self) -> dict[str, Value]:
        """The knobs of the network's own, as they stand: part of what makes its picture."""
        return {
            name: getattr(self._played[kind], name)
            for kind in self.net.plays
            for name, declared in vars(kind).items()
            if isinstance(declared, Param)
        }

    @torch.no_grad()
    def approach(self, flat: Tensor, origin: Tensor, share: float) -> None:
        """Close a share, 0 to 1, of the way to other weights, and the anchor's to their origin;
        the moments stay."""
        weights, moments = self.weights, self.moments
        weights.flat.lerp_(flat, share)
        self.origin.lerp_(origin, share)
        self.given = True
        weights.publish()
        moments.lengths = weights.measure(weights.flat)
        moments.ceiling = torch.maximum(moments.ceiling, moments.lengths)

    @torch.no_grad()
    def pull_back(self, share: float) -> None:
        """Close a share, 0 to 1, of the way to the origin."""
        self.weights.flat.lerp_(self.origin, share)
        self.weights.publish()
