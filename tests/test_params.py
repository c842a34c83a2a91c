"""The knobs: what they take, when they move, and what the space tells of them."""

import logging
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.held import MOST_HELD
from bridge.params import LONGEST_TEXT, Param, Reading, Refused, trigger
from bridge.space import MOST_PRESSES, MOST_SAID, MOST_SENT, MOST_UNKNOWN, AddressSpace

calm = settings(deadline=None)  # others may be using this processor


class Learner:
    on = Param(True, doc="learn at all")
    rule = Param("adam", choices=("sgd", "adam", "sign"), doc="update rule")
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-6, doc="step")
    momentum = Param(0.9, min=0.0, max=1.0, taper="antilog", floor=1e-3, doc="memory of steps")
    steps = Param(2, min=0, max=8, doc="steps a frame")
    title = Param("", doc="a text")
    gentle = Param(0.0, min=0.0, max=1.0, slew=2.0, doc="glides by itself")
    gate = Param(0.5, min=0.0, max=1.0, active=lambda learner: learner.on, doc="of some networks")
    loss = Reading(0.0, doc="how far off")

    def __init__(self) -> None:
        self.log: list[object] = []
        self.asked: list[object] = []

    @trigger("start afresh")
    def blank(self) -> None:
        self.log.append((self.steps, self.rate))

    @trigger("answer now", at_once=True)
    def ask(self, arguments, sender) -> None:
        if arguments == ["never"]:
            raise Refused("is not asked so")
        self.asked.append((arguments, sender))


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


# Taking values


@pytest.mark.parametrize(
    ("name", "given", "becomes"),
    [
        ("rate", 0.25, 0.25),
        ("rate", 1, 1.0),
        ("rate", True, 1.0),
        ("rate", False, 0.0),
        ("steps", 3, 3),
        ("steps", 3.7, 4),
        ("steps", True, 1),
        ("steps", -0.2, 0),
        ("on", False, False),
        ("on", 0, False),
        ("on", 0.0, False),
        ("on", 1.0, True),
        ("on", 127, True),
        ("rule", "sign", "sign"),
        ("rule", 0, "sgd"),
        ("rule", 2.0, "sign"),
        ("rule", 99, "sign"),
        ("rule", -1, "sgd"),
        ("title", "Nacht", "Nacht"),
    ],
)
def test_a_value_becomes_the_declared_kind(space, learner, name, given, becomes):
    assert play(space, f"/learn/{name}", given)
    value = getattr(learner, name)
    assert (type(value), value) == (type(becomes), becomes)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rate", "0.5"),
        ("rate", math.nan),
        ("rate", math.inf),
        ("rate", None),
        ("rate", b"\0\0"),
        ("rate", [0.5]),
        ("rate", (1, 2, 3, 4)),
        ("rate", 10**400),
        ("steps", math.nan),
        ("steps", -math.inf),
        ("steps", -(10**400)),
        ("on", "yes"),
        ("on", math.nan),
        ("on", None),
        ("rule", "ada"),
        ("rule", math.inf),
        ("rule", True),
        ("rule", 10**400),
        ("title", 3),
        ("title", "x" * (LONGEST_TEXT + 1)),
        ("loss", 0.1),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_and_counted(space, learner, name, given):
    before = getattr(learner, name)
    assert not play(space, f"/learn/{name}", given)
    assert (getattr(learner, name), space.refused) == (before, 1)


@pytest.mark.parametrize("arguments", [(), (0.1, 0.2)])
def test_a_knob_takes_exactly_one_value(space, arguments):
    assert not play(space, "/learn/rate", *arguments)
    assert space.refused == 1


@pytest.mark.parametrize(
    ("name", "given", "becomes"),
    [("rate", 7.0, 1.0), ("rate", -1e-9, 0.0), ("steps", 1e300, 8), ("steps", -5, 0)],
)
def test_a_value_out_of_range_is_clipped_and_counted(space, learner, name, given, becomes):
    assert play(space, f"/learn/{name}", given)
    assert (getattr(learner, name), space.clipped) == (becomes, 1)


def test_a_value_at_the_end_of_its_range_is_not_counted_as_clipped(space):
    assert play(space, "/learn/rate", 1.0)
    assert space.clipped == 0


