"""A network that is to give back the frame as it was, not as it was shown it."""

import json

import numpy as np
import pytest
import torch
from fakes.stage import frame

from bridge.learn import image
from bridge.learn.learner import Learner
from bridge.learn.score import decibels, mean_square
from bridge.learn.seeing import Seen
from bridge.nets.hand import Paint, palette_of

SIZE = 32, 32
RED_AND_BLUE = {"red": [0.1, 0.2, 0.8, 0.1, 0.1, 0.1], "blue": [0.8, 0.2, 0.1, 0.1, 0.1, 0.1]}


def learner(name="hand", seed=1, gray=1.0, **options):
    torch.set_num_threads(1)
    one = Learner(name, SIZE, seed=seed, **options)
    one.sight.gray = gray
    return one


def coloured(seed=0.0):
    return frame(*SIZE, seed=seed)


def patches(shown, patch=4):
    return image.to_patches(torch.from_numpy(shown.pixels), patch, torch.float32)


def play(one, seeds, pace=1 / 30):
    pictures = []
    for seed in seeds:
        pictures.append(one.look(one.see(coloured(seed), one.now + pace)).clone())
        one.learn()
    return pictures


def told_of(one, shown, monkeypatch):
    """What it is told of the target, and what it looks at, each time while `shown` is done."""
    hints, looks = [], []
    hint, forward = type(one.net).hint, type(one.net).forward
    monkeypatch.setattr(type(one.net), "hint", lambda net, t: (hints.append(t), hint(net, t))[1])
    monkeypatch.setattr(
        type(one.net), "forward", lambda net, x: (looks.append(x), forward(net, x))[1]
    )
    shown()
    return hints, looks


# What it is shown, and what is wanted of it


def test_it_is_shown_the_frame_treated_and_is_to_give_it_back_as_it_was():
    one = learner()
    x = one.see(coloured())
    assert torch.equal(image.levels(x, 4)[..., 0], image.levels(x, 4)[..., 2])
    one.look(x)
    assert torch.equal(one._seen.target, patches(coloured()))


def test_the_frame_is_wanted_as_it_was_before_the_last_pictures_trail_too():
    one = learner(gray=0.0)
    play(one, [0.0])
    one.sight.feedback = 0.5
    x = one.see(coloured(3.0))
    one.look(x)
    assert not torch.equal(x, one._seen.target)
    assert torch.equal(one._seen.target, patches(coloured(3.0)))


def test_while_sight_rests_both_are_one():
    one = learner(gray=0.0)
    one.look(one.see(coloured()))
    assert one._seen.x is one._seen.target


@pytest.mark.parametrize("name", ["paint", "tiles"])
def test_an_autoencoder_is_to_give_back_what_it_is_shown(name):
    one = learner(name)
    x = one.see(coloured())
    one.look(x)
    assert one._seen.target is x


def test_loss_and_db_are_against_the_frame():
    one = learner()
    x = one.see(coloured())
    one.look(x)
    one.on = False
    one.learn()
    with torch.no_grad():
        wrong = float(mean_square(one.net(x)[0] - patches(coloured())))
    assert one.score.psnr == pytest.approx(decibels(wrong), abs=1e-3)
    assert one.score.loss == pytest.approx(wrong, rel=1e-4)


def test_what_is_seen_from_outside_is_the_drawing():
    one = learner()
    play(one, [0.0])
    shown = one.seen()
    assert torch.equal(shown[..., 0], shown[..., 1])


def test_something_else_that_it_looks_at_is_wanted_as_it_is():
    one = learner()
    x = one.see(coloured()).clone()
    one.look(x)
    assert one._seen.target is x


def test_it_learns_colours_that_it_does_not_see():
    one = learner()
    play(one, [0.0] * 20)
    drawn = decibels(float(mean_square(one._seen.x - one._seen.target)))
    assert one.score.psnr > drawn + 3


def test_noise_and_mask_spoil_what_it_is_shown_and_not_what_is_wanted():
    one = learner()
    one.denoising.noise = 0.5
    x = one.see(coloured())
    one.look(x)
    assert float((one._looked_at - x).std()) == pytest.approx(0.5, rel=0.1)
    assert torch.equal(one._seen.target, patches(coloured()))


def test_a_score_is_against_the_frame_and_leaves_no_trace():
    one, twin = learner(), learner()
    play(one, [0.0]), play(twin, [0.0])
    score = one.score_of(coloured(3.0))
    assert torch.equal(play(one, [0.5])[0], play(twin, [0.5])[0])
    one.on = False
    play(one, [3.0])
    twin.on = False
    play(twin, [3.0])
    assert twin.score.psnr == one.score.psnr
    assert score != pytest.approx(decibels(0.0))
    assert learner().score_of(coloured(3.0)) == pytest.approx(first_db(3.0))


def first_db(seed):
    one = learner()
    play(one, [seed])
    return one.score.psnr


