"""Spout: who is received, what comes and goes, by the host and on the card, and under which name.

SpoutGL is a fake (tests/fakes/spoutgl.py), and so is the card (tests/fakes/card.py).
"""

import gc
import importlib
import math
import sys
import threading

import numpy as np
import pytest
from fakes import card as cards
from fakes import spoutgl
from fakes.spoutgl import Program, machine

from bridge import Refusal, video
from bridge.frame import Frame


def forget():
    """Let nobody else find what was made with the fake."""
    for name in ("spout", "_spout"):
        sys.modules.pop(f"bridge.video.{name}", None)
        vars(video).pop(name, None)


@pytest.fixture(scope="module")
def spout():
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "SpoutGL", spoutgl)
        yield importlib.import_module("bridge.video.spout")
    forget()


class Clock:
    """Time that passes only in sleep, while others do what they are due to do."""

    def __init__(self):
        self.now, self.due = 1000.0, []

    def __call__(self):
        return self.now

    def at(self, seconds, act):
        self.due.append((self.now + seconds, len(self.due), act))
        self.due.sort()

    def every(self, seconds, act, count):
        for number in range(1, count + 1):
            self.at(number * seconds, act)

    def sleep(self, seconds):
        assert seconds > 0
        end = self.now + seconds
        while self.due and self.due[0][0] <= end:
            self.now, _, act = self.due.pop(0)
            act()
        self.now = end


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def card(monkeypatch):
    """A card that draws and computes."""
    texture = importlib.import_module("bridge.video._texture")
    runtime = cards.Runtime()
    monkeypatch.setattr(texture, "torch", cards.Torch())
    monkeypatch.setattr(texture, "GL", cards.GL)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", runtime)
    return runtime


@pytest.fixture
def opened(spout, clock, card):
    """Opens sides, and sees to it that nothing is left once they are closed."""
    spoutgl.reset()
    made = []

    def receiver(rest="", **options):
        how = {"live": True, "clock": clock, "sleep": clock.sleep} | options
        made.append(spout.Receiver(rest, **how))
        return made[-1]

    def sender(rest="", **options):
        made.append(spout.Sender(rest, **({"live": True, "rate": 60.0} | options)))
        return made[-1]

    receiver.sender = sender
    yield receiver
    for one in made:
        one.close()
    left = (
        machine.alive,
        machine.textures,
        machine.current,
        spout.OURS,
        card.registered,
        card.mapped,
    )
    assert not any(left)


class Values:
    """A program's picture of another value each time."""

    def __init__(self, program, values=range(1, 250)):
        self.program, self.values = program, iter(values)

    def __call__(self):
        self.program.show(next(self.values))


def value(frame):
    return frame and int(frame.pixels[0, 0, 0])


def values(receiver, count, timeout=1.0):
    return [value(receiver.receive(timeout)) for _ in range(count)]


def picture(height=4, width=8):
    """No two rows, columns or channels alike."""
    made = np.arange(height * width * 4, dtype=np.uint8).reshape(height, width, 4)
    made[..., 3] = 255
    return made


# Who is received


@pytest.mark.usefixtures("opened")
def test_senders_are_discovered_by_their_names(spout):
    Program("Arena")
    Program("TouchDesigner")
    assert spout.discover(0) == ["spout:Arena", "spout:TouchDesigner"]


@pytest.mark.usefixtures("opened")
def test_who_crashed_is_not_discovered(spout):
    Program("Arena").crash()
    assert machine.listed == ["Arena"]
    assert spout.discover(0) == []


def test_what_this_program_sends_is_not_discovered(spout, opened):
    Program("First Light")
    opened.sender().send(Frame(picture(), "bgra", 0.0))
    assert machine.listed == ["First Light", "First Light_1"]
    assert spout.discover(0) == ["spout:First Light"]


