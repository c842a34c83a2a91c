"""Who is told what, and when: subscribers, the echo rule, the heartbeat."""

import contextlib
import math
import socket
import struct
import threading

import pytest
from fakes.datagrams import bundle, floating, message
from fakes.hand import PATIENCE, Hand

from bridge import Refusal
from bridge.control import feedback as feedback_module
from bridge.control.feedback import MOST_ASKERS, MOST_GUESTS, PAUSE, Feedback, resolve
from bridge.control.osc import decode, encode
from bridge.control.server import OscServer
from bridge.params import Param, Reading, Refused
from bridge.space import AddressSpace


class Learner:
    rate = Param(0.01, min=0.0, max=1.0, doc="step")
    reach = Param(0.1, min=0.0, max=0.3, doc="how far")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    rule = Param("adam", choices=("sgd", "adam"), doc="update rule")
    on = Param(True, doc="learn at all")
    loss = Reading(0.25, doc="how far off")


class Stats:
    state = Reading("loading", doc="what it does")


TABLET = ("10.0.0.2", 5000)
OTHER = ("10.0.0.3", 5000)
SCREEN = ("127.0.0.1", 9138)


class Stage:
    """A Feedback whose clock, frames and turns are in the test's hand, and what it sent."""

    def __init__(self, *fixed: object) -> None:
        self.now = 0.0
        self.sent: list[tuple[object, bytes]] = []
        self.learner, self.space = Learner(), AddressSpace()
        self.feedback = Feedback(
            self.space,
            lambda data, to: self.sent.append((to, data)),
            [(to, ("plain",)) for to in fixed],
            clock=lambda: self.now,
        )
        self.space.add("/learn", self.learner)
        self.space.add("/stats", Stats())
        self.space.add("/stats", self.space)
        self.space.add("/system", self.feedback)

    def ask(self, who: object, *arguments: object) -> None:
        self.now += PAUSE
        self.space.set("/system/sync", arguments, who)
        self.sent.clear()

    def play(self, who: object, address: str, *arguments: object) -> None:
        """A message, and the frame that takes it."""
        self.space.set(address, arguments, who)
        self.space.apply(self.now)

    def told(self, who: object) -> dict[str, object]:
        """What one turn tells `who` under /learn."""
        self.sent.clear()
        self.feedback.turn()
        return {
            message.address: message.arguments[0]
            for to, data in self.sent
            if to == who
            for message in decode(data).messages
            if "/learn/" in message.address
        }


@pytest.fixture
def stage() -> Stage:
    stage = Stage(SCREEN)
    stage.ask(TABLET)
    stage.told(TABLET)
    return stage


# What is told


def test_a_change_is_told_at_its_plain_address(stage):
    stage.play(OTHER, "/learn/rate", 0.5)
    assert stage.told(TABLET) == {"/learn/rate": 0.5}


def test_only_what_changed_is_told(stage):
    stage.play(OTHER, "/learn/rate", 0.5)
    stage.told(TABLET)
    assert stage.told(TABLET) == {}


def test_a_reading_is_told_too(stage):
    stage.learner.loss = 0.125
    assert stage.told(TABLET) == {"/learn/loss": 0.125}


def test_a_text_is_told_too(stage):
    stage.play(OTHER, "/learn/rule", "sgd")
    assert stage.told(TABLET) == {"/learn/rule": "sgd"}


def test_values_between_two_turns_coalesce_to_the_newest(stage):
    for value in (0.1, 0.2, 0.3):
        stage.play(OTHER, "/learn/steps", value * 10)
    assert stage.told(TABLET) == {"/learn/steps": 3}


def test_bundles_stay_under_1400_bytes(stage):
    others = [Learner() for _ in range(60)]
    for number, other in enumerate(others):
        stage.space.add(f"/many/{number}", other)
        other.loss = 0.5
    stage.sent.clear()
    stage.feedback.turn()
    mine = [data for to, data in stage.sent if to == TABLET]
    assert len(mine) > 1
    assert max(len(data) for data in mine) <= 1400


