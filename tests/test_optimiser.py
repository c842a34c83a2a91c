"""The rule by which the gradient moves the weights."""

import math

import pytest
import torch
from torch import nn

from bridge.learn.optimiser import CEILING, SCALE, Moments, Optimiser
from bridge.learn.weights import Weights


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.Linear(5, 6))


def begun(dtype=torch.float32):
    weights = Weights(small_net(), dtype)
    return weights, Moments(weights), Optimiser()


def pull(weights, size=0.1, seed=1):
    generator = torch.Generator().manual_seed(seed)
    weights.gradient.normal_(0.0, size, generator=generator)


def test_the_flat_weights_are_the_networks_own():
    net = small_net()
    before = [p.detach().clone() for p in net.parameters()]
    weights = Weights(net, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    weights.flat.zero_()
    assert all(p.abs().sum() == 0 for p in net.parameters())


def test_in_bfloat16_the_network_computes_with_a_copy_of_the_master():
    weights, _, _ = begun(torch.bfloat16)
    assert all(t.dtype == torch.bfloat16 for t in weights.tensors)
    weights.flat.fill_(0.5)
    weights.publish()
    assert all((t == 0.5).all() for t in weights.tensors)


def test_each_tensors_length_is_measured_though_they_share_a_buffer():
    weights, _, _ = begun()
    expected = [float(view.norm()) for view in weights.shaped(weights.flat)]
    assert weights.measure(weights.flat).tolist() == pytest.approx(expected, rel=1e-5)


def test_scaling_a_tensor_leaves_the_others():
    weights, _, _ = begun()
    before = [view.clone() for view in weights.shaped(weights.flat)]
    factors = torch.arange(1.0, 1.0 + len(before))
    weights.scale(weights.flat, factors)
    for old, new, factor in zip(before, weights.shaped(weights.flat), factors, strict=True):
        assert torch.allclose(new, old * factor)


def test_gradients_land_beside_their_weights():
    weights, _, _ = begun()
    gradients = [torch.full(shape, float(i)) for i, shape in enumerate(weights.shapes)]
    weights.gather(gradients)
    for i, part in enumerate(weights.shaped(weights.gradient)):
        assert (part == i).all()


def test_adam_is_torchs_adam_while_nothing_is_bounded():
    weights, moments, optimiser = begun()
    optimiser.trust, optimiser.clip, optimiser.rate = 1.0, 10.0, 1e-3
    reference = nn.Parameter(weights.flat.clone())
    adam = torch.optim.Adam([reference], lr=1e-3, betas=(optimiser.momentum, optimiser.second))
    for seed in range(5):
        pull(weights, seed=seed)
        reference.grad = weights.gradient.clone()
        adam.step()
        optimiser.step(weights, moments)
    assert torch.allclose(weights.flat, reference, atol=1e-6)


def test_sgd_walks_down_the_gradient_at_its_own_scale():
    weights, moments, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.trust = "sgd", 1e-4, 1.0
    pull(weights, 0.01)
    expected = weights.flat - 1e-4 * SCALE["sgd"] * weights.gradient
    optimiser.step(weights, moments)
    assert torch.allclose(weights.flat, expected, atol=1e-7)


@pytest.mark.parametrize("rule", list(SCALE))
def test_at_rate_0_nothing_moves(rule):
    weights, moments, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.decay = rule, 0.0, 100.0
    before = weights.flat.clone()
    pull(weights)
    optimiser.step(weights, moments)
    assert torch.equal(weights.flat, before)


@pytest.mark.parametrize("trust", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("rule", list(SCALE))
def test_no_tensor_moves_farther_than_trust_allows(rule, trust):
    weights, moments, optimiser = begun()
    optimiser.rule, optimiser.trust, optimiser.rate = rule, trust, 1.0
    before = [view.clone() for view in weights.shaped(weights.flat)]
    pull(weights, 100.0)
    optimiser.step(weights, moments)
    for old, new, shape in zip(before, weights.shaped(weights.flat), weights.shapes, strict=True):
        least = (0.1 if len(shape) < 2 else 0.005) * math.sqrt(new.numel())
        assert (new - old).norm() <= trust * max(float(old.norm()), least) * 1.001


def test_no_tensor_grows_for_ever():
    weights, moments, optimiser = begun()
    first = [float(view.norm()) for view in weights.shaped(weights.flat)]
    optimiser.rate, optimiser.trust = 1.0, 1.0
    for _ in range(50):
        weights.gradient.copy_(-weights.flat)
        optimiser.step(weights, moments)
    for length, view in zip(first, weights.shaped(weights.flat), strict=True):
        slack = 0.5 * math.sqrt(view.numel()) if view.dim() < 2 else 0.0
        assert view.norm() <= 1.001 * max(CEILING * length, slack)


def test_the_gradient_is_clipped_to_its_longest():
    weights, moments, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.trust, optimiser.clip = "sgd", 1e-5, 1.0, 0.5
    before = weights.flat.clone()
    pull(weights, 10.0)
    norm = optimiser.step(weights, moments)
    assert norm > 10
    moved = (weights.flat - before).norm() / (1e-5 * SCALE["sgd"])
    assert moved == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_moves_nothing_at_all(poison):
    weights, moments, optimiser = begun()
    pull(weights)
    optimiser.step(weights, moments)
    kept = [t.clone() for t in (weights.flat, moments.first, moments.second)]
    pull(weights)
    weights.gradient[7] = poison
    assert not math.isfinite(optimiser.step(weights, moments))
    now = (weights.flat, moments.first, moments.second)
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True))