def test_an_unknown_address_is_counted_and_not_taken(space):
    assert not play(space, "/learn/rat", 0.1)
    assert space.unknown == 1


def test_a_complaint_is_logged_once_and_counted_always(space, caplog):
    for _ in range(5):
        play(space, "/learn/rate", "fast")
    assert (len(caplog.records), space.refused) == (1, 5)


def test_a_flood_of_different_complaints_does_not_fill_the_log(space, caplog):
    caplog.set_level(logging.WARNING)
    for number in range(MOST_SAID + 50):
        space.set("/learn/rate", [f"{number}"])
    assert (len(caplog.records), space.refused) == (MOST_SAID, MOST_SAID + 50)


def test_a_program_that_sends_all_it_has_leaves_room_for_other_complaints(space, caplog):
    caplog.set_level(logging.WARNING)
    for number in range(1500):
        space.set(f"/composition/layers/{number}", [1])
    space.set("/learn/rate", ["fast"])
    assert (len(caplog.records), space.unknown) == (MOST_UNKNOWN + 1, 1500)


@calm
@given(st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())))
def test_nothing_that_is_sent_raises_or_leaves_the_range(arguments):
    learner, space = Learner(), AddressSpace()
    space.add("/learn", learner)
    for name in ("on", "rule", "rate", "momentum", "steps", "title", "loss", "blank"):
        play(space, f"/learn/{name}", *arguments)
    assert 0.0 <= learner.rate <= 1.0
    assert learner.steps in range(9)
    assert learner.rule in ("sgd", "adam", "sign")


# Moving


def test_a_knob_moves_only_when_the_frame_applies(space, learner):
    space.set("/learn/rate", [0.5])
    assert learner.rate == 0.01


def test_the_newest_value_between_two_frames_wins(space, learner):
    for value in (0.1, 0.2, 0.3):
        space.set("/learn/rate", [value])
    space.apply(0.0)
    assert learner.rate == 0.3


def test_a_pattern_moves_every_knob_it_names(space, learner):
    assert play(space, "/learn/{rate,momentum}", 0.5)
    assert (learner.rate, learner.momentum) == (0.5, 0.5)


def test_a_pattern_that_meets_one_refusal_still_moves_the_others(space, learner):
    assert not play(space, "/learn/{rate,loss}", 0.5)
    assert learner.rate == 0.5


def test_a_pattern_finds_knobs_that_were_added_after_it_was_first_used(space):
    space.set("/*/rate", [0.1])
    other = Learner()
    space.add("/other", other)
    play(space, "/*/rate", 0.7)
    assert other.rate == 0.7


def test_values_set_from_many_threads_are_all_counted(space):
    def flood() -> None:
        for number in range(500):
            space.set("/learn/rate", [2.0])
            space.set("/learn/steps", ["x"])
            space.set(f"/nobody/{number % 7}", [])

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (space.clipped, space.refused, space.unknown) == (2000, 2000, 2000)


def test_every_press_arrives_while_frames_are_applied_beside(space, learner):
    done = threading.Event()

    def press() -> None:
        for number in range(200):
            space.set("/learn/steps", [number % 8])
            space.set("/learn/blank")
        done.set()

    thread = threading.Thread(target=press)
    thread.start()
    while not done.is_set():
        space.apply(0.0)
    thread.join()
    space.apply(0.0)
    assert [steps for steps, _ in learner.log] == [number % 8 for number in range(200)]


# Triggers


@pytest.mark.parametrize("arguments", [(), (None,), (True,), (1,), (1.0,), (0.3,)])
def test_a_trigger_takes_a_press(space, learner, arguments):
    assert play(space, "/learn/blank", *arguments)
    assert len(learner.log) == 1


@pytest.mark.parametrize("arguments", [(False,), (0,), (0.0,)])
def test_a_trigger_ignores_a_release(space, learner, arguments):
    assert play(space, "/learn/blank", *arguments)
    assert (learner.log, space.refused) == ([], 0)


@pytest.mark.parametrize("given", ["slot", b"\1", [1], (1, 2, 3, 4), math.nan, math.inf])
def test_a_trigger_refuses_what_is_no_press(space, learner, given):
    assert not play(space, "/learn/blank", given)
    assert (learner.log, space.refused) == ([], 1)


