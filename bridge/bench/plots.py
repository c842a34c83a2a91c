"""Curves as a picture. Needs matplotlib (the extra `plots`), and no screen: a Figure that pyplot
does not know of draws itself with Agg."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from PIL import Image

from bridge.bench.retention import PROBED

INK, FAINT, SHADE, PAPER, RULE = "#23272e", "#7d838c", "#f1efe9", "#ffffff", "#e1e3e6"
LADDER = ("#34407f", "#2f7fa8", "#2a9d8f", "#e0a030", "#c8452f")  # from the first line to the last
SIZE, DOTS = (11.0, 5.8), 110  # inches, and dots in each
TONES = 128  # colours of the file, which they make a third as long
GAP = 0.042  # of the height, from one name to the next above it

Name = tuple[float, str, str]  # height, text, colour


def retention(
    title: str,
    clips: tuple[str, str],
    count: int,
    curves: Mapping[str, Sequence[Sequence[float]]],
    baselines: Mapping[str, Sequence[float]],
    path: Path,
) -> None:
    """dB of A along `count` frames of A, as many of B and a third of A again, as a PNG.

    `curves` has a list of looks for each line, one a seed: their mean is drawn in the band that
    they fill. `baselines` are thin; one of a single value is level.
    """
    figure = Figure(SIZE, DOTS, layout="constrained", facecolor=PAPER)
    axes = figure.add_subplot()
    end = 2 * count + count // 3
    right = [_baseline(axes, name, levels, end) for name, levels in baselines.items()]
    ladder = LinearSegmentedColormap.from_list("ladder", LADDER)
    colours = [to_hex(ladder(place)) for place in np.linspace(0, 1, len(curves))]
    for (name, lives), colour in zip(curves.items(), colours, strict=True):
        _band(axes, name, lives, colour, end)
    _dress(axes, title, clips, count, end)
    _write_key(axes, count)
    _write_right(axes, right, end)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(TONES).save(path, optimize=True)


def _baseline(axes: Axes, name: str, levels: Sequence[float], end: int) -> Name:
    if len(levels) == 1:
        axes.axhline(levels[0], color=FAINT, linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
        return levels[0], name, FAINT
    shown = levels[: end // PROBED + 1]
    axes.plot(PROBED * np.arange(len(shown)), shown, color=FAINT, linewidth=0.9, zorder=2)
    return shown[-1], name, FAINT


def _band(axes: Axes, name: str, lives: Sequence[Sequence[float]], colour: str, end: int) -> None:
    looks = min(end // PROBED + 1, *(len(life) for life in lives))
    seeds = np.array([life[:looks] for life in lives])  # (seeds, looks)
    places = PROBED * np.arange(looks)
    axes.fill_between(places, seeds.min(0), seeds.max(0), color=colour, alpha=0.17, linewidth=0)
    axes.plot(places, seeds.mean(0), color=colour, linewidth=2.0, zorder=4, label=name)


def _dress(axes: Axes, title: str, clips: tuple[str, str], count: int, end: int) -> None:
    axes.axvspan(count, 2 * count, color=SHADE, linewidth=0, zorder=0)
    low, high = axes.get_ylim()
    axes.set(xlim=(0, end), ylim=(low, high + 0.08 * (high - low)))
    axes.set_xticks(np.arange(0, end + 1, count / 3).round())
    first, second = clips
    for middle, text in (
        (count / 2, first), (1.5 * count, second), (count + end / 2, f"{first} again"),
    ):  # fmt: skip
        axes.text(
            middle, 0.97, text, transform=axes.get_xaxis_transform(), ha="center", va="top",
            color=INK, fontsize=10.5,
        )  # fmt: skip
    axes.set_title(title, loc="left", color=INK, fontsize=13, fontweight="bold", pad=12)
    axes.set_xlabel("frames learnt from", color=INK)
    axes.set_ylabel(f"dB of {first}'s held-out frames", color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _write_key(axes: Axes, count: int) -> None:
    """Which colour is which, the last on top, where A ends: there every curve is far above."""
    axes.legend(
        reverse=True, loc="lower right", bbox_to_anchor=(0.98 * count, axes.get_ylim()[0]),
        bbox_transform=axes.transData, frameon=False, labelcolor="linecolor", handlelength=1.4,
        prop={"size": 10.5, "weight": "bold"},
    )  # fmt: skip


def _write_right(axes: Axes, names: Sequence[Name], end: int) -> None:
    """Each line's name at its right end, and a hair from the one to the other."""
    low, high = axes.get_ylim()
    for height, (level, text, colour) in _apart(axes, names):
        axes.annotate(
            text, (end, level), (1.02, (height - low) / (high - low)), "data", "axes fraction",
            color=colour, fontsize=9.5, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "relpos": (0, 0.5)},
        )  # fmt: skip


def _apart(axes: Axes, names: Sequence[Name]) -> list[tuple[float, Name]]:
    """Heights at which no name lies on another: pushed up where they are too near."""
    low, high = axes.get_ylim()
    placed, free = [], low
    for name in sorted(names):
        free = max(free, name[0])
        placed.append((free, name))
        free += GAP * (high - low)
    return placed
