"""A JPEG of so many bits: what decades of work on the eye make of as much room as a code takes.

Needs Pillow (the extra `plots`). Counted is only what says something of the picture, the
entropy-coded part: the headers, with tables made for it, are some 300 bytes, given for nothing.
"""

import io

import numpy as np
from PIL import Image

from bridge.bench.baselines import decibels

SCALES = (1, 2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 16)  # of each side
QUALITIES = 1, 95
SCAN = b"\xff\xda"  # the marker that the entropy-coded part begins with
END = 2  # bytes, after it


def within(picture: np.ndarray, bits: int) -> np.ndarray | None:
    """The picture, (H, W, 3) blue green red in levels, as the best JPEG of at most `bits` shows it:
    at each of SCALES the largest quality that fits. None if not even the smallest does."""
    whole = Image.fromarray(np.ascontiguousarray(picture[..., ::-1], np.uint8))
    made = [shown for scale in SCALES if (shown := _largest(whole, scale, bits)) is not None]
    return max(made, key=lambda shown: decibels(shown, picture)) if made else None


def _largest(whole: Image.Image, scale: float, bits: int) -> np.ndarray | None:
    small = [max(1, round(side * scale)) for side in whole.size]
    shrunk = whole.resize((small[0], small[1]), Image.Resampling.BICUBIC)
    low, high = QUALITIES
    best = None
    while low <= high:
        quality = (low + high) // 2
        file = encoded(shrunk, quality)
        if 8 * scan_bytes(file) <= bits:
            best, low = file, quality + 1
        else:
            high = quality - 1
    return None if best is None else _decoded(best, whole.size)


def encoded(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def scan_bytes(file: bytes) -> int:
    """Bytes of the entropy-coded part."""
    begin = file.index(SCAN) + len(SCAN)
    header = int.from_bytes(file[begin : begin + 2], "big")
    return len(file) - begin - header - END


def _decoded(file: bytes, size: tuple[int, int]) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as picture:
        shown = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(shown, np.float64)[..., ::-1]
