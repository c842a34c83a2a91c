"""Curves as a picture. Needs matplotlib (`firstlight[plots]`), and no screen: a Figure that pyplot
does not know of draws itself with Agg."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bridge.bench.retention import PROBED

INK, FAINT, SHADE, PAPER = "#23272e", "#8b9199", "#efede7", "#ffffff"
SIZE, DOTS = (11.0, 5.8), 120  # inches, and dots in each
GAP = 0.042  # of the height, from one name at the right to the next

Name = tuple[float, str, str, str]  # height, text, colour, weight


def retention(
    title: str,
    clips: tuple[str, str],
    count: int,
    curves: Mapping[str, Sequence[Sequence[float]]],
    baselines: Mapping[str, Sequence[float]],
    path: Path,
) -> None:
    """dB of A along `count` frames of A, as many of B and a third of A again, as a PNG.

    `curves` has a list of equal looks for each line, one a seed: their mean is drawn in the band
    that they fill. `baselines` are thin; one of a single value is level.
    """
    figure = Figure(SIZE, DOTS, layout="constrained", facecolor=PAPER)
    axes = figure.add_subplot()
    end = 2 * count + count // 3
    names = [_baseline(axes, name, levels, end) for name, levels in baselines.items()]
    colours = [to_hex(c) for c in colormaps["turbo"](np.linspace(0.08, 0.88, len(curves)))]
    for (name, lives), colour in zip(curves.items(), colours, strict=True):
        names.append(_band(axes, name, lives, colour, end))
    _dress(axes, title, clips, count, end)
    _write(axes, names, end)
    figure.savefig(path, pil_kwargs={"optimize": True})


def _baseline(axes: Axes, name: str, levels: Sequence[float], end: int) -> Name:
    if len(levels) == 1:
        axes.axhline(levels[0], color=FAINT, linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
    else:
        places = PROBED * np.arange(len(levels))
        within = places <= end
        levels = list(np.asarray(levels)[within])
        axes.plot(places[within], levels, color=FAINT, linewidth=0.9, zorder=2)
    return levels[-1], name, FAINT, "normal"


def _band(axes: Axes, name: str, lives: Sequence[Sequence[float]], colour: str, end: int) -> Name:
    looks = min(end // PROBED + 1, *(len(life) for life in lives))
    seeds = np.array([life[:looks] for life in lives])  # (seeds, looks)
    places = PROBED * np.arange(looks)
    axes.fill_between(places, seeds.min(0), seeds.max(0), color=colour, alpha=0.16, linewidth=0)
    axes.plot(places, seeds.mean(0), color=colour, linewidth=2.0, zorder=4)
    return float(seeds.mean(0)[-1]), name, colour, "bold"


def _dress(axes: Axes, title: str, clips: tuple[str, str], count: int, end: int) -> None:
    axes.axvspan(count, 2 * count, color=SHADE, linewidth=0, zorder=0)
    axes.set_xlim(0, end)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.07 * (high - low))
    for begin, stop, playing in ((0, count, clips[0]), (count, 2 * count, clips[1])):
        _playing(axes, (begin + stop) / 2, f"{playing} plays")
    _playing(axes, (2 * count + end) / 2, f"{clips[0]} again")
    axes.set_title(title, loc="left", color=INK, fontsize=13, fontweight="bold", pad=14)
    axes.set_xlabel("frames learnt from", color=INK)
    axes.set_ylabel(f"dB of {clips[0]}'s held-out frames", color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="y", color="#dfe1e4", linewidth=0.6, zorder=1)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _playing(axes: Axes, middle: float, text: str) -> None:
    axes.text(
        middle, 0.975, text, transform=axes.get_xaxis_transform(), ha="center", va="top",
        color=INK, fontsize=10,
    )  # fmt: skip


def _write(axes: Axes, names: Sequence[Name], end: int) -> None:
    """Each line's name at its right end, pushed up where two would lie on each other."""
    low, high = axes.get_ylim()
    gap = GAP * (high - low)
    free = low
    for height, text, colour, weight in sorted(names):
        free = max(free, height)
        axes.annotate(
            text, (end, height), (1.02, (free - low) / (high - low)), "data", "axes fraction",
            color=colour, fontsize=9.5, fontweight=weight, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.6},
        )  # fmt: skip
        free += gap
