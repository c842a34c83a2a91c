"""`firstlight devices --watch`: who sends, how fast, and whether the picture moves."""

import io
import itertools
import re
import sys

import numpy as np
import pytest
from fakes.senders import Sender, Senders
from rich.console import Console

from bridge import Refusal, cli, video, watch
from bridge.watch import Lines, Row, Watch

A, B = "ndi:STUDIO (A)", "spout:B"


@pytest.fixture
def senders(monkeypatch):
    return Senders(monkeypatch)


class Evening:
    """What is watched from second 0 on, a sixtieth after the other."""

    def __init__(self):
        self.watch, self.tick = Watch(), 0
        self.watch.look(0.0)

    @property
    def now(self):
        return self.tick / 60

    def go(self, seconds, show=lambda: None):
        for _ in range(round(seconds * 60)):
            self.tick += 1
            show()
            self.watch.take(self.now)

    def row(self):
        [row] = self.watch.rows(self.now)
        return row

    def look(self):
        self.watch.look(self.now)
        return {row.address: row.what for row in self.watch.rows(self.now)}


@pytest.fixture
def evening(senders):
    senders[A] = Sender((1280, 720))
    return Evening()


def moving(sender, skipped=0):
    levels = itertools.cycle(range(256))
    return lambda: sender.show(next(levels), skipped)


def every(count, show):
    turns = itertools.count()
    return lambda: show() if next(turns) % count == 0 else None


# One sender


def test_a_sender_is_told_with_its_size_its_rate_and_that_its_picture_moves(senders, evening):
    evening.go(3, moving(senders[A]))
    assert str(evening.row()) == "ndi:STUDIO (A)   1280x720 UYVY   60.0 fps, moving"


def test_frames_that_were_passed_over_count(senders, evening):
    evening.go(3, every(2, moving(senders[A], skipped=3)))
    assert evening.row().rate == pytest.approx(120)


def test_a_rate_is_that_of_the_last_seconds(senders, evening):
    evening.go(9, moving(senders[A]))
    evening.go(watch.OVER, every(4, moving(senders[A])))
    assert evening.row().rate == pytest.approx(15, rel=0.03)


def test_a_rate_falls_while_nothing_comes(senders, evening):
    evening.go(4, moving(senders[A]))
    evening.go(1)
    assert evening.row().rate == pytest.approx(40, rel=0.02)
    evening.go(2.5)
    assert evening.row().state == "0.0 fps, still for 3 s"


def test_a_slow_sender_is_not_told_slower_between_two_frames(senders, evening):
    evening.go(4.9, every(60, moving(senders[A])))
    assert evening.row().rate == pytest.approx(1)


def test_two_frames_of_one_moment_have_a_rate(senders, evening):
    evening.go(watch.OVER + 1, every(999, moving(senders[A])))
    for level in (1, 2):
        senders[A].show(level)
        evening.watch.take(evening.now)
    assert evening.row().rate > 0


def test_nothing_is_told_of_the_rate_before_it_can_be_known(senders, evening):
    evening.go(0.9, moving(senders[A]))
    assert evening.row() == Row(A, "1280x720 UYVY")


def test_a_picture_that_stands_is_still_from_two_seconds_on(senders, evening):
    evening.go(1.9, lambda: senders[A].show(7))
    assert evening.row().what == ""
    evening.go(2.2, lambda: senders[A].show(7))
    assert evening.row().state == "60.0 fps, still for 4 s"


def test_a_picture_that_stops_is_still_and_one_that_goes_on_moves(senders, evening):
    evening.go(3, moving(senders[A]))
    evening.go(1.9, lambda: senders[A].show(7))
    assert evening.row().what == "moving"
    evening.go(0.2, lambda: senders[A].show(7))
    assert evening.row().state == "60.0 fps, still for 2 s"
    evening.go(0.1, lambda: senders[A].show(8))
    assert evening.row().what == "moving"


