"""The built-in moving scene."""

import numpy as np
import pytest

from bridge import Refusal
from bridge.video.pattern import RATE, SCENES, Pattern, Receiver
from bridge.video.scenes import LENGTH

SMALL = 160, 96
CUT = round(LENGTH * RATE)  # frames from cut to cut


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def pattern() -> Pattern:
    return Pattern(*SMALL)


def live(clock: Clock) -> Receiver:
    return Receiver("160x96", live=True, clock=clock, sleep=clock.sleep)


def change(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def number(pattern: Pattern, frame) -> int:
    """Which of the first frames it is."""
    return next(n for n in range(40) if (pattern(n) == frame.pixels).all())


def test_a_frame_depends_on_its_number_alone(pattern):
    first = pattern(300).copy()
    pattern(17)
    assert (Pattern(*SMALL)(300) == first).all()


def test_frames_are_opaque_packed_bgra(pattern):
    pixels = pattern(0)
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((96, 160, 4), "uint8", True)
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize("scene", range(len(SCENES)))
def test_every_scene_moves_in_every_frame(pattern, scene):
    frames = [pattern(scene * CUT + n) for n in range(0, CUT - 1, 30)]
    after = [pattern(scene * CUT + n + 1) for n in range(0, CUT - 1, 30)]
    assert all(change(a, b) > 0.1 for a, b in zip(frames, after, strict=True))


@pytest.mark.parametrize("scene", range(len(SCENES)))
def test_no_scene_flashes(pattern, scene):
    light = [pattern(scene * CUT + n)[..., :3].mean() for n in range(CUT)]
    assert np.abs(np.diff(light)).max() < 3  # of 255, in a thirtieth of a second


@pytest.mark.parametrize("scene", range(len(SCENES)))
def test_every_scene_has_darkness_light_and_colour(pattern, scene):
    pixels = pattern(scene * CUT + CUT // 2)[..., :3].astype(int)
    assert np.percentile(pixels, 2) < 60
    assert np.percentile(pixels, 98) > 190
    assert np.ptp(pixels, axis=-1).mean() > 25


def test_a_cut_is_hard(pattern):
    within = change(pattern(CUT - 2), pattern(CUT - 1))
    assert change(pattern(CUT - 1), pattern(CUT)) > 8 * within


def test_the_scenes_go_round(pattern):
    assert (pattern(len(SCENES) * CUT + 5) == pattern(5)).all()


def test_offline_gives_every_frame_in_order(pattern):
    receiver = Receiver("160x96", live=False)
    frames = [receiver.receive(0) for _ in range(4)]
    assert [f.time for f in frames] == [n / RATE for n in range(4)]
    assert all((f.pixels == pattern(n)).all() for n, f in enumerate(frames))


def test_live_keeps_the_pace():
    clock = Clock()
    receiver = live(clock)
    for _ in range(31):
        receiver.receive(1.0)
    assert clock.now == pytest.approx(1001.0)


def test_live_gives_the_newest_and_counts_the_others(pattern):
    clock = Clock()
    receiver = live(clock)
    receiver.receive(1.0)
    clock.now += 0.5
    frame = receiver.receive(1.0)
    assert (number(pattern, frame), frame.skipped) == (15, 14)


def test_live_answers_none_when_nothing_falls_due_in_time():
    clock = Clock()
    receiver = live(clock)
    receiver.receive(1.0)
    assert receiver.receive(0.01) is None
    assert clock.now == pytest.approx(1000.01)


def test_the_size_is_640x360_unless_given():
    assert Receiver("", live=False).status().size == (640, 360)


@pytest.mark.parametrize("rest", ["big", "640", "0x0", "100000x100000", "640x360x4"])
def test_a_size_that_makes_no_picture_is_refused(rest):
    with pytest.raises(Refusal, match="give a size like pattern:640x360"):
        Receiver(rest, live=False)