def test_one_turn_costs_one_encoding_however_many_listen(stage, monkeypatch):
    for number in range(8):
        stage.ask(("10.0.0.9", 6000 + number))
    stage.told(TABLET)
    calls = []
    bundles = feedback_module.osc.bundles
    monkeypatch.setattr(
        feedback_module.osc, "bundles", lambda pairs: calls.append(1) or bundles(pairs)
    )
    stage.learner.loss = 0.5
    stage.told(TABLET)
    assert len(calls) == 1


# The echo rule


def test_who_set_a_knob_is_not_told_what_it_sent(stage):
    stage.play(TABLET, "/learn/rate", 0.5)
    assert stage.told(TABLET) == {}


def test_the_top_of_a_range_that_is_no_float32_is_what_was_sent(stage):
    (top,) = struct.unpack("f", struct.pack("f", 0.3))
    assert top > 0.3
    stage.play(TABLET, "/learn/reach", top)
    assert stage.told(TABLET) == {}


def test_the_others_are_told(stage):
    stage.play(TABLET, "/learn/rate", 0.5)
    assert stage.told(SCREEN) == {"/learn/rate": 0.5}


def test_a_clipped_value_is_told_to_who_sent_it(stage):
    stage.play(TABLET, "/learn/rate", 5.0)
    assert stage.told(TABLET) == {"/learn/rate": 1.0}


def test_a_fader_held_beyond_the_range_is_told_again_though_nothing_changed(stage):
    stage.play(TABLET, "/learn/rate", 5.0)
    stage.told(TABLET)
    stage.play(TABLET, "/learn/rate", 7.0)
    stage.sent.clear()
    assert stage.told(TABLET) == {"/learn/rate": 1.0}


def test_what_did_not_change_is_told_to_nobody_else(stage):
    stage.play(TABLET, "/learn/rate", 5.0)
    stage.told(TABLET)
    stage.play(TABLET, "/learn/rate", 7.0)
    assert stage.told(SCREEN) == {}


def test_a_rounded_value_is_told_to_who_sent_it(stage):
    stage.play(TABLET, "/learn/steps", 2.4)
    assert stage.told(TABLET) == {"/learn/steps": 2}


def test_a_choice_by_its_index_is_told_by_its_name(stage):
    stage.play(TABLET, "/learn/rule", 0)
    assert stage.told(TABLET) == {"/learn/rule": "sgd"}


@pytest.mark.parametrize("value", [math.nan, "fast", None])
def test_after_a_refused_value_the_fader_is_told_what_stands(stage, value):
    stage.play(TABLET, "/learn/rate", value)
    assert stage.told(TABLET) == {"/learn/rate": pytest.approx(0.01)}


def test_a_refused_value_behind_a_good_one_is_answered_with_the_good_one(stage):
    stage.space.set("/learn/rate", [0.5], TABLET)
    stage.space.set("/learn/rate", [math.nan], TABLET)
    assert stage.told(TABLET) == {}
    stage.space.apply(0.0)
    assert stage.told(TABLET) == {"/learn/rate": 0.5}


def test_what_cannot_be_set_is_not_answered_or_a_mirror_would_never_rest(stage):
    stage.play(TABLET, "/learn/loss", 0.5)
    assert stage.told(TABLET) == {}


def test_a_newer_value_of_the_same_hand_is_not_overtaken_by_an_older_one(stage):
    stage.play(TABLET, "/learn/rate", 0.4)
    stage.space.set("/learn/rate", [0.5], TABLET)
    assert stage.told(TABLET) == {}


def test_of_two_hands_in_one_frame_the_one_that_lost_is_told(stage):
    stage.ask(OTHER)
    stage.space.set("/learn/rate", [0.7], OTHER)
    stage.play(TABLET, "/learn/rate", 0.5)
    assert stage.told(OTHER) == {"/learn/rate": 0.5}