def test_decay_pulls_towards_zero():
    weights, moments, optimiser = begun()
    optimiser.rate, optimiser.decay, optimiser.trust = 0.01, 10.0, 1.0
    weights.gradient.zero_()
    before = weights.flat.clone()
    optimiser.step(weights, moments)
    assert torch.allclose(weights.flat, 0.9 * before, atol=1e-6)


def test_beginning_again_takes_the_weights_as_they_are_for_the_first():
    weights, moments, optimiser = begun()
    weights.flat.mul_(5)
    moments.begin(weights)
    before = weights.flat.clone()
    optimiser.rate = 0.0
    pull(weights)
    optimiser.step(weights, moments)
    assert torch.equal(weights.flat, before)


@pytest.mark.parametrize("second", [0.5, 0.999])
def test_second_is_how_long_the_gradients_size_is_remembered(second):
    weights, moments, optimiser = begun()
    optimiser.second, optimiser.trust, optimiser.clip = second, 1.0, 10.0
    reference = nn.Parameter(weights.flat.clone())
    adam = torch.optim.Adam([reference], lr=optimiser.rate, betas=(0.9, second))
    for size in (0.1, 0.001, 0.001):
        pull(weights, size)
        reference.grad = weights.gradient.clone()
        adam.step()
        optimiser.step(weights, moments)
    assert torch.allclose(weights.flat, reference, atol=1e-6)


def test_beginning_again_forgets_the_moments():
    weights, moments, optimiser = begun()
    pull(weights)
    optimiser.step(weights, moments)
    moments.begin(weights)
    assert moments.first.abs().sum() == 0
    assert moments.second.abs().sum() == 0


def walked(rule, steps=6, **knobs):
    """Where `steps` of a rule lead, and the gradients on the way; nothing is bounded."""
    weights, moments, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.trust, optimiser.clip = rule, 1e-5, 1.0, 10.0
    for name, value in knobs.items():
        setattr(optimiser, name, value)
    begin, gradients = weights.flat.clone(), []
    for seed in range(steps):
        pull(weights, 0.01, seed)
        gradients.append(weights.gradient.clone())
        optimiser.step(weights, moments)
    return weights.flat - begin, gradients


def test_momentum_follows_the_running_mean_of_the_gradient():
    moved, gradients = walked("momentum", momentum=0.8)
    mean, filled, expected = 0.0, 0.0, 0.0
    for gradient in gradients:
        mean, filled = 0.8 * mean + 0.2 * gradient, 0.8 * filled + 0.2
        expected = expected - 1e-5 * SCALE["momentum"] * mean / filled
    assert torch.allclose(moved, expected, atol=1e-7)


def test_nesterov_looks_a_step_ahead():
    moved, gradients = walked("nesterov", momentum=0.8)
    mean, filled, expected = 0.0, 0.0, 0.0
    for gradient in gradients:
        mean, filled = 0.8 * mean + 0.2 * gradient, 0.8 * filled + 0.2
        ahead = (0.8 * mean + 0.2 * gradient) / (0.8 * filled + 0.2)
        expected = expected - 1e-5 * SCALE["nesterov"] * ahead
    assert torch.allclose(moved, expected, atol=1e-7)


