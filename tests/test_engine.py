"""The loop: apply, receive, see, look, send, learn."""

from concurrent.futures import wait

import numpy as np
import pytest
import torch
from fakes.stage import Reel, Wall, frame, picture

from bridge import Refusal
from bridge.engine import AGAIN, LOST, Engine
from bridge.frame import Frame
from bridge.learn import image
from bridge.learn.learner import Learner
from bridge.pictures import Pictures
from bridge.space import AddressSpace
from bridge.video import Sink


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def engine(reel, *, net="tiles", size=(64, 48), live=True, clock=None, walls=1):
    torch.set_num_threads(1)
    learner = Learner(net, size, seed=1)
    space = AddressSpace()
    senders = [Wall() for _ in range(walls)]
    clock = clock or Clock()
    pictures = Pictures(clock)
    return Engine(learner, reel, senders, space, live=live, clock=clock, pictures=pictures)


def frames(count):
    return [frame(seed=i, time=100.0 + i / 30) for i in range(count)]


def test_every_frame_becomes_one_picture_at_the_networks_size():
    one = engine(Reel(frames(5)))
    one.run(5)
    assert [p.shape for p in one.senders[0].pictures] == [(48, 64, 4)] * 5
    assert one.senders[0].layouts == ["bgra"] * 5


def test_what_the_sender_gets_is_byte_for_byte_the_quantised_answer_of_the_network():
    one, twin = engine(Reel(frames(8)), net="paint"), Learner("paint", (64, 48), seed=1)
    one.run(8)
    for number, sent in enumerate(one.senders[0].pictures):
        x = twin.see(frame(seed=number))
        with torch.no_grad():
            answer, _ = twin.net(x)
        assert np.array_equal(sent, image.quantise(answer, 8).numpy())
        twin.look(x)
        twin.learn()


def test_the_picture_leaves_before_the_frame_is_learnt_from():
    one = engine(Reel(frames(1)))
    before = one.learner.weights.hash()
    at_departure = []
    one.senders[0].send = lambda _: at_departure.append(one.learner.weights.hash())
    one.run(1)
    assert at_departure == [before]
    assert one.learner.weights.hash() != before


def test_knobs_move_between_frames_and_before_the_next_is_seen():
    reel = Reel([])
    one = engine(reel)
    seen = []
    reel.items = [lambda: seen.append(one.learner.optimiser.rate)]
    one.space.set("/learn/rate", [0.5])
    assert one.learner.optimiser.rate != 0.5
    one.turn()
    assert seen == [0.5]


def test_a_preset_of_the_space_is_every_knob():
    one = engine(Reel([]))
    assert one.space.preset()["/learn/rate"] == one.learner.optimiser.rate
    assert "/stats/loss" not in one.space.preset()


def test_every_sender_gets_every_picture():
    one = engine(Reel(frames(3)), walls=2)
    one.run(3)
    assert [len(wall.pictures) for wall in one.senders] == [3, 3]


def test_before_the_first_frame_it_shows_what_it_makes_of_grey():
    one = engine(Reel([None, None]))
    one.turn()
    assert one.stats.state == "waiting"
    x = one.learner.see(Frame(np.full((48, 64, 4), 128, np.uint8), "bgra", 0.0))
    one.learner.on = False
    assert np.array_equal(one.senders[0].pictures[0], one.learner.look(x).numpy())


def test_grey_is_not_learnt_from():
    one = engine(Reel([None, None]))
    before = one.learner.weights.hash()
    one.turn()
    assert one.learner.weights.hash() == before


def test_waiting_it_sends_thirty_pictures_a_second():
    clock = Clock()
    one = engine(Reel([lambda: clock.wait(AGAIN)] * 31), clock=clock)
    for _ in range(30):
        one.turn()
    assert len(one.senders[0].pictures) == 30


def test_a_gap_of_two_frames_is_not_filled():
    clock = Clock()
    one = engine(Reel([frame(), lambda: clock.wait(1.9 / 30), frame(seed=1), None]), clock=clock)
    for _ in range(3):
        one.turn()
    assert len(one.senders[0].pictures) == 2


def test_in_a_longer_one_the_last_picture_is_sent_again_and_the_source_is_not_yet_lost():
    clock = Clock()
    one = engine(Reel([frame(), lambda: clock.wait(2.1 / 30), frame(seed=1), None]), clock=clock)
    one.system.lost = "dream"
    states = [one.turn() and one.stats.state for _ in range(3)]
    pictures = one.senders[0].pictures
    assert states == ["learning"] * 3
    assert np.array_equal(pictures[0], pictures[1])
    assert len(pictures) == 3


