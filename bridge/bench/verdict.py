"""Whether pictures came as they should, in words: what is wrong, what it means, what to do.

For `firstlight latency`. A picture passes twice on its way through the bridge, so that one that is
turned over on each passage comes back upright: both ways are judged, straight from the sender and
through the bridge.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from bridge.bench.passage import Passage, Tolerance

RATE = 0.98  # the share of the rate that must be kept
LOST = 0.01  # the share of pictures that may be lost
PERIODS = 4  # a picture's time, times this: what 99 of 100 must come within
EXACT = {  # what an unchanged picture may be off by
    "spout": Tolerance(4, 4),
    "syphon": Tolerance(4, 4),
    # NDI's own way back to blue, green, red takes 13 levels from a full blue each time (libndi
    # 6.3.2 multiplies with what BT.601 has, 2.018, and not with BT.709's 2.112), and 4 from white.
    # A wrong matrix both ways would be 33, a wrong range 16 of black.
    "ndi": Tolerance(12, 30),
}
LEARNT = Tolerance(96, 96)  # what comes out of a network that had to learn it

BUSY = (
    "This machine is too busy: close what else runs, plug in its power supply, or ask for less "
    "with --rate 30 or a smaller --size."
)
HIDDEN = (
    "Through the bridge it passes twice and comes back right, but your own software, which takes "
    "it once, sees it wrong. "
)
REPORT = "report it with what `firstlight devices` says and the file of --json."
ALIKE = (
    "What both ends of First Light would do wrong alike cannot be seen so. While this runs, look "
    "at the sender 'First Light card ...' in your own software: its white corner belongs at the "
    "upper left, and under it red, green and blue."
)
WRONG = {  # what may be counted of pictures, in words; and what it means, and what to do
    "flipped": (
        "upside down",
        "Until that is mended turn it over in the program that takes it, and " + REPORT,
    ),
    "mirrored": (
        "left for right",
        "Until that is mended mirror it in the program that takes it, and " + REPORT,
    ),
    "swapped": (
        "with red and blue swapped",
        "One end takes RGBA for BGRA; until that is mended swap the two in the program that takes "
        "it, and " + REPORT,
    ),
    "discoloured": (
        "in wrong colours, off by up to {off:.0f} of 255 levels",
        "Look whether the graphics driver has a colour profile, a gamma or a limited range set "
        "for it; if not, " + REPORT,
    ),
    "veiled": (
        "with its transparent part darkened",
        "Its alpha was multiplied into its colours, which should be left alone; " + REPORT,
    ),
    "translucent": (
        "with alpha below 255",
        "Programs that mix it let what is behind shine through; until that is mended set them to "
        "ignore its alpha, and " + REPORT,
    ),
    "torn": (
        "torn, with parts of two in one",
        "It was read while the next was drawn over it; try --rate 30, and if it stays, " + REPORT,
    ),
    "unread": (
        "as something that was not sent",
        "No card can be read in it; look at it in another program, whether it is black, noise or "
        "cut off, and " + REPORT,
    ),
    "duplicated": (
        "more than once",
        "What has come already is taken for new, and a network learns it twice; " + REPORT,
    ),
    "backwards": ("out of order, an older after a newer one", "That can never be meant; " + REPORT),
}
HIDES = ("flipped", "mirrored", "swapped")  # what two passages undo
MODIFIED = ("discoloured", "veiled", "unread")  # what a network may do to a picture by itself
NOTHING = {  # why nothing may come from a sender, and what to do
    "spout": (
        "Spout needs both programs on one graphics card: set python.exe to High performance in "
        "Windows' graphics settings, then run `firstlight devices`."
    ),
    "syphon": (
        "Syphon needs a user who is logged in at the screen, and a graphics card: run it there "
        "and not over ssh, then run `firstlight devices`."
    ),
    "ndi": (
        "Look whether a firewall holds NDI up: it needs TCP ports 5960 to 5990, here on this very "
        "machine."
    ),
}
BETWEEN = {  # why pictures may be lost between two programs, and what to do
    "spout": "Spout holds one picture: what nobody took in time is gone. ",
    "syphon": "Syphon holds one picture: what nobody took in time is gone. ",
    "ndi": "NDI drops what the processor has no time to compress and to unpack. ",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured: straight from the sender, and through the bridge where that was reached.

    skipped  cards that the bridge says it had to leave out meanwhile; None where it did not say
    route    how pictures come and go there, in its words
    said     the last that it said
    ends     what the sender and the receiver say is wrong with them
    """

    scheme: str
    rate: float
    net: str
    straight: Passage
    through: Passage | None = None
    skipped: int | None = None
    route: str = ""
    said: str = ""
    ends: tuple[str, ...] = ()

    @property
    def within(self) -> float:
        """What 99 of 100 pictures must come within; ms."""
        return PERIODS / self.rate * 1e3


class Fault(NamedTuple):
    """What is wrong, as the rest of "It failed: …", and what to do, in a sentence or two."""

    what: str
    mend: str