def test_without_momentum_the_rules_that_have_it_are_sgd():
    sgd, _ = walked("sgd")
    for rule in ("momentum", "nesterov"):
        moved, _ = walked(rule, momentum=0.0)
        assert torch.allclose(moved / SCALE[rule], sgd / SCALE["sgd"], atol=1e-9)


def test_rmsprop_is_adam_without_momentum():
    adam, _ = walked("adam", momentum=0.0)
    rmsprop, _ = walked("rmsprop", momentum=0.7)
    assert torch.allclose(rmsprop / SCALE["rmsprop"], adam, atol=1e-6)


def test_sign_moves_every_weight_by_the_same():
    moved, gradients = walked("sign", steps=1)
    assert torch.allclose(moved, -1e-5 * SCALE["sign"] * gradients[0].sign(), atol=1e-8)


def test_sign_leaves_alone_what_has_no_gradient():
    weights, moments, optimiser = begun()
    optimiser.rule = "sign"
    pull(weights)
    optimiser.step(weights, moments)
    before = weights.flat.clone()
    weights.gradient[:5] = 0
    optimiser.step(weights, moments)
    assert torch.equal(weights.flat[:5], before[:5])
    assert not torch.equal(weights.flat[5:], before[5:])


@pytest.mark.parametrize(("knob", "rule"), [("momentum", "momentum"), ("second", "rmsprop")])
def test_a_fader_that_moves_late_is_no_blow(knob, rule):
    def step_after(value):
        weights, moments, optimiser = begun()
        optimiser.rule, optimiser.trust = rule, 1.0
        for seed in range(100):
            pull(weights, 0.01, seed)
            optimiser.step(weights, moments)
        setattr(optimiser, knob, value)
        pull(weights, 0.01, 100)
        before = weights.flat.clone()
        optimiser.step(weights, moments)
        return (weights.flat - before).norm()

    assert step_after(0.9999) < 2 * step_after(0.95)


def test_a_rule_goes_on_with_the_direction_that_it_shares():
    weights, moments, optimiser = begun()
    optimiser.rule = "momentum"
    pull(weights)
    optimiser.step(weights, moments)
    kept = moments.first.clone()
    optimiser.rule = "adam"
    weights.gradient.zero_()
    optimiser.step(weights, moments)
    assert torch.allclose(moments.first, optimiser.momentum * kept)


@pytest.mark.parametrize(
    ("kept", "lost", "between"), [("first", "second", "momentum"), ("second", "first", "rmsprop")]
)
def test_what_a_rule_does_not_keep_begins_anew_after_it(kept, lost, between):
    weights, moments, optimiser = begun()
    pull(weights)
    optimiser.step(weights, moments)
    optimiser.rule = between
    optimiser.step(weights, moments)
    assert getattr(moments, kept).abs().sum() > 0
    assert getattr(moments, lost).abs().sum() == 0


@pytest.mark.parametrize("rule", list(SCALE))
def test_half_the_gradient_let_through_is_half_the_step(rule):
    def step(clip):
        weights, moments, optimiser = begun()
        optimiser.rule, optimiser.trust, optimiser.clip = rule, 1.0, clip
        optimiser.rate = 1e-5
        pull(weights, 0.01)
        weights.gradient.mul_(0.5 / weights.gradient.norm())
        before = weights.flat.clone()
        optimiser.step(weights, moments)
        return (weights.flat - before).norm()

    assert step(0.25) == pytest.approx(float(step(0.5)) / 2, rel=0.01)


def test_an_explosions_gradient_is_clipped_but_its_step_is_not_halved_with_it():
    def step(length):
        weights, moments, optimiser = begun()
        optimiser.trust, optimiser.rate = 1.0, 1e-5
        pull(weights)
        weights.gradient.mul_(length / weights.gradient.norm())
        before = weights.flat.clone()
        optimiser.step(weights, moments)
        return (weights.flat - before).norm()

    assert step(1000.0) == pytest.approx(float(step(1.0)), rel=0.01)


@pytest.mark.parametrize(
    ("rule", "plays"),
    [
        ("sgd", []), ("momentum", ["momentum"]), ("nesterov", ["momentum"]),
        ("rmsprop", ["second"]), ("adam", ["momentum", "second"]), ("sign", ["momentum"]),
    ],
)  # fmt: skip
def test_a_rule_says_which_knobs_play_it(rule, plays):
    optimiser = Optimiser()
    optimiser.rule = rule
    active = [k for k in ("momentum", "second") if getattr(Optimiser, k).active(optimiser)]
    assert active == plays
