"""The replay memory: what is kept, for how long, and what it does to learning."""

import random

import pytest
import torch
from fakes.stage import frame

from bridge.learn import image, memory
from bridge.learn.learner import Learner
from bridge.learn.memory import EVERY, ReplayMemory

SIZE = 64, 48


def begun(**knobs):
    kept = ReplayMemory(SIZE, torch.device("cpu"), random.Random(1))
    for name, value in knobs.items():
        setattr(kept, name, value)
    return kept


def seen(seed):
    return image.to_patches(torch.from_numpy(frame(seed=seed).pixels), 8, torch.float32)


def meet(kept, seeds, start=0.0, error=0.1):
    for number, seed in enumerate(seeds):
        kept.meet(seen(seed), 8, error, start + number * EVERY)


def learner(name="ghost", **knobs):
    torch.set_num_threads(1)
    one = Learner(name, (64, 64), seed=1)
    for knob, value in knobs.items():
        setattr(one.memory, knob, value)
    return one


def play(one, seeds):
    for seed in seeds:
        one.look(one.see(frame(seed=seed)))
        one.learn()


def known(one, seed):
    """dB of a picture, looked at and not learnt from."""
    return one.score_of(frame(seed=seed))


def test_what_is_new_is_kept_at_most_four_times_a_second():
    kept = begun()
    for number in range(31):
        kept.meet(seen(number), 8, 0.1, number / 30)
    assert len(kept) == 4


def test_a_camera_that_stands_still_leaves_one_picture():
    kept = begun()
    noise = torch.Generator().manual_seed(0)
    for number in range(200):
        x = seen(0)
        kept.meet(x + 0.05 * torch.randn(x.shape, generator=noise), 8, 0.1, number * EVERY)
    assert len(kept) == 1


def test_a_scene_that_comes_back_is_not_kept_twice():
    kept = begun()
    meet(kept, [0, 1, 2] * 20)
    assert len(kept) == 3


def test_what_the_network_predicts_badly_is_newer():
    novelties = []
    for surprise in (0.01, 0.1, 1.0):
        kept = begun()
        meet(kept, [0] * 5)
        kept.meet(seen(0.3), 8, surprise, 100.0)
        novelties.append(kept.novelty)
    assert novelties == sorted(novelties)
    assert novelties[0] < novelties[1] < novelties[2]


def test_a_picture_comes_back_as_it_was_seen():
    kept = begun(share=0.5, frames=1)
    meet(kept, [3])
    assert torch.equal(kept.recollect(8, torch.float32), seen(3))
    assert torch.equal(kept.glimpse(8, torch.float32), seen(3))


def test_so_many_as_asked_are_remembered_and_no_picture_twice():
    kept = begun(share=0.5, frames=3)
    meet(kept, range(5))
    together = kept.recollect(8, torch.float32)
    assert together.shape == (3, 192, 6, 8)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("knobs", [{"share": 0.0}, {"share": 0.5, "frames": 0}])
def test_at_rest_nothing_is_remembered_but_it_is_kept(knobs):
    kept = begun(**knobs)
    meet(kept, range(5))
    assert kept.recollect(8, torch.float32) is None
    assert len(kept) == 5


def test_a_full_memory_lets_go_of_what_is_most_alike():
    kept = begun(size=4)
    meet(kept, [3, 0, 0.15, 6, 9])  # the second of the two alike is the one met last
    assert len(kept) == 4
    kept.share, kept.frames = 0.9, 3
    left = [kept._views[i] for i in range(4)]
    first = memory.small_view(seen(0))
    assert not any(torch.equal(view, first) for view in left)
    assert any(torch.equal(view, memory.small_view(seen(3))) for view in left)


def test_what_is_less_new_than_all_that_a_full_memory_keeps_is_not_kept():
    kept = begun(size=3)
    meet(kept, [0, 3, 6])
    before = [picture.clone() for picture in kept._pictures]
    meet(kept, [0.15], start=10.0)
    assert all(torch.equal(a, b) for a, b in zip(before, kept._pictures, strict=True))


def test_half_of_what_is_not_met_again_leaves_in_a_half_life():
    left = []
    for seed in range(20):
        kept = ReplayMemory(SIZE, torch.device("cpu"), random.Random(seed))
        meet(kept, range(0, 60, 3))
        kept.half_life = 60.0
        kept.meet(seen(0), 8, 0.1, 65.0)
        left.append(len(kept) / 20)
    assert 0.4 < sum(left) / len(left) < 0.6


