"""Bars of colour or grey and rulers, that a museum lays beside a picture when it is scanned.

A bar is flat patches beside each other that stay the same along its thickness, at an edge, and are
either many pure hues or a staircase of greys. A ruler is ticks at one distance. Both are made by
machines: paint is neither as flat nor as regular, which is what keeps paintings whole.
"""

import numpy as np

DEEPEST = 0.25  # of the picture, that a bar may reach in from its edge
FLAT = 7  # levels by which neighbours in a patch differ at most
FLAT_SHARE, STILL_SHARE = 0.8, 0.9  # of a row: flat along it; the same in the next
LEAST_THICK, LEAST_ROWS = 0.015, 3  # of the picture, and rows, that a bar is thick
LEAST_PATCHES, LEAST_PATCH = 6, 0.012  # how many; of the row, that each is long
PURE = 80  # levels between the strongest and the weakest channel of a hue
HUES, LEAST_HUES = 6, 4  # sectors of the colour circle; how many of them a bar of colour is in
GREY, LEAST_STEP, LEAST_CLIMB = 28, 6, 100  # levels: of tint, of each step, of the staircase
STRONG, WEAK = 160, 60  # levels of a channel of a test card, which is on or off
LEAST_ON_CARD = 5  # of its six primary colours
TICKS, CONTRAST = 20, 70  # how many at least; levels between a ruler's two tones
EVEN, EVEN_SHARE = 0.2, 0.9  # by how much of it the ticks' distance varies; for how many of them
TWO_TONES = 0.75  # of a ruler's row, that is near one of its tones
SPAN = 0.5  # of the row, that ticks or patches reach across


def is_card(picture: np.ndarray) -> bool:
    """Whether a coarse (H, W, 3) uint8 is a test card: bars of the pure colours, half as high as
    it is."""
    least = len(picture) // 2
    for first, end in _blocks(_bar_rows(picture)):
        if end - first >= least:
            colours = _patches(picture[first:end].mean(0))
            on = {tuple(c > STRONG) for c in colours if ((c > STRONG) | (c < WEAK)).all()}
            return len(on - {(True,) * 3, (False,) * 3}) >= LEAST_ON_CARD
    return False


def bar_depth(rows: np.ndarray) -> int:
    """Rows that are a bar and what is outside of it, from the first of a coarse (H, W, 3) uint8."""
    outer = rows[: int(len(rows) * DEEPEST)]
    least = max(LEAST_ROWS, int(len(rows) * LEAST_THICK))
    deep = 0
    for first, end in _blocks(_bar_rows(outer)):
        # What goes on to the last row is no bar at the edge, but the picture.
        thick = end - first >= least and end < len(outer) - 1
        if thick and _is_bar(_patches(outer[first:end].mean(0))):
            deep = end + 1
    return deep


def _bar_rows(rows: np.ndarray) -> np.ndarray:
    """(H,): which rows are flat along themselves, and like the next."""
    bar: np.ndarray = (_apart(rows[:, 1:], rows[:, :-1]) <= FLAT).mean(1) >= FLAT_SHARE
    if bar.any():
        still = (_apart(rows[1:], rows[:-1]) <= FLAT).mean(1) >= STILL_SHARE
        bar &= np.append(still, still[-1:])
    return bar


def _apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Levels between pixels of (…, 3) uint8, in the channel that differs most: (…)."""
    apart: np.ndarray = np.maximum(some, others) - np.minimum(some, others)
    # Written out: to reduce an axis of three takes numpy ten times as long.
    most: np.ndarray = np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])
    return most


def _blocks(rows: np.ndarray) -> list[tuple[int, int]]:
    """Where rows that are so follow each other: first, end."""
    changes = np.flatnonzero(np.diff(np.concatenate(([False], rows, [False])).astype(np.int8)))
    return list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))


def _patches(row: np.ndarray) -> np.ndarray:
    """(N, 3): the colours of the flat patches along a row, (W, 3), one after the other."""
    # Over two pixels: a small step that lies across a pixel is two, and each would be flat.
    ends = np.flatnonzero(np.abs(row[2:] - row[:-2]).max(1) > FLAT) + 1
    pieces = [p for p in np.split(row, ends) if len(p) >= max(3, LEAST_PATCH * len(row))]
    return np.array([np.median(piece, 0) for piece in pieces]).reshape(-1, 3)


def _is_bar(colours: np.ndarray) -> bool:
    return len(colours) >= LEAST_PATCHES and (_is_of_hues(colours) or _is_staircase(colours))


def _is_of_hues(colours: np.ndarray) -> bool:
    strength = colours.max(1) - colours.min(1)
    pure = colours[strength >= PURE]
    return len({_sector(colour) for colour in pure}) >= LEAST_HUES


def _sector(colour: np.ndarray) -> int:
    """Where on the colour circle: 0 about red, 1 about yellow, 2 about green …"""
    red, green, blue = colour
    across, along = np.sqrt(3) * (green - blue), 2 * red - green - blue
    return round(float(np.arctan2(across, along)) / (2 * np.pi / HUES)) % HUES


def _is_staircase(colours: np.ndarray) -> bool:
    """Whether greys climb or fall, six steps or more, one after the other."""
    grey = colours.max(1) - colours.min(1) <= GREY
    steps = np.diff(colours.mean(1))
    steps[~(grey[1:] & grey[:-1])] = 0
    for way in (steps, -steps):
        for first, end in _blocks(way >= LEAST_STEP):
            if end - first >= LEAST_PATCHES - 1 and way[first:end].sum() >= LEAST_CLIMB:
                return True
    return False


def ruler_depth(rows: np.ndarray) -> int:
    """Rows that are a ruler and what is outside of it, from the first of (H, W, 3) uint8."""
    green = rows[: int(len(rows) * DEEPEST), :, 1]  # as good as grey, and at hand
    low, high = green.min(1, initial=255).astype(int), green.max(1, initial=0).astype(int)
    dark = green < ((low + high) / 2)[:, None]
    falls = (~dark[:, :-1] & dark[:, 1:]).sum(1)
    likely = np.flatnonzero((falls >= TICKS) & (high - low >= CONTRAST))
    ticks = np.zeros(len(green), bool)
    for row in likely:
        tones = np.minimum(green[row] - low[row], high[row] - green[row]) <= (high - low)[row] / 4
        ticks[row] = tones.mean() >= TWO_TONES and _is_even(dark[row])
    least = max(LEAST_ROWS, int(len(rows) * LEAST_THICK / 2))
    ends = [end for first, end in _blocks(ticks) if end - first >= least and end < len(green)]
    return ends[-1] + 1 if ends else 0


def _is_even(dark: np.ndarray) -> bool:
    """Whether a row gets dark again and again at one distance."""
    begins = np.flatnonzero(~dark[:-1] & dark[1:])
    if len(begins) < TICKS or begins[-1] - begins[0] < SPAN * len(dark):
        return False
    distances = np.diff(begins)
    usual = np.median(distances)
    return bool((np.abs(distances - usual) <= max(1, EVEN * usual)).mean() >= EVEN_SHARE)
