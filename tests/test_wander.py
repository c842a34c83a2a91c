"""The dream: where the code goes while there is no source."""

import itertools

import pytest
import torch
from fakes.stage import frame

from bridge import nets
from bridge.learn import image
from bridge.learn.learner import Learner
from bridge.learn.wander import LONGEST, SHORTEST, Wander, between, strength
from bridge.nets.code import Code
from bridge.nets.ghost import Detail

SIZE = 96, 64
LEARNING = [name for name in nets.NAMES if name not in ("through", "hand")]


def woken(name="paint", frames=12, memory=True, **knobs):
    """A learner that has seen a little, and remembers some of it."""
    torch.set_num_threads(1)
    one = Learner(name, SIZE, seed=1)
    for knob, value in knobs.items():
        setattr(one.played[Detail if knob == "detail" else Code], knob, value)
    for number in range(frames):
        one.look(one.see(frame(*SIZE, seed=number / 3), number / 30))
        one.learn()
    if memory:
        kept = itertools.cycle(range(7, 60, 11))
        one.wander._remembered = lambda: image.to_patches(
            image.upload(frame(*SIZE, seed=next(kept)), one.device), one.net.patch, one.dtype
        )
    return one


def dream(one, seconds, start=10.0, rate=30):
    return [one.dream(start + number / rate) for number in range(int(seconds * rate))]


def apart(a, b):
    """Mean difference of two pictures, in levels."""
    return float((a.float() - b.float())[..., :3].abs().mean())


@pytest.mark.parametrize("name", LEARNING)
def test_the_first_dreamt_picture_is_the_networks_of_the_last_frame(name):
    one = woken(name)
    with torch.no_grad():
        answer, _ = one.net(one._looked_at)
    assert torch.equal(one.dream(1.0), image.quantise(answer, 8))


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("name", LEARNING)
def test_a_dream_moves_and_never_cuts(name, memory):
    pictures = dream(woken(name, memory=memory), 2 * LONGEST)
    steps = [apart(a, b) for a, b in itertools.pairwise(pictures)]
    assert max(steps) < 4
    assert apart(pictures[0], pictures[int(30 * SHORTEST)]) > 0.5


def test_a_dream_comes_to_the_network_s_own_picture_of_what_it_remembers():
    one = woken()
    x = image.to_patches(torch.from_numpy(frame(*SIZE, seed=50).pixels), 8, torch.float32)
    one.wander._remembered = lambda: x
    pictures = dream(one, LONGEST + 1)
    with torch.no_grad():
        answer, _ = one.net(x)
    assert apart(pictures[-1], image.quantise(answer, 8)) < 0.1