def test_a_name_that_cannot_be_read_is_told(spout, opened):
    machine.garbled = True
    with pytest.raises(Refusal, match="rename it"):
        spout.discover(0)
    assert "rename it" in opened().status().error


def test_a_name_is_waited_for_for_ever(opened):
    Program("Arena").show(1)
    receiver = opened("Resolume")
    assert (receiver.receive(100.0), receiver.status().connected) == (None, False)
    Program("Resolume").show(2)
    assert values(receiver, 1) == [2]
    assert receiver.status().name == "spout:Resolume"


def test_without_a_name_it_is_the_active_sender(opened):
    Program("Arena")
    Program("TouchDesigner")
    machine.active = "TouchDesigner"
    assert opened().status().name == "spout:TouchDesigner"


def test_or_the_first_that_is_not_our_own(opened):
    opened.sender("Aaa").send(Frame(picture(), "bgra", 0.0))
    receiver = opened()
    assert receiver.status().name == "spout:"
    Program("TouchDesigner")
    receiver.receive(0.1)
    assert machine.active == "Aaa"
    assert receiver.status().name == "spout:TouchDesigner"


def test_it_stays_with_whom_it_took(opened):
    arena = Program("Arena")
    receiver = opened()
    Program("TouchDesigner")
    machine.active = "TouchDesigner"
    receiver.receive(0.1)
    arena.close()
    receiver.receive(1.0)
    assert (receiver.status().name, receiver.status().connected) == ("spout:Arena", False)


def test_what_this_program_sends_is_not_received_by_name_either(opened):
    sender = opened.sender("Mirror")
    sender.send(Frame(picture(), "bgra", 0.0))
    receiver = opened("Mirror")
    assert receiver.receive(0.5) is None
    assert "choose another" in receiver.status().error
    sender.close()
    Program("Mirror")
    receiver.receive(0.1)
    assert (receiver.status().connected, receiver.status().error) == (True, "")


def test_offline_there_is_nothing_to_ask_for_again(opened):
    with pytest.raises(Refusal, match="record it first"):
        opened("Arena", live=False)


@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_a_name_that_spout_would_break_at_is_refused(opened, side):
    with pytest.raises(Refusal, match="shorter"):
        (opened if side == "receiver" else opened.sender)("ä" * 101)


# By the host


def test_a_picture_comes_upright_and_in_its_colours(opened, clock):
    arena = Program("Arena")
    arena.show(picture())
    receiver = opened("Arena")
    frame = receiver.receive(1.0)
    assert frame.layout == "bgra"
    assert np.array_equal(frame.pixels, picture())
    assert frame.time == clock.now


def test_a_status_tells_size_format_and_route(opened):
    Program("Arena", (16, 9), 28)
    status = opened("Arena").status()
    assert status.connected
    assert (status.size, status.format, status.route) == (
        (16, 9), "R8G8B8A8", "by the host: cpu computes",
    )  # fmt: skip
    assert not status.error


def test_without_opengl_it_comes_by_direct3d_and_in_its_colours(opened):
    machine.gl = False
    Program("Arena").show(picture())
    receiver = opened("Arena")
    assert receiver.status().size == (8, 4)
    frame = receiver.receive(1.0)
    assert frame.layout == "rgba"
    assert np.array_equal(frame.pixels[..., [2, 1, 0, 3]], picture())


def test_what_lay_about_in_memory_is_never_given(opened, clock):
    arena = Program("Arena")
    arena.show(7)
    receiver = opened("Arena")
    clock.at(0.1, lambda: arena.show(8))
    assert values(receiver, 2) == [7, 8]
    arena.change((6, 4))
    arena.show(9)
    assert values(receiver, 1) == [9]


def test_a_frame_is_never_given_twice_however_often_it_is_looked_at(opened, clock):
    arena = Program("Arena")
    arena.show(0)
    receiver = opened("Arena")
    clock.every(1 / 6, Values(arena), 60)  # slow: each is looked at many times
    values(receiver, 30)  # until it is known that it is slow
    seen = values(receiver, 20)
    assert seen == list(range(seen[0], seen[0] + 20))