def faults(found: Found) -> list[Fault]:
    """All that is wrong, the worst first; nothing where it passed."""
    straight, through = found.straight, found.through
    if not straight.pictures:
        told = [NOTHING[found.scheme], *(f'It says: "{text}"' for text in found.ends)]
        return [Fault("no picture comes from the sender", " ".join(told))]
    wrong = [fault for kind in WRONG if (fault := _wrong(kind, found))]
    if through is None:
        return wrong
    if not through.pictures:
        ends = "".join(f' The receiver says: "{text}"' for text in found.ends)
        mend = f'The bridge runs; it last said: "{found.said}".{ends} If that does not help, '
        return [*wrong, Fault("no picture comes back through the bridge", mend + REPORT)]
    return [*wrong, *_slow(found, through)]


def verdict(found: Found) -> str:
    """ "It passed: …" or "It failed: …", in plain words."""
    told = faults(found)
    if told:
        words = [f"It failed: {told[0].what}. {told[0].mend}"]
        return "\n".join([*words, *(f"Also: {fault.what}. {fault.mend}" for fault in told[1:])])
    through = found.through
    assert through is not None
    assert through.latency is not None
    like = "upright and in its own colours" if found.net == "through" else "upright"
    return (
        f"It passed: {through.received_fps:.1f} of {found.rate:g} pictures a second came back "
        f"through the bridge, each once, {like}; half of them within {through.latency.p50:.1f} ms "
        f"of being sent, 99 of 100 within {through.latency.p99:.1f} ms ({found.within:.1f} are "
        f"allowed, the time of {PERIODS} pictures)."
    )


def tolerance(scheme: str, net: str = "through") -> Tolerance:
    """Behind a network: the one that changes nothing, or one that had to learn."""
    return EXACT[scheme] if net == "through" else LEARNT


def _wrong(kind: str, found: Found) -> Fault | None:
    """What one kind of fault says, of both ways together."""
    straight, through = getattr(found.straight, kind), getattr(found.through, kind, 0)
    if kind == "translucent":  # so the card was sent, and may arrive at whoever takes it straight
        straight = 0
    places, off = [], 0.0
    for where, count, way in (
        ("straight from the sender", straight, found.straight),
        ("through the bridge", through, found.through),
    ):
        if way and count:
            places.append(f"{where} ({_of(count, way)})")
            off = max(off, way.grey, way.off)
    if not places:
        return None
    words, mend = WRONG[kind]
    if not straight and found.net != "through" and kind in MODIFIED:
        mend = f"{found.net} has not learnt it yet, or never does: try --warm 10, or --net through."
    if not through and found.through and kind in HIDES:
        mend = HIDDEN + mend
    return Fault(f"the picture comes {words.format(off=off)}, {' and '.join(places)}", mend)


def _of(number: int, way: Passage) -> str:
    return f"all {number}" if number == way.pictures else f"{number} of {way.pictures}"


def _slow(found: Found, through: Passage) -> list[Fault]:
    """What is wrong with how many came back, and when."""
    least = RATE * found.rate
    told = []
    if through.sent_fps < least:
        what = f"the sender itself manages only {_rate(through.sent_fps, found)}"
        told.append(Fault(what, BUSY))
    elif through.lost > LOST or _come(through) < least:
        told.append(_lossy(found, through))
    if through.latency and through.latency.p99 > found.within:
        what = (
            f"the picture comes late: 99 of 100 within {through.latency.p99:.0f} ms, and "
            f"{found.within:.0f} are allowed, the time of {PERIODS} pictures"
        )
        told.append(Fault(what, BUSY))
    return told


def _lossy(found: Found, through: Passage) -> Fault:
    skipped, replaced, between = shares(found)
    what = (
        f"{through.lost:.1%} of the pictures never come back, and {LOST:.0%} may be missing: "
        f"{_rate(_come(through), found)} come"
    )
    if found.straight.lost > LOST:
        mend = f"Some are lost straight from the sender too, without the bridge. {BUSY}"
    elif skipped >= max(replaced, between):
        mend = (
            f"The bridge left {skipped} out, for it takes longer than a picture's time: choose "
            "fewer --lines, a quicker --net, or compute on a graphics card (`firstlight devices`)."
        )
    elif replaced >= between:
        mend = f"The receiver was given newer ones in the place of {replaced}. {BUSY}"
    else:
        mend = f"Between the programs {between} were lost. {BETWEEN[found.scheme]}{BUSY}"
    return Fault(what, mend)


def shares(found: Found) -> tuple[int, int, int]:
    """Of the cards that did not come back through the bridge: how many it left out itself, how many
    a newer one replaced at the receiver, and the rest, which were lost between programs."""
    through = found.through or Passage()
    skipped = min(through.gone, found.skipped or 0)
    replaced = min(through.gone - skipped, through.replaced)
    return skipped, replaced, through.gone - skipped - replaced


def _come(way: Passage) -> float:
    """Pictures a second that come, whether or not they can be read."""
    return way.sent_fps * (1 - way.lost)


def _rate(fps: float, found: Found) -> str:
    return f"{math.floor(fps * 10) / 10:.1f} of {found.rate:g} pictures a second"