def test_minutes_are_told_as_minutes():
    assert Row(A, what="gone", lasts=119.0).state == "gone for 119 s"
    assert Row(A, what="gone", lasts=200.0).state == "gone for 3 min"
    assert Row(A, what="gone", lasts=0.5).state == "gone"


def test_a_change_of_a_few_rows_is_seen_at_any_size():
    for height in (1, 63, 64, 333, 1080):
        pixels = np.zeros((height, 32, 2), np.uint8)
        before = watch._sum(pixels)
        pixels[height // 2 : height // 2 + height // watch.ROWS + 1, 5] = 1
        assert watch._sum(pixels) != before


def test_rows_that_lie_apart_are_summed_as_if_they_did_not():
    wide = np.arange(48 * 100, dtype=np.uint8).reshape(48, 50, 2)
    assert watch._sum(wide[:, :32]) == watch._sum(wide[:, :32].copy())


class OnCard:
    """A fake tensor: rows of it can be taken, and brought to the host."""

    def __init__(self, pixels):
        self._pixels, self.shape = pixels, pixels.shape

    def __getitem__(self, which):
        return OnCard(self._pixels[which])

    def cpu(self):
        assert self.shape[0] <= 2 * watch.ROWS
        return self._pixels


def test_of_a_picture_on_a_card_a_few_rows_are_brought_to_the_host():
    pixels = np.zeros((1080, 32, 4), np.uint8)
    assert watch._sum(OnCard(pixels)) == watch._sum(pixels)


def test_a_sender_that_shows_nothing_is_told_after_a_while(senders, evening):
    senders[A].know(size=None, format="")
    evening.go(1.9)
    assert evening.row() == Row(A)
    evening.go(0.2)
    assert evening.row() == Row(A, what="shows no picture")


def test_what_is_wrong_with_a_sender_is_told_in_its_own_words(senders, evening):
    senders[A].know(error=f"--in {A}: it sends what is not read here.")
    assert evening.row() == Row(A, what="it sends what is not read here.")


# Coming and going


def test_a_sender_that_vanishes_is_gone_and_its_receiver_closed(senders, evening):
    gone = senders.pop(A)
    gone.know(connected=False)
    evening.look()
    evening.go(3)
    assert str(evening.row()) == "ndi:STUDIO (A)   gone for 3 s"
    assert gone.closed == 1


def test_a_sender_that_returns_is_opened_again_and_begins_anew(senders, evening):
    evening.go(3, moving(senders[A]))
    gone = senders.pop(A)
    gone.know(connected=False)
    evening.look()
    senders[A] = Sender((640, 360))
    assert evening.look() == {A: ""}
    evening.go(2.5, moving(senders[A]))
    assert evening.row().state == "60.0 fps, moving"
    assert evening.row().picture == "640x360 UYVY"


def test_a_sender_that_is_not_listed_and_still_comes_is_not_gone(senders, evening):
    there = senders.pop(A)
    evening.look()
    evening.go(3, moving(there))
    assert evening.row().state == "60.0 fps, moving"


def test_who_has_long_been_gone_is_forgotten(senders, evening):
    senders.pop(A).know(connected=False)
    evening.look()
    evening.go(watch.FORGET)
    assert evening.look() == {A: "gone"}
    evening.go(1)
    assert evening.look() == {}


def test_who_returns_after_long_is_watched_again(senders, evening):
    gone = senders.pop(A)
    gone.know(connected=False)
    evening.look()
    evening.go(watch.FORGET + 1)
    senders[A] = Sender()
    assert evening.look() == {A: ""}


@pytest.mark.parametrize("what", ["receive", "status"])
def test_a_receiver_that_fails_is_told_closed_and_opened_again_later(senders, evening, what):
    senders[A].fails[what] = RuntimeError("the card is gone")
    evening.go(0.1)
    assert evening.row().what == "the card is gone"
    del senders[A].fails[what]
    evening.go(watch.AGAIN - 0.2)
    assert evening.look() == {A: "the card is gone"}
    evening.go(0.3)
    assert evening.look() == {A: ""}
    assert (len(senders[A].opened), senders[A].closed) == (2, 1)


def test_a_sender_that_cannot_be_opened_is_told_and_the_next_is_watched(senders):
    senders |= {A: Sender(), B: Sender()}
    senders.fails[A] = Refusal("no more connections")
    assert Evening().look() == {A: "no more connections", B: ""}


def test_a_receiver_that_fails_to_answer_whether_it_is_there_is_gone(senders, evening):
    gone = senders.pop(A)
    gone.fails["status"] = OSError("gone")
    assert evening.look() == {A: "gone"}
    assert gone.closed == 1


def test_a_receiver_that_does_not_let_itself_be_closed_ends_nothing(senders, evening):
    senders[A].fails["close"] = OSError("gone")
    evening.watch.close()


def test_no_more_than_eight_are_watched_and_the_others_named(senders):
    senders |= {f"ndi:{number}": Sender() for number in range(10)}
    evening = Evening()
    told = evening.look()
    assert [told[f"ndi:{n}"] for n in (7, 8, 9)] == ["", *["not watched: 8 are, at a time"] * 2]
    senders.pop("ndi:3").know(connected=False)
    told = evening.look()
    assert [told[f"ndi:{n}"] for n in (3, 8, 9)] == ["gone", "", "not watched: 8 are, at a time"]
    senders["ndi:3"] = Sender()
    assert evening.look()["ndi:3"] == "not watched: 8 are, at a time"


# Transports


def test_a_transport_that_is_not_here_is_asked_once(senders, evening):
    senders.fails["spout"] = ImportError("elsewhere")
    for _ in range(3):
        evening.look()
    assert senders.looks.count("spout") == 1 + 1  # when it was still here
    assert senders.looks.count("ndi") == 1 + 3


def test_a_transport_that_cannot_see_says_so_and_its_senders_stay(senders, evening):
    senders.fails["ndi"] = Refusal("ndi: restart it")
    assert evening.look() == {"ndi:": "restart it", A: ""}
    del senders.fails["ndi"]
    assert evening.look() == {A: ""}
    assert len(senders[A].opened) == 1


def test_where_no_transport_works_it_says_what_to_do(senders, capsys):
    senders.fails |= {scheme: ImportError("elsewhere") for scheme in video.SHARED}
    assert cli.main(["devices", "--watch"]) == 2
    assert "run firstlight devices" in capsys.readouterr().err


# What is said


def said(*rows):
    lines = []
    tell = Lines(lines.append)
    for now, row in rows:
        tell([row], now)
    return lines


def test_each_thing_that_changes_is_told_once():
    first = Row(A, "1280x720", 60.0, "moving")
    assert said((0, first), (2, first), (4, first._replace(what="still", lasts=2.0))) == [
        str(first), "ndi:STUDIO (A)   1280x720   60.0 fps, still for 2 s",
    ]  # fmt: skip


def test_a_picture_that_stays_still_is_not_told_every_second():
    still = Row(A, "1280x720", 60.0, "still", 2.0)
    assert said((0, still), (2, still._replace(lasts=4.0))) == [str(still)]


def test_another_size_is_told():
    first = Row(A, "1280x720", 60.0, "moving")
    assert len(said((0, first), (2, first._replace(picture="640x360")))) == 2


@pytest.mark.parametrize(("rate", "other", "lines"), [
    (60.0, 58.0, 1), (60.0, 50.0, 2), (2.0, 1.2, 1), (2.0, 3.2, 2),
])  # fmt: skip
def test_a_rate_is_told_again_when_it_is_another(rate, other, lines):
    first = Row(A, "1280x720", rate, "moving")
    assert len(said((0, first), (2, first._replace(rate=other)))) == lines


def test_of_one_sender_there_is_a_line_a_second():
    rows = [(n / 4, Row(A, str(n), 60.0, "moving")) for n in range(9)]
    assert len(said(*rows)) == 3


def test_two_senders_do_not_wait_for_each_other():
    assert len(said((0, Row(A, what="gone")), (0, Row(B, what="gone")))) == 2


def test_nothing_is_told_of_a_sender_before_something_is_known():
    assert said((0, Row(A)), (1, Row(A, "1280x720"))) == []


# The whole


def played(senders, script, *, seconds=6.0, **how):
    """Watch so long, while `script` says what happens; then Ctrl-C."""
    now = 0.0

    def sleep(pause):
        nonlocal now
        before, now = now, now + 4 * pause
        for when, what in script.items():
            if before < when <= now:
                what()
        for sender in senders.values():
            sender.show(round(now * 1e3) % 256)
        if now > seconds:
            raise KeyboardInterrupt

    watch.run(clock=lambda: now, sleep=sleep, **how)


def test_it_tells_who_comes_and_goes_until_ctrl_c(senders):
    sender = Sender((1280, 720))

    def come():
        senders[A] = sender

    def go():
        sender.know(connected=False)
        del senders[A]

    lines = []
    played(senders, {1.0: come, 4.0: go}, say=lines.append)
    assert lines == [
        "watching spout:, syphon:, ndi: until Ctrl-C",
        "ndi:STUDIO (A)   1280x720 UYVY   62.5 fps, moving",
        "ndi:STUDIO (A)   gone",
    ]
    assert sender.closed == 1


def test_ctrl_c_closes_all_receivers(senders):
    senders |= {A: Sender(), B: Sender()}
    played(senders, {}, say=str, seconds=1.0)
    assert [sender.closed for sender in senders.values()] == [1, 1]


def test_ctrl_c_is_no_failure(capsys, senders):
    senders[A] = Sender()
    senders[A].fails["receive"] = KeyboardInterrupt()
    assert cli.main(["devices", "--watch"]) == 0
    told = r"\d\d:\d\d:\d\d watching spout:, syphon:, ndi: until Ctrl-C\n"
    assert re.fullmatch(told, capsys.readouterr().out)
    assert senders[A].closed == 1


def test_transports_that_are_not_here_are_not_called_watched(senders):
    senders.fails |= {"spout": ImportError("elsewhere"), "syphon": ImportError("elsewhere")}
    lines = []
    played(senders, {}, say=lines.append, seconds=0.5)
    assert lines == ["watching ndi: until Ctrl-C"]


def test_on_a_terminal_it_is_a_table_in_which_names_stand_as_they_are(senders):
    wall = io.StringIO()
    console = Console(file=wall, force_terminal=True, width=100, color_system=None)
    senders["ndi:[red]A[/x]"] = Sender((1280, 720))
    played(senders, {}, console=console, seconds=2.0)
    first, *_, last = wall.getvalue().split("until Ctrl-C")[:-1]
    assert "ndi:[red]A[/x]   1280x720 UYVY   …" in first
    last = last.split("\x1b[2K")[-1]
    assert last.splitlines()[0].split("   ")[0] == "ndi:[red]A[/x]"
    assert "1280x720 UYVY   62.5 fps, moving" in last
    assert "watching spout:, syphon:, ndi: " in last


def test_it_looks_twice_a_second_and_shows_four_tables(senders):
    wall = io.StringIO()
    played(senders, {}, console=Console(file=wall, force_terminal=True), seconds=4.0)
    assert 8 <= senders.looks.count("ndi") <= 10
    assert 14 <= wall.getvalue().count("until") <= 18


def test_a_name_in_any_script_can_be_told_on_any_terminal(senders, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    senders["ndi:カメラ"] = Sender()
    played(senders, {}, console=Console(force_terminal=False), seconds=2.0)
    assert b"ndi:???   64x48 UYVY   62.5 fps, moving" in terminal.buffer.getvalue()


def test_a_table_without_senders_says_so(senders):
    wall = io.StringIO()
    played(senders, {}, console=Console(file=wall, force_terminal=True), seconds=0.1)
    assert "nobody sends yet" in wall.getvalue()


def test_the_help_says_how_many_are_watched_at_a_time(capsys):
    with pytest.raises(SystemExit):
        cli.main(["devices", "--help"])
    assert f"at most {watch.MOST} at a time" in " ".join(capsys.readouterr().out.split())