def test_the_hand_that_lost_is_told_even_when_nothing_changed(stage):
    stage.ask(OTHER)
    stage.space.set("/learn/rate", [0.7], OTHER)
    stage.play(TABLET, "/learn/rate", 0.01)
    assert stage.told(OTHER) == {"/learn/rate": pytest.approx(0.01)}


# Trees


def test_who_names_trees_is_told_in_these(stage):
    stage.ask(TABLET, "norm", "text")
    stage.play(OTHER, "/learn/reach", 0.15)
    assert stage.told(TABLET) == {
        "/norm/learn/reach": pytest.approx(0.5),
        "/text/learn/reach": "0.15",
    }


def test_who_asks_again_without_names_keeps_its_trees(stage):
    stage.ask(TABLET, "text")
    stage.ask(TABLET)
    stage.play(OTHER, "/learn/on", False)
    assert stage.told(TABLET) == {"/text/learn/on": "off"}


@pytest.mark.parametrize("address", ["/learn/rate", "/norm/learn/rate"])
def test_a_fader_whose_value_was_refused_comes_back_in_its_own_tree(stage, address):
    stage.ask(TABLET, "plain", "norm")
    stage.play(TABLET, address, "fast")
    assert list(stage.told(TABLET)) == [address]


def test_the_label_beside_a_fader_follows_the_hand_on_it(stage):
    stage.ask(TABLET, "norm", "text")
    stage.play(TABLET, "/norm/learn/reach", 0.5)
    assert stage.told(TABLET) == {"/text/learn/reach": "0.15"}


def test_a_value_typed_moves_the_fader_of_the_same_hand(stage):
    stage.ask(TABLET, "plain", "norm")
    stage.play(TABLET, "/learn/reach", 0.15)
    assert stage.told(TABLET) == {"/norm/learn/reach": pytest.approx(0.5)}


def test_a_fader_beyond_its_end_is_told_where_it_stands(stage):
    stage.ask(TABLET, "norm")
    stage.play(TABLET, "/norm/learn/reach", 0.5)
    stage.told(TABLET)
    stage.play(TABLET, "/norm/learn/rule", 0.3)
    assert stage.told(TABLET) == {"/norm/learn/rule": 0.0}


def test_a_sync_answers_in_the_trees_it_names(asked):
    asked.sync(["text"], TABLET)
    told = [m.address for _, data in asked.sent for m in decode(data).messages]
    assert told
    assert all(address.startswith("/text/") for address in told)


def test_the_steps_of_a_glide_and_its_end_are_told_to_who_began_it(stage):
    stage.space.slew = 2.0
    stage.play(TABLET, "/learn/rate", 0.51)
    stage.space.apply(stage.now + 1.0)
    assert stage.told(TABLET) == {"/learn/rate": pytest.approx(0.26)}
    stage.space.apply(stage.now + 2.0)
    assert stage.told(TABLET) == {"/learn/rate": pytest.approx(0.51)}


def test_a_pattern_is_an_echo_on_every_knob_it_names(stage):
    stage.play(TABLET, "/learn/{rate,steps}", 1)
    assert stage.told(TABLET) == {}


# Who is who


def test_who_asked_from_one_port_for_another_is_known_by_the_port_it_asked_from(stage):
    stage.ask(OTHER, 9000)
    stage.play(OTHER, "/learn/rate", 0.5)
    assert stage.told(("10.0.0.3", 9000)) == {}


def test_who_named_a_port_is_known_by_its_host(stage):
    stage.ask(OTHER, 9000)
    stage.play(("10.0.0.3", 6001), "/learn/rate", 0.5)
    assert stage.told(("10.0.0.3", 9000)) == {}


