"""School, measured: is what it makes better than what was shown, and does it look like paint?

For each split, on pictures that were held out: a hand against what it was shown, what a low pass
makes of that, and one flat colour; how much texture and colour its paint has; whether patches
show; whether the palette's fader is heard. An eye against a plain resize of as many numbers, and
what live frames leave of the museum (`drift`). At last how fast the hand is behind each sight.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from bridge import nets, parsers
from bridge.bench import drift
from bridge.bench.measure import address, fitted, frames, milliseconds, spread
from bridge.frame import Frame
from bridge.learn import brain, drawing, filters, image, tuning
from bridge.learn.learner import Learner
from bridge.learn.life import Life
from bridge.learn.shards import Shards
from bridge.museum import catalogue, crops, marks, report, school
from bridge.nets import hand

SIDE = 256
PARTS = 3  # crops of each picture, from one corner to the other
SPLITS = (
    "munch van-gogh/wheat_field", "gauguin van-gogh/self", "turner van-gogh/houses",
)  # fmt: skip
MINUTES = 2.0
MOMENTS = 6  # frames of a clip that the palette is tried on
HUES = 5  # palettes in the sheet
SPED = 60  # frames that are timed
TIMES = 6  # noises a picture, where patterns are listened for

Way = Callable[[Tensor], Tensor]  # (B, 3, H, W) → the same, as it is shown


def coarse(times: float) -> Way:
    return lambda x: drawing.coarsened(filters.light(x), times).expand_as(x)


SHOWN: dict[str, Way] = {
    "pen": marks.pen, "pencil": marks.pencil, "edges": marks.edges,
    "blur 8": coarse(8), "blur 16": coarse(16), "blur 24": coarse(24),
}  # fmt: skip
PLAYED: dict[str, Way] = {
    "light": report.drawing_of_light,
    "blur 8": lambda x: marks.blurred(report.drawing_of_light(x)),
    "pencil": lambda x: marks.pencil(report.drawing_of_light(x)),
    "edges": lambda x: marks.edges(report.drawing_of_light(x)),
}

REST = {"levels": 0.0, "flatten": 0.0, "coarse": 1.0, "drawing": "off", "pencil": 0.0}
SIGHTS: dict[str, dict[str, float | str]] = {
    "at rest": {}, "levels": {"levels": 1.0},
    "levels, coarse 8": {"levels": 1.0, "coarse": 8.0},
    "levels, threshold": {"levels": 1.0, "drawing": "threshold"},
    "levels, pencil": {"levels": 1.0, "drawing": "threshold", "pencil": 0.7},
    "levels, canny": {"levels": 1.0, "drawing": "canny"},
    "flatten, levels, threshold": {"flatten": 1.0, "levels": 1.0, "drawing": "threshold"},
}  # fmt: skip


def main(options: argparse.Namespace) -> None:
    console = Console(width=110)
    pictures, *sources = options.clips or ["paintings"]
    out = Path(options.out or "school").expanduser()
    out.mkdir(parents=True, exist_ok=True)
    tuning.keep_memory()
    tuning.use_threads(max(tuning.thread_choices()))
    live = [crop(frame) for source in sources for frame in moments(address(source))]
    for number, held in enumerate(options.hold or SPLITS, 1):
        console.rule(f"split {number}: {held} held out")
        museum = prepared(pictures, held, out / f"museum-{number}")
        hand = taught("hand", museum, out / f"hand-{number}.safetensors", options)
        eye = taught("eye", museum, out / f"eye-{number}.safetensors", options)
        console.print(drawn(hand, museum))
        console.print(look(hand, museum))
        if live:
            console.print(fader(hand, museum, live))
            sheet(hand, museum, live, out / f"sheet-{number}.png")
            console.print(drift.table(eye, held_crops(museum), drift.live(address(sources[0]))))
    console.print(speed(hand))


def prepared(pictures: str, held: str, out: Path) -> Shards:
    """A museum of these pictures, without what is held out."""
    words = [pictures, "--out", str(out)]
    for name in held.split():
        words += ["--hold", name]
    catalogue.main(parsers.collections_parser().parse_args(words))
    return Shards(out)


def taught(lesson: str, museum: Shards, out: Path, options: argparse.Namespace) -> Life:
    """What the lesson makes; one that has been taught by the same plan is taken as it is."""
    begun = time.perf_counter()
    words = ["--lesson", lesson, "--out", str(out), "--minutes", str(options.minutes or MINUTES)]
    school.main(parsers.school_parser().parse_args([*words, str(museum.folder)]))
    print(f"{lesson}: {time.perf_counter() - begun:.0f} s, sheets, marks and all")
    told = brain.head(out)
    life = Life(told["network"], (SIDE, SIDE), nets.knobs(torch.Generator()),
                torch.device("cpu"), torch.float32, 0)  # fmt: skip
    brain.load(life, str(out))
    return life


def held_crops(museum: Shards, held: bool = True) -> list[tuple[str, Tensor]]:
    """Three crops, (1, 3, 256, 256), of each picture that is held out (or is not)."""
    found = []
    for index, entry in enumerate(museum.entries):
        if entry.held != held:
            continue
        picture = museum.picture(index)
        height, width = picture.shape[:2]
        scale = SIDE / min(height, width)
        size = max(SIDE, round(width * scale)), max(SIDE, round(height * scale))
        x = crops.fitted(picture, size)
        for part in range(PARTS):
            top, left = ((side - SIDE) * part // (PARTS - 1) for side in (size[1], size[0]))
            found.append((entry.name, x[..., top : top + SIDE, left : left + SIDE]))
    return found


def drawn(life: Life, museum: Shards) -> Table:
    """dB and SSIM of the plain hand, untold of any palette, beside what needs no network."""
    pairs = held_crops(museum)
    colour = torch.stack([x.mean((0, 2, 3)) for _, x in held_crops(museum, held=False)]).mean(0)
    untold = torch.tensor([school.palettes(museum)[school.TOGETHER]])
    table = Table(title="plain, on held-out pictures: dB / SSIM, and above each")
    for head in ("shown", "hand", "above it", "above its low pass", "above one flat colour"):
        table.add_column(head)
    for name, way in SHOWN.items():
        rows: dict[str, list[tuple[Tensor, ...]]] = {}
        for picture, x in pairs:
            seen = way(x)
            low = seen if name.startswith("blur") else drawing.coarsened(seen, 8.0)
            flat = colour.view(1, 3, 1, 1).expand_as(x)
            rows.setdefault(picture, []).append(
                (marks.painted(life, seen, untold, 0.0), seen, low, flat, x)
            )
        every = [row for kept in rows.values() for row in kept]
        table.add_row(f"[bold]{name}", *_above(every))
        for picture, kept in rows.items():
            table.add_row(f"  {picture}", *_above(kept))
    return table


def _above(rows: Sequence[tuple[Tensor, ...]]) -> list[str]:
    decibels, alike = (
        [statistics.fmean(mark(row[at], row[-1]) for row in rows) for at in range(4)]
        for mark in (marks.decibels, marks.ssim)
    )
    first = f"{decibels[0]:.2f} / {alike[0]:.3f}"
    rest = [f"{decibels[0] - d:+.2f} / {alike[0] - a:+.3f}" for d, a in
            zip(decibels[1:], alike[1:], strict=True)]  # fmt: skip
    return [first, *rest]


def look(life: Life, museum: Shards) -> Table:
    """Texture, colour and patterns of what it paints out of a blur, its own palette told (six
    numbers of the target: this is about looks, and no mark)."""
    x = torch.cat([x for _, x in held_crops(museum)])
    table = Table(title="painted out of blur 8, own palette told: beside the painting's")
    for head in ("grain", "texture", "saturation", "period 4", "period 8", "dB / SSIM"):
        table.add_column(head)
    for grain in (0.0, 0.5, 1.0, 1.5):
        y = marks.painted(life, marks.blurred(x), hand.palette_of(x), grain)
        table.add_row(
            f"{grain:g}",
            f"{float((marks.texture(y) / marks.texture(x)).mean()):.2f}",
            f"{float((marks.saturation(y) / marks.saturation(x)).mean()):.2f}",
            *patterns(partial(painted_anew, life, x, grain)),
            f"{marks.decibels(y, x):.2f} / {marks.ssim(y, x):.3f}",
        )
    table.add_row("the paintings", "1", "1", *patterns(lambda _: x), "")
    return table


def painted_anew(life: Life, x: Tensor, grain: float, number: int) -> Tensor:
    """Each with noise of its own: out of one noise for all, by chance a fifth more or less stands
    at any period."""
    shape = len(x), life.net.patch**2, SIDE // life.net.patch, SIDE // life.net.patch
    noise = hand.draw_noise(shape, torch.Generator().manual_seed(number))
    return marks.painted(life, marks.blurred(x), hand.palette_of(x), grain, noise)


def patterns(made: Callable[[int], Tensor]) -> list[str]:
    """What stands out at a patch's period and at twice that, the mean of what is made `TIMES`."""
    pictures = [made(number) for number in range(TIMES)]
    told = []
    for period in (4, 8):
        heard = torch.tensor([marks.periodicity(y, period) for y in pictures]).mean(0)
        told.append("{:.2f} across, {:.2f} down".format(*heard.tolist()))
    return told


