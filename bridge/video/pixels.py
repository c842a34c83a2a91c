"""What a decoder gives, as pixels: packed BGRA, upright, contiguous.

Used on the decoding threads of `file`, `stills` and `camera`; numpy comes out.
"""

from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 4), row 0 on top

UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
HD = 576  # lines above which a movie that names no colour matrix is taken for BT.709, as players do


class Upright:
    """Makes upright BGRA pixels of decoded frames. One per decoding thread.

    It keeps swscale's context from one frame to the next: `frame.to_ndarray` builds a new one,
    and its threads with it, for every frame (0.22 ms instead of 0.08 at 640x360).
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        guess = Colorspace.ITU709 if frame.colorspace == UNTAGGED and frame.height > HD else None
        packed = self._reformatter.reformat(frame, format="bgra", src_colorspace=guess, threads=1)
        pixels: Any = packed.to_ndarray()
        quarters = round(frame.rotation / 90)  # phones film on their side and say so
        return np.ascontiguousarray(np.rot90(pixels, quarters) if quarters else pixels)
