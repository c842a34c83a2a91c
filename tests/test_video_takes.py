"""Films made while /system/record is on."""

import os
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
from fakes.stage import Reel, Wall, frame, picture

from bridge import Refusal
from bridge.engine import Engine
from bridge.frame import Frame
from bridge.learn.learner import Learner
from bridge.space import AddressSpace
from bridge.video import Sink, takes
from bridge.video.takes import MOST_OPEN, Takes

LONG = 60.0
NOON = time.struct_time((2026, 11, 24, 12, 0, 5, 1, 328, 0))


class Film:
    """A sender that tells who closes it, and with `gate` closed takes its time over it."""

    def __init__(self) -> None:
        self.count, self.error = 0, ""
        self.gate = threading.Event()
        self.gate.set()
        self.closed = threading.Event()

    def send(self, _frame: Frame) -> None:
        self.count += 1

    def status(self) -> Sink:
        return Sink("file:/films/film.mp4", dropped=1, error=self.error)

    def close(self) -> None:
        assert self.gate.wait(LONG)
        self.closed.set()


@pytest.fixture
def deck(tmp_path):
    deck = Takes(str(tmp_path / "films"), "mkv", rate=lambda: 30.0, now=lambda: NOON)
    yield deck
    deck.close()


@pytest.fixture
def films(monkeypatch):
    """Every film that is opened, as a fake."""
    opened: list[Film] = []

    def open_sender(_address, **_how):
        opened.append(Film())
        return opened[-1]

    monkeypatch.setattr(takes, "open_sender", open_sender)
    return opened


def play(deck: Takes, until, size=(64, 48)) -> int:
    """Send one picture after another, as the frame thread does, until something is so."""
    begun = time.perf_counter()
    sent = 0
    while not until():
        deck.send(frame(*size, seed=sent, time=sent / 30))
        sent += 1
        assert time.perf_counter() - begun < LONG
    return sent


def record(deck: Takes, pictures: int = 3) -> None:
    """A film of the last pictures sent while it was on, finished."""
    deck.button.record = True
    play(deck, lambda: deck.take)
    for number in range(pictures):
        deck.send(frame(seed=number, time=time.perf_counter()))
    deck.button.record = False
    finishing = deck._current
    deck.send(frame())
    assert finishing.over.wait(LONG)


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]


def test_off_it_writes_nothing(deck, tmp_path):
    deck.send(frame())
    deck.close()
    assert os.listdir(tmp_path) == []
    assert (deck.take, deck.status().name) == ("", "")


def test_a_film_is_named_after_the_moment_it_begins(deck, tmp_path):
    record(deck)
    assert os.listdir(tmp_path / "films") == ["first-light-20261124-120005.mkv"]


def test_lossless_it_holds_the_very_pictures_that_left(deck, tmp_path):
    record(deck, pictures=3)
    last = pictures(tmp_path / "films" / "first-light-20261124-120005.mkv")[-3:]
    assert all(np.array_equal(p, picture(seed=n)[..., :3]) for n, p in enumerate(last))


def test_an_mp4_plays(tmp_path):
    deck = Takes(str(tmp_path), "mp4", rate=lambda: 30.0, now=lambda: NOON)
    record(deck)
    deck.close()
    assert len(pictures(tmp_path / "first-light-20261124-120005.mp4")) >= 3


def test_a_take_has_the_rate_that_pictures_have_when_it_begins(tmp_path):
    rates = [60.0, 25.0]
    deck = Takes(str(tmp_path), "mp4", rate=lambda: rates.pop(0), now=lambda: NOON)
    record(deck)
    record(deck)
    deck.close()
    told = []
    for film in sorted(tmp_path.glob("*.mp4"), key=lambda path: len(path.name)):
        with av.open(str(film)) as container:
            told.append(round(float(container.streams.video[0].guessed_rate)))
    assert sorted(told) == [25, 60]


def test_a_second_take_in_the_same_second_has_another_name(deck, tmp_path):
    record(deck)
    record(deck)
    names = sorted(os.listdir(tmp_path / "films"))
    assert names == ["first-light-20261124-120005-2.mkv", "first-light-20261124-120005.mkv"]


def test_while_it_records_the_film_is_told_and_afterwards_no_more(deck):
    deck.button.record = True
    play(deck, lambda: deck.take)
    name = "first-light-20261124-120005.mkv"
    assert (deck.take, deck.status().name) == (name, f"file:{name}")
    deck.button.record = False
    deck.send(frame())
    assert (deck.take, deck.status().name) == ("", "")


def test_closed_while_it_records_the_film_is_finished(deck, tmp_path):
    deck.button.record = True
    play(deck, lambda: deck.take)
    deck.send(frame(time=time.perf_counter()))
    deck.close()
    assert len(pictures(tmp_path / "films" / "first-light-20261124-120005.mkv")) >= 1


def test_closing_twice_is_closing_once(deck):
    record(deck)
    deck.close()


def test_a_button_hammered_leaves_only_films_that_play_and_still_works(deck, tmp_path):
    for press in range(60):
        deck.button.record = press % 2 == 0
        deck.send(frame(time=press / 30))
    record(deck)
    deck.close()
    assert deck.status().error == ""
    for name in os.listdir(tmp_path / "films"):
        assert pictures(tmp_path / "films" / name)


