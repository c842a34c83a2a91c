"""Syphon on a fake Mac: who is seen and meant, what comes and goes, which way up, by which way."""

import importlib
import itertools
import sys

import numpy as np
import pytest
import torch
from fakes import mac as fake

from bridge import Refusal, video
from bridge.frame import Frame

WIDTH, HEIGHT = 6, 4


@pytest.fixture
def mac(monkeypatch):
    fake.uninstall()  # on a Mac the real ones may be there
    mac = fake.Mac()
    mac.install(monkeypatch)
    yield mac
    assert mac.pools == 0
    fake.uninstall()


@pytest.fixture
def syphon(mac):  # noqa: ARG001
    return importlib.import_module("bridge.video.syphon")


@pytest.fixture
def opened(mac, syphon):
    """Opens a Receiver on the fake's clock."""
    made = []

    def make(rest="", **options):
        how = {"live": True, "clock": mac.clock, "sleep": mac.sleep} | options
        made.append(syphon.Receiver(rest, **how))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def sender(mac, syphon):
    """Opens a Sender on the fake's clock."""
    made = []

    def make(rest="", **options):
        how = {"live": True, "rate": 30.0, "clock": mac.clock} | options
        made.append(syphon.Sender(rest, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def metal(mac, monkeypatch):
    """The processor's memory in the place of the card's."""
    module = importlib.import_module("bridge.video._metal")
    monkeypatch.setattr(module, "DEVICE", "cpu")
    monkeypatch.setattr(module, "_address", mac.address)
    module.waits = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: module.waits.append(mac.now))
    return module


def picture(value=0, width=WIDTH, height=HEIGHT):
    """No two rows, columns or colours alike; `value` tells one from another."""
    pixels = np.arange(width * height * 4).reshape(height, width, 4) + value
    return (pixels % 251).astype(np.uint8)


def frame(pixels, layout="bgra"):
    return Frame(pixels, layout, 0.0)


def seen_after(mac, syphon, timeout=5.0):
    return syphon.discover(timeout, clock=mac.clock, sleep=mac.sleep)


def until_connected(receiver):
    for _ in range(20):
        receiver.receive(0.05)
        if receiver.status().connected:
            return
    raise AssertionError("it does not connect")


def until_lost(receiver):
    for _ in range(20):
        receiver.receive(0.05)
        if not receiver.status().connected:
            return
    raise AssertionError("it stays connected")


def first(receiver):
    """The next frame, however many looks it takes."""
    for _ in range(20):
        got = receiver.receive(0.05)
        if got is not None:
            return got
    raise AssertionError("no frame comes")


# Without it


@pytest.mark.skipif(sys.platform == "darwin", reason="it is there")
def test_elsewhere_it_says_where_it_works_and_what_does_instead():
    with pytest.raises(ImportError, match=r"macOS only.*elsewhere use ndi:"):
        video.open_receiver("syphon:", live=True)


def test_on_a_mac_without_the_package_it_says_what_mends_it(monkeypatch):
    fake.uninstall()
    monkeypatch.setattr(sys, "platform", "darwin")
    for name in ("syphon", "Metal", "objc"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as told:
        video.discover("syphon", 0.0)
    assert "run: " in str(told.value)
    assert str(told.value).endswith('-m pip install --force-reinstall "syphon-python>=0.2"')
    fake.uninstall()


# Looking around


def test_servers_are_seen_as_the_run_loop_is_told_of_them(mac, syphon):
    mac.server("Arena", "Composition")
    mac.server("TouchDesigner", "out1")
    assert syphon.discover(0.0) == ["syphon:Composition"]
    assert syphon.discover(0.0) == ["syphon:Composition", "syphon:out1"]


def test_a_first_look_waits_until_nothing_more_is_heard_and_later_ones_do_not(mac, syphon):
    for number in range(5):
        mac.server(name=f"Layer {number}")
    begun = mac.now
    assert len(seen_after(mac, syphon, 5.0)) == 5
    assert 0.3 <= mac.now - begun < 0.5
    begun = mac.now
    assert len(seen_after(mac, syphon, 5.0)) == 5
    assert mac.now == begun


def test_a_look_takes_no_longer_than_it_may(mac, syphon):
    begun = mac.now
    assert seen_after(mac, syphon, 0.2) == []
    assert 0.2 <= mac.now - begun < 0.25


def test_what_is_heard_of_late_is_waited_for(mac, syphon):
    begun = mac.now

    def one_more():
        number = len(mac.servers)
        if number < 4 and mac.now >= begun + 0.25 * (number + 1):
            mac.server(name=f"Layer {number}")

    mac.asleep = one_more
    assert len(seen_after(mac, syphon, 5.0)) == 4


def test_nothing_waits_in_the_run_loop(mac, syphon, opened, sender):
    mac.server().show(picture())
    begun = mac.now
    syphon.discover(0.0)
    opened().receive(0.0)
    sender().send(frame(picture()))
    assert (mac.now, len(mac.turns) > 2) == (begun, True)


@pytest.mark.parametrize(
    ("servers", "addresses"),
    [
        ([("Arena", "Composition")], ["Composition"]),
        ([("Arena", "Main"), ("VDMX", "Main")], ["Arena - Main", "VDMX - Main"]),
        ([("Arena", "Main"), ("VDMX", "main")], ["Arena - Main", "VDMX - main"]),
        ([("Arena", "Main"), ("Main", "out")], ["Arena - Main", "out"]),
        ([("Simple Server", "")], ["Simple Server"]),
        ([("", "out")], ["out"]),
        ([("Arena", "Main"), ("Arena", "Main")], ["Arena - Main"]),
        ([("", "")], []),
    ],
)  # fmt: skip
def test_a_server_has_the_shortest_address_that_means_no_other(mac, syphon, servers, addresses):
    for app, name in servers:
        mac.server(app, name)
    assert seen_after(mac, syphon) == [f"syphon:{address}" for address in addresses]


def test_each_address_that_is_seen_opens_that_server(mac, syphon, opened):
    for app, name in [("Arena", "Main"), ("VDMX", "main"), ("main", ""), ("Main", "Arena")]:
        mac.server(app, name)
    addresses = seen_after(mac, syphon)
    for server, address in zip(mac.servers, addresses, strict=True):
        receiver = opened(address.removeprefix("syphon:"))
        until_connected(receiver)
        assert list(server.clients) == [receiver._client]
        receiver.close()


# Which


@pytest.mark.parametrize(
    ("asked", "which"),
    [
        ("", 0),
        ("Composition", 1), ("Resolume Arena", 1), ("Resolume Arena - Composition", 1),
        ("OUT", 2), ("out", 3), ("Out", 2), ("touchdesigner", 2), ("vdmx - OUT", 3),
        ("VDMX", 4), ("Composition - x", 5),
    ],
)  # fmt: skip
def test_a_server_is_meant_by_its_name_its_programs_or_both(mac, opened, asked, which):
    servers = [
        mac.server(app, name)
        for app, name in [
            ("Simple Server", ""), ("Resolume Arena", "Composition"), ("TouchDesigner", "OUT"),
            ("VDMX", "out"), ("Mixer", "VDMX"), ("Composition", "x"),
        ]
    ]  # fmt: skip
    for _ in servers:
        importlib.import_module("bridge.video.syphon").discover(0.0)
    receiver = opened(asked)
    assert servers[which].clients == {receiver._client}


def test_a_part_of_a_name_means_nobody(mac, opened):
    mac.server("Resolume Arena", "Composition")
    receiver = opened("Arena")
    receiver.receive(1.0)
    assert not receiver.status().connected


def test_what_this_program_sends_is_neither_seen_nor_received(mac, syphon, opened, sender):
    for live in ("First Light", "other"):
        sender(live).send(frame(picture()))
    assert seen_after(mac, syphon) == []
    for receiver in (opened(), opened("First Light")):
        assert receiver.receive(1.0) is None
        assert not receiver.status().connected


def test_what_this_program_sent_is_not_seen_until_it_is_off_the_list_either(mac, syphon, sender):
    one = sender()
    assert syphon.discover(0.0) == []
    assert mac.listed
    for number in range(3):  # news that come before that of the end
        mac.server(name=str(number))
    one.close()
    assert all("First Light" not in address for _ in range(9) for address in syphon.discover(0.0))
    assert not importlib.import_module("bridge.video._syphon").PARTING


def test_another_first_light_is_received_like_any_other(mac, opened):
    mac.server("Python", "First Light").show(picture(3))
    assert np.array_equal(first(opened("First Light")).pixels, picture(3))


# Going and coming


def test_a_server_that_comes_late_is_picked_up(mac, opened):
    receiver = opened("Composition")
    assert receiver.receive(1.0) is None
    mac.server("Arena", "Composition").show(picture(1))
    assert np.array_equal(first(receiver).pixels, picture(1))


def test_the_wait_for_a_frame_ends_with_the_frame(mac, opened):
    receiver, begun = opened(), mac.now

    def later():
        if mac.now > begun + 0.5 and not mac.servers:
            mac.server().show(picture(1))

    mac.asleep = later
    assert receiver.receive(60.0) is not None
    assert mac.now < begun + 0.6


def test_a_server_that_quits_is_lost_and_picked_up_when_it_is_back(mac, opened):
    server = mac.server("Arena", "Composition")
    server.show(picture(1))
    receiver = opened("Arena")
    first(receiver)
    server.quit()
    assert not receiver.status().connected
    assert receiver.receive(1.0) is None
    mac.server("Arena", "Composition").show(picture(2))
    assert np.array_equal(first(receiver).pixels, picture(2))
    assert receiver.status().connected


def test_the_first_server_once_lost_is_not_exchanged_for_another(mac, opened):
    server = mac.server("Arena", "Composition")
    receiver = opened()
    until_connected(receiver)
    mac.server("VDMX", "Main").show(picture(2))
    server.quit()
    until_lost(receiver)
    assert receiver.receive(5.0) is None
    assert receiver.status().name == "syphon:Arena - Composition"
    assert receiver.status().error.endswith("start it, or choose syphon:Main.")
    assert not server.clients


def test_another_of_a_lost_ones_program_is_not_taken_for_it(mac, opened):
    server = mac.server("Arena", "Composition")
    receiver = opened("Arena")
    until_connected(receiver)
    mac.server("Arena", "Layer 1").show(picture(2))
    server.quit()
    until_lost(receiver)
    assert receiver.receive(5.0) is None


def test_a_server_that_is_renamed_stays_and_is_known_by_its_new_name(mac, opened):
    server = mac.server("TouchDesigner", "out1")
    receiver = opened("out1")
    until_connected(receiver)
    server.rename("out2")
    server.show(picture(1))
    receiver.receive(0.0)
    receiver.receive(0.5)
    assert receiver.status().name == "syphon:TouchDesigner - out2"
    server.quit()
    until_lost(receiver)
    mac.server("TouchDesigner", "out2").show(picture(2))
    assert np.array_equal(first(receiver).pixels, picture(2))


def test_a_server_that_crashed_without_a_word_is_picked_up_once_its_old_self_is_off_the_list(
    mac, opened
):
    server = mac.server("Arena", "Composition")
    receiver = opened()
    until_connected(receiver)
    server.crash()
    mac.server("Arena", "Composition").show(picture(2))
    assert receiver.receive(1.0) is None  # nothing tells it from one that stands still
    server.cleaned()
    assert np.array_equal(first(receiver).pixels, picture(2))
    assert not server.clients


def test_a_server_that_is_off_the_list_and_still_shows_is_kept(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    server.cleaned()  # its program hung, and was given up
    for number in range(100):
        server.show(picture(number))
        assert np.array_equal(receiver.receive(0.1).pixels, picture(number))
        mac.now += 0.1
    assert receiver.status().connected
    mac.now += 3.0
    receiver.receive(0.0)
    assert not receiver.status().connected


def test_one_of_two_of_the_same_name_is_kept_while_it_is_there(mac, opened):
    server = mac.server("Arena", "Main")
    receiver = opened("Main")
    until_connected(receiver)
    mac.server("Arena", "Main").show(picture(2))
    assert receiver.receive(2.0) is None
    assert len(server.clients) == 1


def test_a_server_that_lets_nobody_in_is_told_and_tried_again(mac, opened):
    server = mac.server()
    mac.refuses = "Syphon could not create the client"
    receiver = opened()
    receiver.receive(2.0)
    status = receiver.status()
    assert not status.connected
    assert status.error == (
        "--in syphon: Syphon could not create the client; restart the program that sends it."
    )
    mac.refuses = ""
    server.show(picture(1))
    assert np.array_equal(first(receiver).pixels, picture(1))
    assert receiver.status().error == ""


def test_a_server_that_let_nobody_in_and_went_is_told_as_gone(mac, opened):
    server = mac.server()
    mac.refuses = "Syphon could not create the client"
    receiver = opened()
    receiver.receive(1.0)
    server.quit()
    receiver.receive(5.0)
    assert "it is not to be seen" in receiver.status().error


def test_a_server_that_is_dead_and_still_listed_is_not_connected_to_all_the_time(mac, opened):
    server = mac.server()
    server.runs = False
    receiver = opened()
    made = len(mac.turns)
    receiver.receive(2.0)
    assert 4 < len(mac.turns) - made < 12
    assert not server.clients
    mac.server("VDMX", "Main").show(picture(2))
    server.cleaned()
    assert np.array_equal(first(receiver).pixels, picture(2))


def test_a_missing_server_is_told_after_a_while_with_what_there_is(mac, opened):
    mac.server("VDMX", "Main")
    mac.server("Arena", "Main")
    receiver = opened("Camera 1")
    receiver.receive(2.0)
    assert receiver.status().error == ""
    receiver.receive(1.5)
    assert receiver.status().error == (
        "--in syphon:Camera 1: it is not to be seen; start it, or choose syphon:VDMX - Main or "
        "syphon:Arena - Main."
    )


def test_where_there_is_nobody_that_is_told_too(opened):
    receiver = opened()
    receiver.receive(3.5)
    status = receiver.status()
    assert (status.connected, status.name, status.size) == (False, "syphon:", None)
    assert status.error == "--in syphon: it is not to be seen; start it, it is picked up."


def test_offline_it_is_refused_with_what_to_do_instead(syphon):
    with pytest.raises(Refusal, match=r"record it first \(--net through --out"):
        syphon.Receiver("Arena", live=False)


# What comes


def test_a_picture_comes_with_its_first_row_on_top(mac, opened):
    mac.server().show(picture(7))
    got = first(opened())
    assert got.layout == "bgra"
    assert np.array_equal(got.pixels, picture(7))


def test_what_comes_can_be_given_to_torch_without_a_copy(mac, opened):
    mac.server().show(picture(7))
    pixels = first(opened()).pixels
    assert torch.from_numpy(pixels).data_ptr() == pixels.ctypes.data


def test_the_same_frame_is_never_given_twice(mac, opened):
    server = mac.server()
    server.show(picture(1))
    receiver = opened()
    first(receiver)
    assert receiver.receive(0.5) is None
    server.show(picture(1))
    assert receiver.receive(0.0) is not None


def test_a_server_that_has_a_frame_and_no_picture_yet_is_waited_for(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    server.seed += 1
    assert receiver.receive(0.0) is None
    server.show(picture(1))
    assert np.array_equal(receiver.receive(0.0).pixels, picture(1))


def test_the_newest_frame_is_given_and_nobody_knows_how_many_went_before(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    for number in range(3):
        server.show(picture(number))
    got = receiver.receive(0.0)
    assert (np.array_equal(got.pixels, picture(2)), got.skipped) == (True, 0)


def test_a_frame_has_the_time_at_which_it_was_there(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    begun = mac.now

    def later():
        if mac.now > begun + 0.2 and not server.seed:
            server.show(picture())

    mac.asleep = later
    assert receiver.receive(1.0).time == pytest.approx(begun + 0.2, abs=0.005)


def test_what_was_given_stays_while_the_server_draws_on(mac, opened):
    server = mac.server()
    server.show(picture(1))
    receiver = opened()
    got = first(receiver)
    server.show(picture(2))
    assert np.array_equal(got.pixels, picture(1))
    later = receiver.receive(0.0)
    assert np.array_equal(later.pixels, picture(2))
    assert np.array_equal(got.pixels, picture(1))  # a card may still be taking it


def test_another_size_is_just_a_frame_of_another_shape(mac, opened):
    server = mac.server()
    server.show(picture(1))
    receiver = opened()
    first(receiver)
    assert receiver.status().size == (WIDTH, HEIGHT)
    server.show(picture(2, width=9, height=5))
    assert np.array_equal(receiver.receive(0.0).pixels, picture(2, width=9, height=5))
    assert receiver.status().size == (9, 5)


def test_a_wait_is_no_longer_than_it_may_be(mac, opened):
    receiver = opened()
    begun = mac.now
    assert receiver.receive(0.25) is None
    assert mac.now - begun == pytest.approx(0.25)


def test_a_frame_is_looked_for_every_millisecond_and_servers_thirty_times_a_second(mac, opened):
    mac.server()
    receiver = opened()
    until_connected(receiver)
    receiver.receive(1.0)
    turns, begun, sleeps = len(mac.turns), mac.now, []
    mac.asleep = lambda: sleeps.append(mac.now)
    receiver.receive(1.0)
    assert len(sleeps) == pytest.approx(1000, abs=5)
    assert 28 <= len(mac.turns) - turns <= 31
    assert mac.now - begun == pytest.approx(1.0)


def test_the_rate_is_known_from_frames_that_were_waited_for(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    due = itertools.count(mac.now + 0.5, 1 / 60)
    next_one = next(due)

    def draw():
        nonlocal next_one
        while mac.now >= next_one:
            server.show(picture(int(next_one * 60) % 200))
            next_one = next(due)

    mac.asleep = draw
    assert receiver.status().rate is None
    for _ in range(60):
        receiver.receive(1.0)
    assert receiver.status().rate == pytest.approx(60, rel=0.05)
    for _ in range(60):  # a slow network: every frame is there already, and says nothing
        mac.now += 0.1
        draw()
        receiver.receive(1.0)
    assert receiver.status().rate == pytest.approx(60, rel=0.05)


def test_a_frame_that_was_taken_late_says_nothing_of_the_rate(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    for _ in range(5):
        server.show(picture())
        mac.now += 0.05
        receiver.receive(0.0)
        due = mac.now + 0.05
        mac.asleep = lambda due=due: server.show(picture()) if mac.now >= due else None
        receiver.receive(1.0)
    assert receiver.status().rate is None


def test_a_pause_says_nothing_of_the_rate(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    for pause in (0.1, 0.1, 5.0, 0.1):
        begun, seed = mac.now, server.seed

        def draw(begun=begun, pause=pause, seed=seed):
            if mac.now >= begun + pause and server.seed == seed:
                server.show(picture())

        mac.asleep = draw
        receiver.receive(10.0)
    assert receiver.status().rate == pytest.approx(10, rel=0.05)


def test_the_status_says_what_is_received_and_how(mac, opened):
    mac.server("Arena", "Composition").show(picture())
    receiver = opened("Arena")
    first(receiver)
    status = receiver.status()
    assert (status.connected, status.ended, status.error) == (True, False, "")
    assert (status.name, status.size) == ("syphon:Arena - Composition", (WIDTH, HEIGHT))
    assert (status.format, status.route) == ("B8G8R8A8", "by the host: cpu computes")


def test_a_closed_receiver_gives_nothing_and_lets_its_server_go(mac, opened):
    server = mac.server()
    receiver = opened()
    until_connected(receiver)
    receiver.close()
    receiver.close()
    server.show(picture())
    assert receiver.receive(5.0) is None
    assert (receiver.status().ended, receiver.status().connected) == (True, False)
    assert not server.clients


# What goes


def shown(mac):
    """What clients of our server were shown, row 0 on top."""
    return next(server for server in mac.servers if isinstance(server, fake.Sent)).pictures


def test_a_picture_goes_with_its_first_row_on_top(mac, sender):
    sender().send(frame(picture(5)))
    assert np.array_equal(shown(mac), [picture(5)])


def test_its_colours_are_right_whichever_comes_first(mac, sender):
    sender().send(frame(picture(5)[..., [2, 1, 0, 3]], "rgba"))
    assert np.array_equal(shown(mac), [picture(5)])


def test_rows_that_lie_further_apart_are_sent_as_they_are(mac, sender):
    wide = picture(5, width=WIDTH * 2)
    sender().send(frame(wide[:, :WIDTH]))
    assert np.array_equal(shown(mac), [wide[:, :WIDTH]])


def test_others_see_it_by_its_name(mac, sender):
    one, other = sender(), sender("Left")
    assert [server.name for server in mac.servers] == ["First Light", "Left"]
    assert (one.status().name, other.status().name) == ("syphon:First Light", "syphon:Left")


def test_pictures_under_way_are_not_drawn_over(mac, sender):
    one = sender()
    mac.stalled = True
    for number in range(3):
        one.send(frame(picture(number)))
    assert shown(mac) == []
    mac.finish()
    assert np.array_equal(shown(mac), [picture(number) for number in range(3)])


def test_a_picture_for_which_there_is_no_room_is_dropped_and_counted(mac, sender):
    one = sender()
    mac.stalled = True
    for number in range(5):
        one.send(frame(picture(number)))
    assert one.status().dropped == 2
    mac.finish()
    one.send(frame(picture(9)))
    assert [int(seen[0, 0, 0]) for seen in shown(mac)] == [0, 1, 2, 9]
    assert one.status().dropped == 2


def test_offline_every_picture_goes(mac, sender):
    one = sender(live=False)
    for number in range(5):
        mac.stalled = True
        one.send(frame(picture(number)))
    mac.finish()
    assert np.array_equal(shown(mac), [picture(number) for number in range(5)])
    assert one.status().dropped == 0


def test_the_pixels_are_free_again_once_they_were_sent(mac, sender):
    lent = picture(1)
    mac.stalled = True
    sender().send(frame(lent))
    lent[:] = 0
    mac.finish()
    assert np.array_equal(shown(mac), [picture(1)])


def test_another_size_is_sent_in_textures_of_that_size(mac, sender):
    one = sender()
    mac.stalled = True
    one.send(frame(picture(1)))
    one.send(frame(picture(2, width=9, height=5)))
    mac.finish()
    first_one, second = shown(mac)
    assert np.array_equal(first_one, picture(1))
    assert np.array_equal(second, picture(2, width=9, height=5))


def test_textures_are_made_once_for_a_size(mac, sender):
    one = sender()
    for number in range(20):
        one.send(frame(picture(number)))
    assert sum(isinstance(thing, fake.Texture) for thing in mac.alive) == 3 + 1  # the surface


def test_it_tells_whether_somebody_watches_and_sends_all_the_same(mac, sender):
    one = sender()
    one.send(frame(picture(1)))
    assert (one.status().watchers, len(shown(mac))) == (0, 1)
    mac.servers[0].has_clients = True
    assert one.status().watchers == 1


def test_who_looks_for_servers_is_answered_thirty_times_a_second(mac, sender):
    one = sender()
    turns = len(mac.turns)
    for _ in range(600):
        one.send(frame(picture()))
        mac.now += 1 / 600
    assert 28 <= len(mac.turns) - turns <= 31


def test_a_card_that_fails_is_told_until_it_does_not(mac, sender):
    one = sender()
    mac.fault = "Internal Error"
    for _ in range(4):
        one.send(frame(picture()))
    assert one.status().error == (
        "--out syphon:First Light: the graphics card fails (Internal Error); close other programs "
        "that draw on it."
    )
    mac.fault = None
    for _ in range(4):
        one.send(frame(picture()))
    assert one.status().error == ""


def test_without_metal_it_is_refused_with_what_to_do(mac, syphon):
    mac.no_metal = True
    with pytest.raises(Refusal, match=r"--out syphon:First Light: .*No Metal device.*ndi:"):
        syphon.Sender("", live=True, rate=30.0)
    assert not importlib.import_module("bridge.video._syphon").OPEN


def test_what_is_under_way_at_the_end_is_shown_before_it(mac, sender):
    one = sender()
    pictures = shown(mac)
    mac.stalled = True
    one.send(frame(picture(1)))
    one.close()
    one.close()
    one.send(frame(picture(2)))
    assert np.array_equal(pictures, [picture(1)])
    assert mac.servers == []
    assert one.status().watchers == 0
    assert not any(isinstance(thing, fake.Order) for thing in mac.alive)


# On the card


@pytest.mark.usefixtures("metal")
def test_where_mps_computes_pictures_come_on_the_card(mac, opened, monkeypatch):
    server = mac.server()
    receiver = opened(device="mps")
    monkeypatch.setattr(fake.Texture, "getBytes_bytesPerRow_fromRegion_mipmapLevel_", None)
    for number in range(7):
        server.show(picture(number))
        got = first(receiver)
        assert isinstance(got.pixels, torch.Tensor)
        assert np.array_equal(got.pixels.numpy(), picture(number))
    assert receiver.status().route == "on the card"
    assert receiver._client.device is not None


@pytest.mark.usefixtures("metal")
def test_what_comes_on_the_card_stays_while_the_server_draws_on(mac, opened):
    server = mac.server()
    receiver = opened(device="mps:0")
    kept = []
    for number in range(8):
        server.show(picture(number))
        kept.append(first(receiver).pixels)
    assert np.array_equal(torch.stack(kept).numpy(), [picture(number) for number in range(8)])


@pytest.mark.usefixtures("metal")
def test_a_picture_is_there_when_it_is_given(mac, opened):
    mac.server().show(picture(1))
    receiver = opened(device="mps")
    mac.stalled = True
    assert np.array_equal(first(receiver).pixels, picture(1))


def test_what_stands_for_a_buffer_is_looked_at_once_torch_is_done(mac, metal, sender, monkeypatch):
    def address(tensor):
        assert metal.waits
        return mac.address(tensor)

    monkeypatch.setattr(metal, "_address", address)
    sender(device="mps")


def test_torch_is_waited_for_once_a_round_of_the_ring_and_at_another_size(mac, metal, opened):
    server = mac.server()
    receiver = opened(device="mps")
    waits = len(metal.waits)
    for number in range(9):
        server.show(picture(number))
        first(receiver)
    assert len(metal.waits) - waits == 3
    for width in (9, 10):
        server.show(picture(1, width=width))
        first(receiver)
    assert len(metal.waits) - waits == 5


@pytest.mark.usefixtures("metal")
def test_another_size_on_the_card_is_just_a_tensor_of_another_shape(mac, opened):
    server = mac.server()
    receiver = opened(device="mps")
    for width, height in ((6, 4), (9, 5), (4, 6)):
        server.show(picture(1, width=width, height=height))
        assert np.array_equal(first(receiver).pixels, picture(1, width=width, height=height))
        assert receiver.status().size == (width, height)


@pytest.mark.usefixtures("metal")
def test_where_mps_computes_pictures_go_on_the_card(mac, sender, monkeypatch):
    one = sender(device="mps")
    name = "replaceRegion_mipmapLevel_withBytes_bytesPerRow_"
    monkeypatch.setattr(fake.Texture, name, None)
    for number in range(5):
        one.send(frame(torch.from_numpy(picture(number))))
    assert np.array_equal(shown(mac), [picture(number) for number in range(5)])
    assert (one.host, one.status().route) == (False, "on the card")


@pytest.mark.usefixtures("metal")
def test_an_array_is_sent_where_tensors_are_too(mac, sender):
    one = sender(device="mps")
    one.send(frame(picture(1)))
    one.send(frame(torch.from_numpy(picture(2))))
    assert np.array_equal(shown(mac), [picture(1), picture(2)])


def test_torch_is_waited_for_before_its_picture_is_read(metal, sender):
    one = sender(device="mps")
    waits = len(metal.waits)
    one.send(frame(torch.from_numpy(picture(1))))
    assert len(metal.waits) - waits == 1


@pytest.mark.usefixtures("metal")
@pytest.mark.parametrize(
    "part",
    [
        lambda pixels: pixels[1:],
        lambda pixels: pixels[:, ::2],
        lambda pixels: pixels.flip(0),
        lambda pixels: pixels[..., [2, 1, 0, 3]],
    ],
)
def test_a_part_of_a_tensor_is_sent_as_it_is(mac, sender, part):
    pixels = part(torch.from_numpy(picture(2)))
    sender(device="mps").send(frame(pixels))
    assert np.array_equal(shown(mac), [pixels.numpy()])


@pytest.mark.usefixtures("metal")
def test_a_tensor_is_free_again_once_it_was_sent(mac, sender):
    one = sender(device="mps")
    lent = torch.from_numpy(picture(1))
    mac.stalled = True
    one.send(frame(lent))
    lent[:] = 0
    mac.finish()
    assert np.array_equal(shown(mac), [picture(1)])


def test_where_the_blit_gives_other_pixels_it_goes_by_the_host(mac, metal, opened, monkeypatch):
    right = metal.Card.pull

    def wrong(card, texture, tensor):
        right(card, texture, tensor)
        tensor[-1, -1, -1] += 1

    monkeypatch.setattr(metal.Card, "pull", wrong)
    mac.server().show(picture(1))
    receiver = opened(device="mps")
    assert receiver.status().route == "by the host: the blit gave other pixels than the host"
    assert isinstance(first(receiver).pixels, np.ndarray)


def test_where_the_blit_sends_other_pixels_it_goes_by_the_host(mac, metal, sender, monkeypatch):
    right = metal.Card.push
    monkeypatch.setattr(
        metal.Card, "push", lambda card, pixels, *rest: right(card, pixels.flip(0), *rest)
    )
    one = sender(device="mps")
    assert one.status().route == "by the host: the blit gave other pixels than the host"
    assert one.host
    one.send(frame(picture(1)))
    assert np.array_equal(shown(mac), [picture(1)])


def test_a_torch_that_has_pixels_where_others_have_the_buffer_goes_by_the_host(
    metal, sender, monkeypatch
):
    monkeypatch.setattr(metal, "_address", lambda tensor: tensor.untyped_storage().data_ptr())
    assert sender(device="mps").status().route == (
        "by the host: this torch does not show its Metal buffers"
    )


def test_where_metal_and_torch_do_not_meet_it_goes_by_the_host(metal, sender, monkeypatch):
    monkeypatch.setattr(metal, "_buffer", lambda _: None)
    assert (
        sender(device="mps")
        .status()
        .route.startswith("by the host: Metal and torch do not meet ('NoneType'")
    )


def test_a_card_is_proven_once(metal, sender, opened, monkeypatch):
    sender(device="mps")
    monkeypatch.setattr(metal, "_prove", None)
    assert opened(device="mps").status().route == "on the card"


@pytest.mark.usefixtures("metal")
def test_a_picture_that_the_card_does_not_copy_is_an_error(mac, opened):
    server = mac.server()
    receiver = opened(device="mps")
    until_connected(receiver)
    server.show(picture())
    mac.fault = "Internal Error"
    with pytest.raises(Refusal, match=r"did not copy a picture \(Internal Error\)"):
        receiver.receive(0.0)


def test_another_device_goes_by_the_host_and_says_which(sender, opened):
    assert sender().status().route == "by the host: cpu computes"
    assert sender().host
    assert opened(device="cpu").status().route == "by the host: cpu computes"


@pytest.mark.usefixtures("metal")
def test_all_is_turned_over_by_one_switch(mac, opened, sender, monkeypatch):
    monkeypatch.setattr(importlib.import_module("bridge.video._syphon"), "FLIPPED", False)
    sender().send(frame(picture(1)))
    assert np.array_equal(shown(mac), [picture(1)[::-1]])
    server = mac.server()
    server.show(picture(2))
    for device in ("cpu", "mps"):
        assert np.array_equal(first(opened(device=device)).pixels, picture(2)[::-1])


# For ever


def test_ten_thousand_opens_and_closes_leave_nothing(mac, syphon):
    server = mac.server("Arena", "Composition")
    server.show(picture())
    for _ in range(10_000):
        receiver = syphon.Receiver("Arena", live=True, clock=mac.clock, sleep=mac.sleep)
        one = syphon.Sender("", live=True, rate=30.0, clock=mac.clock)
        one.send(frame(picture()))
        receiver.receive(0.0)
        one.close()
        receiver.close()
    del receiver, one
    shared = importlib.import_module("bridge.video._syphon")
    assert set(mac.alive) == {server.surface}
    assert not server.clients
    assert len(shared.OPEN) == 0
    assert len(shared.PARTING) <= 1
