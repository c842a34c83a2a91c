"""The governor: when a network falls back on a past self, and when it does not."""

import logging
import math

import pytest
import torch
from fakes.stage import Reel, Wall, frame

from bridge.bench import survive
from bridge.engine import Engine
from bridge.frame import Frame
from bridge.learn.governor import SELVES, TAKE_EVERY, grey_card, varies
from bridge.learn.learner import Learner
from bridge.nets.code import Code
from bridge.space import AddressSpace


def learner(name="tiles", **options):
    torch.set_num_threads(1)
    return Learner(name, (32, 32), seed=1, **options)


def play(one, frames=1):
    """dB of each frame of a scene that sways to and fro."""
    curve = []
    for _ in range(frames):
        one.look(one.see(frame(32, 32, seed=0.3 * math.sin(2 * one.now))))
        one.learn()
        curve.append(one.score.psnr)
    return curve


def spoil(one, value):
    one.weights.flat.fill_(value)
    one.weights.publish()


def flat(one):
    """A network whose picture is one colour, and that cannot learn its way out."""
    with torch.no_grad():
        one.weights.flat.zero_()
    one.weights.publish()


def far(one):
    """A network whose picture is out of all range."""
    with torch.no_grad():
        one.weights.flat.mul_(2.5)
    one.weights.publish()


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("bridge.learn").setLevel(logging.ERROR)


def test_from_collapse_to_a_good_picture_takes_one_frame():
    one = learner()
    play(one, 150)
    spoil(one, math.nan)
    assert play(one, 1)[-1] > 20
    assert play(one, 29)[-1] > 30
    assert one.score.rollbacks == 1
    assert "finite" in one.score.rollback


def test_before_there_is_a_past_self_it_falls_back_to_its_beginning():
    one = learner()
    begun = one.score.hash
    play(one, 5)
    spoil(one, math.inf)
    one.look(one.see(frame()))
    assert one.weights.hash() == begun
    assert one.score.seed == 1


def test_weights_that_are_not_finite_where_nobody_looks_are_found():
    one = learner("ghost")
    play(one, 80)
    at = one.weights.names.index("code.width.weight")
    one.weights.shaped(one.weights.flat)[at].fill_(math.nan)
    play(one, 10)
    assert "weights" in one.score.rollback
    assert torch.isfinite(one.weights.flat).all()


def test_gradients_that_stay_not_finite_lead_back():
    one = learner()
    play(one, 80)
    one.losses.judge = lambda y, *_: (torch.tensor(math.nan), torch.full_like(y, math.nan))
    play(one, 12)
    assert "loss" in one.score.rollback


def test_a_picture_gone_flat_leads_back():
    one = learner()
    play(one, 80)
    one.optimiser.step = lambda *_: torch.tensor(0.1)  # it is dead: nothing moves it
    flat(one)
    play(one, 15)
    assert one.score.rollbacks == 0
    assert play(one, 10)[-1] > 20
    assert "flat" in one.score.rollback


def test_a_past_self_that_leads_back_at_once_is_passed_over_for_the_beginning():
    one = learner()
    play(one, 150)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    flat(one)
    play(one, 26)
    assert not torch.equal(one.weights.flat, one.life.origin)
    flat(one)
    play(one, 26)
    assert one.score.rollbacks == 2
    assert torch.equal(one.weights.flat, one.life.origin)


FLATTENERS = [
    ("optimiser", "decay", 10.0), ("optimiser", "rate", 0.0), ("slots", "anchor", 0.1),
    ("optimiser", "clip", 1e-3), ("optimiser", "trust", 1e-3), ("losses", "l2", 0.0),
    ("denoising", "mask", 0.9),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "value"), FLATTENERS)
def test_flatness_that_a_fader_explains_is_left_alone(owner, name, value):
    one = learner()
    play(one, 80)
    setattr(getattr(one, owner), name, value)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    flat(one)
    one.life.origin.zero_()
    play(one, 80)
    assert one.score.rollbacks == 0


@pytest.mark.parametrize(("owner", "name"), [("optimiser", "decay"), ("slots", "anchor")])
def test_what_was_faded_on_purpose_begins_again_and_does_not_remember(owner, name):
    one = learner()
    play(one, 150)
    setattr(getattr(one, owner), name, 1e-3)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    flat(one)
    play(one, 10)
    setattr(getattr(one, owner), name, 0.0)
    play(one, 30)
    assert one.score.rollbacks > 0
    assert torch.equal(one.weights.flat, one.life.origin)


def test_flatness_by_clouds_is_left_alone():
    one = learner()
    play(one, 80)
    one.played[Code].kl = 10.0
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    flat(one)
    play(one, 80)
    assert one.score.rollbacks == 0


def test_a_flat_picture_of_a_flat_frame_is_right():
    one = learner()
    play(one, 80)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    flat(one)
    black = Frame(frame().pixels * 0, "bgra", 0.0)
    for _ in range(80):
        one.look(one.see(black))
        one.learn()
    assert one.score.rollbacks == 0


def test_while_it_does_not_learn_a_flat_picture_stays():
    one = learner()
    play(one, 80)
    one.on = False
    flat(one)
    play(one, 80)
    assert one.score.rollbacks == 0


