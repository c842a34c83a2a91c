"""Frame: one picture on its way in or out."""

from dataclasses import dataclass
from typing import Any, Literal

Layout = Literal["bgra", "rgba", "uyvy"]

LUMA = (0.0722, 0.7152, 0.2126)  # of blue, green, red: BT.709


@dataclass(slots=True)
class Frame:
    """One picture.

    pixels   (H, W, C) uint8, row 0 on top: a numpy array on the host, whose rows may be further
             apart than they are long, or a torch tensor on a device. Borrowed until the next
             `receive`: copy what you keep.
    layout   declared by whoever made the pixels, never guessed from their content. "bgra" and
             "rgba" have four channels; alpha is ignored on the way in and 255 on the way out.
             "uyvy" has two, W even: two neighbours share their colour (BT.709, 16 to 235). It
             only comes in.
    time     seconds on the `perf_counter` clock when it became available; offline, the frame's
             index over the source's rate.
    skipped  newer frames that replaced older ones unseen since the last one received.
    """

    pixels: Any
    layout: Layout
    time: float
    skipped: int = 0