def test_a_still_is_given_eight_times_a_second_for_it_is_to_be_learnt_too(opened, clock):
    arena = Program("Arena")
    arena.show(5)
    receiver = opened("Arena")
    assert value(receiver.receive(1.0)) == 5
    rate, begun = receiver.status().rate, clock.now
    assert [value(receiver.receive(1.0)) for _ in range(16)] == [5] * 16
    assert clock.now - begun == pytest.approx(2.0, abs=0.2)
    assert receiver.status().rate == rate


@pytest.mark.parametrize("place", [(0, 0), (17, 3), (39, 7)])
def test_a_single_other_pixel_makes_another_picture(opened, place):
    arena = Program("Arena", (8, 40))
    receiver = opened("Arena")
    assert value(receiver.receive(1.0)) == 0
    arena.shared.picture[place] = 1
    assert receiver.receive(1.0).pixels[place][0] == 1


def test_who_counts_is_believed(opened, clock):
    machine.counting = True
    arena = Program("Arena")
    arena.show(5)
    receiver = opened("Arena")
    clock.every(0.02, arena.show, 3)
    assert [value(receiver.receive(1.0)) for _ in range(4)] == [5, 5, 5, None]


def test_who_counts_tells_what_was_missed(opened, clock):
    machine.counting = True
    arena = Program("Arena")
    arena.show(1)
    receiver = opened("Arena")
    clock.at(0.1, lambda: arena.show(2))
    assert receiver.receive(1.0).skipped == 0
    arena.show(3, frames=4)
    assert receiver.receive(1.0).skipped == 3


def test_a_sender_that_counts_anew_is_no_riddle(opened, clock):
    machine.counting = True
    arena = Program("Arena")
    arena.show(1, frames=1000)
    receiver = opened("Arena")
    clock.at(0.1, arena.show)
    receiver.receive(1.0)
    arena.shared.count = 2
    assert receiver.receive(1.0).skipped == 0


def test_a_sender_that_came_back_and_counts_the_same_shows_a_new_frame(opened):
    machine.counting = True
    Program("Arena").show(1, frames=2)
    receiver = opened("Arena", device="cuda")
    assert value(receiver.receive(1.0)) == 1
    machine.forget("Arena")
    assert receiver.receive(1.0) is None
    Program("Arena").show(3, frames=2)
    assert value(receiver.receive(1.0)) == 3


def test_a_picture_that_another_program_holds_is_not_given_again(opened):
    machine.counting = True
    arena = Program("Arena")
    arena.show(5)
    receiver = opened("Arena", device="cuda")
    assert value(receiver.receive(1.0)) == 5
    machine.locked = True
    arena.show(6)
    assert receiver.receive(1.0) is None
    machine.locked = False
    assert value(receiver.receive(1.0)) == 6


def test_nothing_was_missed_before_the_first_frame(opened):
    machine.counting = True
    Program("Arena").show(5, frames=1000)
    assert opened("Arena", device="cuda").receive(1.0).skipped == 0


def test_a_frame_stays_as_it_is_until_the_next(opened, clock):
    arena = Program("Arena")
    arena.show(1)
    receiver = opened("Arena")
    frame = receiver.receive(1.0)
    arena.show(2)
    clock.at(0.02, lambda: arena.show(3))
    assert value(receiver.receive(0.01)) in (None, 2)
    assert value(frame) == 1


def test_another_size_is_a_frame_of_another_shape(opened):
    arena = Program("Arena")
    arena.show(1)
    receiver = opened("Arena")
    assert receiver.receive(1.0).pixels.shape == (4, 8, 4)
    arena.change((1920, 2))
    arena.show(2)
    frame = receiver.receive(1.0)
    assert (frame.pixels.shape, value(frame)) == ((2, 1920, 4), 2)
    assert receiver.status().size == (1920, 2)