def test_what_is_met_again_stays():
    kept = begun(half_life=10.0)
    meet(kept, [0, 3])
    for number in range(1000):
        kept.meet(seen(0), 8, 0.1, 1.0 + number * EVERY)
    assert len(kept) == 1
    kept.share, kept.frames = 0.5, 1
    assert torch.equal(kept.recollect(8, torch.float32), seen(0))


def test_with_a_half_life_of_0_it_stays_for_ever():
    kept = begun()
    meet(kept, [0, 3, 6])
    kept.meet(seen(0), 8, 0.1, 1e7)
    assert len(kept) == 3


def test_it_shrinks_to_its_size_under_the_hand():
    kept = begun()
    meet(kept, range(0, 60, 3))
    kept.size = 5
    meet(kept, [0], start=100.0)
    assert len(kept) == 5


def test_no_memory_is_larger_than_a_gibibyte():
    kept = ReplayMemory((8192, 8192), torch.device("cpu"), random.Random(1))
    assert kept._most() == 5


def test_forget_empties_it():
    kept = begun(share=0.5)
    meet(kept, range(5))
    kept.forget()
    assert len(kept) == 0
    assert kept.full == 0
    assert kept.recollect(8, torch.float32) is None


def test_the_readings_tell_how_full_and_how_old_it_is():
    kept = begun(size=10)
    meet(kept, [0, 3, 6])
    assert kept.full == pytest.approx(0.3)
    meet(kept, [0], start=20.0)
    assert kept.age == pytest.approx(19.6, abs=0.2)


def test_its_state_is_the_same_memory_again():
    kept, other = begun(), begun()
    meet(kept, [0, 3, 6])
    other.take(kept.state(10.0), 110.0)
    again = other.state(110.0)
    assert all(torch.equal(tensor, again[name]) for name, tensor in kept.state(10.0).items())


def test_a_state_of_another_size_is_refused_and_changes_nothing():
    kept = begun()
    meet(kept, [0, 3])
    other = ReplayMemory((32, 32), torch.device("cpu"), random.Random(1))
    with pytest.raises(ValueError, match="another size"):
        other.take(kept.state(1.0), 1.0)
    assert len(other) == 0


def test_a_scene_is_forgotten_and_with_memory_it_is_not():
    left = {}
    for share in (0.0, 0.5):
        one = learner(share=share)
        play(one, [0, 0.7, 1.4] * 15)
        play(one, [10, 14, 18] * 15)
        left[share] = known(one, 0.7)
    assert left[0.0] < 24
    assert left[0.5] > 30


def test_share_0_learns_as_without_a_memory():
    one, other = learner("paint"), learner("paint")
    other.memory.meet = lambda *_: None
    play(one, range(20))
    play(other, range(20))
    assert torch.equal(one.weights.flat, other.weights.flat)


def test_a_remembered_picture_weighs_its_share_in_the_step():
    one = learner("paint", share=0.9, frames=1)
    play(one, [0])  # the one picture that is remembered
    one.optimiser.rule, one.optimiser.rate = "sgd", 0.0
    play(one, [5])
    here, there = _pull_of(one, 5), _pull_of(one, 0)
    assert torch.allclose(one.weights.gradient, 0.1 * here + 0.9 * there, atol=1e-5)


def _pull_of(one, seed):
    twin = Learner("paint", (64, 64), seed=2)
    twin.weights.put(one.weights.flat)
    twin.optimiser.rule, twin.optimiser.rate = "sgd", 0.0
    play(twin, [seed])
    return twin.weights.gradient.clone()


def test_the_picture_is_the_same_whether_it_remembers_or_not():
    one, other = learner("paint", share=0.9, frames=3), learner("paint")
    play(one, [0, 3]), play(other, [0, 3])
    other.weights.put(one.weights.flat)
    assert torch.equal(one.look(one.see(frame(seed=4))), other.look(other.see(frame(seed=4))))


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_every_rule_learns_while_it_remembers(rule):
    one = learner("paint", share=0.5, frames=2)
    one.optimiser.rule = rule
    play(one, [0, 1, 2] * 15)
    assert known(one, 1) > 15
    assert one.memory.psnr > 15


def test_it_remembers_with_clouds_too():
    one = learner("ghost", share=0.5, frames=2)
    one.played[type(one.net.code.knobs)].kl = 0.01
    play(one, [0, 3] * 10)
    assert one.score.nonfinite == 0
