"""Running: which network runs, and the others that have run, who wait as they were left.

Another network is drawn on a thread beside the frames and taken when it is ready, so that no
picture is lost for it. All else is the frame thread's.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from bridge import nets
from bridge.learn import tuning
from bridge.learn.life import Life
from bridge.params import Param, Reading


class Running:
    """Which network runs, and what it says of itself under /net.

    draw      makes a network by its name, on any thread; turned is told which lives from here on
    waits     whether another is drawn at once, so that all is as the frame's number says
    life      the network that runs; lives: all that have, by name
    trouble   why another network could not be had
    """

    name = Param(
        "paint", choices=nets.NAMES,
        doc="the network: another wakes up as it was when it last ran, or with its brain, or blank",
    )  # fmt: skip
    size = Reading("", doc="width x height of the picture it makes")
    weights = Reading(0, doc="how many numbers it has learnt in")

    life: Life

    def __init__(
        self, draw: Callable[[str], Life], turned: Callable[[Life], None], *, waits: bool
    ) -> None:
        self._draw, self._turned, self.waits = draw, turned, waits
        self.lives: dict[str, Life] = {}
        self.trouble = ""
        # On a thread of its own that leaves the frame thread's cores to it, and that is waited for
        # at the end: torch aborts if the program ends while it computes.
        self._beside = ThreadPoolExecutor(1, "draw", torch.set_num_threads, (1,))
        self.drawing: Future[Life] | None = None
        self._asked = ""  # the network that is being drawn

    def live(self, life: Life) -> None:
        """Go on with another network, from the next look."""
        self.life = self.lives[life.name] = life
        self.name = life.name
        self.weights = sum(life.weights.lengths)
        self._turned(life)

    def settle(self) -> None:
        """Before the first frame: run the network that the knob names by now, and hold no other
        that knows nothing. Raises Refusal where it cannot be."""
        name = self.name
        if name != self.life.name:
            self.lives = {n: life for n, life in self.lives.items() if life.learnt}
            self.live(self.lives.get(name) or self._draw(name))

    def follow(self) -> None:
        """See to it that the network runs whose name the knob says, without a lost picture.

        One that has run is there at once; another is drawn on a thread beside the frames, and
        taken when it is ready. Where it cannot be, the knob goes back and `trouble` says why.
        """
        if self.drawing is not None and self.drawing.done():
            self._take(self.drawing)
        name = self.name
        if name == self.life.name:
            return
        if name in self.lives:
            self.trouble = ""
            self.live(self.lives[name])
        elif self.waits:
            self.live(self._draw(name))
        elif self.drawing is None:
            self.trouble = ""
            self._asked = name
            with tuning.roaming():
                self.drawing = self._beside.submit(self._draw, name)

    def _take(self, drawn: Future[Life]) -> None:
        self.drawing = None
        problem = drawn.exception()
        if problem is None:
            self.lives[self._asked] = drawn.result()  # for later, if the hand has moved on
            return
        self.trouble = f"/net/name {self._asked}: {problem or type(problem).__name__}"
        if self.name == self._asked:
            self.name = self.life.name
