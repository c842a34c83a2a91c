"""How well it remembers: measured on what was never learnt from, and told in figures that hold."""

import math
import statistics

import numpy as np
import pytest
from fakes.stage import frame, picture
from PIL import Image
from rich.console import Console

from bridge import Refusal, cli
from bridge.bench import baselines, jpeg, measure, meeting, memory, plots, retention
from bridge.bench.retention import PROBED, Clip, Course
from bridge.frame import Frame

SIZE = 64, 48
REEL = [frame(seed=number / 10) for number in range(40)]


def printed(table):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


class Diary:
    """A pupil that writes down what it is taught and asked."""

    def __init__(self):
        self.taught, self.asked = [], []

    def learn(self, shown):
        self.taught.append(shown.pixels.tobytes())

    def score_of(self, shown):
        self.asked.append(shown.pixels.tobytes())
        return float(len(self.taught))


def course(a=(10.0, 20.0), b=(20.0, 10.0), again=(10.0, 20.0)):
    return Course((list(a), list(b), list(again)), ([0.0], [5.0, 7.0], [0.0]))


def clip(reel=REEL, count=30):
    return retention.clips(["a"], [reel], count)[0]


def plain(*values):
    return [Frame(np.full((48, 64, 4), value, np.uint8), "bgra", 0.0) for value in values]


# Probes


def test_a_probe_is_never_learnt_from_though_clips_go_round_and_share_pictures():
    diary = Diary()
    a, b = retention.clips("ab", [REEL * 3, REEL[::-1] * 3], 60)
    retention.walk(diary, a, b)
    assert len(diary.taught) > 120
    assert diary.asked
    assert not set(diary.taught) & set(diary.asked)
    assert (len(a.probes), len(b.probes)) == (3, 3)


def test_a_network_neither_learns_from_its_probes_nor_remembers_them():
    a = clip()
    pupil = memory.Living("tiles", SIZE, 0.5, 1)
    before = pupil.learner.weights.flat.clone()
    first = retention.level(pupil, a)
    assert pupil.learner.weights.flat.equal(before)
    assert len(pupil.learner.memory) == pupil.learner.score.learnt == 0
    for shown in a.learnt:
        pupil.learn(shown)
    assert retention.level(pupil, a) > first + 3
    assert len(pupil.learner.memory) > 0
    assert pupil.learner.memory.psnr > 0  # of what it met again: it has a share


def test_a_clip_gives_as_many_frames_to_learn_from_as_were_asked_for():
    assert len(clip(count=25).learnt) == 25
    assert len(clip(count=200).learnt) == 200
    assert retention.to_read(450) * 14 // 15 >= 450


def test_a_clip_that_stands_still_is_refused():
    with pytest.raises(Refusal, match="1 different pictures"):
        clip(plain(*[7] * 50))


# Figures on made-up curves


def test_what_is_known_is_the_mean_of_the_last_second():
    assert course(a=(0.0, 9.0, 20.0, 22.0, 24.0)).known == 22.0
    assert course(a=(0.0, 9.0, 20.0, 22.0, 24.0), b=(24.0, 4.0, 5.0, 6.0)).fall == 17.0


def test_the_half_life_is_when_half_of_what_was_gained_is_lost():
    falling = [20.0 - number for number in range(11)]
    lives = course(a=[8.0, *[20.0] * 6], b=falling)  # half is 14
    assert lives.half_life == pytest.approx(PROBED * 7)  # one look later than the bare curve
    assert course(a=[8.0, *[20.0] * 6], b=[20.0, 19.0, 15.0, 19.0]).half_life is None


def test_one_bad_look_is_no_half_life():
    assert course(a=[8.0, *[20.0] * 6], b=[20.0, 20.0, 5.0, 20.0, 20.0]).half_life is None


def test_savings_are_how_much_sooner_it_is_known_again():
    first = [10.0, 15.0, 20.0, 25.0, 30.0, 30.0, 30.0, 30.0]  # of 20 gained, 18 after 36 frames
    assert course(a=first, again=[18.0, 28.0, 30.0]).times(0.9) == pytest.approx((36, 10))
    assert course(a=first, again=[18.0, 28.0, 30.0]).savings(0.9) == pytest.approx(1 - 10 / 36)
    assert course(a=first, again=[18.0, 28.0, 30.0]).savings(0.5) == pytest.approx(1 - 2 / 20)
    assert course(a=first, again=[28.5, 30.0]).savings(0.9) == 1.0
    assert course(a=first, again=[10.0] * 6 + [30.0]).savings(0.9) < 0


