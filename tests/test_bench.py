"""The instruments run, and say what they measured."""

import os

import numpy as np
import pytest
import torch
from rich.console import Console

from bridge import cli, preset
from bridge.bench import knobs, learn, looks, measure, sight, speed, swing
from bridge.bench.afternoon import Afternoon
from bridge.bench.learn import decibels
from bridge.learn import image, tuning
from bridge.learn.learner import Learner
from bridge.learn.optimiser import SCALE
from bridge.space import AddressSpace

SIZE = 64, 48


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """A test process has a core of its own, on which two threads would wait for each other."""
    monkeypatch.setattr(tuning, "OFFLINE_THREADS", 1)


def hurried(monkeypatch, woken, settled, heard):
    for name, count in (("WOKEN", woken), ("SETTLED", settled), ("HEARD", heard)):
        monkeypatch.setattr(swing, name, count)


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


def test_looks_shows_a_period_of_a_preset(tmp_path, monkeypatch):
    hurried(monkeypatch, 5, 5, 50)
    monkeypatch.setattr(looks, "LONG", 60)
    words = ["bench", "looks", "--net", "tiles", "--size", "64x32", "--frames", "8"]
    out = ["--preset", "pulse", "--in", "pattern:64x32", "--out", f"stills:{tmp_path / 'sheets'}"]
    assert cli.main([*words, *out]) == 0
    assert sorted(os.listdir(tmp_path / "sheets")) == ["000001.png", "000002.png"]


def wave(period, count=300, swing=5.0, noise=0.5):
    place, chance = np.arange(count), np.random.default_rng(1)
    curve = swing * np.sin(2 * np.pi * place / period) + 0.02 * place
    return list(curve + noise * chance.standard_normal(count))


@pytest.mark.parametrize("period", [5.0, 12.5, 40.0])
def test_the_strongest_wave_is_found_with_its_period_and_swing(period):
    found = swing.strongest(wave(period))
    assert found.period == pytest.approx(period, rel=0.03)
    assert found.swing == pytest.approx(5.0, rel=0.1)
    assert found.stands_out > 100


def test_noise_has_no_wave_that_stands_out():
    assert swing.strongest(wave(10.0, swing=0.0)).stands_out < 15


def test_the_lights_wave_is_looked_for_in_the_loss_at_half_its_period_too():
    trace = swing.Trace(loss=wave(20.0, swing=1.0, noise=0.1), light=wave(40.0))
    assert swing.in_loss(trace).period == pytest.approx(20.0, rel=0.03)


def test_a_network_that_begins_again_and_again_is_no_find():
    found = swing.Trace(light=wave(40.0), decibels=[20.0] * 300)
    assert swing._worth(found) > 100
    found.restarts = 1
    assert swing._worth(found) == 0


def test_a_period_begins_with_its_darkest_picture():
    light = wave(40.0, noise=0.0)
    trace = swing.Trace(light=light, pictures=[np.full((1, 1), n) for n in range(300)])
    chosen = [int(picture[0, 0]) for picture in swing.one_period(trace, 8)]
    assert chosen == [chosen[0] + 5 * step for step in range(8)]
    assert light[chosen[0]] == pytest.approx(min(light[200:]), abs=1.0)


@pytest.fixture(scope="module")
def long_source():
    return measure.fitted(measure.frames("pattern:96x64", 180), (96, 64))


def test_a_preset_that_swings_swings_and_the_same_network_at_rest_does_not(
    long_source, monkeypatch
):
    hurried(monkeypatch, 30, 30, 120)
    pulse = swing.strongest(swing.played(preset.read("pulse"), (96, 64), long_source).light)
    rest = swing.strongest(swing.played({}, (96, 64), long_source).light)
    assert 10 < pulse.period < 50
    assert pulse.swing > 4
    assert pulse.swing > 3 * rest.swing


def test_a_search_prints_what_it_found(long_source, monkeypatch):
    hurried(monkeypatch, 5, 5, 50)
    table = printed(swing.search({"clip": long_source[:60]}, (96, 64), 2))
    assert "the best of 2 settings" in table
    assert "clip" in table


