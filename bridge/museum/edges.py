"""What a scan has around the picture: margins of one colour, bars of colour or grey, rulers.

Each side is looked at from its edge inwards. A margin is rows of white, black, or quite one colour.
A bar is flat patches beside each other that stay the same along its thickness, and are either many
pure hues or a staircase of greys; a ruler is ticks at one distance. A picture that is bars
altogether is none.
"""

import numpy as np

MARGIN_SHARE = 0.98  # of a row, that must be of the margin's colour
WHITE, BLACK = 228, 24  # levels from which a margin is white, up to which it is black
SCANNED, DRAWN = 12, 2  # levels by which a margin may vary: white or black, and any other
DEEPEST_MARGIN = 0.4  # of the picture, from each side
BLEED = 2  # rows more, where a margin fades into the picture

Sides = tuple[int, int, int, int]  # top, bottom, left, right, as a slice takes them


def within(picture: np.ndarray) -> Sides:
    """Where the picture itself is in (H, W, 3) uint8."""
    return _trimmed(picture, (0, picture.shape[0], 0, picture.shape[1]))


def _trimmed(picture: np.ndarray, sides: Sides) -> Sides:
    """Without the margins inside of `sides`."""
    top, bottom, left, right = sides
    inner = picture[top:bottom, left:right]
    upper, lower = _margin(inner), _margin(inner[::-1])
    level = inner[upper : len(inner) - lower].swapaxes(0, 1)
    return top + upper, bottom - lower, left + _margin(level), right - _margin(level[::-1])


def _margin(rows: np.ndarray) -> int:
    """Rows of margin, from the first."""
    colour = np.median(rows[0], 0).astype(np.int16)
    plain = colour.min() >= WHITE or colour.max() <= BLACK
    off = SCANNED if plain else DRAWN
    most = int(len(rows) * DEEPEST_MARGIN)
    depth = 0
    while depth < most and _is_of(rows[depth], colour, off):
        depth += 1
    return depth + BLEED if depth else 0


def _is_of(row: np.ndarray, colour: np.ndarray, off: int) -> bool:
    near = np.abs(row.astype(np.int16) - colour).max(1) <= off
    return bool(near.mean() >= MARGIN_SHARE)