def test_once_it_played_from_where_it_asked_others_on_its_host_are_others(stage):
    stage.ask(OTHER, 9000)
    stage.play(OTHER, "/learn/rate", 0.5)
    stage.told(OTHER)
    stage.play(("10.0.0.3", 6001), "/learn/rate", 0.25)
    assert stage.told(("10.0.0.3", 9000)) == {"/learn/rate": 0.25}


def test_another_subscriber_on_the_same_host_is_another(stage):
    stage.ask(("10.0.0.3", 7000))
    stage.ask(OTHER, 9000)
    stage.play(("10.0.0.3", 7000), "/learn/rate", 0.5)
    assert stage.told(("10.0.0.3", 9000)) == {"/learn/rate": 0.5}


def test_who_asked_for_no_port_is_known_by_its_port(stage):
    stage.play(("10.0.0.2", 6001), "/learn/rate", 0.5)
    assert stage.told(TABLET) == {"/learn/rate": 0.5}


def test_a_configured_tablet_is_known_by_its_host():
    stage = Stage(("10.0.0.2", 9138))
    stage.play(TABLET, "/learn/rate", 0.5)
    assert stage.told(("10.0.0.2", 9138)) == {}


def test_this_machines_configured_port_hears_what_other_programs_here_play(stage):
    stage.play(("127.0.0.1", 6001), "/learn/rate", 0.5)
    assert stage.told(SCREEN) == {"/learn/rate": 0.5}


def test_this_machines_configured_port_that_asks_is_known_by_its_host(stage):
    stage.ask(("127.0.0.1", 6001), 9138)
    stage.play(("127.0.0.1", 6002), "/learn/rate", 0.5)
    assert stage.told(SCREEN) == {}


def test_the_longest_silent_guest_goes_first(stage):
    stage.ask(OTHER)
    stage.now += 1.0
    stage.play(TABLET, "/learn/rate", 0.5)  # asked before the other, but plays
    stage.told(TABLET)
    for number in range(MOST_GUESTS - 1):
        stage.ask(("10.0.0.9", 6000 + number))
    stage.learner.loss = 0.5
    stage.told(TABLET)
    told = {to for to, _ in stage.sent}
    assert OTHER not in told
    assert {TABLET, SCREEN} <= told
    assert len(told) == MOST_GUESTS + 1


# The heartbeat


def beats(stage: Stage) -> list[int]:
    told = [m for to, data in stage.sent if to == SCREEN for m in decode(data).messages]
    return [m.arguments[0] for m in told if m.address == "/system/heartbeat"]


def test_the_heart_beats_once_a_second():
    stage = Stage(SCREEN)
    for turn in range(91):
        stage.now = turn / 30 + 1e-9
        stage.feedback.turn()
    assert beats(stage) == [1, 2, 3, 4]


def test_after_a_long_pause_it_beats_once():
    stage = Stage(SCREEN)
    for now in (0.0, 10.0, 10.1):
        stage.now = now
        stage.feedback.turn()
    assert beats(stage) == [1, 2]


def test_every_heartbeat_tells_the_state(stage):
    stage.now += 1.0
    stage.sent.clear()
    stage.feedback.turn()
    told = [m.address for to, data in stage.sent if to == SCREEN for m in decode(data).messages]
    assert told.count("/stats/state") == 1


def test_the_last_turn_tells_the_state(stage):
    stage.sent.clear()
    stage.feedback.turn(last=True)
    assert b"/stats/state" in b"".join(data for to, data in stage.sent if to == SCREEN)


def test_everything_is_told_once_when_asked_for(stage):
    stage.feedback.tell_everything()
    expected = {a: v for a, v in stage.space.values().items() if a.startswith("/learn")}
    assert stage.told(SCREEN).keys() == expected.keys()
    assert stage.told(SCREEN) == {}


# On real sockets


@pytest.fixture
def space() -> AddressSpace:
    space = AddressSpace()
    space.add("/learn", Learner())
    return space