@pytest.mark.parametrize("rate", [None, 4.0])
def test_where_frames_are_few_or_their_rate_unknown_only_a_source_that_is_lost_is_filled_in(rate):
    clock = Clock()
    reel = Reel([frame(), lambda: clock.wait(LOST * 0.9), frame(seed=1), None], rate=rate)
    one = engine(reel, clock=clock)
    for _ in range(3):
        one.turn()
    assert len(one.senders[0].pictures) == 2


def test_a_lost_source_leaves_the_last_picture_standing():
    clock = Clock()
    one = engine(Reel([frame(), *[lambda: clock.wait(AGAIN)] * 20, None]), clock=clock)
    for _ in range(21):
        one.turn()
    pictures = one.senders[0].pictures
    assert len(pictures) > 10
    assert all(np.array_equal(p, pictures[0]) for p in pictures)
    assert one.stats.state == "holding"


def lost(count, *, net="paint", size=(128, 96), first=()):
    """An engine that dreams, its source gone for `count` times 1/30 s after the `first` frames."""
    clock = Clock()
    reel = Reel([*first, lambda: clock.wait(LOST), *[lambda: clock.wait(AGAIN)] * count, None])
    one = engine(reel, net=net, size=size, clock=clock)
    one.system.lost = "dream"
    for _ in range(len(first) + 1 + count):
        one.turn()
    return one


def test_a_lost_source_is_dreamt_on_from_thirty_times_a_second():
    one = lost(90, first=[frame(), frame(seed=1)])
    pictures = one.senders[0].pictures
    assert one.stats.state == "dreaming"
    assert len(pictures) == 2 + 91
    assert np.abs(pictures[2].astype(int) - pictures[-1]).mean() > 0.2
    assert one.stats.fps == pytest.approx(30, abs=1)


def test_nothing_is_learnt_from_a_dream():
    one, twin = lost(20, first=[frame(), frame(seed=1)]), lost(0, first=[frame(), frame(seed=1)])
    assert one.learner.weights.hash() == twin.learner.weights.hash()
    assert one.stats.frames == 2


def test_the_time_that_a_dream_takes_does_not_slow_it():
    one = lost(2, first=[frame()])
    clock, reel = one.clock, one.receiver
    sent = one.senders[0].send
    one.senders[0].send = lambda made: (clock.wait(0.02), sent(made))
    reel.items = [lambda: clock.wait(reel.timeouts[-1])] * 31 + [None]
    begun, before = clock.now, len(one.senders[0].pictures)
    for _ in range(31):
        one.turn()
    assert (len(one.senders[0].pictures) - before) / (clock.now - begun) == pytest.approx(30, abs=2)


def test_a_source_that_comes_back_ends_the_dream_at_once():
    one = lost(10, first=[frame()])
    one.receiver.items = [frame(seed=3), None]
    x = one.learner.see(frame(seed=3))
    with torch.no_grad():
        answer, _ = one.learner.net(x)
    one.turn()
    assert np.array_equal(one.senders[0].pictures[-1], image.quantise(answer, 8).numpy())
    assert one.stats.state == "learning"


def test_what_cannot_be_dreamt_holds():
    one = lost(10, net="through", first=[frame()])
    pictures = one.senders[0].pictures
    assert all(np.array_equal(p, pictures[0]) for p in pictures)
    assert one.stats.state == "holding"
    assert one.stats.faults == 0


def test_a_dream_may_begin_before_the_first_frame():
    one = lost(5)
    assert one.stats.state == "dreaming"
    assert len(one.senders[0].pictures) == 6


def test_a_source_that_comes_back_is_played_at_once():
    clock = Clock()
    one = engine(Reel([frame(), lambda: clock.wait(5), frame(seed=3), None]), clock=clock)
    for _ in range(3):
        one.turn()
    assert one.stats.frames == 2
    assert one.stats.state == "learning"


def test_a_frame_of_another_size_is_played_on():
    one = engine(Reel([frame(), frame(333, 77), frame(8, 1000)]))
    one.run(3)
    assert [p.shape for p in one.senders[0].pictures] == [(48, 64, 4)] * 3
    assert one.stats.faults == 0