def test_what_was_never_known_again_or_hardly_at_all_has_no_savings():
    first = [10.0, 15.0, 20.0, 20.0, 20.0]
    assert course(a=first, again=[0.0, 0.0]).savings(0.9) is None
    assert course(a=[10.0, 10.5, 10.9, 10.9, 10.9], again=[10.0, 11.0]).savings(0.9) is None


def test_what_is_known_meanwhile_is_the_mean_of_all_but_as_b_begins():
    assert course(b=(20.0, 10.0, 14.0)).meanwhile == 12.0


def test_the_drop_is_the_largest_between_two_looks():
    assert course(b=(20.0, 18.0, 12.0, 13.0, 8.0)).drop == 6.0


def test_the_last_phase_ends_when_all_is_known_again_but_not_before_its_third():
    a, b = retention.clips("ab", [REEL, REEL], 60)
    lives = retention.walk(Diary(), a, b)  # knows more with every frame it is taught
    assert [len(levels) for levels in lives.of_a] == [7, 7, 3]
    assert lives.of_a[1][0] == lives.of_a[0][-1] == 60.0


@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0, 2.0, 3.0], "2.0 ±1.0"), ([None, None], "never"), ([1.0, None], "1.0 / never")],
)
def test_seeds_are_told_by_their_mean_or_each_by_itself(values, said):
    assert memory._seeds(values) == said


# Baselines


def test_the_mean_picture_is_the_mean():
    assert np.all(baselines.mean_picture(plain(10, 20, 60)) == 30)


def test_a_moving_average_has_forgotten_all_but_an_eth_after_its_constant():
    average = baselines.MovingAverage(SIZE, 20)
    for shown in plain(*[255] * 20):
        average.learn(shown)
    assert average.picture[0, 0, 0] == pytest.approx(255 - 127.5 / math.e)
    assert average.score_of(plain(255)[0]) == pytest.approx(20 * math.log10(2 * math.e))


def test_decibels_are_those_of_the_learner():
    assert baselines.decibels(np.zeros((2, 2, 3)), np.full((2, 2, 3), 25.5)) == pytest.approx(20.0)
    pupil = memory.Living("through", SIZE, 0.0, 1)
    assert pupil.score_of(REEL[0]) == baselines.decibels(*[baselines.levels(REEL[0])] * 2) == 99.0


@pytest.mark.parametrize(
    ("name", "numbers"), [("ghost", 128), ("paint", 24 * 10 * 6), ("through", 0)]
)
def test_the_code_is_counted(name, numbers):
    assert baselines.code_bits(name, (160, 96)) == 16 * numbers


def test_a_thumbnail_fits_its_bits_at_about_the_pictures_aspect():
    assert baselines.thumbnail_size((160, 96), 2048) == (12, 7)
    assert baselines.thumbnail_size((160, 96), 24 * 160 * 96) == (160, 96)
    assert baselines.thumbnail_size((160, 96), 10**9) == (160, 96)


def test_a_thumbnail_keeps_what_is_plain_and_loses_what_is_fine():
    fine = np.indices((48, 64)).sum(0)[..., None].repeat(3, 2) % 2 * 255.0
    assert np.allclose(baselines.thumbnail(np.full((48, 64, 3), 70.0), (4, 3)), 70, atol=0.01)
    assert np.allclose(baselines.thumbnail(fine, (64, 48)), fine, atol=0.01)
    assert np.abs(baselines.thumbnail(fine, (4, 3)) - 127.5).max() < 10


def test_a_jpeg_is_the_best_that_fits():
    seen = picture()[..., :3].astype(float)
    levels = [
        baselines.decibels(shown, seen)
        for bits in (400, 2000, 8000, 10**6)
        if (shown := jpeg.within(seen, bits)) is not None
    ]
    assert len(levels) == 4
    assert levels == sorted(levels)
    assert levels[-1] > 35
    assert jpeg.within(seen, 8) is None


def test_of_a_jpeg_only_what_says_something_of_the_picture_is_counted():
    grey, busy = (
        jpeg.encoded(Image.fromarray(pixels), 90)
        for pixels in (np.full((48, 64, 3), 90, np.uint8), picture()[..., :3])
    )
    assert jpeg.scan_bytes(grey) < 40 < 300 < len(grey)
    assert len(busy) - 1000 < jpeg.scan_bytes(busy) < len(busy) - 200