def test_a_trigger_refuses_two_arguments(space, learner):
    assert not play(space, "/learn/blank", 1, 1)
    assert learner.log == []


def test_presses_keep_their_order_among_values(space, learner):
    space.set("/learn/steps", [3])
    space.set("/learn/blank")
    space.set("/learn/steps", [5])
    space.set("/learn/blank")
    space.set("/learn/steps", [7])
    space.apply(0.0)
    assert ([steps for steps, _ in learner.log], learner.steps) == ([3, 5], 7)


def test_a_flood_of_presses_is_bounded_and_the_rest_counted(space, learner):
    for _ in range(MOST_PRESSES + 10):
        space.set("/learn/blank")
    space.apply(0.0)
    assert (len(learner.log), space.refused) == (MOST_PRESSES, 10)


def test_after_a_flood_of_presses_values_still_move(space, learner):
    for _ in range(MOST_PRESSES + 10):
        space.set("/learn/blank")
    assert play(space, "/learn/rate", 0.5)
    assert learner.rate == 0.5


def test_a_trigger_that_happens_at_once_is_given_arguments_and_sender(space, learner):
    space.set("/learn/ask", [9138], ("10.0.0.2", 5000))
    assert learner.asked == [([9138], ("10.0.0.2", 5000))]


def test_a_trigger_that_happens_at_once_may_refuse(space):
    assert not space.set("/learn/ask", ["never"])
    assert space.refused == 1


# Gliding


def test_a_knob_that_slews_glides_there(space, learner):
    space.set("/learn/gentle", [1.0])
    space.apply(10.0)
    space.apply(11.0)
    assert learner.gentle == pytest.approx(0.5)


def test_a_slower_slew_of_the_whole_holds_for_a_knob_that_slews_too(space, learner):
    space.slew = 4.0
    space.set("/learn/gentle", [1.0])
    space.apply(10.0)
    space.apply(11.0)
    assert learner.gentle == pytest.approx(0.25)


def test_a_glide_lands_exactly(space, learner):
    learner.rate = 1e-3
    space.slew = 0.3
    space.set("/learn/rate", [0.1])
    for now in (0.0, 0.1, 0.2, 0.31):
        space.apply(now)
    assert learner.rate == 0.1


def test_a_glide_runs_in_the_travel_of_the_fader(space, learner):
    learner.rate = 1e-4
    space.slew = 1.0
    space.set("/learn/rate", [1e-2])
    space.apply(0.0)
    space.apply(0.5)
    assert learner.rate == pytest.approx(1e-3)


def test_a_new_value_turns_a_glide_from_where_it_is(space, learner):
    space.set("/learn/gentle", [1.0])
    space.apply(0.0)
    space.apply(1.0)
    space.set("/learn/gentle", [0.0])
    space.apply(1.0)
    space.apply(2.0)
    assert learner.gentle == pytest.approx(0.25)


def test_a_glide_ends_where_assign_puts_the_knob(space, learner):
    space.set("/learn/gentle", [1.0])
    space.apply(0.0)
    space.assign("/learn/gentle", 0.2)
    space.apply(1.0)
    assert learner.gentle == 0.2


@pytest.mark.parametrize(("name", "value"), [("steps", 8), ("on", False), ("rule", "sign")])
def test_what_is_not_continuous_never_glides(space, learner, name, value):
    space.slew = 10.0
    play(space, f"/learn/{name}", value)
    assert getattr(learner, name) == value


# Tapers

TAPERS = [
    Param(0.5, min=0.0, max=1.0, doc="linear"),
    Param(-1.0, min=-2.0, max=6.0, doc="linear, with both signs"),
    Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-6, doc="log"),
    Param(20.0, min=10.0, max=500.0, taper="log", floor=0.5, doc="log, from above 0"),
    Param(0.9, min=0.0, max=1.0, taper="antilog", floor=1e-4, doc="antilog"),
    Param(0.9, min=0.5, max=0.9999, taper="antilog", floor=1e-4, doc="antilog, short of 1"),
]


@pytest.mark.parametrize("knob", TAPERS, ids=lambda knob: knob.doc)
@calm
@given(norm=st.floats(0.01, 0.99))
def test_a_tapers_two_ways_invert_each_other(knob, norm):
    assert knob.to_norm(knob.from_norm(norm)) == pytest.approx(norm, abs=1e-6)