def test_swing_follows_a_fader(monkeypatch, capsys):
    hurried(monkeypatch, 5, 5, 50)
    words = ["bench", "swing", "--preset", "pulse", "--fader", "/learn/momentum"]
    assert cli.main([*words, "--size", "32x32", "--in", "pattern:32x32"]) == 0
    assert capsys.readouterr().out.count("pulse") == len(swing.MOVED)


def test_knobs_moves_every_knob_and_lets_it_rest(source, monkeypatch):
    for name, count in (("TAUGHT", 6), ("HELD", 12), ("SWEPT", 12), ("RESTED", 4)):
        monkeypatch.setattr(knobs, name, count)
    one = knobs.Taught("tiles", SIZE, source * 2)
    moved = [knob for _, knob in knobs._knobs([one])]
    assert {"/see/blur", "/learn/rate", "/net/gate", "/net/name"} <= {k.address for k in moved}
    nobody, gate = one.nobody(), one.row(one.space["/net/gate"])
    assert float(nobody[4]) < 0.5 < float(gate[4])
    assert gate[2:7:3] == ["0", "1"]
    assert one.space["/net/gate"].value == 1.0


def test_a_knob_travels_from_its_rest_to_both_its_ends_and_back(source, monkeypatch):
    monkeypatch.setattr(knobs, "TAUGHT", 2)
    one = knobs.Taught("tiles", SIZE, source)
    way = knobs.travel(one.space["/learn/rate"], 90)
    assert (len(way), max(way), min(way)) == (90, 1.0, 0.0)
    assert way[-1] == pytest.approx(0.0025)
    assert set(knobs.travel(one.space["/learn/rule"], 90)) == set(SCALE)


def test_learn_tries_every_rule(monkeypatch, capsys):
    monkeypatch.setattr(learn, "RULED", 12)
    words = ["bench", "learn", "--net", "tiles", "--size", "64x48", "--frames", "12"]
    assert cli.main([*words, "--in", "pattern:64x48"]) == 0
    out = capsys.readouterr().out
    assert all(rule in out for rule in SCALE)


def test_what_a_knob_costs_is_told_for_every_knob_that_costs(source, monkeypatch):
    monkeypatch.setattr(speed, "BLOCKS", 1)
    table = printed(speed.costs((64, 32), measure.fitted(source, (64, 32))))
    assert all(name in table for name in (*speed.IN_USE, *speed.RULES))


def test_live_measures_with_the_faders_still_and_moved(capsys):
    words = ["bench", "live", "--net", "tiles", "--size", "64x48", "--frames", "12"]
    words += ["--in", "pattern:64x48"]
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


def test_sight_tells_what_each_treatment_costs_beside_the_cheapest(source, monkeypatch):
    monkeypatch.setattr(sight, "BLOCKS", 1)
    pictures = [image.to_planes(torch.from_numpy(frame.pixels)) for frame in source]
    times = sight.costs(pictures)
    assert len(times) == len(sight.TREATMENTS)
    assert all(len(measured) == len(source) - 8 for measured in times.values())
    shown = printed(sight.table("a clip", times))
    assert "drawing canny, canny_t1 1, canny_t2 10" in shown
    assert " 1.0 " in shown


def test_every_knob_of_a_drawing_is_tried_with_its_drawing():
    taught = Learner("tiles", SIZE)
    space = AddressSpace()
    for group, owner in taught.knobs():
        space.add(group, owner)
    asleep = [k.address for k in space if k.address.startswith("/see/") and not k.active]
    assert asleep
    for address in asleep:
        for other, value in knobs.WITH[address].items():
            space.assign(other, value)
        assert next(k for k in space if k.address == address).active


def test_collections_makes_pictures_and_measures_how_they_are_prepared(capsys):
    assert cli.main(["bench", "collections", "--frames", "20"]) == 0
    out = capsys.readouterr().out
    assert "museum finished" in out
    assert "20 pictures" in out
