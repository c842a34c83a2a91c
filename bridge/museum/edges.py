"""What a scan has around the picture: margins of one colour, and bars and rulers (`bars`).

Each side is looked at from its edge inwards. A margin is rows of one colour: cardboard, white, grey
or black, or a drawn frame.
"""

import numpy as np

from bridge.museum import bars

MARGIN_SHARE = 0.98  # of a row, that must be of the margin's colour
NEUTRAL = 16  # levels of tint that white, grey and black cardboard may have
SCANNED, DRAWN = 12, 3  # levels by which a margin may vary: cardboard, and of any other colour
DEEPEST_MARGIN = 0.4  # of the picture, from each side
BLEED = 2  # rows more, where what is cut off fades into the picture

Sides = tuple[int, int, int, int]  # top, bottom, left, right, as a slice takes them


def within(picture: np.ndarray, coarse: np.ndarray) -> Sides:
    """Where the picture itself is in (H, W, 3) uint8; `coarse` is the same with fewer pixels, in
    which patches are flat that a JPEG has roughened."""
    whole = 0, picture.shape[0], 0, picture.shape[1]
    trimmed = _trimmed(picture, whole)
    times = picture.shape[0] / coarse.shape[0]
    inner = _part(picture, trimmed)
    small = _part(coarse, tuple(round(edge / times) for edge in trimmed))
    cut = (
        trimmed[0] + _depth(inner, small, times),
        trimmed[1] - _depth(inner[::-1], small[::-1], times),
        trimmed[2] + _depth(inner.swapaxes(0, 1), small.swapaxes(0, 1), times),
        trimmed[3] - _depth(inner[:, ::-1].swapaxes(0, 1), small[:, ::-1].swapaxes(0, 1), times),
    )
    return trimmed if cut == trimmed else _trimmed(picture, cut)


def _part(picture: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    top, bottom, left, right = sides
    return picture[top:bottom, left:right]


def _depth(rows: np.ndarray, coarse: np.ndarray, times: float) -> int:
    """Rows of bars and rulers, from the first."""
    bar = bars.bar_depth(coarse)
    return max(round((bar + BLEED + 1) * times) if bar else 0, bars.ruler_depth(rows))


def _trimmed(picture: np.ndarray, sides: Sides) -> Sides:
    """Without the margins inside of `sides`."""
    top, bottom, left, right = sides
    inner = _part(picture, sides)
    upper, lower = _margin(inner), _margin(inner[::-1])
    level = inner[upper : len(inner) - lower].swapaxes(0, 1)
    return top + upper, bottom - lower, left + _margin(level), right - _margin(level[::-1])


def _margin(rows: np.ndarray) -> int:
    """Rows of margin, from the first."""
    colour = np.median(rows[0], 0).astype(np.int16)
    off = SCANNED if np.ptp(colour) <= NEUTRAL else DRAWN
    most = int(len(rows) * DEEPEST_MARGIN)
    depth = 0
    while depth < most and _is_of(rows[depth], colour, off):
        depth += 1
    return depth + BLEED if depth else 0


def _is_of(row: np.ndarray, colour: np.ndarray, off: int) -> bool:
    near = (np.abs(row.astype(np.int16) - colour) <= off).all(1)
    return bool(near.mean() >= MARGIN_SHARE)