def test_a_frame_it_cannot_play_costs_one_picture_and_no_more():
    broken = Frame(np.zeros((3, 3), np.uint8), "bgra", 0.0)
    one = engine(Reel([frame(), broken, frame(seed=2), None]))
    for _ in range(3):
        assert one.turn()
    assert one.stats.faults == 1
    assert one.stats.frames == 2
    assert one.stats.error


def test_a_source_that_throws_leaves_the_picture_standing():
    clock = Clock()

    def fail():
        clock.wait(AGAIN)
        raise OSError("the cable was pulled")

    one = engine(Reel([frame(), *[fail] * 3, frame(seed=1), None]), clock=clock)
    for _ in range(5):
        one.turn()
    pictures = one.senders[0].pictures
    assert np.array_equal(pictures[1], pictures[0])
    assert one.stats.error == "the cable was pulled"
    assert one.stats.frames == 2


def test_a_sender_that_throws_does_not_stop_the_learning_of_the_next_frame():
    one = engine(Reel(frames(4)))
    one.senders[0].send = lambda _: (_ for _ in ()).throw(OSError("gone"))
    for _ in range(4):
        one.turn()
    assert one.stats.faults == 4
    assert not one.stopping


def test_offline_the_first_thing_that_cannot_be_done_ends_the_run():
    def fail():
        raise Refusal("the movie is broken")

    one = engine(Reel([frame(), fail, frame()]), live=False)
    with pytest.raises(Refusal, match="broken"):
        one.run()


def test_offline_it_ends_with_the_source():
    one = engine(Reel(frames(4)), live=False)
    one.run()
    assert one.stats.frames == 4
    assert one.stats.state == "ended"


def test_offline_time_is_the_frames_number_over_the_rate():
    one = engine(Reel(frames(31)), live=False)
    one.space.slew = 0
    one.space.assign("/system/slew", 1.0)
    one.turn()
    one.space.set("/learn/trust", [1.0])
    one.run(16)
    halfway = one.learner.optimiser.trust
    one.run(32)
    assert 0.02 < halfway < 1.0
    assert one.learner.optimiser.trust == 1.0


def test_it_stops_when_told():
    one = engine(Reel(frames(9)))
    one.senders[0].send = lambda _: setattr(one, "stopping", True)
    one.run()
    assert one.stats.frames == 1


def test_closing_closes_the_rest_though_one_fails():
    one = engine(Reel([]), walls=2)

    def fail():
        raise Refusal("the disk is full")

    one.senders[0].close = fail
    with pytest.raises(Refusal, match="full"):
        one.close()
    assert one.receiver.closed
    assert one.senders[1].closed


def test_what_ails_a_sink_is_told_under_stats():
    one = engine(Reel(frames(1)))
    one.senders[0].error = "the disk is full; make room"
    one.turn()
    assert one.space["/stats/error"].value == "the disk is full; make room"


def test_what_goes_wrong_a_second_time_is_told_a_second_time(caplog):
    one = engine(Reel(frames(4)))
    for problem in ("unplugged", "unplugged", "", "unplugged"):
        one.receiver.error = problem
        one.turn()
    assert [record.message for record in caplog.records] == ["unplugged"] * 2
    assert one.stats.error == "unplugged"


def test_a_network_that_cannot_be_had_is_told_under_stats():
    one = engine(Reel(frames(2)))
    one.learner.running.trouble = "/net/name ghost: too small"
    one.turn()
    assert one.stats.error == "/net/name ghost: too small"


def test_a_switch_of_the_network_loses_no_picture():
    one = engine(Reel(frames(6)), net="paint")
    one.learner.running.waits = False
    one.space.set("/net/name", ["tiles"])
    for _ in range(6):
        one.turn()
        if one.learner.running.drawing is not None:
            wait([one.learner.running.drawing], 10)
    assert one.learner.life.name == "tiles"
    assert len(one.senders[0].pictures) == 6
    assert one.stats.faults == 0


def test_readings_follow_the_show():
    clock = Clock()
    one = engine(Reel(frames(3)), clock=clock)
    for _ in range(3):
        one.turn()
        clock.wait(1 / 30)
    values = one.space.values()
    assert values["/stats/frames"] == 3
    assert values["/stats/fps"] == 3
    assert values["/stats/pace"] == 3
    assert values["/stats/source"] == "reel"
    assert values["/stats/sink"] == "wall"
    assert values["/stats/psnr"] > 0


