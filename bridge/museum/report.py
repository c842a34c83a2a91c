"""What a school shows as it goes, as PNGs: sheets of what the pupil makes, and its curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bridge.files import whole
from bridge.install import pip
from bridge.learn import drawing, filters
from bridge.learn.life import Life
from bridge.museum import marks
from bridge.nets import hand

try:
    from matplotlib.figure import Figure
    from PIL import Image, ImageDraw
except ImportError as problem:
    raise ImportError(
        f"the school needs Pillow and Matplotlib; run {pip('install pillow matplotlib')}"
    ) from problem

PAPER, INK, RULE, LINE = "#ffffff", "#23272e", "#e1e3e6", ("#34407f", "#c8452f", "#2a9d8f")
HEAD = 14  # pixels of a line of words above a column
PALETTES = 5


def sheet(heads: Sequence[str], rows: Sequence[Sequence[Tensor]], place: Path) -> None:
    """Pictures, (1, 3, H, W) in [-1, 1], blue first, all of one size, in rows, with a word above
    each column, as a PNG. Raises OSError."""
    lines = [torch.cat([picture.cpu() for picture in row], 3) for row in rows]
    whole_picture = torch.cat(lines, 2)[0].flip(0).permute(1, 2, 0)
    levels = whole_picture.mul(127.5).add(128).clamp_(0, 255).to(torch.uint8).numpy()
    canvas = Image.new("RGB", (levels.shape[1], levels.shape[0] + HEAD), PAPER)
    canvas.paste(Image.fromarray(levels), (0, HEAD))
    pen = ImageDraw.Draw(canvas)
    wide = levels.shape[1] // max(1, len(heads))
    for column, head in enumerate(heads):
        pen.text((column * wide + 2, 1), head[: wide // 6], fill=INK)
    with whole(place) as beside:
        canvas.save(beside, "PNG")


def of_eye(life: Life, pictures: Sequence[Tensor], place: Path) -> None:
    """Each picture, and what the eye makes of it."""
    rows = [[x, marks.given_back(life, x)] for x in pictures]
    sheet(("seen", "made"), rows, place)


def of_hand(
    life: Life, pictures: Sequence[Tensor], palettes: Mapping[str, Tensor], place: Path
) -> None:
    """Each picture's light, its blur, a pen's drawing of it and its edges, and what the hand makes
    of them: plainly, in its own colours, and in those of others."""
    names = list(palettes)
    others = names[1 :: max(1, (len(names) - 1) // PALETTES)][:PALETTES]
    ways = drawing_of_light, marks.blurred, marks.pen, marks.edges
    rows = []
    for x in pictures:
        for way in ways:
            seen = way(x)
            row = [x, seen, marks.painted(life, seen, palettes[names[0]], 0.0)]
            row += [marks.painted(life, seen, hand.palette_of(x), 1.0)]
            row += [marks.painted(life, seen, palettes[name], 1.0) for name in others]
            rows.append(row)
    sheet(("painting", "seen", "plain", "own", *others), rows, place)


def drawing_of_light(x: Tensor) -> Tensor:
    """Its light, over the whole range."""
    return drawing.levelled(filters.light(x), 1.0).expand_as(x)


def curves(curve: Sequence[Mapping[str, float]], place: Path) -> None:
    """Every number that was told on the way, each in a box of its own, over steps. Raises
    OSError."""
    names = [
        name for name in dict.fromkeys(key for told in curve for key in told) if name != "step"
    ]
    figure = Figure((9.0, 2.2 * max(1, len(names))), 100, layout="constrained", facecolor=PAPER)
    boxes = figure.subplots(max(1, len(names)), 1, squeeze=False, sharex=True)[:, 0]
    for number, (name, box) in enumerate(zip(names, boxes, strict=False)):
        told = [(at["step"], at[name]) for at in curve if name in at]
        box.plot(*zip(*told, strict=True), color=LINE[number % len(LINE)], linewidth=1.4)
        box.set_ylabel(name, color=INK)
        box.grid(color=RULE)
        box.spines[["top", "right"]].set_visible(False)
    boxes[-1].set_xlabel("steps", color=INK)
    with whole(place) as beside:
        figure.savefig(beside, format="png")
