"""The learner: seeing, looking, learning."""

import math
import time

import pytest
import torch
from fakes.stage import frame

from bridge import nets
from bridge.learn import image, losses
from bridge.learn.learner import Learner
from bridge.learn.losses import Losses
from bridge.learn.optimiser import SCALE

SIZE = 64, 64
LEARNING = [name for name in nets.NAMES if name != "through"]


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


@pytest.mark.parametrize("rule", list(SCALE))
def test_every_rule_learns_at_the_default_rate(rule):
    one = learner()
    one.optimiser.rule = rule
    assert max(play(one, 60, drift=0.05)) > 18


@pytest.mark.parametrize("rule", list(SCALE))
def test_a_switch_of_the_rule_neither_dies_nor_explodes(rule):
    one = learner()
    before = play(one, 40)[-1]
    one.optimiser.rule = rule
    assert min(play(one, 20)) > 14  # sgd shivers, from frame to frame
    one.optimiser.rule = "adam"
    assert play(one, 30)[-1] > before - 3


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


MIXES = [
    {"l2": 1.0}, {"l2": 0.0, "l1": 1.0}, {"l2": 0.3, "l1": 0.7}, {"l2": 0.0, "ssim": 1.0},
    {"l2": 0.0, "edges": 1.0}, {"l2": 0.2, "l1": 0.4, "ssim": 0.6, "edges": 0.8},
]  # fmt: skip


def mix(y, x, l2=1.0, l1=0.0, ssim=0.0, edges=0.0):
    """The loss, written down the plain way on pixels."""
    y, x = image.planes(y, 8), image.planes(x, 8)
    windows = [v.unfold(2, 8, 4).unfold(3, 8, 4).flatten(-2) for v in (y, x)]
    (a, b), (s, t) = [w.mean(-1) for w in windows], [w.var(-1, correction=0) for w in windows]
    both = ((windows[0] - a[..., None]) * (windows[1] - b[..., None])).mean(-1)
    alike = (2 * a * b + 4e-4) * (2 * both + 3.6e-3)
    alike = alike / ((a * a + b * b + 4e-4) * (s + t + 3.6e-3))
    e = y - x
    steps = e.diff(dim=2).abs().sum() + e.diff(dim=3).abs().sum()
    return (
        l2 * e.square().mean() + l1 * e.abs().mean() + ssim * (1 - alike.mean())
        + edges * steps / e.numel()
    )  # fmt: skip


@pytest.mark.parametrize("weights", MIXES)
def test_the_published_loss_is_the_mix(weights):
    one = learner()
    for name in ("l2", "l1", "ssim", "edges"):
        setattr(one.losses, name, weights.get(name, 0.0))
    x = one.see(frame())
    one.on = False
    one.look(x)
    one.learn()
    with torch.no_grad():
        assert one.score.loss == pytest.approx(float(mix(one.net(x)[0], x, **weights)), rel=1e-4)


@pytest.mark.parametrize("weights", MIXES)
def test_the_written_out_gradient_is_the_mixs_own(weights):
    losses = Losses()
    for name in ("l2", "l1", "ssim", "edges"):
        setattr(losses, name, weights.get(name, 0.0))
    y, x = torch.rand(1, 192, 3, 2, requires_grad=True), torch.rand(1, 192, 3, 2)
    (expected,) = torch.autograd.grad(mix(y, x, **weights), y)
    error = (y - x).detach()
    _, pull = losses.judge(y.detach(), x, error, error.square().mean(), 8)
    assert torch.allclose(pull, expected, atol=1e-7)


@pytest.mark.parametrize("term", ["l1", "ssim", "edges"])
def test_each_term_alone_teaches(term):
    one = learner()
    one.losses.l2 = 0.0
    setattr(one.losses, term, 1.0)
    before = one.look(one.see(frame()))
    assert play(one, 90)[-1] > {"l1": 20, "ssim": 12, "edges": 10}[term]
    assert not torch.equal(before, one.look(one.see(frame())))


def test_a_structure_that_is_alike_is_no_loss():
    x = torch.rand(1, 3, 24, 24)
    assert float(losses.dissimilarity(x, x)[0]) == pytest.approx(0.0, abs=1e-5)
    assert float(losses.dissimilarity(1 - x, x)[0]) > 1.5


def test_edges_do_not_mind_another_brightness():
    x = torch.rand(1, 3, 24, 24)
    wrong, slope = losses.edge_error(x + 0.3, x)
    assert float(wrong) < 1e-6
    assert float(losses.edge_error(x.flip(-1), x)[0]) > 0.1
    assert slope.shape == x.shape


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
    assert play(one, 60, drift=0.05)[-1] > before - 2
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
