"""What the whole instrument tells and takes, whatever network runs: /stats and /system.

Declared apart from the loop that fills it, so that it can be heard before torch is there.
"""

from bridge.params import Param, Reading

STALLED = 2.0  # seconds without a turn that no source, sink or step takes while all is well


class Stats:
    """What the loop publishes under /stats."""

    state = Reading(
        "loading", doc="loading, waiting, learning, watching, holding, dreaming or ended"
    )
    fps = Reading(0.0, unit="1/s", doc="pictures sent in the last second")
    latency = Reading(0.0, unit="ms", doc="from a frame's arrival to its picture's departure")
    busy = Reading(0.0, unit="ms", doc="what the last frame took, seeing, looking and learning")
    pace = Reading(0.0, unit="1/s", doc="learning steps in the last second")
    frames = Reading(0, doc="frames seen since the start")
    skipped = Reading(0, doc="frames replaced by a newer one before they were seen")
    dropped = Reading(
        0, doc="pictures that a recorder had no time for, or that a sink did not take"
    )
    source = Reading("", doc="where frames come from")
    sink = Reading("", doc="where pictures go, by the names that others see")
    route = Reading(
        "",
        doc="how frames come and pictures go: on the graphics card, or by the host, \
and why",
    )
    watchers = Reading(0, doc="programs that take the picture, where they can be counted")
    faults = Reading(0, doc="turns that failed and were survived")
    error = Reading("", doc="the last thing that went wrong, and what to do")
    stalled = Reading(
        0.0, unit="s", doc="how long the loop has not turned, where that is over 2 s; 0 is well"
    )

    def __init__(self) -> None:
        self.turned: float | None = None  # when the loop last began a turn, on its own clock

    def watch(self, now: float) -> None:
        """Tell whether the loop turns; from another thread, for it cannot tell of itself."""
        idle = 0.0 if self.turned is None or self.state == "ended" else now - self.turned
        self.stalled = round(idle, 1) if idle > STALLED else 0.0


class System:
    """Knobs of the whole instrument, under /system."""

    slew = Param(
        0.0, min=0.0, max=60.0, taper="log", floor=0.01, unit="s",
        doc="time that every fader takes to glide to where it was moved; 0 = at once",
    )  # fmt: skip
    lost = Param(
        "hold", choices=("hold", "dream"),
        doc="when no frame comes: the last picture stands, or the network goes on by itself",
    )  # fmt: skip
