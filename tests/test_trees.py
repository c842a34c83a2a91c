"""The three trees: plain units, a fader's travel under /norm, words under /text."""

import math

import pytest

from bridge import trees
from bridge.params import Param, Reading, trigger
from bridge.space import AddressSpace


class Learner:
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-4, unit="1/s", doc="step")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    on = Param(True, doc="learn at all")
    rule = Param("adam", choices=("sgd", "adam", "sign"), doc="update rule")
    name = Param("", suggests=lambda owner: owner.known, doc="a name")
    loss = Reading(0.25, doc="how far off")
    known = ("mine", "yours")

    def __init__(self) -> None:
        self.pressed = 0

    @trigger("start afresh", critical=True, asks=True)
    def blank(self) -> None:
        self.pressed += 1


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def space(learner) -> AddressSpace:
    space = AddressSpace()
    space.add("/learn", learner)
    return space


def play(space: AddressSpace, address: str, *arguments: object) -> bool:
    taken = space.set(address, arguments)
    space.apply(0.0)
    return taken


@pytest.mark.parametrize(
    ("travel", "rate"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.01), (7, 1.0), (-3.0, 0.0)]
)
def test_a_fader_travels_along_the_taper(space, learner, travel, rate):
    assert play(space, "/norm/learn/rate", travel)
    assert learner.rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("address", "travel", "name", "value"),
    [
        ("/norm/learn/steps", 0.5, "steps", 8),
        ("/norm/learn/on", 0.4, "on", False),
        ("/norm/learn/on", True, "on", True),
        ("/norm/learn/rule", 0.0, "rule", "sgd"),
        ("/norm/learn/rule", 0.5, "rule", "adam"),
        ("/norm/learn/rule", 0.9, "rule", "sign"),
    ],
)
def test_whatever_is_no_number_has_a_place_on_a_fader(space, learner, address, travel, name, value):
    assert play(space, address, travel)
    assert getattr(learner, name) == value


def test_a_press_is_a_press_on_a_fader_too(space, learner):
    play(space, "/norm/learn/blank", 1.0)
    play(space, "/norm/learn/blank", 0.0)
    assert learner.pressed == 1


@pytest.mark.parametrize("given", ["0.5", math.nan, math.inf, b"x", None, [0.5]])
def test_what_is_no_travel_is_refused(space, learner, given):
    assert not play(space, "/norm/learn/rate", given)
    assert (learner.rate, space.refused) == (0.01, 1)


@pytest.mark.parametrize("arguments", [(), (0.1, 0.2)])
def test_a_fader_takes_one_number(space, arguments):
    assert not play(space, "/norm/learn/rate", *arguments)


def test_beyond_the_ends_of_a_fader_is_clipped_and_counted(space):
    play(space, "/norm/learn/rate", 1.5)
    assert space.clipped == 1


def test_patterns_name_faders_too(space, learner):
    play(space, "/norm/learn/{rate,steps}", 1.0)
    assert (learner.rate, learner.steps) == (1.0, 16)


@pytest.mark.parametrize("address", ["/norm/learn/loss", "/norm/learn/name", "/norm/learn/none"])
def test_what_has_no_fader_is_not_there(space, address):
    assert not play(space, address, 0.5)
    assert space.unknown == 1


@pytest.mark.parametrize("address", ["/text/learn/rate", "/text/learn/loss"])
def test_words_only_tell(space, learner, address):
    assert not play(space, address, "0.5")
    assert (learner.rate, space.refused) == (0.01, 1)


@pytest.mark.parametrize(
    ("address", "value", "words"),
    [
        ("/learn/rate", 0.0025, "0.0025/s"),
        ("/learn/rate", 1 / 3, "0.333/s"),
        ("/learn/rate", 1e-6, "1e-06/s"),
        ("/learn/rate", 12345.6, "12346/s"),
        ("/learn/steps", 3, "3"),
        ("/learn/on", True, "on"),
        ("/learn/on", False, "off"),
        ("/learn/rule", "sgd", "sgd"),
        ("/learn/loss", 0.25, "0.25"),
    ],
)
def test_words_are_what_a_person_reads(space, address, value, words):
    assert trees.told("text", space[address], value) == (f"/text{address}", words)


@pytest.mark.parametrize(
    ("address", "value", "travel"),
    [("/learn/rate", 0.01, 0.5), ("/learn/on", True, 1.0), ("/learn/rule", "sign", 1.0)],
)
def test_a_fader_is_told_where_it_stands(space, address, value, travel):
    assert trees.told("norm", space[address], value) == (
        f"/norm{address}",
        pytest.approx(travel),
    )


def test_a_reading_and_a_text_have_no_fader_to_tell(space):
    assert trees.told("norm", space["/learn/loss"], 0.1) is None
    assert trees.told("norm", space["/learn/name"], "mine") is None


def test_a_text_tells_what_it_suggests_at_present(space, learner):
    learner.known = ("ours",)
    assert space["/learn/name"].choices == ("ours",)
    assert play(space, "/learn/name", "theirs")


# Aliases


def test_an_alias_has_the_meaning_of_its_address(space, learner):
    space.aliases = {"/composition/dashboard/link1": "/norm/learn/rate"}
    play(space, "/composition/dashboard/link1", 0.5)
    assert learner.rate == pytest.approx(0.01)


def test_what_an_alias_says_before_its_knob_is_there_is_kept(learner):
    space = AddressSpace()
    space.hold()
    space.aliases = {"/link": "/learn/steps"}
    space.set("/link", [5])
    space.add("/learn", learner)
    space.complete()
    space.apply(0.0)
    assert learner.steps == 5
