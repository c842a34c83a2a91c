"""The queue between the frame thread and the disk."""

import errno
import threading

import numpy as np
import pytest

from bridge import Refusal
from bridge.frame import Frame
from bridge.video.recorder import DEPTH, Recorder

LONG = 60.0


class Paper:
    """A writer that remembers; with `gate` closed it takes one picture and holds it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.written: list[tuple[int, int]] = []  # (first byte, place)
        self.ending = ""
        self.gate, self.holding = threading.Event(), threading.Event()
        self.gate.set()

    def write(self, pixels, layout, place):  # noqa: ARG002
        self.holding.set()
        assert self.gate.wait(LONG)
        if self.failure:
            raise self.failure
        self.written.append((int(pixels[0, 0, 0]), place))

    def finish(self):
        self.ending = "finished"

    def abandon(self):
        self.ending = "abandoned"


def recorder(paper: Paper, *, live: bool = False, rate: float = 10.0) -> Recorder:
    return Recorder(paper, address="--out file:take.mp4", live=live, rate=rate)


def frame(value: int = 0, time: float = 0.0) -> Frame:
    return Frame(np.full((2, 2, 4), value, np.uint8), "bgra", time)


def test_offline_writes_every_picture_in_order():
    paper = Paper()
    record = recorder(paper)
    for n in range(3 * DEPTH):
        record.send(frame(n))
    record.close()
    assert paper.written == [(n, n) for n in range(3 * DEPTH)]


def test_close_finishes_the_writing():
    paper = Paper()
    recorder(paper).close()
    assert paper.ending == "finished"


def test_closing_twice_is_closing_once():
    record = recorder(Paper())
    record.close()
    record.close()


def test_send_copies_so_the_pixels_may_be_used_again():
    paper = Paper()
    paper.gate.clear()
    record = recorder(paper)
    sent = frame(7)
    record.send(sent)
    sent.pixels[:] = 99
    paper.gate.set()
    record.close()
    assert paper.written == [(7, 0)]


def test_live_a_full_queue_drops_and_counts_and_does_not_block():
    paper = Paper()
    paper.gate.clear()
    record = recorder(paper, live=True)
    record.send(frame())
    assert paper.holding.wait(LONG)
    for n in range(1, DEPTH + 6):  # the writer holds one, the queue the next DEPTH
        record.send(frame(n, n / 10))
    dropped = record.status().dropped
    paper.gate.set()
    record.close()
    assert (dropped, len(paper.written)) == (5, DEPTH + 1)


def test_live_pictures_keep_their_place_in_time():
    paper = Paper()
    record = recorder(paper, live=True)
    for time in (50.0, 50.11, 50.5, 50.9):
        record.send(frame(time=time))
    record.close()
    assert [place for _, place in paper.written] == [0, 1, 5, 9]


def test_live_two_pictures_never_share_a_place():
    paper = Paper()
    record = recorder(paper, live=True)
    for time in (0.0, 0.01, 0.1):
        record.send(frame(time=time))
    record.close()
    assert [place for _, place in paper.written] == [0, 1, 2]


def test_live_pictures_faster_than_the_rate_are_thinned_to_the_time_of_the_show():
    paper = Paper()
    record = recorder(paper, live=True)
    for n in range(30):
        record.send(frame(time=n / 20))  # twice the rate, for 1.5 seconds
    record.close()
    assert paper.written[-1][1] <= 15 + 2
    assert len(paper.written) + record.status().dropped == 30


def test_live_a_full_disk_is_told_and_the_show_goes_on():
    paper = Paper(OSError(errno.ENOSPC, "No space left on device"))
    record = recorder(paper, live=True)
    for n in range(5):
        record.send(frame(time=n / 10))
    record.close()
    status = record.status()
    assert status.error == (
        "--out file:take.mp4: recording has stopped (No space left on device); "
        "make room on the disk, or record to another."
    )
    assert (status.dropped, paper.ending) == (4, "abandoned")  # the fifth is the one that failed


def test_offline_a_full_disk_is_raised_by_close():
    record = recorder(Paper(OSError(errno.ENOSPC, "No space left on device")))
    record.send(frame())
    with pytest.raises(Refusal, match="No space left on device"):
        record.close()


def test_offline_a_full_disk_is_raised_by_the_next_send():
    record = recorder(Paper(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(Refusal, match="recording has stopped"):
        send_for_ever(record)
    with pytest.raises(Refusal):
        record.close()


def send_for_ever(record: Recorder) -> None:
    while True:
        record.send(frame())


def test_live_a_picture_that_cannot_be_taken_is_dropped_and_told():
    record = recorder(Paper(Refusal("another size; start a new one.")), live=True)
    record.send(frame())
    record.close()
    status = record.status()
    assert (status.dropped, status.error) == (
        1,
        "--out file:take.mp4: another size; start a new one.",
    )