def test_shuffled_frames_of_twice_the_same_clip_are_known_alike():
    a = clip()
    of_a, of_b = memory._shuffled("tiles", SIZE, a, a, 1)
    assert of_a == of_b > 18


# The plot and the command


def test_the_plot_is_a_png_that_opens(tmp_path):
    path = tmp_path / "curves.png"
    curves = {
        "share 0": [[10.0, 20.0, 15.0], [11.0, 21.0, 14.0]],
        "share 0.5": [[10.0, 20.0, 19.0]],
    }
    plots.retention("kept", ("a", "b"), 10, curves, {"mean": [12.0], "average": [9.0, 14.0]}, path)
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        pixels = np.asarray(drawn.convert("RGB"))
    assert pixels.shape[:2] == tuple(int(plots.DOTS * side) for side in reversed(plots.SIZE))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


@pytest.fixture
def small(monkeypatch):
    for name, value in (("SHARES", (0.0, 0.5)), ("SEEDS", (1, 2))):
        monkeypatch.setattr(memory, name, value)
    monkeypatch.setattr(meeting, "ROUNDS", 1)
    return ["bench", "memory", "--net", "tiles", "--size", "64x32", "--frames", "16"]


def test_memory_prints_what_is_kept_beside_what_a_sceptic_asks_for_and_what_it_costs(
    small, tmp_path, capsys
):
    assert cli.main([*small, "--out", str(tmp_path / "kept.png")]) == 0
    out = capsys.readouterr().out
    kept = ("A after B", "half-life", "75% savings", "90% savings", "largest drop")
    beside = ("mean of all frames", "moving average, 30", "shuffled", "thumbnail of", "JPEG of")
    cost = ("see and look", "no memory", "share 0", "3 remembered", "Meeting a picture")
    assert [told for told in (*kept, *beside, *cost) if told not in out] == []
    with Image.open(tmp_path / "kept.png") as drawn:
        drawn.verify()


def test_memory_without_the_extra_prints_its_tables_and_what_to_install(
    small, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(memory, "_extra", lambda _module: None)
    assert cli.main([*small, "--out", str(tmp_path / "kept.png")]) == 0
    out = capsys.readouterr().out
    assert "pip install matplotlib pillow" in out
    assert "thumbnail of" in out
    assert "JPEG of" not in out
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_no_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bridge.bench.plots", None)
    assert memory._extra("plots") is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pattern:"], "takes two clips"),
        (["--out", "kept.gif"], "name of a PNG"),
        (["--out", "nowhere/kept.png"], "folder that is there"),
    ],
)
def test_memory_refuses_with_what_to_do(words, told, small, capsys):
    assert cli.main([*small, *words]) == 2
    assert told in capsys.readouterr().err


def test_a_clip_is_a_movie_unless_it_names_a_transport():
    given = ("A.mp4", r"C:\clips\a.mp4", "pattern:64x48", "file:b.mp4", "stills:paintings@4")
    assert [measure.address(clip) for clip in given] == [
        "file:A.mp4", r"file:C:\clips\a.mp4", "pattern:64x48", "file:b.mp4", "stills:paintings@4",
    ]  # fmt: skip


def test_the_built_in_scene_is_cut_between_a_and_b():
    a, b = memory._clips([], SIZE, 20)
    pictures = [{shown.pixels.tobytes() for shown in clip.learnt} for clip in (a, b)]
    assert not pictures[0] & pictures[1]
    assert statistics.mean(len(clip.probes) for clip in (a, b)) >= 2


def test_the_memories_timed_hold_pictures_from_the_whole_of_both_clips():
    a, b = Clip("a", REEL * 4, REEL[:1]), Clip("b", plain(*range(200)), REEL[:1])
    mixed = meeting.pictures(a, b)
    assert len(mixed) >= 128
    assert {shown.pixels.shape for shown in mixed} == {(48, 64, 4)}


def test_what_is_timed_remembers_as_many_pictures_as_its_line_says():
    none, three = (meeting._taught("tiles", SIZE, REEL, count) for count in (0, 3))
    for one in (none, three):
        one.look(one.see(REEL[0]))
        one.learn()
    assert (none.memory.psnr, three.memory.frames) == (0.0, 3)
    assert three.memory.psnr > 0
    few = printed(meeting.costs("tiles", SIZE, plain(*[7] * 5)))
    assert "1 remembered" in few
    assert "3 remembered" not in few