def test_skipped_frames_are_counted():
    late = frame()
    late.skipped = 4
    one = engine(Reel([late]))
    one.turn()
    assert one.stats.skipped == 4


def test_a_picture_does_not_change_after_it_was_sent():
    one = engine(Reel(frames(4)))
    held = []
    one.senders[0].send = lambda sent: held.append((sent.pixels, sent.pixels.copy()))
    one.run(4)
    assert all(np.array_equal(now, then) for now, then in held)


def test_the_source_picture_is_not_written_to():
    source = frame()
    one = engine(Reel([source]))
    one.turn()
    assert np.array_equal(source.pixels, picture())


def test_a_loop_that_turns_is_seen_to_turn_and_one_that_hangs_to_hang():
    clock = Clock()
    one = engine(Reel(frames(2)), clock=clock)
    one.turn()
    one.stats.watch(clock.now + 1)
    assert one.stats.stalled == 0
    one.stats.watch(clock.now + 5)
    assert one.stats.stalled == 5


def test_of_two_troubles_at_once_each_is_told(caplog):
    reel = Reel(frames(3))
    reel.error = "the camera is unplugged"
    one = engine(reel)
    one.turn()
    one.troubles.append(lambda: "the disk is full")
    one.turn(), one.turn()
    assert caplog.text.count("the camera is unplugged") == 1
    assert caplog.text.count("the disk is full") == 1


# Pictures for whoever watches


def watched(reel, **options):
    """An engine whose every picture is watched."""
    one = engine(reel, **options)
    one.pictures.watch(1000.0)
    one.pictures.every = 0.0
    return one


def shown(one, name):
    newest = one.pictures.newest(name)
    return None if newest is None else newest[1]


def test_who_watches_is_shown_the_picture_that_left():
    one = watched(Reel(frames(3)), net="paint")
    for _ in range(3):
        one.turn()
        assert np.array_equal(shown(one, "made"), one.senders[0].pictures[-1][..., :3])


def test_who_watches_is_shown_the_frame_itself_while_sight_rests():
    one = watched(Reel(frames(3)))
    for number in range(3):
        one.turn()
        assert np.array_equal(shown(one, "seen"), picture(seed=number)[..., :3])


def test_what_is_seen_is_shown_as_sight_treats_it():
    one = watched(Reel(frames(1)))
    one.learner.sight.gray = one.learner.sight.invert = 1.0
    one.turn()
    x = one.learner.see(frame())
    assert np.array_equal(shown(one, "seen"), image.quantise(x, 8).numpy()[..., :3])
    assert not np.array_equal(shown(one, "seen"), picture()[..., :3])


def test_what_is_seen_is_shown_without_the_noise_that_it_is_spoilt_with():
    one = watched(Reel(frames(1)), net="paint")
    one.learner.denoising.noise = one.learner.denoising.mask = 0.5
    one.turn()
    assert np.array_equal(shown(one, "seen"), picture()[..., :3])


def test_nothing_is_published_while_nobody_watches():
    one = engine(Reel(frames(3)))
    one.run(3)
    assert one.pictures.names() == []


def test_no_more_is_published_than_is_due():
    clock = Clock()
    one = watched(Reel([frame(seed=number) for number in range(60)]), clock=clock)
    one.pictures.every = 0.1
    seen = set()
    for _ in range(60):
        one.turn()
        seen.add(one.pictures.newest("seen")[0])
        clock.wait(1 / 60)
    assert len(seen) == 10


def test_it_is_shown_after_the_picture_has_left_and_was_learnt_from():
    one, events = watched(Reel(frames(1))), []
    send, learn, publish = one.senders[0].send, one.learner.learn, one.pictures.publish
    one.senders[0].send = lambda made: (events.append("sent"), send(made))
    one.learner.learn = lambda until: (events.append("learnt"), learn(until))[1]
    one.pictures.publish = lambda name, *rest: (events.append(name), publish(name, *rest))
    one.turn()
    assert events == ["sent", "learnt", "made", "seen"]


def test_before_the_first_frame_grey_is_seen():
    one = watched(Reel([None, None]))
    one.turn()
    assert np.array_equal(shown(one, "seen"), np.full((48, 64, 3), 128))
    assert np.array_equal(shown(one, "made"), one.senders[0].pictures[0][..., :3])