def test_pictures_of_another_size_begin_another_film(deck, tmp_path):
    deck.button.record = True
    play(deck, lambda: deck.take)
    deck.send(frame(time=1.0))
    deck.send(frame(32, 16))
    play(deck, lambda: deck.take, size=(32, 16))
    deck.send(frame(32, 16, time=1.0))
    deck.close()
    assert (deck.button.record, deck.status().error) == (True, "")
    names = sorted(os.listdir(tmp_path / "films"), key=len)
    assert [pictures(tmp_path / "films" / n)[0].shape for n in names] == [(48, 64, 3), (16, 32, 3)]


# The picture goes on


def test_a_disk_slow_to_open_holds_no_picture_up(deck, monkeypatch):
    gate = threading.Event()

    def open_sender(_address, **_how):
        assert gate.wait(LONG)
        raise Refusal("--out file:/films/film.mkv: too late; be quicker.")

    monkeypatch.setattr(takes, "open_sender", open_sender)
    deck.button.record = True
    deck.send(frame())
    deck.send(frame())
    assert (deck.take, deck.button.record) == ("", True)
    gate.set()


def test_a_film_slow_to_finish_holds_no_picture_up_and_the_next_begins(deck, films):
    deck.button.record = True
    play(deck, lambda: deck.take)
    films[0].gate.clear()
    deck.button.record = False
    deck.send(frame())
    deck.button.record = True
    play(deck, lambda: deck.take)
    assert (len(films), films[0].closed.is_set()) == (2, False)
    films[0].gate.set()
    deck.close()
    assert films[0].closed.is_set()


def test_when_too_many_are_being_finished_the_next_waits_for_one(deck, films):
    for _ in range(MOST_OPEN):
        deck.button.record = True
        play(deck, lambda: deck.take)
        films[-1].gate.clear()
        deck.button.record = False
        deck.send(frame())
    deck.button.record = True
    deck.send(frame())
    assert deck._current is None
    films[0].gate.set()
    play(deck, lambda: deck.take)
    assert len(films) == MOST_OPEN + 1
    for film in films:
        film.gate.set()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins threads")
def test_a_take_does_not_share_the_frame_threads_core(deck, monkeypatch):
    anywhere, cores = os.sched_getaffinity(0), []

    def open_sender(_address, **_how):
        cores.append(os.sched_getaffinity(0))
        return Film()

    monkeypatch.setattr(takes, "open_sender", open_sender)
    os.sched_setaffinity(0, {min(anywhere)})
    try:
        deck.button.record = True
        play(deck, lambda: deck.take)
    finally:
        os.sched_setaffinity(0, anywhere)
    assert cores == [anywhere]


# What goes wrong


def test_a_folder_that_cannot_be_is_told_and_the_button_goes_off(tmp_path):
    (tmp_path / "films").write_text("no folder")
    deck = Takes(str(tmp_path / "films"), "mkv", rate=lambda: 30.0, now=lambda: NOON)
    deck.button.record = True
    play(deck, lambda: not deck.button.record)
    error = deck.status().error
    deck.close()
    assert error.startswith("/system/record: ")
    assert "check that the folder is there and yours to write in" in error


def test_a_disk_that_fills_up_is_told_and_the_button_goes_off(deck, films):
    deck.button.record = True
    play(deck, lambda: deck.take)
    films[0].error = "--out file:/films/film.mp4: recording has stopped (full); make room."
    deck.send(frame())
    assert (deck.button.record, deck.take) == (False, "")
    error = "/system/record: /films/film.mp4: recording has stopped (full); make room."
    assert deck.status().error == error


def test_a_film_that_cannot_be_finished_is_told(deck, films):
    deck.button.record = True
    play(deck, lambda: deck.take)
    deck.button.record = False
    films[0].error = "--out file:/films/film.mp4: recording has stopped (full); make room."
    deck.close()
    assert "recording has stopped" in deck.status().error


def test_the_next_take_starts_with_a_clean_slate(deck, films):
    deck.button.record = True
    play(deck, lambda: deck.take)
    films[0].error = "full"
    deck.send(frame())
    assert films[0].closed.wait(LONG)
    play(deck, lambda: not deck._finishing)
    deck.button.record = True
    play(deck, lambda: deck.take)
    assert deck.status().error == ""


def test_what_takes_dropped_adds_up(deck, films):
    for _ in range(2):
        deck.button.record = True
        play(deck, lambda: deck.take)
        deck.button.record = False
        deck.send(frame())
    assert (len(films), deck.status().dropped) == (2, 2)


# In the engine


def test_a_controller_sees_the_button_go_off_and_reads_why(tmp_path):
    (tmp_path / "films").write_text("no folder")
    space = AddressSpace()
    deck = Takes(str(tmp_path / "films"), "mkv", rate=lambda: 30.0)
    space.add("/system", deck.button)
    reel = Reel([frame()] * 3000)
    engine = Engine(Learner("through", (64, 48), seed=1), reel, [Wall(), deck], space)
    space.set("/system/record", [True])
    engine.turn()
    stamp = space["/system/record"].stamp
    while deck.button.record:
        assert engine.turn()
    engine.turn()
    deck.close()
    assert [knob.address for knob in space.changes(stamp).changed].count("/system/record") == 1
    assert "check that the folder" in engine.stats.error
    assert (engine.stats.faults, engine.stats.sink) == (0, "wall")
