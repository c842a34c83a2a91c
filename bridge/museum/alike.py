"""Pictures that are the same one: encoded again, of another size, a little brighter.

A print is 256 bits: which of the 256 slowest waves across the picture are stronger than their
median (a perceptual hash by the discrete cosine transform). Prints of one picture differ in a few
bits, of two pictures in about half. A print is looked up by its parts, for of a few bits that
differ some part has none: no need to compare each with each.
"""

from collections.abc import Iterable

import numpy as np

FINE = 64  # rows and columns that the waves are looked for in
WAVES = 17  # the slowest, along each side; the very slowest is the brightness, and is left out
BITS = 256
PART, PARTS = 16, 16  # bits of each part
MOST_APART = 28  # bits by which prints of one picture may differ (measured: see tests)


def _cosines() -> np.ndarray:
    """(WAVES, FINE): each row one wave."""
    wave, place = np.mgrid[:WAVES, :FINE]
    cosines: np.ndarray = np.cos(np.pi * wave * (2 * place + 1) / (2 * FINE))
    return cosines.astype(np.float32)


def _slowest() -> np.ndarray:
    """Where the 256 slowest waves lie in the square of waves, the slowest first."""
    row, column = np.mgrid[:WAVES, :WAVES]
    order = np.lexsort((row.ravel(), np.maximum(row, column).ravel(), (row + column).ravel()))
    slowest: np.ndarray = order[1 : BITS + 1]
    return slowest


COSINES, SLOWEST = _cosines(), _slowest()


def print_of(grey: np.ndarray) -> int:
    """256 bits by which a picture, (FINE, FINE), is known again; the slowest wave is the highest
    bit."""
    waves = (COSINES @ grey.astype(np.float32) @ COSINES.T).ravel()[SLOWEST]
    bits = np.packbits(waves > np.median(waves))
    return int.from_bytes(bits.tobytes(), "big")


def apart(one: int, other: int) -> int:
    """Bits by which two prints differ."""
    return (one ^ other).bit_count()


def first_of_each(prints: Iterable[int]) -> list[int]:
    """For each print, the index of the first one that it is like; its own where it is like none
    before that was the first of its kind. So whoever puts the best first keeps the best."""
    kept: list[int] = []  # prints
    places: list[int] = []  # and where they were
    shelves: dict[tuple[int, int], list[int]] = {}  # a part and its bits → indices of `kept`
    first = []
    for index, print_ in enumerate(prints):
        keys = [(part, print_ >> part * PART & 0xFFFF) for part in range(PARTS)]
        near = {one for key in keys for one in shelves.get(key, ())}
        alike = min((one for one in near if apart(print_, kept[one]) <= MOST_APART), default=None)
        if alike is None:
            for key in keys:
                shelves.setdefault(key, []).append(len(kept))
            kept.append(print_)
            places.append(index)
        first.append(index if alike is None else places[alike])
    return first