# The governor


def test_an_empty_drawing_of_a_full_frame_is_no_reason_to_fall_back():
    one = learner()
    one.sight.gray, one.sight.contrast = 0.0, 0.0  # fog: nothing is left in what it is shown
    one.weights.flat.zero_()
    one.optimiser.rate = 1e-3
    for _ in range(30):
        one._pass(one.seeing.of(coloured(), one.net, None))
        one.governor.watch(one.life, one._seen, one._y.detach() * 0, True, one.now)
        one.now += 0.1
    assert one.governor.why == ""


def test_a_flat_picture_of_a_full_drawing_is():
    one = learner()
    one.optimiser.rate = 1e-3
    for _ in range(30):
        one._pass(one.seeing.of(coloured(), one.net, None))
        one.governor.watch(one.life, one._seen, one._y.detach() * 0, True, one.now)
        one.now += 0.1
    assert "flat" in one.governor.why


def test_a_past_self_is_better_that_makes_more_of_the_frame():
    one = learner()
    play(one, [0.0] * 15)
    good = one.weights.flat.clone()
    one.weights.flat.zero_()
    one.life.origin.copy_(good)
    seen = one.seeing.of(coloured(), one.net, None)
    assert one.governor.refuge(one.life, seen, one._likeness, one.now) is one.life.origin
    assert one._likeness(good, seen) > one._likeness(one.weights.flat, seen) + 3


def watched(x, target, psnr, seconds=3.0):
    """A learner that has looked for so long at `x` with such dB against `target`, its picture
    flat."""
    one = learner()
    one.optimiser.rate, one.life.psnr = 1e-3, psnr
    for number in range(round(seconds * 30)):
        one.governor.watch(one.life, Seen(x, target), 0 * x, True, number / 30)
    return one.governor


