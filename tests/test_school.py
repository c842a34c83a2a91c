"""School: what is drawn, what is asked, and that a school can be stopped, shared and trusted."""

import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from fakes import museum as fake

from bridge import Refusal, nets, parsers
from bridge.learn import brain, filters
from bridge.learn.life import Life
from bridge.learn.shards import Shards
from bridge.museum import critic, crops, exercises, lessons, marks, school
from bridge.museum.crops import Crops
from bridge.museum.pupil import Plan, Pupil, let_in
from bridge.nets import hand

HAND = Plan("hand", "hand", 32, 4, 8, 0, "float32", "")
EYE = Plan("eye", "tiles", 32, 2, 8, 0, "float32", "")


@pytest.fixture(scope="module")
def museum(tmp_path_factory):
    return fake.made(tmp_path_factory.mktemp("museum"))


def pupil(plan, museum):
    return Pupil(plan, museum, torch.device("cpu"))


def painting(seed=3, side=64):
    """Something with edges, texture and colours: (1, 3, side, side)."""
    chance = torch.Generator().manual_seed(seed)
    coarse = torch.randn((1, 3, side // 8, side // 8), generator=chance)
    x = torch.nn.functional.interpolate(coarse, scale_factor=8.0, mode="nearest") * 0.4
    return (x + 0.1 * torch.randn((1, 3, side, side), generator=chance)).clamp(-1, 1)


# What is drawn


def test_the_same_number_draws_the_same_crop(museum):
    drawn = Crops(museum, (32, 32), 5)
    one, other = (drawn.draw(drawn.dice(7, 2)) for _ in range(2))
    assert one[0] == other[0]
    assert torch.equal(one[1], other[1])


def test_another_number_draws_another_crop(museum):
    drawn = Crops(museum, (32, 32), 5)
    assert not torch.equal(drawn.draw(drawn.dice(7, 2))[1], drawn.draw(drawn.dice(7, 3))[1])


def test_a_crop_has_its_size_and_range_whatever_the_picture(museum):
    drawn = Crops(museum, (96, 32), 0)
    for shape in ((40, 300, 3), (300, 40, 3), (8, 8, 3), (500, 500, 3)):
        x = drawn.cut(torch.full(shape, 255, dtype=torch.uint8), random.Random(1))
        assert x.shape == (1, 3, 32, 96)
        assert torch.allclose(x, torch.ones(()))


def test_the_whole_picture_is_seen_on_as_many_lines_as_a_show_has(museum):
    drawn = Crops(museum, (32, 32), 0)
    ramp = (torch.arange(400) // 2).to(torch.uint8)[None, :, None].expand(400, 400, 3)
    found = []
    for seed in range(30):
        x = drawn.cut(ramp, random.Random(seed))
        pixels = float((x[0, 0, 0, -3] - x[0, 0, 0, 2]).abs()) * 127.5 * 2
        found.append(400 * 27 / pixels)
    assert crops.LINES[0] * 0.95 < min(found) < 300
    assert 350 < max(found) < crops.LINES[1] * 1.05


@pytest.mark.parametrize("plan", [HAND, EYE], ids=["hand", "eye"])
def test_what_is_held_out_is_in_no_batch(museum, plan, monkeypatch):
    drawn = []
    asked = Shards.picture
    monkeypatch.setattr(
        Shards, "picture", lambda self, index: drawn.append(index) or asked(self, index)
    )
    one = pupil(plan, museum)
    for _ in range(12):
        one.lesson.loss(one.step, 0.5, 0.0)
        one.step += 1
    names = {museum.entries[index].name for index in drawn}
    assert names == {entry.name for entry in museum.entries} - set(fake.HELD)


def test_what_is_marked_is_what_is_held_out(museum):
    found = Crops(museum, (32, 32), 0).held(8, 48)
    assert {museum.entries[index].name for index, _ in found} == set(fake.HELD)
    assert all(x.shape == (1, 3, 48, 48) for _, x in found)


# Exercises


@pytest.mark.parametrize("plain", [True, False])
def test_an_exercise_has_no_colour_and_stays_in_range(plain):
    x = painting()
    for seed in range(40):
        seen = exercises.shown(x, random.Random(seed), plain)
        assert seen.shape == (1, 1, *x.shape[2:])
        assert float(seen.abs().max()) <= 1


def test_an_exercise_follows_from_its_dice():
    x = painting()
    one, other = (exercises.shown(x, random.Random(9), False) for _ in range(2))
    assert torch.equal(one, other)


def test_a_painting_is_recoloured_by_a_share_of_the_way_to_a_palette():
    x = 0.5 * painting()
    own, other = hand.palette_of(x), torch.tensor([[0.5, 0.4, 0.6, 0.1, 0.12, 0.08]])
    assert torch.allclose(exercises.recoloured(x, other, 0.0), x, atol=1e-5)
    for share in (0.5, 1.0):
        found = hand.palette_of(exercises.recoloured(x, other, share))
        assert torch.allclose(found, torch.lerp(own, other, share), atol=0.01)


def test_a_colour_that_is_hardly_there_is_not_spread_into_noise():
    x = torch.full((1, 3, 32, 32), -0.5) + 0.001 * painting(side=32)
    wide = torch.tensor([[0.5, 0.5, 0.5, 0.3, 0.3, 0.3]])
    found = exercises.recoloured(x, wide, 1.0)
    assert torch.allclose(found.mean((2, 3)), torch.zeros(()), atol=0.02)
    assert float(found.std()) < 0.01


def test_what_is_told_of_a_palette_is_that_of_the_picture_to_be_given_back(museum, monkeypatch):
    monkeypatch.setattr(lessons, "RECOLOURED", 1.0)
    monkeypatch.setattr(lessons, "VAGUE", 0.0)
    one = pupil(HAND, museum).lesson
    recoloured = 0
    for step in range(8):
        given = one._exercise(step, 3)
        assert torch.allclose(given.told, hand.standard(hand.palette_of(given.x), 1.0), atol=1e-5)
        dice = one._crops.dice(step, 3)
        recoloured += not torch.equal(one._crops.draw(dice)[1], given.x)
    assert recoloured == 8


def test_what_an_untold_picture_looks_like_is_left_alone(museum, monkeypatch):
    monkeypatch.setattr(lessons, "RECOLOURED", 1.0)
    monkeypatch.setattr(lessons, "UNTOLD", 1.0)
    one = pupil(HAND, museum).lesson
    for step in range(4):
        drawn = one._crops.draw(one._crops.dice(step, 0))[1]
        assert torch.equal(one._exercise(step, 0).x, drawn)


def test_every_kind_of_exercise_comes_up(monkeypatch):
    kinds = set()
    for name in ("toned", "lined"):
        ours = getattr(exercises, name)
        monkeypatch.setattr(
            exercises, name, lambda x, dice, kind, f=ours: kinds.add(kind) or f(x, dice, kind)
        )
    for seed in range(40):
        exercises.shown(painting(side=32), random.Random(seed), False)
    assert kinds == set(exercises.KINDS)


def test_lines_are_dark_on_light_most_of_the_time():
    x = painting()
    means = [exercises.lined(x[:, :1], random.Random(n), "drawing").mean() for n in range(60)]
    assert sum(mean > 0 for mean in means) > 40


# Judges


JUDGES = {
    "patches": lambda y, x: critic.patches_apart(y, x, random.Random(0)),
    "colours": lambda y, x: critic.colours_apart(y, x, random.Random(0)),
    "frequencies": critic.frequencies_apart,
    "structure": critic.structure_apart,
}


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_a_judge_finds_a_picture_like_itself(judge):
    assert float(judge(painting(), painting()).abs().max()) < 1e-5


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_a_judge_tells_a_blur_from_the_painting(judge):
    x = painting()
    blur = torch.nn.functional.avg_pool2d(x, 9, 1, 4)
    assert float(judge(blur, x)) > 0.02


@pytest.mark.parametrize("name", ["patches", "colours", "frequencies"])
def test_a_judge_of_paint_leaves_place_free(name):
    x = painting()
    turned = x.roll((16, 24), (2, 3))
    blur = torch.nn.functional.avg_pool2d(x, 9, 1, 4)
    assert float(JUDGES[name](turned, x)) < 0.6 * float(JUDGES[name](blur, x))


def test_structure_does_not_leave_place_free():
    x = painting()
    assert float(critic.structure_apart(x.roll(16, 3), x)) > 0.5


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_pictures_are_judged_one_by_one(judge):
    y, x = painting(1), painting(2)
    both = judge(torch.cat([y, x]), torch.cat([x, x]))
    assert float(both[0]) == pytest.approx(float(judge(y, x)[0]), rel=1e-4)
    assert float(both[1]) == pytest.approx(0, abs=1e-5)


def test_paint_is_asked_for_the_colour_of_the_whole_picture(monkeypatch):
    x = 0.5 * painting()
    rest = ["NEAR", "NEAR_IN_MEAN", "ALIKE", "PATCHES", "COLOURS", "FREQUENCIES"]
    for name in rest:
        monkeypatch.setattr(lessons, name, 0.0)
    tinted = x + torch.tensor([0.3, 0.0, 0.0]).view(1, 3, 1, 1)
    wrong = lessons.as_paint(torch.cat([tinted, x.flip(3)]), torch.cat([x, x]), random.Random(0))
    assert wrong.tolist() == pytest.approx([lessons.NEAR_IN_ALL * 0.1, 0], abs=1e-5)


def test_squares_begin_anywhere_and_are_the_same_of_both():
    x = painting(side=64)
    begun = set()
    for seed in range(40):
        y, z = lessons.shifted((x, x), random.Random(seed))
        assert torch.equal(y, z)
        assert y.shape[2:] == (56, 56)
        found = (x[0, 0].unfold(0, 56, 1).unfold(1, 56, 1) == y[0, 0]).all(-1).all(-1).nonzero()
        begun.add(tuple(found[0].tolist()))
    assert len(begun) > 20
    assert {top for top, _ in begun} == {left for _, left in begun} == set(range(8))


def test_the_critic_sees_a_place_and_not_the_whole():
    torch.manual_seed(0)
    judge = critic.Critic().eval()
    x = torch.zeros(1, 3, 96, 96)
    there = x.clone()
    there[..., 80:, 80:] = 1
    with torch.no_grad():
        seems = judge(x) - judge(there)
    assert float(seems[..., :5, :5].abs().max()) < 1e-6
    assert float(seems[..., -2:, -2:].abs().max()) > 0


# Marks


def test_a_picture_is_like_itself():
    x = painting()
    assert marks.ssim(x, x) == pytest.approx(1)
    assert marks.decibels(x, x) > 90


def test_decibels_are_of_the_whole_range():
    x = torch.zeros(1, 3, 16, 16)
    assert marks.decibels(x + 0.2, x) == pytest.approx(20)


def test_similarity_is_taken_of_light_from_black():
    """Of values about 0, dark pictures would be unlike themselves a shade brighter."""
    dark = painting() * 0.1 - 0.8
    assert marks.ssim(dark + 0.02, dark) > 0.9


def test_a_pens_ink_is_half_black_ten_levels_under_what_is_around():
    dot = torch.zeros(1, 3, 33, 33)
    dot[..., 16, 16] = 1
    under = float(filters.gaussian(dot, 0.8)[0, 0, 16, 16]) - 1 / 15**2  # of a dot's own light
    levels = [0.0, 10.2, 20.4]
    drawn = [marks.pen(-dot * level * filters.LEVEL / under)[0, 0, 16, 16] for level in levels]
    assert drawn == pytest.approx([0.76, 0, -0.76], abs=0.01)


def test_paint_is_of_the_noise_that_is_given(museum):
    life = pupil(HAND, museum).mean()
    x, palette = painting(side=32).repeat(2, 1, 1, 1), torch.full((1, 6), 0.3)
    noise = hand.draw_noise((2, 16, 8, 8), torch.Generator().manual_seed(1))
    stands, given = (
        marks.painted(life, x, palette, 1.0),
        marks.painted(life, x, palette, 1.0, noise),
    )
    assert torch.equal(stands[0], stands[1])
    assert not torch.equal(given[0], given[1])


def test_periodicity_hears_a_grid_and_no_noise():
    noise = 0.2 * torch.randn((2, 3, 256, 256), generator=torch.Generator().manual_seed(0))
    grid = noise.clone()
    grid[..., ::4] += 0.05
    assert all(0.9 < heard < 1.1 for heard in marks.periodicity(noise, 4))
    across, down = marks.periodicity(grid, 4)
    assert across > 1.5
    assert 0.9 < down < 1.1


def test_texture_and_saturation_are_those_of_a_painting_beside_its_blur():
    x = painting()
    assert float(marks.texture(torch.nn.functional.avg_pool2d(x, 9, 1, 4))) < 0.5 * float(
        marks.texture(x)
    )
    gray = x.mean(1, keepdim=True).expand_as(x)
    assert float(marks.saturation(gray)) == 0 < float(marks.saturation(x))


# A school


def test_the_rate_comes_in_is_held_and_goes_out():
    rates = [let_in(step, 1000, 0.1) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert rates[100] == rates[850] == 1
    assert rates[950] == pytest.approx(0.51, abs=0.01)
    assert rates[-1] < 0.03


@pytest.mark.parametrize(("plan", "left"), [(HAND, 1.0), (EYE, 0.51)], ids=["hand", "eye"])
def test_a_hands_rate_is_held_and_an_eyes_goes_out_all_along(museum, plan, left, monkeypatch):
    one = pupil(replace(plan, steps=1000), museum)
    one.step, rates = 500, []
    monkeypatch.setattr(one._taught, "step", lambda _loss, rate: rates.append(rate) or True)
    one.turn()
    assert rates == pytest.approx([2e-3 * left], rel=0.01)


@pytest.mark.parametrize("plan", [HAND, EYE], ids=["hand", "eye"])
def test_a_pupil_that_was_put_away_becomes_what_it_would_have_become(museum, plan):
    straight, first, second = (pupil(plan, museum) for _ in range(3))
    for _ in range(plan.steps):
        straight.turn()
    for _ in range(3):
        first.turn()
    second.take(first.state(), first.step)
    for _ in range(plan.steps - 3):
        second.turn()
    assert torch.equal(second.life.weights.flat, straight.life.weights.flat)
    assert torch.equal(second.mean().weights.flat, straight.mean().weights.flat)
    assert second.mean().weights.hash() != pupil(plan, museum).mean().weights.hash()


CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@CARD
@pytest.mark.parametrize("plan", [HAND, EYE], ids=["hand", "eye"])
def test_a_card_teaches_as_a_processor_does(museum, plan):
    here, there = (Pupil(plan, museum, torch.device(kind)) for kind in ("cpu", "cuda"))
    losses = [[float(one.turn()) for _ in range(plan.steps)] for one in (here, there)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_a_hand_learns_and_so_does_its_critic(museum):
    one = pupil(HAND, museum)
    before = {name: tensor.clone() for name, tensor in one.state().items()}
    for _ in range(6):
        one.turn()
    after = one.state()
    for name in ("taught/flat", "lesson/flat", "mean"):
        assert not torch.equal(before[name], after[name]), name


def test_the_critic_is_not_asked_before_its_time(museum):
    one = pupil(HAND, museum)
    before = one.state()["lesson/flat"]
    one.lesson.loss(0, lessons.CRITIC_FROM - 0.01, 1.0)
    assert torch.equal(one.state()["lesson/flat"], before)


def test_half_of_a_step_is_plain():
    assert [lessons.is_plain(one, 8) for one in range(8)] == [True] * 4 + [False] * 4


def test_a_plain_exercise_has_no_noise_and_a_painted_one_has(museum):
    one = pupil(HAND, museum)
    told = [one.lesson._exercise(0, number).told[0, -1] for number in range(4)]
    assert told == [0, 0, 1, 1]


RANK = """
import os, sys, torch
import torch.distributed as dist
from fakes import museum as fake
from bridge.learn.shards import Shards
from bridge.museum.pupil import Plan, Pupil
from pathlib import Path
torch.set_num_threads(1)
store = dist.FileStore(sys.argv[2], 2)
dist.init_process_group("gloo", store=store, rank=int(sys.argv[3]), world_size=2)
plan = Plan("hand", "hand", 32, 4, 8, 0, "float32", "")
one = Pupil(plan, Shards(Path(sys.argv[1])), torch.device("cpu"))
print([float(one.turn()) for _ in range(6)])
dist.destroy_process_group()
"""


def test_two_processes_teach_as_one_does(museum, tmp_path):
    words = [sys.executable, "-c", RANK, str(museum.folder), str(tmp_path / "meet")]
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    both = [
        subprocess.Popen([*words, str(rank)], stdout=subprocess.PIPE, env=place, text=True)
        for rank in range(2)
    ]
    alone = pupil(HAND, museum)
    losses = [float(alone.turn()) for _ in range(6)]
    for process in both:
        told = process.communicate(timeout=60)[0]
        assert eval(told) == pytest.approx(losses, rel=0.01)


# The command


def test_a_step_that_was_held_up_shortens_no_school(museum, monkeypatch):
    clock, held_up = [0.0], iter([9, 9, 1, 40, 1, 1, 1, 7, 1, 1, 30])

    class Slow:
        def __init__(self, plan, *_):
            self.plan = plan

        def turn(self):
            clock[0] += next(held_up)
            return 0.0

    monkeypatch.setattr(school, "Pupil", Slow)
    monkeypatch.setattr(school.time, "perf_counter", lambda: clock[0])
    assert school.steps_in(900, HAND, museum, torch.device("cpu")) == 900


def go(folder, out, *words):
    options = ["--side", "32", "--batch", "4", "--threads", "1", "--out", str(out), str(folder)]
    school.main(parsers.school_parser().parse_args([*words, *options]))


@pytest.fixture(scope="module")
def schooled(museum, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "hand.safetensors"
    go(museum.folder, out, "--steps", "20")
    return out


def test_a_museum_is_known_by_its_pictures_and_not_by_its_day(tmp_path):
    one, later, other = (
        fake.made(folder, counts)
        for folder, counts in (
            (made_in(tmp_path, "one"), (("a", 3), ("b", 2), ("c", 1))),
            (made_in(tmp_path, "later"), (("a", 3), ("b", 2), ("c", 1))),
            (made_in(tmp_path, "other"), (("a", 2), ("b", 3), ("c", 1))),
        )
    )
    later.card["date"] = "2027-01-01"
    assert school._known_by(one) == school._known_by(later) != school._known_by(other)


def made_in(folder, name):
    (folder / name).mkdir()
    return folder / name


def test_a_school_leaves_a_brain_that_opens(schooled):
    life = Life(
        "hand", (64, 96), nets.knobs(torch.Generator()), torch.device("cpu"), torch.float32, 1
    )
    brain.load(life, str(schooled))
    assert life.learnt == 20


def test_a_brain_says_what_it_was_taught_on(schooled):
    told = brain.head(schooled)
    assert '"pictures": 4' in told["card"]
    assert list(eval(told["palettes"]))[:3] == ["all", "a", "b"]


def test_sheets_and_curves_lie_beside_it(schooled):
    names = {path.name for path in schooled.with_name("hand-school").iterdir()}
    assert {"curves.png", "sheet-000020.png", "state.safetensors"} <= names


def test_a_finished_school_has_nothing_to_do(schooled, museum, capsys):
    before = schooled.read_bytes()
    go(museum.folder, schooled, "--steps", "20")
    assert "going on from step 20 of 20" in capsys.readouterr().out
    assert schooled.read_bytes() == before


def test_another_plan_is_refused_and_what_it_was_is_told(schooled, museum):
    with pytest.raises(Refusal, match=r"steps 20.*--anew"):
        go(museum.folder, schooled, "--steps", "30")


def test_a_hand_is_taught_in_the_lesson_hand_only(museum, tmp_path):
    with pytest.raises(Refusal, match="lesson hand"):
        go(museum.folder, tmp_path / "a.safetensors", "--lesson", "eye", "--net", "hand")


def test_no_museum_is_told_how_to_make_one(tmp_path):
    with pytest.raises(Refusal, match="firstlight collections"):
        go(tmp_path, tmp_path / "a.safetensors", "--steps", "2")


def test_a_folder_is_no_place_for_a_brain(museum, tmp_path):
    with pytest.raises(Refusal, match="--out"):
        go(museum.folder, tmp_path, "--steps", "2")


def test_a_time_becomes_steps_and_is_not_measured_again(museum, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(school, "steps_in", lambda seconds, *_: asked.append(seconds) or 3)
    out = tmp_path / "eye.safetensors"
    for _ in range(2):
        go(museum.folder, out, "--lesson", "eye", "--net", "tiles", "--minutes", "0.5")
    assert asked == [30]
    assert brain.head(out)["steps"] == "3"


def test_all_of_a_museum_is_in_the_palettes_and_what_is_held_out_is_not(museum):
    names = list(school.palettes(museum))
    assert names[0] == school.TOGETHER
    assert set(names[1:]) == {"a", "b", "a/0", "a/1", "a/2", "b/0"}


def test_the_palette_of_a_crop_is_the_one_that_a_hand_is_told():
    x = painting()
    patches = torch.nn.functional.pixel_unshuffle(x, 4).view(1, 3, 16, 16, 16).transpose(1, 2)
    told = hand.palette_of(patches.reshape(1, 48, 16, 16))
    assert torch.allclose(told, hand.palette_of(x), atol=1e-5)