@pytest.mark.parametrize("knobs", [{}, {"kl": 0.01}])
def test_every_dreamt_picture_is_the_network_s_answer_to_the_code_of_the_moment(knobs):
    one = woken(**knobs)
    passed = []
    one.net.code.register_forward_hook(lambda _, z, made: passed.append((z[0], made[0])))
    pictures = dream(one, 1)
    net = one.net
    net.code._forward_hooks.clear()
    x = torch.zeros(1, 192, SIZE[1] // 8, SIZE[0] // 8)
    passed = passed[-30:]
    for picture, (_, code) in zip(pictures, passed, strict=True):
        one.played[Code].given = {"code": code}
        with torch.no_grad():
            assert torch.equal(picture, image.quantise(net(x)[0], 8))


def test_no_weight_moves_in_a_dream():
    one = woken()
    before = one.weights.hash()
    learnt = one.score.learnt
    dream(one, 12, rate=10)
    assert one.learn() == 0
    assert (one.weights.hash(), one.score.learnt) == (before, learnt)


def test_a_frame_after_a_dream_is_looked_at_with_its_own_code():
    one, twin = woken(), woken()
    dream(one, 3)
    x = frame(*SIZE, seed=2)
    assert torch.equal(one.look(one.see(x)), twin.look(twin.see(x)))


def test_another_frame_is_another_dream_that_begins_with_it():
    one = woken()
    dream(one, 6)
    picture = one.look(one.see(frame(*SIZE, seed=40)))
    assert torch.equal(one.dream(99.0), picture)


def test_the_same_seed_dreams_the_same():
    first, second = (dream(woken(), 10, rate=5) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_dream_goes_on_from_where_it_was_after_a_stall():
    one = woken()
    before = dream(one, 3)[-1]
    assert apart(before, one.dream(500.0)) < 4


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("name", ["paint", "ghost"])
def test_a_variational_code_dreams_without_trembling(name, memory):
    pictures = dream(woken(name, memory=memory, kl=0.01), 8)
    steps = [apart(a, b) for a, b in itertools.pairwise(pictures)]
    assert max(steps) < 4
    assert apart(pictures[0], pictures[-1]) > 0.5


def test_with_a_variational_code_it_goes_elsewhere_than_to_what_it_remembers():
    plain, cloudy = woken(), woken()
    cloudy.played[Code].kl = 1e-5
    assert apart(dream(plain, 10, rate=10)[-1], dream(cloudy, 10, rate=10)[-1]) > 1


def test_the_place_beside_ghost_s_code_goes_along():
    one = woken("ghost", detail=1.0)
    one.wander._remembered = lambda: torch.zeros(1, 192, SIZE[1] // 8, SIZE[0] // 8)
    end = dream(one, LONGEST + 1)[-1]
    with torch.no_grad():
        grey, _ = one.net(torch.zeros(1, 192, SIZE[1] // 8, SIZE[0] // 8))
    assert apart(end, image.quantise(grey, 8)) < 0.1


def test_detail_opened_in_a_dream_opens_on_the_place_dreamt_of():
    one = woken("ghost")
    one.wander._remembered = lambda: torch.zeros(1, 192, SIZE[1] // 8, SIZE[0] // 8)
    dream(one, LONGEST + 1)
    one.played[Detail].detail = 1.0
    with torch.no_grad():
        grey, _ = one.net(torch.zeros(1, 192, SIZE[1] // 8, SIZE[0] // 8))
    assert apart(one.dream(20.0), image.quantise(grey, 8)) < 0.1


def test_the_gate_plays_in_a_dream():
    one, twin = woken(), woken()
    one.played[Code].gate = 0.1
    assert apart(one.dream(1.0), twin.dream(1.0)) > 1


def test_a_mixture_is_as_strong_as_its_ends():
    a, b = torch.randn(2, 1, 24, 8, 8, generator=torch.Generator().manual_seed(1))
    halfway = between(a, b, torch.tensor(0.5))
    assert float(strength(halfway)) == pytest.approx(float(strength(a) + strength(b)) / 2, rel=0.01)
    assert torch.equal(between(a * 0, b * 0, torch.tensor(0.5)), a * 0)


def test_each_place_goes_in_its_own_time_and_arrives():
    a, b = torch.zeros(1, 192, 12, 16), torch.ones(1, 192, 12, 16)
    one = woken()
    wander = Wander(one.played[Code], lambda: b, 3)
    wander.look(one.net, a, 0.0)
    assert (wander._share() == 0).all()
    wander._gone = 0.5
    assert float(wander._share().std()) > 0.1
    wander._gone = 1.0
    assert (wander._share() == 1).all()


def test_the_way_sets_out_and_arrives_slowly():
    one = woken("ghost")
    one.dream(0.0)
    shares = []
    for gone in (0.0, 0.05, 0.5, 0.95, 1.0):
        one.wander._gone = gone
        shares.append(float(one.wander._share()))
    assert shares == pytest.approx([0, 0.00725, 0.5, 0.99275, 1])


def test_a_network_without_a_code_does_not_dream():
    one = Learner("through", SIZE)
    one.look(one.see(frame(*SIZE)))
    assert one.dream(1.0) is None


def test_there_is_no_dream_before_the_first_look():
    assert Learner("tiles", SIZE).dream(0.0) is None


def test_there_is_no_dream_that_is_not_finite():
    one = woken("tiles")
    with torch.no_grad():
        one.net.head.bias[0] = float("nan")
    last = one.last
    assert one.dream(1.0) is None
    assert one.last is last


def test_a_network_switched_to_in_a_dream_dreams():
    one = Learner("through", SIZE, seed=1)
    one.look(one.see(frame(*SIZE)))
    one.running.name = "paint"
    first = one.dream(1.0)
    assert first.shape == (SIZE[1], SIZE[0], 4)
    one.running.name = "dream"
    assert one.dream(1.1).shape == first.shape
    assert one.life.name == "dream"


def test_codes_are_neither_heard_nor_given_at_rest():
    one = woken()
    dream(one, 1)
    code = one.played[Code]
    assert code.heard is None
    assert code.given is None
