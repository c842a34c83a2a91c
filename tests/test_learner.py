"""The learner: seeing, looking, learning."""

import math
import time

import pytest
import torch
from fakes.stage import frame

from bridge.learn import image
from bridge.learn.learner import Learner

SIZE = 64, 64
LEARNING = ["tiles", "paint", "ghost"]


def learner(name="paint", seed=1, **options):
    torch.set_num_threads(1)
    return Learner(name, SIZE, seed=seed, **options)


def play(learner, frames=1, seed=0, drift=0.0, **size):
    """dB of each frame; `drift` is how far the picture moves from one to the next."""
    curve = []
    for number in range(frames):
        learner.look(learner.see(frame(seed=seed + number * drift, **size)))
        learner.learn()
        curve.append(learner.score.psnr)
    return curve


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_learns_what_it_sees(name, dtype):
    curve = play(learner(name, dtype=dtype), 90)
    assert curve[0] < 14
    assert curve[-1] > 22


@pytest.mark.parametrize("name", LEARNING)
def test_sgd_learns_too(name):
    one = learner(name)
    one.optimiser.rule, one.optimiser.rate = "sgd", 5e-3
    curve = play(one, 150)
    assert curve[-1] > curve[0] + 3


def test_the_absolute_error_alone_teaches_too():
    one = learner()
    one.losses.l2, one.losses.l1 = 0.0, 1.0
    assert play(one, 120)[-1] > 20


def test_the_picture_is_the_quantised_answer_of_the_network_and_nothing_else():
    one = learner()
    play(one, 3)
    x = one.see(frame(seed=5))
    with torch.no_grad():
        answer, _ = one.net(x)
    assert torch.equal(one.look(x), image.quantise(answer, one.net.patch))


def test_the_picture_is_made_before_the_frame_is_learnt_from():
    one, other = learner(), learner()
    play(one, 3), play(other, 3)
    other.on = False
    x = one.see(frame(seed=2))
    picture = one.look(x)
    one.learn()
    assert torch.equal(picture, other.look(x))


def test_the_published_db_are_those_of_the_picture():
    one = learner()
    play(one, 60)
    x = one.see(frame())
    picture = one.look(x).float()
    seen = image.quantise(x, one.net.patch).float()
    error = (picture - seen)[..., :3].square().mean()
    assert one.score.psnr == pytest.approx(float(10 * torch.log10(255**2 / error)), abs=0.2)


def test_the_published_loss_is_the_mix():
    one = learner()
    one.losses.l2, one.losses.l1 = 0.5, 0.25
    x = one.see(frame())
    one.on = False
    one.look(x)
    with torch.no_grad():
        error = one.net(x)[0] - x
    mix = 0.5 * error.square().mean() + 0.25 * error.abs().mean()
    assert one.score.loss == pytest.approx(float(mix), rel=1e-4)


@pytest.mark.parametrize(("l2", "l1"), [(1.0, 0.0), (0.0, 1.0), (0.3, 0.7)])
def test_the_written_out_gradient_is_the_mixs_own(l2, l1):
    one = learner()
    one.losses.l2, one.losses.l1 = l2, l1
    y, x = torch.rand(1, 192, 2, 2, requires_grad=True), torch.rand(1, 192, 2, 2)
    mix = l2 * (y - x).square().mean() + l1 * (y - x).abs().mean()
    (expected,) = torch.autograd.grad(mix, y)
    assert torch.allclose(one.losses.gradient((y - x).detach()), expected, atol=1e-8)


def test_off_leaves_every_weight_bit_identical():
    one = learner()
    play(one, 2)
    one.on = False
    before = one.weights.hash()
    play(one, 5)
    assert one.weights.hash() == before


def test_no_steps_learn_nothing():
    one = learner()
    one.steps = 0
    before = one.weights.hash()
    play(one, 2)
    assert one.weights.hash() == before


def test_more_steps_a_frame_learn_faster():
    one, three = learner(), learner()
    three.steps = 3
    assert play(three, 20)[-1] > play(one, 20)[-1] + 1


def test_it_takes_exactly_the_asked_steps_when_nobody_hurries():
    one = learner()
    one.steps = 4
    one.look(one.see(frame()))
    assert one.learn() == 4
    assert one.score.learnt == 4


def test_only_the_first_step_is_taken_when_time_is_up():
    one = learner()
    one.steps = 16
    one.look(one.see(frame()))
    assert one.learn(until=-math.inf) == 1


