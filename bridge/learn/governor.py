"""The governor: explosions must look alive and be survivable.

It keeps a ring of past selves on the device, each taken while the network was well, and says when
to fall back on one: when numbers are no longer finite, when the picture has lost all that varies
while what is seen has not, or when it stays far worse than a grey card. It never acts on a picture
that is merely ugly, nor on flatness that a fader explains. On the frame thread, after the picture
has left.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bridge.learn.denoising import Denoising
from bridge.learn.life import Life
from bridge.learn.losses import Losses
from bridge.learn.optimiser import Optimiser
from bridge.learn.seeing import Seen
from bridge.learn.slots import Slots
from bridge.nets.code import Code
from bridge.params import Param

SELVES = 4
TAKE_EVERY = 2.0  # seconds between two selves
WELL_FOR = 1.0  # seconds without anything wrong before a self is taken
CHECK_EVERY = 8  # frames between two looks at what costs a pass over the picture or the weights
BETTER, WORSE = 3.0, 10.0  # dB above a grey card that is well; below it that is far worse
CLEARLY = 3.0  # dB by which a past self must do better than what is
WORTH = 1.0  # dB above a grey card for a past self that is better than a lost network
KNOWN = 18.0  # dB that is well whatever the card: fog is like one
WRONG = 6.0  # dB; an error of less than half the range is at most ugly, whatever the card
BELOW_USUAL, USUALLY = 3.0, 0.005  # dB; the share of a frame in what is usual: some seconds
FLAT = 3e-3  # of what varies in what is seen: a blank network has more after two frames
FLAT_FOR = 0.5  # seconds
AGAIN = 3.0  # seconds within which a self that fails was not worth falling back on
VARIES = 1e-3  # a frame that varies less is flat itself
LOST_STEPS = 10  # steps in a row whose gradient was not finite


class Governor:
    """Watches a network under the hands of those knobs that may explain what it does."""

    patience = Param(
        2.0, min=0.5, max=60.0, taper="log", unit="s",
        doc="how long an explosion may last before the network falls back to a past self",
    )  # fmt: skip

    def __init__(
        self, optimiser: Optimiser, losses: Losses, denoising: Denoising, slots: Slots, code: Code
    ) -> None:
        self._optimiser, self._losses, self._denoising = optimiser, losses, denoising
        self._slots, self._code = slots, code
        self._selves: dict[str, list[Tensor]] = {}  # by network, oldest first
        self._name = ""
        self.why = ""  # to fall back, from the next look on; empty: all may go on
        self.lost = False  # whether it cannot stay as it is, whatever there is to fall back on
        self._last_fall = -math.inf

    # Past selves

    def selves(self, life: Life) -> list[Tensor]:
        """The sets of weights to fall back on, the best first: past selves, and the beginning."""
        return [*reversed(self._selves.get(life.name, [])), life.origin]

    def refuge(
        self, life: Life, seen: Seen, likeness: Callable[[Tensor, Seen], float], now: float
    ) -> Tensor | None:
        """The weights that do better with what is `seen` under the faders as they are, by
        `likeness(weights, seen)` in dB; None where none do, and it is the faders that make the
        picture what it is. A network that is lost has the beginning at least."""
        least = likeness(life.weights.flat, seen) + CLEARLY
        if self.lost:  # whatever comes instead is better; a past self, if it is worth it
            least = grey_card(seen.target) + WORTH if self.trusted(now) else math.inf
        *past, beginning = self.selves(life)
        found = next((flat for flat in past if likeness(flat, seen) > least), None)
        if found is None and (self.lost or likeness(beginning, seen) > least):
            return beginning
        return found

    def forget(self, life: Life) -> None:
        """Another network begins here, and what was before is none of its past."""
        self._selves.pop(life.name, None)
        self._name = ""

    def disown(self, life: Life) -> None:
        """Drop the newest self: whoever fell back on it saw nothing good in it."""
        if self._selves.get(life.name):
            self._selves[life.name].pop()

    def fell_back(self, now: float) -> None:
        self._last_fall = now
        self.start_over(now)

    def trusted(self, now: float) -> bool:
        """Whether past selves may be worth it: not where one has just led here again."""
        return now - self._last_fall > AGAIN

    def start_over(self, now: float) -> None:
        """Judge what comes as if nothing had been wrong."""
        self.why, self.lost = "", False
        self._well_since = self._taken = now
        self._wrong_since = self._flat_since = math.inf
        self._lost = 0

    def _take(self, life: Life, now: float) -> None:
        """Keep the network as it is, in the oldest self's place."""
        self._taken = now
        if not life.weights.finite():
            return
        ring = self._selves.setdefault(life.name, [])
        place = ring.pop(0) if len(ring) == SELVES else torch.empty_like(life.weights.flat)
        ring.append(place.copy_(life.weights.flat))

    # Judging

    def watch(self, life: Life, seen: Seen, y: Tensor, learns: bool, now: float) -> None:
        """Judge the answer `y`, (1, 3·p·p, H/p, W/p), to what was `seen`. `life.psnr` is its
        likeness; `now` in seconds."""
        if life.name != self._name:
            self._name, self._frames, self._usual = life.name, 0, life.psnr
            self.start_over(now)
        self._frames += 1
        self._usual += USUALLY * (life.psnr - self._usual)
        if self._frames % CHECK_EVERY == 0:
            self._check_flat(life, seen, y, learns, now)
            self._check_weights(life)
        self._check_far(life.psnr, seen.target, learns, now)
        if min(self._wrong_since, self._flat_since) < math.inf:
            self._well_since = now
        elif self._due(now) and self._well(life.psnr, seen.target):
            self._take(life, now)

    def stepped(self, finite: bool) -> None:
        """Tell whether a step's gradient was finite."""
        self._lost = 0 if finite else self._lost + 1
        if self._lost >= LOST_STEPS:
            self.why, self.lost = "its loss was no longer a finite number", True

    def _due(self, now: float) -> bool:
        return now - self._taken >= TAKE_EVERY and now - self._well_since >= WELL_FOR

    def _well(self, psnr: float, x: Tensor) -> bool:
        return psnr > max(min(grey_card(x) + BETTER, KNOWN), self._usual - BELOW_USUAL)

    def _check_far(self, psnr: float, x: Tensor, learns: bool, now: float) -> None:
        if not learns or psnr >= WRONG or psnr >= grey_card(x) - WORSE:
            self._wrong_since = math.inf
            return
        self._wrong_since = min(self._wrong_since, now)
        if now - self._wrong_since >= self.patience:
            self.why = f"it was far worse than a grey card for {self.patience:g} s"

    def _check_flat(self, life: Life, seen: Seen, y: Tensor, learns: bool, now: float) -> None:
        # Of an empty drawing a translator may make an empty picture, whatever the frame was.
        there = varies(seen.x)
        if seen.target is not seen.x:
            there = min(there, varies(seen.target))
        if not learns or there < VARIES or varies(y) >= FLAT * there:
            self._flat_since = math.inf
        elif self._fades() or self._explained():
            self._flat_since = math.inf
            if self._fades():  # who lets a network fade wants it to forget
                self._selves.pop(life.name, None)
        else:
            self._flat_since = min(self._flat_since, now)
            if now - self._flat_since >= FLAT_FOR:
                self.why, self.lost = "its picture had gone flat", True

    def _check_weights(self, life: Life) -> None:
        if not life.weights.finite():
            self.why, self.lost = "its weights were no longer finite numbers", True

    def _fades(self) -> bool:
        return self._optimiser.decay > 0 or self._slots.anchor > 0

    def _explained(self) -> bool:
        """Whether some fader stands where a flat picture is what the player may want: it ties or
        shuts the network, or lets it learn too little to leave a flat beginning."""
        optimiser, losses, denoising = self._optimiser, self._losses, self._denoising
        too_little = optimiser.rate < 5e-4 or optimiser.clip < 0.1 or optimiser.trust < 5e-3
        tied = self._code.kl > 0 or losses.l2 + losses.l1 < 0.1
        blind = denoising.mask > 0.5 or denoising.noise > 0.5 or self._code.gate < 0.5
        return too_little or tied or blind


def grey_card(x: Tensor) -> float:
    """dB that a picture of mid-grey would have against `x`: about what a blank network has."""
    energy = float(torch.linalg.vector_norm(x, dtype=torch.float32)) ** 2 / x.numel()
    return 10 * math.log10(4 / energy) if energy > 0 else math.inf


def varies(x: Tensor) -> float:
    """How much differs from place to place: the variance over places, mean over channels. Every
    second row and column will do; and laid out as it lies, or it takes 2 ms."""
    places = x[:, :, ::2, ::2].permute(0, 2, 3, 1).flatten(0, 2).float()  # (places, channels)
    return float((places - places.mean(0)).square_().mean())