@pytest.fixture
def server(space):
    with contextlib.closing(OscServer(space, port=0)) as server:
        yield server


@pytest.fixture
def hand(server, space):
    with (
        contextlib.closing(Feedback(space, server.send)) as feedback,
        contextlib.closing(Hand(server, space)) as hand,
    ):
        space.add("/system", feedback)
        hand.feedback = feedback
        yield hand


def test_who_asked_hears_what_changes_from_then_on(hand, space):
    hand.play(message("/system/sync"))
    hand.hear(len(space.values()))
    hand.feedback.start()
    space.set("/learn/rate", [0.5])
    space.apply(0.0)
    found: dict[str, object] = {}
    while "/learn/rate" not in found:
        found = hand.hear(1)
    assert found["/learn/rate"] == 0.5


def test_a_subscriber_that_is_gone_costs_nothing(hand, server, space):
    with contextlib.closing(Hand(server, space)) as gone:
        gone.play(message("/system/sync"))
    hand.play(message("/system/sync"))
    hand.hear(len(space.values()))
    for number in range(3):
        space.assign("/learn/steps", number + 2)
        hand.feedback.turn()
        while "/learn/steps" not in hand.hear(1):
            pass
    assert server.failed == 0


def test_a_fault_in_a_turn_does_not_stop_the_heart(server, space, caplog):
    twice = threading.Semaphore(0)

    def fail() -> None:
        twice.release()
        raise ZeroDivisionError("division by zero")

    ticks = iter(range(1000))
    with contextlib.closing(
        Feedback(space, server.send, pulse=fail, clock=lambda: float(next(ticks)))
    ) as failing:
        failing.start()
        assert twice.acquire(timeout=PATIENCE)
        assert twice.acquire(timeout=PATIENCE)
    assert len(caplog.records) == 1


def test_closing_twice_or_before_the_start_is_harmless(hand):
    hand.feedback.close()
    hand.feedback.close()


# Sync


def test_sync_answers_with_every_value_to_whoever_asks(hand, space):
    hand.play(message("/system/sync"))
    expected = space.values()
    assert hand.hear(len(expected)).keys() == expected.keys()


def test_sync_tells_values_in_their_own_kinds(hand, space):
    hand.play(message("/system/sync"))
    found = hand.hear(len(space.values()))
    told = [found[f"/learn/{name}"] for name in ("on", "rule", "loss")]
    assert [(type(value), value) for value in told] == [(int, 1), (str, "adam"), (float, 0.25)]


def test_sync_tells_a_value_sent_just_before_it(hand, space):
    hand.play(bundle(floating("/learn/rate", 0.5), message("/system/sync")))
    assert hand.hear(len(space.values()))["/learn/rate"] == 0.5


def test_sync_of_a_large_space_stays_within_1400_bytes_a_datagram(hand, space):
    for number in range(40):
        space.add(f"/many/{number}", Learner())
    hand.play(message("/system/sync"))
    expected = space.values()
    assert hand.hear(len(expected)).keys() == expected.keys()


def test_sync_with_a_port_answers_there(hand, server, space):
    with contextlib.closing(Hand(server, space)) as other:
        other.play(encode("/system/sync", hand.address[1]))
        assert "/learn/rate" in hand.hear(len(space.values()))


