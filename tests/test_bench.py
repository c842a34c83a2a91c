"""The instruments run, and say what they measured."""

import os

import numpy as np
import pytest
from rich.console import Console

from bridge import cli
from bridge.bench import measure, speed
from bridge.bench.afternoon import Afternoon
from bridge.bench.learn import decibels
from bridge.learn.learner import Learner

SIZE = 64, 48


def printed(table) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.fixture(scope="module")
def source():
    return measure.fitted(measure.frames("pattern:64x48", 12), SIZE)


def test_the_frames_are_as_many_as_asked_and_at_the_networks_size(source):
    assert [frame.pixels.shape for frame in source] == [(48, 64, 4)] * 12


def test_the_afternoons_work_is_no_straw_man_it_learns_as_well_as_ours(source):
    afternoon, ours = Afternoon("tiles", SIZE), Learner("tiles", SIZE, seed=0)
    decibels(ours, source * 5)
    for frame in source * 5:
        theirs = afternoon.turn(frame.pixels)
    error = np.square(theirs / 127.5 - source[-1].pixels[..., :3] / 127.5).mean()
    assert 10 * np.log10(4 / error) > ours.score.psnr - 2


def test_speed_compares_ours_with_the_afternoons(source, monkeypatch):
    monkeypatch.setattr(speed, "BLOCKS", 1)
    table = printed(speed.against("tiles", SIZE, source))
    assert "an afternoon's work" in table
    assert "First Light, bfloat16" in table
    assert "1.00" in table


def test_speed_tells_the_stages_and_the_operations(source):
    table = printed(speed.stages("tiles", SIZE, source, {"float32": 100.0, "bfloat16": 100.0}))
    assert all(stage in table for stage in ("see", "look", "send", "learn", "GFLOP"))


def test_the_operations_counted_are_those_of_three_passes(source):
    learner = Learner("tiles", SIZE)
    forward = 2 * (6 * 8) * (192 * 64 + 64 * 16) * 2  # two 1x1 convolutions each way
    stem_input = 2 * (6 * 8) * 192 * 64  # whose gradient nobody needs
    assert speed.gigaflops(learner, source[0]) == pytest.approx((3 * forward - stem_input) / 1e9)


def test_decibels_rise_from_blank(source):
    curve = decibels(Learner("tiles", SIZE), source * 4)
    assert curve[-1] > curve[0] + 5


def test_looks_writes_a_sheet_for_each_source(tmp_path, capsys):
    words = ["bench", "looks", "--net", "tiles", "--size", "64x48", "--frames", "8"]
    sources = ["--in", "pattern:64x48", "--in", "pattern:32x32"]
    assert cli.main([*words, *sources, "--out", f"stills:{tmp_path / 'sheets'}"]) == 0
    assert sorted(os.listdir(tmp_path / "sheets")) == ["000001.png", "000002.png"]
    assert "tiles" in capsys.readouterr().out


def test_live_measures_with_the_faders_still_and_moved(capsys):
    words = ["bench", "live", "--net", "tiles", "--size", "64x48", "--frames", "45"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "still" in out
    assert "moved" in out


@pytest.mark.parametrize(
    ("times", "shown"),
    [([1.0] * 40, "  1.00 (1.00 .. 1.00)"), (list(range(41)), " 20.00 (2.00 .. 38.00)")],
)
def test_a_spread_is_the_median_and_what_most_lie_within(times, shown):
    assert measure.spread(times) == shown
