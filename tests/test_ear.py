"""The ear: up before the network is there, until after it has gone."""

import contextlib
import socket
import subprocess
import sys

import pytest
from fakes.datagrams import floating, message
from fakes.hand import PATIENCE, Hand

from bridge import Refusal
from bridge.control.ear import Ear
from bridge.control.osc import decode, encode
from bridge.params import Param, trigger

MOST_DATAGRAMS = 20  # an ear that has nothing to tell sends one a second


class Learner:
    """What a tree is complete with."""

    rate = Param(0.01, min=0.0, max=1.0, doc="step")

    def __init__(self) -> None:
        self.blanks = 0

    @trigger("begin again")
    def blank(self) -> None:
        self.blanks += 1


class Listener:
    """A port that hears, and what was told there, in order."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.place = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def until(self, address: str, value: object) -> list[object]:
        """The values told at `address`, up to `value`."""
        found: list[object] = []
        for _ in range(MOST_DATAGRAMS):
            told = decode(self.socket.recv(65535)).messages
            found += [m.arguments[0] for m in told if m.address == address]
            if value in found:
                return found
        raise AssertionError(f"{value} is never told at {address}, but {found}")

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def listener():
    with contextlib.closing(Listener()) as listener:
        yield listener


@pytest.fixture
def ear(listener):
    with Ear(port=0, feedback=[listener.place]) as ear:
        yield ear


@pytest.fixture
def hand(ear):
    with contextlib.closing(Hand(ear, ear.space)) as hand:
        yield hand


def completed(ear: Ear) -> Learner:
    learner = Learner()
    ear.space.add("/learn", learner)
    ear.complete()
    ear.space.apply(0.0)
    return learner


def test_it_tells_that_it_is_loading(ear, listener):
    assert ear.stats.state == "loading"
    assert listener.until("/stats/state", "loading") == ["loading"]


def test_its_heart_beats_at_once(ear, listener):
    assert ear.port
    assert listener.until("/system/heartbeat", 1) == [1]


def test_a_value_sent_while_loading_is_played_when_its_knob_is_there(ear, hand):
    hand.play(floating("/learn/rate", 0.5))
    assert completed(ear).rate == 0.5
    assert ear.space.unknown == 0


def test_sync_while_loading_is_answered_with_what_there_is(ear, hand):
    hand.play(message("/system/sync"))
    expected = ear.space.values()
    assert hand.hear(len(expected)).keys() == expected.keys()


def test_when_the_tree_is_complete_everybody_is_told_everything(ear, listener):
    completed(ear)
    assert listener.until("/learn/rate", pytest.approx(0.01))


def test_at_the_end_it_tells_that_it_has_ended(ear, listener):
    ear.close()
    assert listener.until("/stats/state", "ended")[-1] == "ended"


def test_what_could_not_be_done_is_told_at_the_end(listener):
    with pytest.raises(Refusal), Ear(port=0, feedback=[listener.place]):
        raise Refusal("check the path")
    assert listener.until("/stats/error", "check the path")


def test_a_loop_that_hangs_is_told():
    now = 100.0
    with Ear(port=0, clock=lambda: now) as ear:
        for turned, stalled in ((None, 0.0), (99.0, 0.0), (90.0, 10.0)):
            ear.stats.turned = turned
            ear.stats.watch(now)
            assert ear.stats.stalled == stalled


def test_none_is_nobody():
    with Ear(port=0, feedback=["none"]) as ear:
        assert ear._feedback._subscribers == {}


def test_a_place_that_is_none_leaves_no_port_open():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Refusal, match="--feedback tablet"):
        Ear(port=port, feedback=["tablet"])
    Ear(port=port).close()


@pytest.mark.parametrize("sent", [encode("/learn/blank", 1), message("/learn/blank")])
def test_a_button_pressed_and_released_while_loading_is_pressed_once(ear, hand, sent):
    hand.play(sent, encode("/learn/blank", 0))
    assert completed(ear).blanks == 1


def test_nothing_of_it_brings_torch():
    code = "import sys, bridge.control.ear\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