def test_an_answer_to_a_closed_port_leaves_the_server_alive(hand, server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    hand.play(encode("/system/sync", port))
    hand.play()
    assert server.failed == 0


@pytest.mark.parametrize("argument", [80, 70000, -1, 9138.5, math.nan, "9138"])
def test_sync_to_a_bad_port_is_refused_and_counted(hand, space, argument):
    datagram = message("/system/sync", "f", b"\x7f\xc0\0\0")
    hand.play(datagram if argument != argument else encode("/system/sync", argument))
    assert space.refused == 1


class Asked(Stage):
    """Who was answered, and nothing before."""

    def __init__(self) -> None:
        super().__init__()
        self.sync = self.feedback.sync

    @property
    def answered(self) -> list[object]:
        return [to for to, _ in self.sent]


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize("arguments", [[], [None], [True], [1], [1.0]])
def test_sync_takes_a_press(asked, arguments):
    asked.sync(arguments, TABLET)
    assert asked.answered == [TABLET]


@pytest.mark.parametrize("arguments", [[False], [0], [0.0]])
def test_sync_ignores_a_release(asked, arguments):
    asked.sync(arguments, TABLET)
    assert asked.answered == []


@pytest.mark.parametrize("arguments", [["me"], [9138, 9139], [[9138]], [b"9138"]])
def test_sync_refuses_what_is_neither_press_nor_port(asked, arguments):
    with pytest.raises(Refused):
        asked.sync(arguments, TABLET)


def test_sync_refuses_to_answer_nobody(asked):
    with pytest.raises(Refused):
        asked.sync([], None)


def test_sync_keeps_the_rest_of_an_ipv6_sender(asked):
    asked.sync([9138], ("fe80::1", 5000, 0, 3))
    assert asked.answered == [("fe80::1", 9138, 0, 3)]


def test_a_burst_of_syncs_gets_one_answer(asked):
    for _ in range(100):
        asked.sync([], TABLET)
    assert asked.answered == [TABLET]


def test_sync_answers_again_after_a_pause(asked):
    asked.sync([], TABLET)
    asked.now = PAUSE
    asked.sync([], TABLET)
    assert asked.answered == [TABLET, TABLET]


def test_two_surfaces_on_one_machine_are_both_answered(asked):
    asked.sync([], TABLET)
    asked.sync([9138], TABLET)
    assert asked.answered == [TABLET, ("10.0.0.2", 9138)]


def test_a_burst_from_many_forged_senders_gets_few_answers(asked):
    for port in range(5000, 6000):
        asked.sync([], ("10.0.0.2", port))
    assert len(asked.answered) == MOST_ASKERS


# Places


@pytest.mark.parametrize(
    ("place", "here", "to"),
    [
        ("localhost:9138", ("127.0.0.1", 1), ("127.0.0.1", 9138)),
        ("127.0.0.1:9138", ("0.0.0.0", 1), ("127.0.0.1", 9138)),
        ("10.0.0.2:9000", ("0.0.0.0", 1), ("10.0.0.2", 9000)),
        ("localhost:9138", ("::1", 1, 0, 0), ("::1", 9138, 0, 0)),
        ("[::1]:9138", ("::", 1, 0, 0), ("::1", 9138, 0, 0)),
    ],
)
def test_a_place_is_found(place, here, to):
    assert resolve(place, here) == (to, ("plain",))


@pytest.mark.parametrize(
    ("place", "wants"),
    [("localhost:9138 text", ("text",)), ("localhost:9138  text norm", ("norm", "text"))],
)
def test_a_place_may_name_the_trees_it_wants(place, wants):
    assert resolve(place, ("127.0.0.1", 1)) == (("127.0.0.1", 9138), wants)


@pytest.mark.parametrize(
    "place",
    ["", "9138", ":9138", "tablet", "tablet:", "tablet:x", "a:70000", "localhost:9138 leaves"],
)
def test_a_place_that_is_none_is_refused_with_what_to_write(place):
    with pytest.raises(Refusal, match="localhost:9138"):
        resolve(place, ("127.0.0.1", 1))


def test_a_name_that_nobody_has_is_refused():
    with pytest.raises(Refusal, match="check the name"):
        resolve("no such host:9138", ("0.0.0.0", 1))


def test_another_machine_that_cannot_be_reached_is_refused_with_what_to_do():
    with pytest.raises(Refusal, match="start with --listen"):
        resolve("10.0.0.2:9138", ("127.0.0.1", 1))