def fader(life: Life, museum: Shards, live: Sequence[Tensor]) -> Table:
    """Of how many palettes the mean colour of what is made is nearest to the chosen one's."""
    names = [entry.name for entry in museum.entries if entry.share > 0]
    known = school.palettes(museum)
    chosen = torch.tensor([known[name] for name in names])
    table = Table(title=f"palette: heard, of {len(names)}, on {len(live)} live pictures")
    for head in ("shown", "nearest to the chosen", "correlation of mean colours"):
        table.add_column(head)
    for way, shown in PLAYED.items():
        made = []
        for palette in chosen:
            pictures = [marks.painted(life, shown(x), palette[None], 1.0) for x in live]
            made.append(torch.cat(pictures).mean((0, 2, 3)) * 0.5 + 0.5)
        colours = torch.stack(made)
        nearest = torch.cdist(colours, chosen[:, :3]).argmin(1)
        heard = int((nearest == torch.arange(len(names))).sum())
        both = torch.stack([colours.flatten(), chosen[:, :3].flatten()])
        table.add_row(way, str(heard), f"{float(torch.corrcoef(both)[0, 1]):.2f}")
    return table


def sheet(life: Life, museum: Shards, live: Sequence[Tensor], place: Path) -> None:
    """Live pictures through each sight, in five palettes."""
    known = {name: torch.tensor([p]) for name, p in school.palettes(museum).items()}
    pictures = [entry.name for entry in museum.entries if entry.share > 0]
    hues = pictures[:: max(1, len(pictures) // HUES)][:HUES]
    rows = []
    for x in live:
        for shown in PLAYED.values():
            seen = shown(x)
            row = [x, seen, *(marks.painted(life, seen, known[name], 1.0) for name in hues)]
            row.append(marks.painted(life, seen, known[hues[0]], 0.0))
            rows.append(row)
    report.sheet(("live", "seen", *hues, "plain"), rows, place)
    print(f"look at {place}")


def moments(source: str) -> list[Frame]:
    """Frames of a clip, evenly; of stills all that there are."""
    kept = frames(source, drift.FRAMES)
    different = [f for i, f in enumerate(kept) if i == 0 or (f.pixels != kept[i - 1].pixels).any()]
    return different[:: max(1, len(different) // MOMENTS)][:MOMENTS]


def crop(frame: Frame) -> Tensor:
    """(1, 3, 256, 256) in [-1, 1] of a frame's middle."""
    pixels = image.upload(frame, torch.device("cpu"))
    return image.to_planes(image.fit(pixels, (SIDE, SIDE), "crop"))


def speed(life: Life) -> Table:
    """What the hand behind each sight takes for a picture, as it is played: frozen."""
    table = Table(title="hand and sight, 256×256, seeing and looking, frozen")
    for head in ("sight", "ms, median (5 % .. 95 %)", "pictures a second"):
        table.add_column(head)
    one = drift.learner(life)
    one.on = False
    source = fitted(frames("pattern:", SPED), (SIDE, SIDE))
    for name, knobs in SIGHTS.items():
        for knob, value in {**REST, **knobs}.items():
            setattr(one.sight, knob, value)
        times = milliseconds([partial(_seen_and_looked, one, frame) for frame in source])
        table.add_row(name, spread(times), f"{1e3 / statistics.median(times):.0f}")
    return table


def _seen_and_looked(one: Learner, frame: Frame) -> None:
    one.look(one.see(frame))