def test_an_explosion_that_was_frozen_stays():
    one = learner()
    play(one, 80)
    one.on = False
    far(one)
    before = one.weights.flat.clone()
    play(one, 80)
    assert torch.equal(one.weights.flat, before)


@pytest.mark.parametrize("patience", [1.0, 3.0])
def test_far_worse_than_a_grey_card_leads_back_after_the_patience(patience):
    one = learner()
    play(one, 80)
    one.governor.patience = patience
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    far(one)
    play(one, int(patience * 30) - 2)
    assert one.score.rollbacks == 0
    assert play(one, 5)[-1] > 17
    assert "grey card" in one.score.rollback


def test_an_explosion_that_ends_in_time_is_left_alone():
    one = learner()
    play(one, 80)
    kept = one.weights.flat.clone()
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    for _ in range(4):
        far(one)
        play(one, 40)
        one.weights.put(kept)
        play(one, 2)
    assert one.score.rollbacks == 0


def test_where_no_past_self_would_do_better_it_stays_as_it_is():
    one = learner()
    play(one, 80)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    far(one)
    for past in one.governor.selves(one.life):
        past.copy_(one.weights.flat)
    before = one.weights.flat.clone()
    play(one, 150)
    assert one.score.rollbacks == 0
    assert torch.equal(one.weights.flat, before)


def test_an_ugly_picture_is_left_alone():
    one = learner()
    play(one, 120)
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    one.weights.put(one.weights.flat + one.weights.flat.roll(1))
    assert max(play(one, 150)) < 8
    assert one.score.rollbacks == 0


def test_past_selves_are_taken_while_all_is_well_and_the_oldest_make_room():
    one = learner()
    play(one, int(30 * TAKE_EVERY * (SELVES + 3)))
    assert len(one.governor.selves(one.life)) == SELVES + 1
    newest = one.governor.selves(one.life)[0]
    assert (newest - one.weights.flat).norm() < (one.life.origin - one.weights.flat).norm() / 2


def test_no_past_self_is_taken_while_anything_is_wrong():
    one = learner()
    one.optimiser.step = lambda *_: torch.tensor(0.1)
    play(one, 150)
    assert one.governor.selves(one.life) == [one.life.origin]


def test_whoever_begins_again_falls_back_on_nothing_from_before():
    one = learner()
    play(one, 150)
    one.blank()
    play(one, 2)
    assert len(one.governor.selves(one.life)) == 1


def test_panic_is_the_last_good_self_and_again_the_one_before():
    one = learner()
    play(one, 240)
    newest, before = (past.clone() for past in one.governor.selves(one.life)[:2])
    one.panic()
    assert torch.equal(one.weights.flat, newest)
    one.panic()
    assert torch.equal(one.weights.flat, before)


def test_panic_puts_the_faders_back_where_they_stood_at_the_start():
    one, space = learner(), AddressSpace()
    engine = Engine(one, Reel([frame(seed=i / 20) for i in range(300)]), [Wall()], space)
    space.assign("/learn/momentum", 0.5)
    engine.keep_safe(space.preset())
    for address, value in (
        ("/learn/rate", 1.0), ("/learn/momentum", 0.99), ("/see/blur", 9.0), ("/memory/share", 0.5),
        ("/brain/anchor", 0.5), ("/net/noise", 2.0), ("/system/slew", 3.0),
    ):  # fmt: skip
        space.assign(address, value)
    space.set("/system/panic")
    engine.turn()
    values = space.values()
    assert values["/learn/rate"] == 0.0025
    assert values["/learn/momentum"] == 0.5
    assert [values[a] for a in ("/see/blur", "/memory/share", "/brain/anchor", "/net/noise")] == [
        0, 0, 0, 0,
    ]  # fmt: skip
    assert values["/system/slew"] == 3.0
    assert values["/stats/rollbacks"] == 1
    assert values["/stats/rollback"] == "panic"


def test_after_panic_the_network_that_plays_plays_on():
    one, space = learner(), AddressSpace()
    engine = Engine(one, Reel([frame()] * 3), [Wall()], space)
    space.set("/net/name", ["tiles"])
    engine.turn()
    space.set("/system/panic")
    engine.turn()
    assert one.life.name == one.running.name == "tiles"


def test_a_grey_card_is_as_good_as_a_picture_of_nothing():
    x = torch.full((1, 192, 4, 4), 0.5)
    assert grey_card(x) == pytest.approx(10 * math.log10(16))
    assert grey_card(x * 0) == math.inf


def test_one_colour_does_not_vary_whatever_the_colour():
    x = torch.rand(1, 192, 1, 1).expand(1, 192, 4, 4)
    assert varies(x) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["tiles", "paint"])
def test_it_survives_every_fader_at_its_ends_and_comes_back(name):
    source = [frame(32, 32, seed=i / 20) for i in range(60)]
    # Hands that do not ask for sixteen steps a frame most of the time: it takes a third as long.
    found = survive.survive(Learner(name, (32, 32), seed=1), source, 500, seed=2)
    assert found.broken == 0
    assert found.returns[0] is not None