@pytest.mark.parametrize("end", ["close", "crash"])
def test_who_went_is_missed_and_picked_up_again(opened, end):
    arena = Program("Arena")
    arena.show(1)
    receiver = opened("Arena")
    assert value(receiver.receive(1.0)) == 1
    getattr(arena, end)()
    assert (receiver.receive(1.0), receiver.status().connected) == (None, False)
    assert (machine.slept, receiver.status().error) == (67, "")
    Program("Arena").show(1)
    assert value(receiver.receive(1.0)) == 1
    assert receiver.status().connected


@pytest.mark.parametrize("kind", [2, 10, 29])
def test_a_format_that_would_arrive_wrong_is_refused_with_the_setting_to_change(opened, kind):
    arena = Program("Arena", kind=kind)
    arena.show(1)
    receiver = opened("Arena")
    assert receiver.receive(1.0) is None
    status = receiver.status()
    assert status.connected
    assert status.format in status.error
    assert "8-bit fixed (RGBA)" in status.error
    arena.change(kind=28)
    arena.show(1)
    assert value(receiver.receive(1.0)) == 1
    assert receiver.status().error == ""


def test_a_format_nobody_knows_is_told_by_its_number(opened):
    spoutgl.OPENS = (*spoutgl.OPENS, 61)
    Program("Arena", kind=61)
    assert opened("Arena").status().format == "DXGI format 61"
    spoutgl.OPENS = spoutgl.OPENS[:-1]