@pytest.mark.parametrize("lost", ["hold", "dream"])
def test_while_the_source_is_lost_what_was_seen_stays_and_what_is_made_goes_on(lost):
    clock = Clock()
    reel = Reel([frame(), lambda: clock.wait(LOST), *[lambda: clock.wait(AGAIN)] * 9, None])
    one = watched(reel, net="paint", clock=clock)
    one.system.lost = lost
    one.turn()
    seen, made = one.pictures.newest("seen"), []
    for _ in range(10):
        one.turn()
        made.append(one.pictures.newest("made")[0])
        assert np.array_equal(shown(one, "made"), one.senders[0].pictures[-1][..., :3])
    assert one.stats.state == {"hold": "holding", "dream": "dreaming"}[lost]
    assert one.pictures.newest("seen") == seen
    assert made == sorted(set(made))


def test_before_there_is_a_picture_none_is_shown():
    one = watched(Reel([None, frame()]), live=False)
    one.turn()
    assert one.pictures.names() == []
    one.turn()
    assert one.pictures.names() == ["made", "seen"]


def test_who_begins_to_watch_while_the_picture_holds_is_shown_what_was_last_seen():
    clock = Clock()
    one = engine(Reel([frame(), *[lambda: clock.wait(LOST)] * 2, None]), clock=clock)
    one.turn(), one.turn()
    one.pictures.watch()
    one.turn()
    assert np.array_equal(shown(one, "seen"), picture()[..., :3])


def test_what_was_last_seen_is_shown_though_another_network_lives_by_now():
    clock = Clock()
    one = engine(Reel([frame(), lambda: clock.wait(LOST), None]), net="through", clock=clock)
    one.turn()
    one.system.lost, one.learner.running.name = "dream", "tiles"
    one.pictures.watch()
    one.turn()
    assert one.learner.life.name == "tiles"
    assert np.array_equal(shown(one, "seen"), picture()[..., :3])
    assert one.stats.faults == 0


def test_a_large_picture_is_shown_small_and_what_is_seen_made_small_where_it_is():
    one, given = watched(Reel([frame(1280, 704)]), net="through", size=(1280, 704)), {}
    publish = one.pictures.publish
    one.pictures.publish = lambda *a: (given.update({a[0]: a[1].shape}), publish(*a))
    one.turn()
    assert given["seen"] == (352, 640, 3)
    assert np.array_equal(shown(one, "seen"), picture(1280, 704)[::2, ::2, :3])
    assert np.array_equal(shown(one, "made"), shown(one, "seen"))


def test_who_watches_changes_nothing():
    one, twin = watched(Reel(frames(5)), net="paint"), engine(Reel(frames(5)), net="paint")
    one.run(5), twin.run(5)
    assert one.learner.weights.hash() == twin.learner.weights.hash()
    assert np.array_equal(one.senders[0].pictures[-1], twin.senders[0].pictures[-1])


class Card(torch.Tensor):
    """Stands in for a tensor on a graphics card: it counts how often it is brought to the host."""

    copies = 0
    device = torch.device("meta")  # type: ignore[assignment]

    def cpu(self):
        Card.copies += 1
        return torch.zeros(48, 64, 4, dtype=torch.uint8)


def on_a_card(one):
    """The engine's pictures, as if its learner computed on a card."""
    one.learner.look = lambda _x: torch.zeros(48, 64, 4, dtype=torch.uint8).as_subclass(Card)
    one.learner.learn = lambda _due: 0
    Card.copies = 0
    return one


def test_a_picture_is_brought_to_the_host_once_for_all_who_need_it_there():
    one = on_a_card(engine(Reel(frames(3)), walls=3))
    one.run(3)
    assert Card.copies == 3
    assert all(type(p) is np.ndarray for wall in one.senders for p in wall.pictures)


def test_a_picture_that_nobody_needs_there_stays_on_the_card():
    one = on_a_card(engine(Reel(frames(3)), walls=0))
    kept = []

    class Texture(Wall):
        host = False

        def send(self, frame):
            kept.append(frame.pixels)

    one.senders.append(Texture())
    one.run(3)
    assert Card.copies == 0
    assert all(type(pixels) is Card for pixels in kept)


def test_how_pictures_travel_and_who_takes_them_is_told():
    one = engine(Reel(frames(1)), walls=0)

    class Shared(Wall):
        def status(self):
            return Sink("spout:First Light", watchers=2, route="on the card")

    one.senders.append(Shared())
    one.run(1)
    assert one.stats.route == "spout:First Light on the card"
    assert one.stats.watchers == 2