FOG = torch.zeros(1, 48, 8, 8)
HARD = torch.ones(1, 48, 8, 8) * (1 - 2 * (torch.arange(8) // 4)[:, None])  # a grey card: 6 dB


def test_a_flat_picture_of_a_flat_frame_is_no_reason_either_however_it_was_drawn():
    assert watched(HARD, FOG, 20.0).why == ""
    assert "flat" in watched(HARD, HARD, 20.0).why


def test_far_worse_than_a_grey_card_is_meant_of_the_frame():
    assert watched(FOG, HARD, 3.0).why == ""
    assert watched(HARD, FOG + 0.1, 3.0).why == "it was far worse than a grey card for 2 s"


def test_a_self_is_taken_that_does_well_with_the_frame_however_little_was_drawn_of_it():
    assert watched(FOG, HARD, 10.0)._selves["hand"]


def test_a_lost_network_goes_back_to_the_self_that_was_worth_it_with_the_frame():
    one = learner()
    good = one.weights.flat * 2
    one.governor._selves["hand"] = [good]
    one.governor.lost = True
    seen = Seen(FOG, HARD)
    back = one.governor.refuge(one.life, seen, lambda *_: 8.0, one.now)
    assert back is good


# What it may know of what is wanted


def test_before_each_look_it_is_told_of_the_frame_and_of_what_is_remembered(monkeypatch):
    one = learner()
    one.memory.share, one.memory.frames, one.steps = 0.5, 1, 2
    play(one, [0.0])  # is remembered
    hints, looks = told_of(one, lambda: play(one, [5.0], 0.0), monkeypatch)
    frame_, remembered = patches(coloured(5.0)), patches(coloured(0.0))
    assert len(hints) == len(looks) == 4  # two steps, each with one of the past
    assert all(torch.equal(hint, frame_) for hint in hints[::2])
    assert all(torch.equal(hint, remembered) for hint in hints[1::2])


def test_its_own_palette_is_that_of_the_frame_and_not_of_the_drawing():
    one = learner()
    one.look(one.see(coloured()))
    told = one.played[Paint].told()
    assert torch.allclose(told[:, :3], 2 * palette_of(patches(coloured()))[:, :3] - 1)
    assert one.played[Paint].colours == "own"


def test_its_own_palette_meets_a_named_one_also_for_two_remembered_pictures():
    one = learner()
    paint = one.played[Paint]
    one.net.know({"palettes": json.dumps(RED_AND_BLUE)})
    paint.palette, paint.palette_b, paint.crossfade = "red", "own", 0.5
    one.memory.share = 0.5
    play(one, np.arange(4) * 3.0, 0.3)
    assert paint.colours == "red → own"
    assert (one.score.nonfinite, one.score.learnt) == (0, 4)


# Memory


def test_it_remembers_frames_as_they_were_and_meets_them_as_sight_now_stands():
    one = learner()
    one.memory.share, one.memory.frames = 0.5, 1
    play(one, [0.0])
    kept = one.memory.recollect(4, torch.float32)
    assert torch.equal(kept, patches(coloured()))
    x, target = one.seeing.again(kept, one.net)
    assert torch.equal(target, patches(coloured()))
    assert torch.allclose(x, one.see(coloured()), atol=1e-6)
    one.sight.invert = 1.0
    inverted, _ = one.seeing.again(kept, one.net)
    assert torch.allclose(inverted, -x, atol=1e-6)


def test_the_likeness_of_its_memories_is_to_the_frames():
    one = learner()
    one.memory.share, one.memory.frames, one.optimiser.rate = 0.5, 1, 0.0
    play(one, [0.0])
    play(one, [5.0], 0.0)
    assert one.memory.psnr == pytest.approx(one.score_of(coloured(0.0)), abs=1e-3)


def test_the_last_picture_leaves_no_trail_in_what_is_remembered():
    one = learner(gray=0.0)
    play(one, [0.0])
    one.sight.feedback = 1.0
    x, target = one.seeing.again(patches(coloured()), one.net)
    assert torch.equal(x, target)


def test_an_autoencoder_meets_what_it_remembers_untreated_for_that_was_done_then():
    one = learner("paint")
    kept = patches(coloured(), 8)
    x, target = one.seeing.again(kept, one.net)
    assert x is target is kept


def test_one_memory_serves_both_kinds_of_network():
    one = learner("paint")
    one.memory.share, one.memory.frames = 0.5, 3
    play(one, np.arange(3) * 3.0, 0.3)
    one.running.name = "hand"
    play(one, 40 + np.arange(3) * 3.0, 0.3)
    assert len(one.memory) == 6
    one.running.name = "paint"
    play(one, 80 + np.arange(2) * 3.0, 0.3)
    assert (one.score.nonfinite, one.score.rollbacks) == (0, 0)


# Time


def test_noise_that_is_stirred_moves_by_the_shows_time():
    def pictures(*times):
        one = learner()
        one.on = False
        one.played[Paint].stir = 1.0
        return [one.look(one.see(coloured(), now)).clone() for now in times]

    slow, same = pictures(1.0, 1.5, 1.5), pictures(1.0, 1.5)
    assert not torch.equal(slow[0], slow[1])
    assert torch.equal(slow[1], slow[2])
    assert torch.equal(slow[1], same[1])
    assert not torch.equal(pictures(1.0, 1.2)[1], slow[1])


def test_offline_a_frame_is_a_thirtieth_of_a_second_of_stirring():
    one, other = learner(), learner()
    for each in (one, other):
        each.on, each.played[Paint].stir = False, 1.0
    for number in range(1, 5):
        by_itself = one.look(one.see(coloured()))
        assert torch.equal(by_itself, other.look(other.see(coloured(), number / 30)))


def test_a_score_stirs_nothing():
    one = learner()
    one.played[Paint].stir = 1.0
    one.see(coloured(), 1.0)
    before = one.played[Paint]._phase
    one.score_of(coloured())
    assert one.played[Paint]._phase == before


def test_it_has_no_code_and_does_not_dream():
    one = learner()
    play(one, [0.0])
    assert one.dream(1.0) is None
    assert one.now == 1.0


# /learn/on 0


@pytest.mark.parametrize("name", ["paint", "hand"])
def test_with_learning_off_the_picture_is_the_frozen_brains_to_the_bit(name):
    one = learner(name)
    play(one, np.arange(3) * 0.3)
    kept = one.weights.flat.clone()
    frozen, one.on = one.weights.hash(), False
    pictures = play(one, np.arange(3) * 0.7)
    for seed, picture in zip(np.arange(3) * 0.7, pictures, strict=True):
        seen = one.seeing.of(coloured(seed), one.net, None)
        with torch.no_grad():
            y, _ = one._answer(*seen)
        assert torch.equal(picture, image.quantise(y, one.net.patch))
    assert one.weights.hash() == frozen
    assert torch.equal(one.weights.flat, kept)


@pytest.mark.parametrize("name", ["paint", "hand"])
def test_who_has_learnt_and_is_the_brain_again_shows_what_who_never_learnt_shows(name):
    one, never = learner(name), learner(name)
    brain = one.weights.flat.clone()
    never.on = False
    play(one, np.arange(3) * 0.3), play(never, np.arange(3) * 0.3)
    one.on = False
    one.life.go_on_from(brain)
    for a, b in zip(play(one, [4.0, 5.0]), play(never, [4.0, 5.0]), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["paint", "hand"])
def test_a_switch_that_is_thrown_between_frames_leaves_the_picture_to_the_bit(name):
    one, never = learner(name), learner(name)
    never.on = False
    one.optimiser.rate = 0.0  # or the frames in between would be learnt from
    for number in range(4):
        one.on = number % 2 == 0
        (a,), (b,) = play(one, [number * 0.3]), play(never, [number * 0.3])
        assert torch.equal(a, b)
    assert torch.equal(one.weights.flat, never.weights.flat)
