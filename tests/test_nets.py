"""The networks."""

import itertools
import math

import pytest
import torch

from bridge import Refusal, nets
from bridge.learn import image
from bridge.nets import layers
from bridge.nets.code import Code
from bridge.space import AddressSpace

SIZE = 64, 32
AT_REST = "code.width", "near", "beside"  # what only a knob opens
LEARNING = [name for name in nets.NAMES if name not in ("through", "hand")]


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
    shown = [n for n, _ in net.named_parameters() if not n.startswith(AT_REST)]
    weights = [net.get_parameter(name) for name in shown]
    gradients = torch.autograd.grad(y.square().sum(), weights)
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
    assert count["tiles"] == 27_232
    assert count["sharp"] == 135_336
    assert count["paint"] == 411_408
    assert count["dream"] == 943_424
    assert 1.4e6 < count["ghost"] < 1.6e6


def test_an_unknown_network_is_refused_with_the_nearest_name():
    with pytest.raises(Refusal, match="did you mean paint"):
        nets.build("pain", SIZE)


def test_an_odd_size_is_refused_with_one_that_fits():
    with pytest.raises(Refusal, match="try 48x32"):
        nets.build("paint", (33, 31))


@pytest.mark.parametrize("name", ["sharp", "paint", "dream", "ghost"])
def test_a_blank_network_has_no_grid(name):
    net = blank(name, (256, 256))
    y, _ = net(torch.rand(1, 192, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1)
    picture = image.planes(y.detach(), 8).mean(1)[0]
    waves = torch.fft.rfft(picture - picture.mean(), dim=1).abs().square().mean(0)
    # A picture 256 wide: a pattern of 8 pixels is its 32nd wave, of 16 its 16th.
    for grid in (16, 32, 64, 96):
        assert (
            waves[grid]
            < 3 * torch.cat([waves[grid - 6 : grid - 1], waves[grid + 2 : grid + 7]]).mean()
        )


@pytest.mark.parametrize("part", ["head", "gate"])
@torch.no_grad()
def test_a_hand_has_no_grid_whatever_it_learns(part):
    layer = blank("hand").get_submodule(part)
    layer.weight.normal_(generator=torch.Generator().manual_seed(1))
    layer.bias.normal_(generator=torch.Generator().manual_seed(2))
    flat = torch.randn(1, 32, 1, 1, generator=torch.Generator().manual_seed(3))
    inside = layer(flat.expand(1, 32, 6, 6))[..., 1:-1, 1:-1]
    pixels = inside.view(16, -1, 4, 4)
    assert torch.allclose(pixels, pixels.mean(0), atol=1e-4)
    assert float(pixels.abs().max()) > 0.1
    speck = torch.zeros(1, 32, 6, 6)
    speck[0, 0, 3, 3] = 1
    assert float(layer(speck)[..., 3, 3].std()) > 0.1  # within a patch there still is a picture


def test_knobs_are_shared_by_all_networks_that_have_them():
    played = nets.knobs(torch.Generator())
    ghost, paint = nets.build("ghost", SIZE, played), nets.build("paint", SIZE, played)
    assert ghost.code.knobs is paint.code.knobs


def test_a_size_of_thirty_twos_suits_every_network():
    assert all(nets.EVERY % nets.net_class(name).multiple == 0 for name in nets.NAMES)


def half(net, x, **knobs):
    """The picture and penalty of `net` with its knobs turned."""
    for name, value in knobs.items():
        owner = net.knobs if name == "detail" else net.code.knobs
        setattr(owner, name, value)
    with torch.no_grad():
        return net(x)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("knob", ["gate", "noise", "kl"])
def test_a_knob_of_the_code_at_rest_changes_nothing(name, knob):
    net, x = blank(name), torch.rand(1, 192, SIZE[1] // 8, SIZE[0] // 8)
    before = net(x)[0]
    half(net, x, **{knob: 0.5})
    after, penalty = half(net, x, **{knob: 1.0 if knob == "gate" else 0.0})
    assert torch.equal(before, after)
    assert penalty == 0.0


def openings(code, gate):
    code.knobs.gate = gate
    return code(torch.ones(1, code.width.in_channels, 1, 1))[0].flatten()


@pytest.mark.parametrize("name", LEARNING)
def test_the_gate_leaves_one_channel_at_the_bottom_and_opens_them_in_turn(name):
    code = blank(name).code
    assert openings(code, 0.0).count_nonzero() == 1
    assert (openings(code, 1.0) == 1).all()
    counts = [int(openings(code, step / 50).count_nonzero()) for step in range(51)]
    assert counts == sorted(counts)
    assert counts[-1] == code.width.in_channels
    assert (openings(code, 0.7).diff() <= 0).all()


def test_the_gate_moves_without_a_step():
    code = blank("paint").code
    steps = [openings(code, step / 300) for step in range(301)]
    assert max(float((b - a).abs().max()) for a, b in itertools.pairwise(steps)) < 0.1


def test_noise_shakes_the_code_by_its_own_size():
    code = blank("paint").code
    code.knobs.noise = 0.5
    z = 3.0 * torch.ones(1, 24, 40, 40)
    assert float((code(z)[0] - z).std()) == pytest.approx(1.5, rel=0.05)


def test_a_variational_code_is_drawn_anew_and_pays_for_its_distance():
    code = blank("paint").code
    code.knobs.kl = 0.1
    near, far = torch.zeros(1, 24, 8, 8), torch.full((1, 24, 8, 8), 5.0)
    with torch.no_grad():
        (first, price), (second, _) = code(near), code(near)
    assert not torch.equal(first, second)
    assert code(far)[1] > price
    # Of N(0, e^-6) from N(0, 1): (e^-6 - 1 + 6) / 2 nats a number.
    assert float(price) == pytest.approx(0.1 * 0.5 * (math.exp(-6) + 5), rel=1e-3)


def test_the_clouds_are_as_wide_as_their_layer_says():
    code = blank("paint").code
    code.knobs.kl = 0.1
    code.width.bias.data.fill_(4.0 / 40)  # log variance -6 + 4
    with torch.no_grad():
        drawn = code(torch.zeros(1, 24, 40, 40))[0]
    assert float(drawn.std()) == pytest.approx(math.exp(-1), rel=0.05)


def test_detail_lets_the_place_itself_by_the_code():
    net, x = blank("ghost"), torch.rand(1, 192, 4, 8)
    shut, opened = net(x)[0], half(net, x, detail=1.0)[0]
    between = half(net, x, detail=0.01)[0]
    assert not torch.equal(shut, opened)
    assert (between - shut).abs().mean() < 0.1 * (opened - shut).abs().mean()
    assert torch.equal(shut, half(net, x, detail=0.0)[0])


def test_the_gate_always_glides_and_is_made_up_for():
    played = nets.knobs(torch.Generator())
    space = AddressSpace()
    space.add("/net", played[Code])
    space.set("/net/gate", [0.0])
    for now, stands in ((0.0, 1.0), (0.25, 0.5), (0.51, 0.0)):
        space.apply(now)
        assert space["/net/gate"].value == pytest.approx(stands)
    code = blank("paint").code
    assert float(openings(code, 0.0).max()) == pytest.approx(24**0.25)
