"""The receiver behind movies and stills: what is given, when, and what is passed over."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bridge import Refusal
from bridge.frame import Frame
from bridge.video.ahead import DEPTH, Ahead, Pass

LONG = 60.0  # seconds no test ever waits: what it waits for is certain to come


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Movie:
    """Frames 0, 1, 2 … whose pixels say their number; `reached(n)` waits till n is decoded."""

    def __init__(self, length: int, fails_at: int | None = None) -> None:
        self.length, self.fails_at = length, fails_at
        self.passes = 0
        self._decoded = 0
        self._moved = threading.Condition()

    def __call__(self) -> Pass:
        self.passes += 1
        for number in range(self.length):
            if number == self.fails_at:
                raise Refusal("it broke; mend it.")
            yield np.full((2, 3, 4), number, np.uint8)
            with self._moved:  # asked for the next one: this one is in the queue
                self._decoded += 1
                self._moved.notify_all()

    def reached(self, count: int) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: self._decoded >= count, LONG)


@pytest.fixture
def opened() -> Iterator[Callable[..., Ahead]]:
    made: list[Ahead] = []

    def make(movie: Callable[[], Pass], clock: Clock | None = None, **options: object):
        clock = clock or Clock()
        settings = {"name": "movie", "size": (3, 2), "rate": 10.0, "live": True} | options
        made.append(Ahead(movie, clock=clock, sleep=clock.sleep, **settings))
        return made[-1]

    yield make
    for ahead in made:
        ahead.close()


def number(frame: Frame | None) -> int:
    assert frame is not None
    return int(frame.pixels[0, 0, 0])


def everything(ahead: Ahead) -> list[Frame]:
    return list(iter(lambda: ahead.receive(0), None))


def test_offline_gives_every_frame_once_and_in_order(opened):
    frames = everything(opened(Movie(50), live=False))
    assert [number(f) for f in frames] == list(range(50))


def test_offline_time_is_the_index_over_the_rate(opened):
    frames = everything(opened(Movie(3), live=False, rate=25.0))
    assert [f.time for f in frames] == [0, 1 / 25, 2 / 25]


def test_offline_nothing_is_skipped(opened):
    assert not any(f.skipped for f in everything(opened(Movie(20), live=False)))


def test_offline_has_ended_once_none_is_answered(opened):
    ahead = opened(Movie(2), live=False)
    ahead.receive(0), ahead.receive(0)
    before = ahead.status().ended
    assert ahead.receive(0) is None
    assert (before, ahead.status().ended) == (False, True)


def test_offline_a_failure_is_raised_after_the_frames_before_it(opened):
    ahead = opened(Movie(5, fails_at=2), live=False)
    assert [number(ahead.receive(0)) for _ in range(2)] == [0, 1]
    with pytest.raises(Refusal, match="it broke; mend it"):
        ahead.receive(0)


def test_live_the_first_frame_is_due_at_once(opened):
    clock = Clock()
    frame = opened(Movie(3), clock).receive(LONG)
    assert (number(frame), frame.time) == (0, clock.now)


def test_live_receive_sleeps_until_the_next_frame_is_due(opened):
    clock, movie = Clock(), Movie(5)
    ahead = opened(movie, clock)
    times = []
    for _ in range(5):
        ahead.receive(LONG)
        times.append(round(clock.now - 1000, 6))
    assert times == [0, 0.1, 0.2, 0.3, 0.4]


def test_live_receive_answers_none_when_nothing_falls_due_in_time(opened):
    clock = Clock()
    ahead = opened(Movie(5), clock)
    ahead.receive(LONG)
    assert ahead.receive(0.04) is None
    assert clock.now == pytest.approx(1000.04)


def test_live_the_newest_due_frame_wins_and_the_others_are_counted(opened):
    clock, movie = Clock(), Movie(50)
    ahead = opened(movie, clock)
    ahead.receive(LONG)
    movie.reached(5)
    clock.now += 0.45
    frame = ahead.receive(LONG)
    assert (number(frame), frame.skipped) == (4, 3)


def test_live_the_same_frame_is_never_given_twice(opened):
    ahead = opened(Movie(50))
    assert number(ahead.receive(LONG)) == 0
    assert ahead.receive(0) is None


def test_live_frames_nobody_fetches_make_room_for_the_present_one(opened):
    clock, movie = Clock(), Movie(200)
    ahead = opened(movie, clock, rate=100.0)
    ahead.receive(LONG)
    movie.reached(DEPTH)
    clock.now += 0.5  # fifty frames, of which the queue holds eight
    movie.reached(50)
    assert number(ahead.receive(LONG)) >= 49


def test_live_goes_round_without_a_break_in_time(opened):
    clock = Clock()
    ahead = opened(Movie(3), clock)
    frames = [ahead.receive(LONG) for _ in range(7)]
    assert [number(f) for f in frames] == [0, 1, 2, 0, 1, 2, 0]
    assert np.allclose(np.diff([f.time for f in frames]), 0.1)


def test_live_a_long_stall_moves_the_clock_instead_of_racing_after_it(opened):
    clock, movie = Clock(), Movie(200)
    ahead = opened(movie, clock)
    ahead.receive(LONG)
    movie.reached(DEPTH)
    clock.now += 3600
    frame = ahead.receive(LONG)
    assert frame.time == clock.now
    before = clock.now
    assert number(ahead.receive(LONG)) == number(frame) + 1
    assert clock.now == pytest.approx(before + 0.1)


def test_live_a_failure_is_told_and_what_was_decoded_goes_round(opened):
    ahead = opened(Movie(5, fails_at=2))
    assert [number(ahead.receive(LONG)) for _ in range(4)] == [0, 1, 0, 1]
    assert ahead.status().error == "it broke; mend it."


def test_live_a_source_that_is_gone_is_tried_again_until_it_is_back(opened, monkeypatch):
    monkeypatch.setattr("bridge.video.ahead.AGAIN", 0.01)
    movie = Movie(5, fails_at=0)
    tried = threading.Semaphore(0)

    def one_pass():
        tried.release()
        return movie()

    ahead = opened(one_pass)
    assert all(tried.acquire(timeout=LONG) for _ in range(3))
    status = ahead.status()
    assert ahead.receive(0) is None
    assert (status.connected, status.ended, status.error) == (False, False, "it broke; mend it.")
    movie.fails_at = None
    movie.reached(1)
    assert number(ahead.receive(0)) == 0
    assert ahead.status().connected


def test_an_empty_source_says_so(opened):
    with pytest.raises(Refusal, match="there is no picture in it"):
        opened(Movie(0), live=False).receive(0)


def test_the_size_follows_the_frames(opened):
    ahead = opened(lambda: (np.zeros((4, 6, 4), np.uint8) for _ in range(1)), live=False)
    before = ahead.status().size
    ahead.receive(0)
    assert (before, ahead.status().size) == ((3, 2), (6, 4))


def test_close_ends_a_decoder_that_is_blocked_on_a_full_queue(opened):
    movie = Movie(1000)
    ahead = opened(movie, live=False)
    movie.reached(DEPTH)
    ahead.close()
    assert not ahead._thread.is_alive()
