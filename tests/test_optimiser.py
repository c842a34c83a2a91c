"""The rule by which the gradient moves the weights."""

import math

import pytest
import torch
from torch import nn

from bridge.learn.optimiser import CEILING, SCALE, Optimiser
from bridge.learn.weights import Weights


def small_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.Linear(5, 6))


def begun(dtype=torch.float32):
    weights = Weights(small_net(), dtype)
    return weights, Optimiser(weights)


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
    weights, _ = begun(torch.bfloat16)
    assert all(t.dtype == torch.bfloat16 for t in weights.tensors)
    weights.flat.fill_(0.5)
    weights.publish()
    assert all((t == 0.5).all() for t in weights.tensors)


def test_each_tensors_length_is_measured_though_they_share_a_buffer():
    weights, _ = begun()
    expected = [float(view.norm()) for view in weights.shaped(weights.flat)]
    assert weights.measure(weights.flat).tolist() == pytest.approx(expected, rel=1e-5)


def test_scaling_a_tensor_leaves_the_others():
    weights, _ = begun()
    before = [view.clone() for view in weights.shaped(weights.flat)]
    factors = torch.arange(1.0, 1.0 + len(before))
    weights.scale(weights.flat, factors)
    for old, new, factor in zip(before, weights.shaped(weights.flat), factors, strict=True):
        assert torch.allclose(new, old * factor)


def test_gradients_land_beside_their_weights():
    weights, _ = begun()
    gradients = [torch.full(shape, float(i)) for i, shape in enumerate(weights.shapes)]
    weights.gather(gradients)
    for i, part in enumerate(weights.shaped(weights.gradient)):
        assert (part == i).all()


def test_adam_is_torchs_adam_while_nothing_is_bounded():
    weights, optimiser = begun()
    optimiser.trust, optimiser.clip, optimiser.rate = 1.0, 10.0, 1e-3
    reference = nn.Parameter(weights.flat.clone())
    adam = torch.optim.Adam([reference], lr=1e-3, betas=(optimiser.momentum, optimiser.second))
    for seed in range(5):
        pull(weights, seed=seed)
        reference.grad = weights.gradient.clone()
        adam.step()
        optimiser.step()
    assert torch.allclose(weights.flat, reference, atol=1e-6)


def test_sgd_walks_down_the_gradient_at_its_own_scale():
    weights, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.trust = "sgd", 1e-4, 1.0
    pull(weights, 0.01)
    expected = weights.flat - 1e-4 * SCALE["sgd"] * weights.gradient
    optimiser.step()
    assert torch.allclose(weights.flat, expected, atol=1e-7)


@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_at_rate_0_nothing_moves(rule):
    weights, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.decay = rule, 0.0, 100.0
    before = weights.flat.clone()
    pull(weights)
    optimiser.step()
    assert torch.equal(weights.flat, before)


@pytest.mark.parametrize("trust", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_no_tensor_moves_farther_than_trust_allows(rule, trust):
    weights, optimiser = begun()
    optimiser.rule, optimiser.trust, optimiser.rate = rule, trust, 1.0
    before = [view.clone() for view in weights.shaped(weights.flat)]
    pull(weights, 100.0)
    optimiser.step()
    for old, new, shape in zip(before, weights.shaped(weights.flat), weights.shapes, strict=True):
        least = (0.1 if len(shape) < 2 else 0.005) * math.sqrt(new.numel())
        assert (new - old).norm() <= trust * max(float(old.norm()), least) * 1.001


def test_no_tensor_grows_for_ever():
    weights, optimiser = begun()
    first = [float(view.norm()) for view in weights.shaped(weights.flat)]
    optimiser.rate, optimiser.trust = 1.0, 1.0
    for _ in range(50):
        weights.gradient.copy_(-weights.flat)
        optimiser.step()
    for length, view in zip(first, weights.shaped(weights.flat), strict=True):
        slack = 0.5 * math.sqrt(view.numel()) if view.dim() < 2 else 0.0
        assert view.norm() <= 1.001 * max(CEILING * length, slack)


def test_the_gradient_is_clipped_to_its_longest():
    weights, optimiser = begun()
    optimiser.rule, optimiser.rate, optimiser.trust, optimiser.clip = "sgd", 1e-5, 1.0, 0.5
    before = weights.flat.clone()
    pull(weights, 10.0)
    norm = optimiser.step()
    assert norm > 10
    moved = (weights.flat - before).norm() / (1e-5 * SCALE["sgd"])
    assert moved == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_moves_nothing_at_all(poison):
    weights, optimiser = begun()
    pull(weights)
    optimiser.step()
    kept = [t.clone() for t in (weights.flat, optimiser._first, optimiser._second)]
    pull(weights)
    weights.gradient[7] = poison
    assert not math.isfinite(optimiser.step())
    now = (weights.flat, optimiser._first, optimiser._second)
    assert all(torch.equal(a, b) for a, b in zip(kept, now, strict=True))


def test_decay_pulls_towards_zero():
    weights, optimiser = begun()
    optimiser.rate, optimiser.decay, optimiser.trust = 0.01, 10.0, 1.0
    weights.gradient.zero_()
    before = weights.flat.clone()
    optimiser.step()
    assert torch.allclose(weights.flat, 0.9 * before, atol=1e-6)


def test_beginning_again_takes_the_weights_as_they_are_for_the_first():
    weights, optimiser = begun()
    weights.flat.mul_(5)
    optimiser.begin()
    before = weights.flat.clone()
    optimiser.rate = 0.0
    pull(weights)
    optimiser.step()
    assert torch.equal(weights.flat, before)


@pytest.mark.parametrize("second", [0.5, 0.999])
def test_second_is_how_long_the_gradients_size_is_remembered(second):
    weights, optimiser = begun()
    optimiser.second, optimiser.trust, optimiser.clip = second, 1.0, 10.0
    reference = nn.Parameter(weights.flat.clone())
    adam = torch.optim.Adam([reference], lr=optimiser.rate, betas=(0.9, second))
    for size in (0.1, 0.001, 0.001):
        pull(weights, size)
        reference.grad = weights.gradient.clone()
        adam.step()
        optimiser.step()
    assert torch.allclose(weights.flat, reference, atol=1e-6)


def test_beginning_again_forgets_the_moments():
    weights, optimiser = begun()
    pull(weights)
    optimiser.step()
    optimiser.begin()
    assert optimiser._first.abs().sum() == 0
    assert optimiser._second.abs().sum() == 0


@pytest.mark.parametrize("knob", ["momentum", "second"])
def test_sgd_says_that_adams_knobs_do_nothing(knob):
    _, optimiser = begun()
    declared = getattr(Optimiser, knob)
    assert declared.active(optimiser)
    optimiser.rule = "sgd"
    assert not declared.active(optimiser)