@pytest.mark.parametrize("knob", TAPERS, ids=lambda knob: knob.doc)
@calm
@given(norm=st.floats(-1.0, 2.0))
def test_a_fader_never_leaves_the_range(knob, norm):
    assert knob.min <= knob.from_norm(norm) <= knob.max


@pytest.mark.parametrize("knob", TAPERS, ids=lambda knob: knob.doc)
def test_the_ends_of_a_fader_are_the_ends_of_the_range(knob):
    ends = knob.from_norm(0.0), knob.from_norm(1.0)
    assert ends == (pytest.approx(knob.min), pytest.approx(knob.max))


@pytest.mark.parametrize("knob", TAPERS, ids=lambda knob: knob.doc)
@calm
@given(norms=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_a_fader_pushed_up_never_lowers_the_value(knob, norms):
    low, high = map(knob.from_norm, norms)
    assert low <= high + 1e-12


def test_equal_travel_of_a_log_fader_is_equal_ratio():
    knob = TAPERS[2]
    a, b, c = (knob.from_norm(norm) for norm in (0.4, 0.5, 0.6))
    assert b / a == pytest.approx(c / b)


def test_the_very_end_of_a_log_fader_is_zero():
    assert TAPERS[2].from_norm(0.0) == 0.0


def test_an_antilog_fader_is_fine_near_its_top():
    knob = TAPERS[4]
    assert knob.from_norm(0.75) - knob.from_norm(0.5) > knob.from_norm(1.0) - knob.from_norm(0.75)


# Declaring


@pytest.mark.parametrize(
    "options",
    [
        {"default": 0.5},
        {"default": 2.0, "min": 0.0, "max": 1.0},
        {"default": 0.5, "min": 0.0, "max": 1.0, "taper": "log"},
        {"default": 0.5, "min": 0.0, "max": 1.0, "taper": "antilog", "floor": 1.0},
    ],
    ids=["no range", "default outside", "log without a floor", "floor above the span"],
)
def test_a_knob_declared_wrongly_fails_where_it_is_declared(options):
    with pytest.raises(TypeError, match="what it does"):
        Param(**options, doc="what it does")


@pytest.mark.parametrize(
    ("name", "kind", "access"),
    [
        ("on", "bool", "rw"),
        ("rule", "choice", "rw"),
        ("rate", "float", "rw"),
        ("steps", "int", "rw"),
        ("title", "text", "rw"),
        ("loss", "float", "r"),
        ("blank", "trigger", "w"),
    ],
)
def test_a_knob_tells_its_kind_and_access(space, name, kind, access):
    knob = space[f"/learn/{name}"]
    assert (knob.kind, knob.access) == (kind, access)


def test_two_knobs_cannot_share_an_address(space):
    with pytest.raises(ValueError, match="/learn/on"):
        space.add("/learn", Learner())


def test_two_objects_may_share_a_group(space):
    class Sync:
        soon = Param(0.0, min=0.0, max=1.0, doc="another")

    space.add("/learn", Sync())
    assert "/learn/soon" in space


def test_a_subclass_may_declare_a_knob_anew():
    class Ghost(Learner):
        rate = Param(0.2, min=0.0, max=0.5, doc="gentler")

    space = AddressSpace()
    space.add("/learn", Ghost())
    play(space, "/learn/rate", 1.0)
    assert space["/learn/rate"].value == 0.5


def test_objects_of_one_class_keep_their_own_values(space, learner):
    other = Learner()
    space.add("/other", other)
    play(space, "/other/rate", 0.5)
    assert (learner.rate, other.rate) == (0.01, 0.5)


def test_a_knob_is_active_when_its_owner_says_so(space, learner):
    learner.on = False
    assert not space["/learn/gate"].active


def test_a_knob_that_says_nothing_is_active(space):
    assert space["/learn/rate"].active


# Telling


def test_a_stamp_rises_when_the_value_changes(space):
    before = space["/learn/rate"].stamp
    play(space, "/learn/rate", 0.5)
    assert space["/learn/rate"].stamp > before


def test_a_stamp_stays_when_the_same_value_is_set_again(space):
    play(space, "/learn/rate", 0.5)
    before = space["/learn/rate"].stamp
    play(space, "/learn/rate", 0.5)
    assert space["/learn/rate"].stamp == before


def test_a_reading_that_changes_is_stamped_too(space, learner):
    learner.loss = 0.3
    assert [knob.name for knob in space.changes(since=0).changed] == ["loss"]


def test_changed_tells_what_came_after_a_stamp_oldest_first(space):
    play(space, "/learn/rate", 0.5)
    seen = space["/learn/rate"].stamp
    play(space, "/learn/steps", 5)
    play(space, "/learn/momentum", 0.5)
    play(space, "/learn/steps", 6)
    assert [knob.name for knob in space.changes(seen).changed] == ["momentum", "steps"]


def test_values_tell_what_will_be_at_the_next_frame(space, learner):
    space.set("/learn/rate", [0.5])
    assert (space.values()["/learn/rate"], learner.rate) == (0.5, 0.01)


def test_values_hold_every_param_and_reading_and_no_trigger(space):
    expected = {knob.address for knob in space} - {"/learn/blank", "/learn/ask"}
    assert set(space.values()) == expected


# Whole states


def test_a_preset_comes_back_as_it_was(space):
    for name, value in [("rate", 0.3), ("rule", "sign"), ("on", False), ("title", "dusk")]:
        play(space, f"/learn/{name}", value)
    preset = space.preset()
    for name, value in [("rate", 0.1), ("rule", "sgd"), ("on", True), ("title", "")]:
        play(space, f"/learn/{name}", value)
    assert space.recall(preset) == []
    space.apply(0.0)
    assert space.preset() == preset


def test_a_preset_holds_params_only(space):
    assert {space[address].access for address in space.preset()} == {"rw"}


def test_an_unknown_address_in_a_preset_is_a_warning_and_the_rest_is_taken(space, learner):
    warnings = space.recall({"/gone": 1, "/learn/rate": 0.5})
    space.apply(0.0)
    says = "/gone is not an address here; `firstlight params` lists them."
    assert (warnings, learner.rate) == ([says], 0.5)


def test_a_misspelt_address_in_a_preset_is_told_the_nearest(space):
    (warning,) = space.recall({"/learn/rat": 1})
    assert warning.endswith("did you mean /learn/rate?")


@pytest.mark.parametrize("value", ["fast", 10**400, None, [1]])
def test_a_bad_value_in_a_preset_is_a_warning(space, value):
    (warning,) = space.recall({"/learn/rate": value})
    assert warning.startswith("/learn/rate takes a ")
    assert space.refused == 1


@pytest.mark.parametrize("name", ["blank", "ask", "loss"])
def test_a_preset_presses_nothing_and_sets_no_reading(space, learner, name):
    (warning,) = space.recall({f"/learn/{name}": 1})
    space.apply(0.0)
    assert (warning[: len(name) + 8], learner.log, learner.asked) == (f"/learn/{name} ", [], [])


def test_before_the_first_frame_a_preset_is_in_force_at_once(space, learner):
    assert space.recall({"/learn/rate": 0.5}, at_once=True) == []
    assert learner.rate == 0.5


def test_a_knob_that_is_not_for_presets_is_in_none_and_set_by_none():
    class Deck:
        record = Param(False, preset=False, doc="")

    space, deck = AddressSpace(), Deck()
    space.add("/system", deck)
    (warning,) = space.recall({"/system/record": True})
    space.apply(0.0)
    assert (space.preset(), deck.record) == ({}, False)
    assert warning == "/system/record is not a knob that a preset can set"


def test_assign_sets_a_knob_now(space, learner):
    space.assign("/learn/steps", 3.0)
    assert learner.steps == 3


@pytest.mark.parametrize(
    ("address", "value", "error"),
    [
        ("/learn/nothing", 1, KeyError),
        ("/learn/rate", "fast", Refused),
        ("/learn/loss", 0.1, Refused),
        ("/learn/blank", 1, Refused),
    ],
)
def test_assign_raises_what_set_would_only_count(space, address, value, error):
    with pytest.raises(error):
        space.assign(address, value)


def test_a_space_can_publish_its_own_readings():
    space = AddressSpace()
    space.add("/stats", space)
    assert [knob.address for knob in space] == [
        "/stats/refused",
        "/stats/clipped",
        "/stats/unknown",
    ]
    space.set("/nowhere", [1])
    assert space.values()["/stats/unknown"] == 1


# Who sent what


def test_changes_tell_who_sent_what_once_it_was_applied(space):
    space.set("/learn/rate", [0.5], "me")
    assert space.changes(0).sent == []
    space.apply(0.0)
    ((_, knob, sender, value, _),) = space.changes(0).sent
    assert (knob.address, sender, value) == ("/learn/rate", "me", 0.5)


def test_changes_are_told_once(space):
    space.set("/learn/rate", [0.5], "me")
    space.apply(0.0)
    until = space.changes(0).until
    later = space.changes(until)
    assert (later.changed, later.sent) == ([], [])


def test_what_is_remembered_of_a_flood_of_senders_is_bounded(space):
    for number in range(3 * MOST_SENT):
        space.set("/learn/rate", [0.5], number)
    space.apply(0.0)
    assert len(space.changes(0).sent) == MOST_SENT


# Before the tree is complete


class Late:
    """Knobs that come when messages for them have come already."""

    slot = Param(0, min=0, max=9, doc="which")

    def __init__(self) -> None:
        self.saved: list[int] = []

    @trigger("save")
    def save(self) -> None:
        self.saved.append(self.slot)


@pytest.fixture
def growing():
    space = AddressSpace()
    space.hold()
    return space


def grown(space: AddressSpace) -> Late:
    late = Late()
    space.add("/brain", late)
    space.complete()
    space.apply(0.0)
    return late


def test_a_value_waits_for_its_knob(growing):
    growing.set("/brain/slot", [3])
    assert grown(growing).slot == 3
    assert growing.unknown == 0


def test_of_what_waits_the_newest_wins(growing):
    for number in range(9):
        growing.set("/brain/slot", [number])
    assert grown(growing).slot == 8


def test_a_pattern_waits_too(growing):
    growing.set("/*/sl?t", [3])
    assert grown(growing).slot == 3


@pytest.mark.parametrize("press", [[], [1], [True], [None]])
def test_what_waits_keeps_its_order_around_presses(growing, press):
    for slot in (3, 4):
        growing.set("/brain/slot", [slot])
        growing.set("/brain/save", press)
    assert grown(growing).saved == [3, 4]


def test_what_waits_wins_over_what_was_set_at_the_start(growing):
    growing.set("/brain/slot", [3])
    late = Late()
    growing.add("/brain", late)
    growing.assign("/brain/slot", 5)
    growing.complete()
    growing.apply(0.0)
    assert late.slot == 3


def test_only_when_the_tree_is_complete_an_address_is_unknown(growing):
    growing.set("/nobody", [1])
    assert growing.unknown == 0
    grown(growing)
    assert growing.unknown == 1


def test_what_waits_is_bounded_and_the_oldest_go(growing):
    growing.set("/brain/slot", [3])
    for number in range(MOST_HELD):
        growing.set(f"/flood/{number}", [0.5])
    assert grown(growing).slot == 0
    assert growing.unknown == MOST_HELD


def test_a_fader_held_at_its_top_does_not_push_the_others_out(growing):
    growing.set("/brain/slot", [3])
    for _ in range(2 * MOST_HELD):
        growing.set("/flood", [1.0])
    assert grown(growing).slot == 3


def test_what_comes_meanwhile_is_newer_than_what_waited(growing):
    class Meanwhile(logging.Handler):
        """Sends the next value while those that waited are lined up: at the first complaint."""

        def emit(self, _record):
            growing.set("/brain/slot", [4])

    growing.set("/brain/slot", ["no number"])
    growing.set("/brain/save")
    growing.set("/brain/slot", [3])
    meanwhile = Meanwhile()
    logging.getLogger("bridge.osc").addHandler(meanwhile)
    try:
        assert grown(growing).slot == 4
    finally:
        logging.getLogger("bridge.osc").removeHandler(meanwhile)


def test_an_owner_that_is_here_already_is_not_added_again(space, learner):
    before = list(space)
    space.add("/learn", learner)
    assert list(space) == before
