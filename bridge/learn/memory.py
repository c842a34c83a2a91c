"""The replay memory: what was seen and is worth meeting again.

It keeps pictures as the network was to give them back, uint8 on the learner's device, also while
`share` is 0, so that the past is there when the fader goes up. What is like a kept picture renews
that one instead of joining it: a camera that stands still leaves one picture. With a half-life
each picture lives on as by the law of radioactive decay, counted from when it was last met, which
is the bias of Aggarwal 2006 ("On biased reservoir sampling"). All of it on the frame thread, after
the picture has left.
"""

import math
import random
import statistics
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from bridge.learn import image
from bridge.params import Param, Reading, trigger

EVERY = 0.25  # seconds between two pictures that are considered
VIEW = 8, 12  # rows and columns of the small view by which pictures are compared
NUMBERS = 3 * VIEW[0] * VIEW[1]
NEW = 0.02  # of the range, root mean square: views nearer than this are the same picture
LEAST_SURPRISE, MOST_SURPRISE = 0.5, 2.0
PATIENT = 0.1  # share of a new error in the usual one
MOST = 512  # pictures; telling which is most like another takes their number squared
MOST_BYTES = 1 << 30
MOST_SHARE = 0.9


class ReplayMemory:
    """Pictures of `size` = (width, height), as they are met again; `dice` chooses.

    hung    pictures of a museum, (H, W, 3) uint8, that are met among them; never its own
    """

    share = Param(
        0.0, min=0.0, max=MOST_SHARE,
        doc="weight of what is remembered in the loss: 0 forgets, 0.5 holds on to the past",
    )  # fmt: skip
    frames = Param(
        2, min=0, max=3,
        doc="remembered pictures in each step; each costs up to a step's time",
    )  # fmt: skip
    half_life = Param(
        0.0, min=0.0, max=36000.0, taper="log", floor=1.0, unit="s",
        doc="time in which half of what is not met again leaves the memory; 0 = it stays",
    )  # fmt: skip
    size = Param(
        128, min=1, max=MOST,
        doc="most pictures kept (and at most a gibibyte): full, the most alike make room",
    )  # fmt: skip
    museum = Param(
        0.0, min=0.0, max=1.0, active=lambda self: bool(self.hung),
        doc="share of the museum's pictures (--museum) among the remembered; share is their weight",
    )  # fmt: skip
    full = Reading(0.0, doc="how full the memory is, 0 to 1")
    age = Reading(0.0, unit="s", doc="since the pictures in memory were last met: the median")
    novelty = Reading(0.0, doc="of the last picture considered, 0 to 1; from 0.02 it is kept")
    psnr = Reading(0.0, unit="dB", doc="likeness of what the network makes of its memories")

    def __init__(self, size: tuple[int, int], device: torch.device, dice: random.Random) -> None:
        self._size, self._device, self._dice = size, device, dice
        self.hung: Sequence[Tensor] = ()
        self._pictures: list[Tensor] = []  # (H, W, 3) uint8; never written again
        self._views = torch.zeros(MOST, NUMBERS)  # on the host, a row for each picture
        self._met: list[float] = []  # when, in seconds of the show
        self._luck: list[float] = []  # 0 to 1: the share of its like that outlive it
        self._considered = -math.inf
        self._usual = 0.0  # mean square error, smoothed; 0 before the first

    def __len__(self) -> int:
        return len(self._pictures)

    @trigger(
        "forget every picture in the memory; the network keeps what it has learnt of them",
        critical=True,
        asks=True,
    )
    def forget(self) -> None:
        for kept in (self._pictures, self._met, self._luck):
            kept.clear()
        self._tell(0.0)

    # Meeting

    def meet(self, x: Tensor, patch: int, error: float, now: float) -> None:
        """Consider what was seen, (1, 3·p·p, H/p, W/p), and how wrong the network's picture of it
        was (mean square). `now` in seconds; most of the time it is too soon, and costs nothing."""
        if 0 <= now - self._considered < EVERY:
            return
        self._considered = now
        self._let_go(now)
        self._consider(x, patch, self._surprise(error), now)
        self._tell(now)

    def _surprise(self, error: float) -> float:
        """How wrong the network was beside how wrong it usually is."""
        usual = self._usual or error
        self._usual = usual + PATIENT * (error - usual)
        ratio = math.sqrt(error / usual) if usual > 0 else 1.0
        return min(max(ratio, LEAST_SURPRISE), MOST_SURPRISE)

    def _consider(self, x: Tensor, patch: int, surprise: float, now: float) -> None:
        view = small_view(x)
        apart = _distances(view[None], self._views[: len(self)])[0]
        nearest = int(apart.argmin()) if len(self) else -1
        self.novelty = surprise * (float(apart[nearest]) if len(self) else 1.0)
        if self.novelty < NEW:
            self._renew(nearest, now)
            return
        if len(self) >= self._most():
            alike, distance = self._most_alike()
            if self.novelty < distance:  # everything kept is newer than this
                self._renew(nearest, now)
                return
            self._lose(alike)
        self._views[len(self)] = view
        self._pictures.append(image.quantise(x, patch)[..., :3].contiguous())
        self._met.append(now)
        self._luck.append(self._draw())

    def _renew(self, index: int, now: float) -> None:
        self._met[index], self._luck[index] = now, self._draw()

    def _draw(self) -> float:
        return 1.0 - self._dice.random()  # (0, 1]

    def _let_go(self, now: float) -> None:
        """Lose what has outlived its half-lives, and what there is no room for."""
        if self.half_life > 0:
            lives = [-math.log2(luck) * self.half_life for luck in self._luck]
            for index in reversed(range(len(self))):
                if now - self._met[index] > lives[index]:
                    self._lose(index)
        while len(self) > self._most():
            self._lose(self._most_alike()[0])

    def _most_alike(self) -> tuple[int, float]:
        """The picture that is nearest to another, the one of the two met longer ago, and how near
        they are."""
        if len(self) < 2:
            return 0, 0.0
        apart = _distances(self._views[: len(self)], self._views[: len(self)])
        apart.fill_diagonal_(math.inf)
        one, other = divmod(int(apart.argmin()), len(self))
        return min(one, other, key=lambda index: self._met[index]), float(apart[one, other])

    def _lose(self, index: int) -> None:
        """Take a picture out; the last takes its place."""
        self._views[index] = self._views[len(self) - 1]
        self._pictures[index], self._met[index] = self._pictures[-1], self._met[-1]
        self._luck[index] = self._luck[-1]
        for kept in (self._pictures, self._met, self._luck):
            kept.pop()

    def _most(self) -> int:
        return min(self.size, room_for(self._size))

    def _tell(self, now: float) -> None:
        self.full = min(1.0, len(self) / self._most())
        self.age = round(now - statistics.median(self._met), 1) if self._met else 0.0

    # Meeting again

    def recollect(self, patch: int, dtype: torch.dtype) -> Tensor | None:
        """`frames` pictures by chance, (B, 3·p·p, H/p, W/p) in [-1, 1], each one of the museum's
        with the chance that `museum` says, and else one of its own; None while nothing is to be
        remembered, or nothing is there."""
        if self.share == 0:
            return None
        visited = self._visited()
        own = min(self.frames - len(visited), len(self))
        chosen = [*visited, *self._dice.sample(self._pictures, own)]
        if not chosen:
            return None
        return torch.cat([image.to_patches(picture, patch, dtype) for picture in chosen])

    def _visited(self) -> list[Tensor]:
        """Which of the museum's are met this time."""
        if self.museum == 0 or not self.hung:
            return []
        met = (self._dice.random() < self.museum for _ in range(self.frames))
        return [self._dice.choice(self.hung) for is_museum in met if is_museum]

    def glimpse(self, patch: int, dtype: torch.dtype) -> Tensor | None:
        """One picture by chance, whatever the knobs say; None where none is kept."""
        if not self._pictures:
            return None
        return image.to_patches(self._dice.choice(self._pictures), patch, dtype)

    # Keeping

    def state(self, now: float) -> dict[str, Tensor]:
        """All that is remembered, as tensors that nobody writes again."""
        return {
            "views": self._views[: len(self)].clone(),
            "ages": torch.tensor([now - met for met in self._met], dtype=torch.float64),
            "luck": torch.tensor(self._luck, dtype=torch.float64),
            "pace": torch.tensor([now - self._considered, self._usual], dtype=torch.float64),
            **{f"picture/{index}": picture for index, picture in enumerate(self._pictures)},
        }

    def take(self, state: Mapping[str, Tensor], now: float) -> None:
        """Remember what `state` says, and nothing else. Raises ValueError where that cannot be."""
        ages, luck, views = state["ages"], state["luck"], state["views"]
        pictures = [state[f"picture/{index}"] for index in range(len(ages))]
        shape = (self._size[1], self._size[0], 3)
        if not (len(ages) == len(luck) <= MOST and views.shape == (len(ages), NUMBERS)):
            raise ValueError("its memory does not fit together")
        if any(picture.shape != shape or picture.dtype != torch.uint8 for picture in pictures):
            raise ValueError("its memory is of pictures of another size")
        self._pictures = [picture.to(self._device) for picture in pictures]
        self._views[: len(ages)] = views
        self._met = [now - age for age in ages.tolist()]
        self._luck = luck.tolist()
        since, self._usual = state["pace"].tolist()
        self._considered = now - since
        self._tell(now)


def room_for(size: tuple[int, int]) -> int:
    """How many pictures of `size` = (width, height) a gibibyte holds; at least one."""
    return max(1, MOST_BYTES // (3 * size[0] * size[1]))


def small_view(x: Tensor) -> Tensor:
    """(1, 3·p·p, rows, columns) → (NUMBERS,) on the host: each colour's mean in a coarse grid."""
    _, _, rows, columns = x.shape
    colours = x.permute(0, 2, 3, 1).reshape(1, rows, columns, -1, 3).mean(3).permute(0, 3, 1, 2)
    return adaptive_avg_pool2d(colours.float(), VIEW).flatten().cpu()


def _distances(some: Tensor, others: Tensor) -> Tensor:
    """Root mean square between views, as a share of the range: (some, others)."""
    # Written out as a product, cdist would find a picture 0.0003 away from itself.
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(some, others, compute_mode=exact) / (2 * math.sqrt(NUMBERS))