def test_further_steps_are_taken_only_within_the_budget(monkeypatch):
    one = learner()
    one.steps, one.budget = 16, 10.0
    now = [50.0]

    def tick():  # each look at the clock takes 2 ms
        now[0] += 2e-3
        return now[0]

    monkeypatch.setattr(time, "perf_counter", tick)
    one.look(one.see(frame()))
    assert 1 < one.learn(until=99.0) < 5


def test_a_frame_is_learnt_from_once():
    one = learner()
    one.look(one.see(frame()))
    assert one.learn() == 1
    assert one.learn() == 0


def test_learning_before_looking_does_nothing():
    assert learner().learn() == 0


def test_blank_is_a_fresh_network_from_the_next_seed():
    one = learner(seed=4)
    first = one.score.hash
    play(one, 30)
    one.blank()
    one.on = False
    play(one)
    assert one.score.seed == 5
    assert one.score.hash == one.weights.hash() == learner(seed=5).score.hash
    assert one.score.hash != first
    assert one.score.learnt == 0


def test_a_button_that_is_hammered_is_one_new_network():
    one = learner(seed=4)
    for _ in range(200):
        one.blank()
    play(one)
    assert one.score.seed == 5


def test_after_blank_it_learns_as_from_the_start():
    one = learner(seed=4)
    play(one, 30)
    one.blank()
    assert play(one, 20) == play(learner(seed=5), 20)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_weights_that_are_no_longer_finite_give_a_picture_all_the_same(name, poison):
    one = learner(name)
    play(one, 5)
    one.weights.flat[3] = poison
    one.weights.publish()
    picture = one.look(one.see(frame()))
    assert one.score.nonfinite == 1
    assert torch.isfinite(one.weights.flat).all()
    assert picture.float().std() > 0
    assert play(one, 60)[-1] > 18


@pytest.mark.parametrize("name", LEARNING)
def test_a_burst_of_the_learning_rate_heals(name):
    one = learner(name)
    before = play(one, 60, drift=0.05)[-1]
    usual, one.optimiser.rate = one.optimiser.rate, 0.1
    worst = min(play(one, 45, drift=0.05))
    one.optimiser.rate = usual
    assert play(one, 30, drift=0.05)[-1] > before - 1
    assert worst < before - 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LEARNING)
def test_it_comes_back_from_the_worst_that_hands_can_do(name, dtype):
    one = learner(name, dtype=dtype)
    play(one, 30, drift=0.05)
    usual = one.optimiser.rate, one.optimiser.trust
    one.optimiser.rate = one.optimiser.trust = 1.0
    play(one, 60, drift=0.05)
    one.optimiser.rate, one.optimiser.trust = usual
    play(one, 60, drift=0.05)
    assert max(play(one, 30, drift=0.05)) > 18


def test_every_fader_at_its_ends_leaves_it_finite():
    one = learner()
    faders = [
        (owner, name, end)
        for owner in (one, one.optimiser, one.losses)
        for name, declared in vars(type(owner)).items()
        if getattr(declared, "kind", "") == "float" and name != "budget"
        for end in (declared.min, declared.max)
    ]
    for owner, name, end in faders:
        usual = getattr(owner, name)
        setattr(owner, name, end)
        play(one, 3)
        setattr(owner, name, usual)
        assert torch.isfinite(one.weights.flat).all(), (name, end)
        assert one.score.nonfinite == 0, (name, end)


def test_through_gives_back_what_it_gets():
    one = Learner("through", (64, 48))
    picture = one.look(one.see(frame()))
    assert torch.equal(picture, torch.from_numpy(frame().pixels))
    assert one.learn() == 0
    assert one.score.psnr == 99


def test_a_frame_of_any_size_is_seen_at_the_networks():
    one = learner()
    for width, height in ((17, 211), (640, 360), (1, 1)):
        assert one.look(one.see(frame(width, height))).shape == (64, 64, 4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", LEARNING)
def test_it_learns_on_cuda_as_on_the_cpu(name):
    there = play(learner(name, device="cuda"), 60)
    here = play(learner(name), 60)
    assert there[-1] == pytest.approx(here[-1], abs=1.0)


@pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no Apple GPU here")
@pytest.mark.parametrize("name", LEARNING)
def test_it_learns_on_mps_as_on_the_cpu(name):
    there = play(learner(name, device="mps"), 60)
    here = play(learner(name), 60)
    assert there[-1] == pytest.approx(here[-1], abs=1.0)
