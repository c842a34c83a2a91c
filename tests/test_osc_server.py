"""The OSC thread on real loopback sockets: what reaches the space, and what nothing can stop."""

import contextlib
import logging
import math
import random
import socket

import pytest
from fakes.datagrams import bundle, floating, message, mutated
from fakes.hand import Hand

from bridge import Refusal
from bridge.control import server as server_module
from bridge.control.osc import encode
from bridge.control.server import OscServer
from bridge.params import Param, Reading, trigger
from bridge.space import AddressSpace


class Learner:
    rate = Param(0.01, min=0.0, max=1.0, doc="step")
    rule = Param("adam", choices=("sgd", "adam"), doc="update rule")
    on = Param(True, doc="learn at all")
    loss = Reading(0.25, doc="how far off")

    @trigger("a fault in First Light", at_once=True)
    def fault(self, _arguments, _sender) -> None:
        raise ZeroDivisionError("division by zero")


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def space(learner) -> AddressSpace:
    space = AddressSpace()
    space.add("/learn", learner)
    space.add("/stats", space)
    return space


@pytest.fixture
def server(space):
    with contextlib.closing(OscServer(space, port=0)) as server:
        space.add("/stats", server)
        yield server


@pytest.fixture
def hand(server, space):
    with contextlib.closing(Hand(server, space)) as hand:
        yield hand


# Hearing


def test_a_message_reaches_its_knob(hand, space, learner):
    hand.play(floating("/learn/rate", 0.5))
    space.apply(0.0)
    assert learner.rate == 0.5


def test_a_bundle_reaches_every_knob_in_it(hand, space, learner):
    hand.play(bundle(floating("/learn/rate", 0.5), bundle(encode("/learn/rule", "sgd"))))
    space.apply(0.0)
    assert (learner.rate, learner.rule) == (0.5, "sgd")


def test_a_future_time_tag_is_applied_at_once(hand, space, learner):
    hand.play(bundle(floating("/learn/rate", 0.5), time_tag=b"\xff" * 8))
    space.apply(0.0)
    assert learner.rate == 0.5


def test_messages_are_counted(hand, server):
    hand.play(floating("/learn/rate", 0.5), bundle(message("/a"), message("/b")))
    assert server.messages == 3 + 1


def test_the_last_address_heard_is_told(hand, server):
    hand.play()
    assert server.heard == hand.mark_address


def test_an_unknown_address_is_counted_by_the_space(hand, space):
    hand.play(message("/nobody"))
    assert space.unknown == 1


def test_nan_is_refused_by_the_knob(hand, space):
    hand.play(floating("/learn/rate", math.nan))
    assert space.refused == 1


def test_a_thousand_messages_sent_at_once_all_arrive(hand, server):
    hand.play(*[floating("/learn/rate", number / 1000) for number in range(1000)])
    assert server.messages == 1001


# Malformed


def test_what_is_not_osc_is_counted_and_the_server_lives(hand, server):
    hand.play(b"GET / HTTP/1.1", b"", message("/learn/rate", "f"))
    assert server.malformed == 3


def test_each_bad_element_of_a_bundle_is_counted(hand, server):
    hand.play(bundle(b"\0\0\0\0", message("/a"), b"\0\0\0\0"))
    assert server.malformed == 2


def test_the_same_malformed_thing_is_logged_once(hand, caplog):
    hand.play(*[message("/learn/rate", "f")] * 20)
    assert len(caplog.records) == 1


def test_a_mutated_flood_leaves_the_server_alive(hand, space, learner):
    chance = random.Random(2)
    for _ in range(40):
        hand.play(*[mutated(chance) for _ in range(50)])
    space.apply(0.0)
    hand.play(floating("/learn/rate", 0.5))
    space.apply(1.0)
    assert learner.rate == 0.5


def test_a_datagram_full_of_hostile_patterns_is_outlived(hand, space, server):
    hand.play(bundle(*[message("/*/" + "*{,a}" * 15 + str(number)) for number in range(100)]))
    assert (space.unknown, server.malformed) == (8, 92)


