"""The networks."""

import pytest
import torch

from bridge import Refusal, nets
from bridge.nets import layers

SIZE = 64, 32
LEARNING = [name for name in nets.NAMES if name != "through"]


def blank(name: str, size=SIZE, seed=0) -> nets.Network:
    net = nets.build(name, size)
    layers.blank(net, torch.Generator().manual_seed(seed))
    return net


@pytest.mark.parametrize("name", nets.NAMES)
def test_a_network_gives_patches_of_the_shape_it_takes(name):
    net = blank(name)
    x = torch.rand(2, 3 * net.patch**2, SIZE[1] // net.patch, SIZE[0] // net.patch)
    y, penalty = net(x)
    assert y.shape == x.shape
    assert penalty == 0.0


@pytest.mark.parametrize("name", LEARNING)
def test_a_blank_network_is_nearly_grey(name):
    net = blank(name)
    x = torch.rand(1, 192, SIZE[1] // 8, SIZE[0] // 8) * 2 - 1
    assert net(x)[0].abs().mean() < 0.35


@pytest.mark.parametrize("name", LEARNING)
def test_the_same_seed_is_the_same_network_and_another_is_another(name):
    first, same, other = (list(blank(name, seed=s).parameters()) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("name", LEARNING)
def test_every_weight_has_a_part_in_the_picture(name):
    net = blank(name)
    x = torch.rand(1, 192, SIZE[1] // 8, SIZE[0] // 8)
    y, _ = net(x)
    gradients = torch.autograd.grad(y.square().sum(), list(net.parameters()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_tiles_does_not_look_beyond_its_tile():
    net = blank("tiles")
    x = torch.rand(1, 192, 4, 8)
    moved = x.clone()
    moved[..., 0, 0] += 1
    changed = (net(x)[0] - net(moved)[0]).abs().sum(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[0, 0]]


def test_ghost_changes_everywhere_when_one_place_does():
    net = blank("ghost")
    x = torch.rand(1, 192, 4, 8)
    moved = x.clone()
    moved[..., 0, 0] += 1
    assert ((net(x)[0] - net(moved)[0]).abs().sum(1) > 0).all()


def test_the_weights_are_as_many_as_the_documents_say():
    count = {n: sum(p.numel() for p in nets.build(n, (256, 256)).parameters()) for n in LEARNING}
    assert count["tiles"] == 26_960
    assert count["paint"] == 410_808
    assert 1.4e6 < count["ghost"] < 1.6e6


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(Refusal, match="did you mean paint"):
        nets.build("pain", SIZE)


def test_an_odd_size_is_refused_with_one_that_fits():
    with pytest.raises(Refusal, match="try 48x32"):
        nets.build("paint", (33, 31))