@pytest.mark.parametrize("before", [True, False], ids=["once fine", "from the start"])
@pytest.mark.parametrize("flaw", ["opens", "links", "format"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_picture_that_cannot_be_opened_is_told_and_picked_up_when_it_can(
    opened, flaw, before, device
):
    arena = Program("Arena")
    good, bad = {"opens": (True, False), "links": (True, False), "format": (87, 61)}[flaw]
    if before:
        receiver = opened("Arena", device=device)
        assert value(receiver.receive(1.0)) == 0
    setattr(arena.shared, flaw, bad)
    arena.shared.handle = machine.handle()
    if not before:
        receiver = opened("Arena", device=device)
    arena.show(1)
    assert receiver.receive(1.0) is None
    assert not receiver.status().connected
    assert "same card" in receiver.status().error
    setattr(arena.shared, flaw, good)
    arena.shared.handle = machine.handle()
    arena.show(3)
    assert value(receiver.receive(1.0)) == 3
    assert receiver.status().connected
    assert receiver.status().error == ""


@pytest.mark.parametrize("looks", [1, 5])
def test_looks_that_fail_are_told_once_they_are_many_and_forgotten(opened, looks):
    arena = Program("Arena")
    arena.show(1)
    receiver = opened("Arena")
    receiver.receive(1.0)
    for _ in range(looks):
        machine.blinks = 1
        receiver.receive(0.01)
        assert (receiver.status().connected, receiver.status().error) == (False, "")
        receiver.receive(0.1)
    machine.blinks = looks
    receiver.receive(0.05 * looks - 0.01)
    assert bool(receiver.status().error) == (looks == 5)
    arena.show(2)
    while value(receiver.receive(1.0)) != 2:
        pass
    assert receiver.status().error == ""


# How long it waits, and how often it looks


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("timeout", [0.0, 0.001, 0.02, 0.3])
def test_it_waits_as_long_as_it_was_told_and_no_longer(opened, clock, timeout, there):
    if there:
        Program("Arena")
    receiver = opened("Arena")
    receiver.receive(0.1)
    receiver._given = math.inf  # it shows a still, which is not to be given here
    begun = clock.now
    assert receiver.receive(timeout) is None
    assert clock.now - begun == pytest.approx(timeout)


def test_once_closed_it_does_not_wait(opened):
    receiver = opened("Arena")
    receiver.close()
    assert receiver.receive(5.0) is None
    assert receiver.status().ended


def test_a_still_picture_is_not_read_all_the_time(opened):
    Program("Arena")
    receiver = opened("Arena")
    receiver.receive(0.5)
    before = machine.copies
    receiver._given = math.inf  # or it would be given again meanwhile
    receiver.receive(1.0)
    assert 60 < machine.copies - before < 250


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("rate", [24, 30, 60, 100])
def test_the_rate_is_found_out_and_nothing_is_missed(opened, clock, rate, counting):
    machine.counting = counting
    arena = Program("Arena")
    arena.show(0)
    receiver = opened("Arena")
    clock.every(1 / rate, Values(arena), 200)
    seen = values(receiver, 150)
    assert seen == list(range(seen[0], seen[0] + 150))
    assert receiver.status().rate == pytest.approx(rate, rel=0.05)


def test_a_pause_says_nothing_of_the_rate(opened, clock):
    arena = Program("Arena")
    receiver = opened("Arena")
    clock.every(1 / 50, Values(arena, range(1, 151)), 150)
    values(receiver, 150)
    clock.at(20.0, lambda: arena.show(200))
    receiver.receive(30.0)
    assert receiver.status().rate == pytest.approx(50, rel=0.05)


def test_until_something_is_there_no_rate_is_told(opened):
    assert opened("Arena").status().rate is None


def test_a_picture_that_was_not_waited_for_does_not_slow_the_rate_down(opened, clock):
    arena = Program("Arena")
    receiver = opened("Arena")
    clock.every(1 / 60, Values(arena), 240)
    for _ in range(20):
        clock.sleep(0.1)
        receiver.receive(0.0)
    assert receiver.status().rate >= 60


def test_the_rate_of_who_counts_is_known_whatever_was_missed(opened, clock):
    machine.counting = True
    arena = Program("Arena")
    receiver = opened("Arena")
    clock.every(1 / 50, arena.show, 500)
    for _ in range(60):
        clock.sleep(0.1)
        receiver.receive(0.05)
    assert receiver.status().rate == pytest.approx(50, rel=0.1)


# On the card


def test_a_picture_comes_on_the_card_in_its_colours(opened, card):
    Program("Arena").show(picture())
    receiver = opened("Arena", device="cuda:0")
    frame = receiver.receive(1.0)
    assert receiver.status().route == "on the card"
    assert frame.layout == "rgba"
    assert frame.pixels.is_cuda
    assert np.array_equal(frame.pixels[..., [2, 1, 0, 3]].numpy(), picture())
    assert (card.copies, machine.copies) == (1, 0)


def test_on_the_card_too_a_frame_is_never_given_twice(opened, clock):
    arena = Program("Arena")
    arena.show(5)
    receiver = opened("Arena", device="cuda")
    clock.every(0.02, arena.show, 10)
    assert values(receiver, 2, timeout=0.1) == [5, None]
    arena.show(6)
    assert value(receiver.receive(1.0)) == 6


def test_who_counts_is_not_copied_to_be_compared(opened, card, clock):
    machine.counting = True
    arena = Program("Arena")
    arena.show(0)
    receiver = opened("Arena", device="cuda")
    clock.every(0.02, Values(arena), 9)
    assert values(receiver, 11) == [*range(10), None]
    assert card.copies == 10


def test_a_tensor_stays_as_it_is_while_two_more_come(opened, clock):
    arena = Program("Arena")
    receiver = opened("Arena", device="cuda")
    clock.every(0.02, Values(arena), 20)
    held = [receiver.receive(1.0) for _ in range(3)]
    assert [value(frame) for frame in held] == [0, 1, 2]
    receiver.receive(1.0)
    assert [value(frame) for frame in held] == [3, 1, 2]


def test_a_format_of_more_bits_is_fine_on_the_card(opened):
    Program("Arena", kind=10).show(9)
    receiver = opened("Arena", device="cuda")
    assert value(receiver.receive(1.0)) == 9
    assert receiver.status().format == "R16G16B16A16 float"


def test_another_size_is_registered_anew_and_the_old_given_back(opened, card):
    arena = Program("Arena")
    receiver = opened("Arena", device="cuda")
    receiver.receive(1.0)
    arena.change((6, 2))
    arena.show(2)
    assert receiver.receive(1.0).pixels.shape == (2, 6, 4)
    assert len(card.registered) == len(machine.textures) == 1


def by_host_because(receiver, arena):
    """The reason; and it goes on by the host."""
    arena.show(3)
    assert value(receiver.receive(1.0)) == 3
    way, _, why = receiver.status().route.partition(": ")
    assert way == "by the host"
    return why


@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_opengl_on_another_card_is_told_with_what_mends_it(opened, card, monkeypatch, side):
    monkeypatch.setattr(cards.GL, "renderer", "Intel(R) UHD Graphics 630")
    monkeypatch.setattr(cards.GL, "vendor", "Intel")
    card.fails["register"] = cards.Error.cudaErrorOperatingSystem
    why = (
        "this GL is on Intel(R) UHD Graphics 630, torch on NVIDIA GeForce RTX 4070"
        " (cudaErrorOperatingSystem); set python.exe to High performance in Windows' graphics"
        " settings"
    )
    if side == "receiver":
        arena = Program("Arena")
        assert by_host_because(opened("Arena", device="cuda"), arena) == why
    else:
        sender = opened.sender("Out", device="cuda")
        sender.send(Frame(cards.on_card(picture()), "bgra", 0.0))
        assert np.array_equal(machine.senders["Out"].picture, picture())
        assert (sender.status().route, sender.host) == (f"by the host: {why}", True)
    assert not machine.textures


def test_a_card_that_should_do_and_does_not_needs_its_driver(opened, card):
    card.fails["register"] = cards.Error.cudaErrorUnknown
    arena = Program("Arena")
    why = by_host_because(opened("Arena", device="cuda"), arena)
    assert "update NVIDIA's driver" in why


def test_without_cuda_bindings_the_route_says_what_to_install(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    why = by_host_because(opened("Arena", device="cuda"), Program("Arena"))
    assert why.endswith('-m pip install "cuda-bindings==12.*,!=12.9.3"')


def test_the_one_cuda_bindings_that_registers_nothing_is_found_out(opened, card):
    card.null = True
    why = by_host_because(opened("Arena", device="cuda"), Program("Arena"))
    assert "!=12.9.3" in why


@pytest.mark.parametrize(
    ("flaw", "words"),
    [("gl", "no OpenGL"), ("shares", "does not share"), ("by_processor", "SpoutSettings")],
)
def test_what_spout_cannot_or_may_not_do_is_told(opened, flaw, words):
    setattr(machine, flaw, not getattr(machine, flaw))
    arena = Program("Arena")
    why = by_host_because(opened("Arena", device="cuda"), arena)
    assert words in why
    sender = opened.sender("Out", device="cuda")
    sender.send(Frame(cards.on_card(picture()), "bgra", 0.0))
    assert why in sender.status().route
    assert sender.host
    assert np.array_equal(machine.senders["Out"].picture, picture())


@pytest.mark.parametrize("call", ["map", "array", "copy", "unmap"])
def test_a_card_that_goes_in_mid_show_is_gone_round(opened, card, call):
    arena = Program("Arena")
    receiver, sender = opened("Arena", device="cuda"), opened.sender("Out", device="cuda")
    assert value(receiver.receive(1.0)) == 0
    card.fails[call] = cards.Error.cudaErrorUnknown
    arena.show(4)
    assert value(receiver.receive(1.0)) == 4
    assert "cudaErrorUnknown" in receiver.status().route
    sender.send(Frame(cards.on_card(picture()), "bgra", 0.0))
    assert "cudaErrorUnknown" in sender.status().route
    assert not machine.textures
    assert np.array_equal(machine.senders["Out"].picture, picture())
    card.fails.clear()


def test_a_texture_is_given_back_once(opened):
    opened("Arena")
    texture = importlib.import_module("bridge.video._texture").outgoing((8, 4), "cuda:0")
    texture.close()
    texture.close()


# Sending


@pytest.mark.parametrize("layout", ["bgra", "rgba"])
@pytest.mark.parametrize("gl", [True, False])
@pytest.mark.parametrize("width", [8, 333])
def test_a_picture_is_sent_upright_and_in_its_colours(opened, layout, gl, width):
    machine.gl = gl
    pixels = picture(4, width)
    sender = opened.sender("Out")
    sender.send(Frame(pixels if layout == "bgra" else pixels[..., [2, 1, 0, 3]], layout, 0.0))
    assert np.array_equal(machine.senders["Out"].picture, pixels)


def test_rows_that_lie_apart_are_sent_too(opened):
    opened.sender("Out").send(Frame(picture(4, 16)[:, :8], "bgra", 0.0))
    assert np.array_equal(machine.senders["Out"].picture, picture(4, 16)[:, :8])


def test_without_a_name_it_is_first_light(opened):
    sender = opened.sender()
    assert sender.status().name == "spout:First Light"
    sender.send(Frame(picture(), "bgra", 0.0))
    assert machine.listed == ["First Light"]


def test_a_taken_name_is_told_as_what_it_became(opened, spout):
    Program("Out_2")
    Program("Out")
    sender = opened.sender("Out")
    sender.send(Frame(picture(), "bgra", 0.0))
    assert sender.status().name == "spout:Out_1"
    assert set(spout.OURS) == {"Out_1"}


def test_a_name_that_a_crash_left_on_the_list_is_free(opened):
    Program("Out").crash()
    sender = opened.sender("Out")
    sender.send(Frame(picture(), "bgra", 0.0))
    assert sender.status().name == "spout:Out"


def test_who_came_at_the_same_moment_is_not_taken_for_us(opened, monkeypatch):
    sender = opened.sender("Out")
    send = spoutgl.SpoutSender.sendImage

    def beside_another(self, *words):
        Program("Aaa")
        return send(self, *words)

    monkeypatch.setattr(spoutgl.SpoutSender, "sendImage", beside_another)
    sender.send(Frame(picture(), "bgra", 0.0))
    assert sender.status().name == "spout:Out"


def test_where_names_cannot_be_read_it_keeps_the_one_it_asked_for(opened):
    machine.garbled = True
    sender = opened.sender("Out")
    sender.send(Frame(picture(), "bgra", 0.0))
    assert sender.status().name == "spout:Out"


def test_each_picture_is_signalled(opened):
    sender = opened.sender("Out")
    for _ in range(2):
        sender.send(Frame(picture(), "bgra", 0.0))
    assert machine.signalled == ["Out", "Out"]


def test_by_the_host_pixels_must_be_there(opened):
    assert opened.sender("Out").host
    assert opened.sender("Out").status().route == "by the host: cpu computes"
    assert not opened.sender("Out", device="cuda:0").host


@pytest.mark.parametrize("layout", ["bgra", "rgba"])
def test_a_tensor_is_sent_on_the_card_in_its_colours(opened, card, layout):
    sender = opened.sender("Out", device="cuda")
    pixels = picture() if layout == "bgra" else picture()[..., [2, 1, 0, 3]]
    sender.send(Frame(cards.on_card(pixels), layout, 0.0))
    assert np.array_equal(machine.senders["Out"].picture, picture())
    assert (sender.status().route, sender.host, card.copies) == ("on the card", False, 1)
    assert machine.signalled == ["Out"]


def test_an_array_is_sent_by_the_sender_that_waits_for_tensors(opened):
    sender = opened.sender("Out", device="cuda")
    sender.send(Frame(picture(), "bgra", 0.0))
    assert np.array_equal(machine.senders["Out"].picture, picture())
    assert not sender.host


def test_a_picture_of_another_size_is_sent_under_the_same_name(opened, card):
    sender = opened.sender("Out", device="cuda")
    for size in ((4, 8), (6, 5), (6, 5)):
        sender.send(Frame(cards.on_card(picture(*size)), "bgra", 0.0))
    assert machine.senders["Out"].picture.shape == (6, 5, 4)
    assert len(card.registered) == len(machine.textures) == len(machine.senders) == 1


def test_what_spout_does_not_take_is_counted_and_told_and_the_name_is_kept(opened, spout):
    sender = opened.sender("Out")
    sender.send(Frame(picture(), "bgra", 0.0))
    machine.refuses = True
    sender.send(Frame(picture(), "bgra", 0.0))
    assert (sender.status().dropped, set(spout.OURS)) == (1, set())
    assert "does not take" in sender.status().error
    machine.refuses = False
    sender.send(Frame(picture(), "bgra", 0.0))
    assert (sender.status().dropped, sender.status().error) == (1, "")
    assert machine.listed == sorted(spout.OURS) == ["Out"]


def test_a_sender_that_closed_is_seen_no_more_and_takes_nothing(opened, spout):
    sender = opened.sender("Out")
    sender.send(Frame(picture(), "bgra", 0.0))
    sender.close()
    sender.send(Frame(picture(), "bgra", 0.0))
    assert not any((machine.listed, spout.OURS))


# The one context


def test_a_receiver_can_be_changed_while_a_sender_goes_on(opened):
    first = opened("Arena", device="cuda")
    sender = opened.sender("Out", device="cuda")
    sender.send(Frame(cards.on_card(picture()), "bgra", 0.0))
    first.close()
    Program("TouchDesigner").show(1)
    assert value(opened("TouchDesigner", device="cuda").receive(1.0)) == 1
    sender.send(Frame(cards.on_card(picture()), "bgra", 0.0))
    assert sender.status().route == "on the card"


def test_who_is_let_go_of_stays_on_the_list(opened):
    Program("Arena")
    opened("Arena").close()
    gc.collect()
    assert machine.listed == ["Arena"]


@pytest.mark.usefixtures("opened")
def test_ten_thousand_opens_and_closes_leave_nothing(spout, card):
    Program("Arena").show(1)

    def open_and_close(count, **options):
        for _ in range(count):
            receiver = spout.Receiver("Arena", live=True, **options)
            sender = spout.Sender("Out", live=True, rate=60.0, **options)
            receiver.close()
            sender.close()

    open_and_close(10)
    gc.collect()
    threads, objects = threading.active_count(), len(gc.get_objects())
    open_and_close(10_000)
    open_and_close(300, device="cuda")
    gc.collect()
    assert threading.active_count() == threads
    assert len(gc.get_objects()) - objects < 200
    assert not any((machine.alive, machine.current, machine.textures, card.registered))


# Where it cannot be had


@pytest.mark.parametrize(
    ("system", "there", "words"),
    [
        ("linux", False, "works on Windows, with SpoutGL; elsewhere use ndi:"),
        ("win32", False, "pip install SpoutGL==0.1.1"),
        ("win32", True, "winget install Microsoft.VCRedist"),
    ],
)
def test_a_missing_spoutgl_is_told_with_what_mends_it(monkeypatch, tmp_path, system, there, words):
    forget()
    monkeypatch.delitem(sys.modules, "SpoutGL", raising=False)
    monkeypatch.setattr(sys, "platform", system)
    if there:
        (tmp_path / "SpoutGL.py").write_text("raise ImportError('DLL load failed')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ImportError, match=words):
        importlib.import_module("bridge.video.spout")
    forget()