# Failing


def test_a_fault_while_handling_a_message_is_counted_and_the_server_lives(hand, server):
    hand.play(message("/learn/fault"), message("/learn/fault"))
    assert server.failed == 2


def test_a_fault_is_logged_once_with_where_it_happened(hand, caplog):
    hand.play(message("/learn/fault"), message("/learn/fault"))
    (record,) = caplog.records
    assert record.exc_info is not None


class Failing:
    """A socket whose next receptions fail, as Windows' do after an answer to a closed port."""

    def __init__(self, real: socket.socket, *errors: OSError) -> None:
        self.real = real
        self.errors = list(errors)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, object]:
        if self.errors:
            raise self.errors.pop(0)
        return self.real.recvfrom(size, flags)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


class Note:
    def __init__(self) -> None:
        self.heard: list[object] = []

    @trigger("written down as it is heard", at_once=True)
    def down(self, arguments, _sender) -> None:
        self.heard.append(arguments[0])


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError("network is down")])
def test_a_failing_reception_does_not_end_the_thread(hand, server, monkeypatch, error):
    monkeypatch.setattr(server_module, "PAUSE", 0.0)
    server._socket = Failing(server._socket, error, error)
    hand.play()
    hand.play()
    assert server._socket.errors == []


def test_a_blast_is_heard_in_its_order(hand, server, space):
    note = Note()
    space.add("/note", note)
    hand.play(*[encode("/note/down", number) for number in range(2000)])
    assert note.heard == sorted(note.heard)
    assert server.messages == len(note.heard) + 1


@pytest.mark.parametrize("limit", ["MOST_WAITING", "MOST_BYTES"])
def test_a_line_that_is_full_moves_on(hand, server, monkeypatch, limit):
    monkeypatch.setattr(server_module, limit, 1)
    hand.play(*[encode("/learn/rate", 0.5)] * 50)
    assert server.messages == 51


def test_where_asking_would_wait_it_looks_first(hand, server, monkeypatch):
    monkeypatch.setattr(server_module, "DONT_WAIT", 0)
    hand.play(*[encode("/learn/rate", 0.5)] * 50)
    assert server.messages == 51


@pytest.mark.parametrize(
    ("datagram", "to"),
    [
        (b"x", ("127.0.0.1", 1)),
        (b"x", ("127.0.0.1", 70000)),
        (b"x", ("255.255.255.255", 9)),
        (b"x" * 70000, ("127.0.0.1", 9)),
    ],
    ids=["nobody there", "no such port", "not allowed", "too long"],
)
def test_what_cannot_be_sent_is_dropped_without_a_fault(hand, server, datagram, to):
    server.send(datagram, to)
    hand.play()
    assert server.failed == 0


# Opening and closing


def test_a_taken_port_is_refused_with_what_to_do(server, space):
    with pytest.raises(Refusal, match=f"--osc {server.port}: the port is taken"):
        OscServer(space, port=server.port)


def test_a_foreign_address_is_refused(space):
    with pytest.raises(Refusal, match=r"--listen 192\.0\.2\.1: not an address of this machine"):
        OscServer(space, host="192.0.2.1", port=0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused(space, port):
    with pytest.raises(Refusal, match=f"--osc {port}"):
        OscServer(space, port=port)


def test_a_closed_server_has_ended_its_thread(server):
    server.close()
    assert not server._thread.is_alive()


def test_a_server_on_all_addresses_closes_too(space):
    server = OscServer(space, host="0.0.0.0", port=0)
    server.close()
    assert not server._thread.is_alive()


def test_a_closed_port_can_be_opened_again(server, space):
    server.close()
    with contextlib.closing(OscServer(space, port=server.port)) as again:
        assert again.port == server.port


def test_closing_twice_is_harmless(server):
    server.close()
    server.close()


def test_closing_is_not_logged_as_a_fault(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.close()
    assert caplog.records == []


def test_nobody_outside_this_machine_is_heard_by_default(server):
    assert server._socket.getsockname()[0] == "127.0.0.1"
