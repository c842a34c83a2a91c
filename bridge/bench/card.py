"""A card with a number, an orientation and colours in its pixels; drawn, and read back.

Of twenty by twelve squares. The outer bands hold the number as black and white squares, in Gray
code above and its complement below, between four corners of which the upper left is white. Under
the upper band are ten patches of known colours, the last of which is transparent; the rest moves,
so that a transport has work to do. It is read from the middles of the squares and so survives
compression, other sizes and a network that has learnt it, or it is said that there is none.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridge.frame import Layout

Pixels = NDArray[np.uint8]  # (H, W, 4), row 0 on top, rows packed

COLUMNS, ROWS = 20, 12  # squares; of 16 pixels at 320x192, two patches of the networks' a side
BITS = 16
ROUND = 1 << BITS  # numbers until the first comes again
BAND = 2  # rows of squares of each outer band; also the columns of a corner, and of a patch
POINTS = 4  # read a side of each square, from its inner half
CONTRAST = 48.0  # levels by which the white corner stands out, or it is no card
MARGIN = 0.1  # of the way from black to white, that a square must be away from the middle
STEP = 4  # pixels that the scene moves from one card to the next

PATCHES = np.array(  # blue, green, red: what none of eight turns or swaps mistakes for another
    [
        (32, 32, 224), (32, 224, 32), (224, 32, 32), (224, 224, 32), (224, 32, 224),
        (32, 224, 224), (64, 64, 64), (128, 128, 128), (192, 192, 192), (64, 128, 224),
    ],
    np.uint8,
)  # fmt: skip
KNOWN = np.vstack([np.full((1, 3), 255), np.zeros((3, 3)), PATCHES])  # the corners, the patches
KNOWN = KNOWN.astype(np.float32)
GREYS, COLOURS, CLEAR = [0, 1, 2, 3, 10, 11, 12], slice(4, 10), 13  # of these


class Reading(NamedTuple):
    """What a card says of the way that it came.

    number   the card's, modulo ROUND; None where above and below are of two cards: torn
    flipped  upside down; mirrored: left for right; swapped: red for blue
    grey     levels by which the black, grey or white that is most wrong differs
    off      the same of the colours, once turned and swapped back
    clear    the same of the transparent patch alone: far off where alpha was multiplied in
    alpha    the lowest; 255 where all is opaque
    """

    number: int | None
    flipped: bool
    mirrored: bool
    swapped: bool
    grey: float
    off: float
    clear: float
    alpha: int


class Card:
    """Draws cards of one size into the same pixels, (H, W, 4) uint8, blue first."""

    def __init__(self, width: int, height: int) -> None:
        self._columns = np.arange(width) * COLUMNS // width  # which square each pixel is in
        rows = np.arange(height) * ROWS // height
        self._top, self._bottom = _slice(rows < BAND), _slice(rows >= ROWS - BAND)
        self._pixels = np.full((height, width, 4), 255, np.uint8)
        patches = np.full((len(PATCHES), 4), 255, np.uint8)
        patches[:, :3] = PATCHES
        patches[-1, 3] = 0
        self._pixels[_slice((rows >= BAND) & (rows < 2 * BAND))] = patches[self._columns // BAND]
        self._middle = _slice((rows >= 2 * BAND) & (rows < ROWS - BAND))
        self._scene = _scene(width, self._middle.stop - self._middle.start)

    def __call__(self, number: int) -> Pixels:
        """The card of `number`: the pixels of the last one, changed."""
        code = number % ROUND
        code ^= code >> 1
        bits = np.array([code >> place & 1 for place in range(BITS - 1, -1, -1)], bool)
        band = np.zeros(COLUMNS, bool)
        band[:BAND], band[BAND:-BAND] = True, bits
        self._pixels[self._top] = _blocks(band)[self._columns]
        band[:BAND], band[BAND:-BAND] = False, ~bits
        self._pixels[self._bottom] = _blocks(band)[self._columns]
        width = len(self._columns)
        shift = number * STEP % width
        self._pixels[self._middle] = self._scene[:, shift : shift + width]
        return self._pixels


def read(pixels: Pixels, layout: Layout = "bgra") -> Reading | None:
    """What a picture, (H, W, 4) uint8 of "bgra" or "rgba", says; None where it is no card."""
    rows, columns = _points(*pixels.shape[:2])
    points = pixels.view(np.uint32)[rows, columns, 0].view(np.uint8)
    squares = points.reshape(ROWS, POINTS, COLUMNS, POINTS, 4)
    # In two steps, whole numbers first: a third of the time of one.
    levels = squares.sum(1, dtype=np.uint16).sum(2, dtype=np.float32)[..., :3] / POINTS**2
    if layout == "rgba":
        levels = levels[..., ::-1]
    patches = levels.reshape(ROWS // BAND, BAND, COLUMNS // BAND, BAND, 3).mean((1, 3))
    corners = patches[(0, 0, -1, -1), (0, -1, 0, -1)].mean(1)
    place = int(corners.argmax())
    white, black = corners[place], (corners.sum() - corners[place]) / 3
    if white - np.partition(corners, 2)[2] < CONTRAST:
        return None
    flipped, mirrored = place >= 2, place % 2 == 1
    upright = slice(None, None, -1 if flipped else 1), slice(None, None, -1 if mirrored else 1)
    levels, patches = levels[upright], patches[upright]
    bands = np.stack([levels[:BAND, BAND:-BAND], levels[-BAND:, BAND:-BAND]]).mean((1, 3))
    way = (bands - black) / (white - black) - 0.5  # (2, BITS)
    if np.abs(way).min() < MARGIN:
        return None
    above, below = _number(way[0] > 0), _number(way[1] < 0)
    number = above if above == below else None
    alpha = int(points.reshape(-1, 4)[:, 3].min())
    return Reading(number, flipped, mirrored, *_colours(patches), alpha)


def _colours(patches: NDArray[Any]) -> tuple[bool, float, float, float]:
    """Of an upright card: whether red and blue are swapped, and how far off are its greys, its
    colours and its transparent patch."""
    seen = np.vstack([patches[0, :1], patches[0, -1:], patches[-1, [0, -1]], patches[1]])
    straight, crossed = np.abs(seen - KNOWN), np.abs(seen[:, ::-1] - KNOWN)
    swapped = bool(crossed.sum() < straight.sum())
    far = (crossed if swapped else straight).max(1)
    return swapped, float(far[GREYS].max()), float(far[COLOURS].max()), float(far[CLEAR])


def _number(code: NDArray[Any]) -> int:
    """What a row of bits says in Gray code, whose neighbours differ in a single one."""
    number = int.from_bytes(np.packbits(code).tobytes(), "big")
    for places in (8, 4, 2, 1):
        number ^= number >> places
    return number


@lru_cache(maxsize=8)
def _points(height: int, width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where a picture is read: rows (n, 1) and columns (m,)."""
    inner = 0.25 + (np.arange(POINTS) + 0.5) / (2 * POINTS)

    def along(count: int, length: int) -> NDArray[Any]:
        places = (np.arange(count)[:, None] + inner) * length / count
        return places.astype(np.intp).reshape(-1)

    return along(ROWS, height)[:, None], along(COLUMNS, width)


def _blocks(white: NDArray[Any]) -> Pixels:
    """White or black pixels, opaque, one a square."""
    pixels = np.full((len(white), 4), 255, np.uint8)
    pixels[~white, :3] = 0
    return pixels


def _scene(width: int, height: int) -> Pixels:
    """Soft colours with a grain, (height, 2·width, 4), which come round after `width` columns."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = 2 * np.pi * x / width
    grain = np.random.default_rng(1).normal(0, 6, (height, width)).astype(np.float32)
    pixels = np.full((height, width, 4), 255, np.uint8)
    for colour in range(3):
        wave = np.sin((colour + 1) * turn + y / 60 + 2 * colour)
        pixels[..., colour] = np.clip(128 + 70 * wave + grain, 0, 255)
    return np.concatenate([pixels, pixels], 1)


def _slice(rows: NDArray[Any]) -> slice:
    """The rows that are true, which are next to each other, as a slice."""
    first = int(rows.argmax())
    return slice(first, first + int(rows.sum()))
