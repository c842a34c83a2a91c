"""Pictures: what is seen and made, for whoever watches from outside."""

import numpy as np
import pytest
from fakes.stage import picture

from bridge.pictures import Pictures


class Clock:
    """Time that passes only when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def pictures(every=0.1):
    one = Pictures(Clock())
    one.every = every
    return one


def watched(every=0.1, seconds=1000.0):
    one = pictures(every)
    one.watch(seconds)
    return one


def test_nothing_is_due_while_nobody_watches():
    assert not pictures().due(100.0)


def test_the_first_is_due_as_soon_as_somebody_watches():
    assert watched().due(100.0)


def test_who_no_longer_watches_is_shown_nothing():
    one = watched(seconds=2.0)
    assert one.due(101.9)
    assert not one.due(102.1)


def test_who_watches_for_a_moment_does_not_end_the_other_ones_watch():
    one = watched(seconds=10.0)
    one.watch(1.0)
    assert one.due(109.0)


def test_the_next_is_due_when_its_time_has_passed():
    one = watched(every=0.1)
    one.publish("made", picture(), 100.0)
    assert not one.due(100.09)
    assert one.due(100.0 + 0.1)


def test_how_often_may_change_at_any_time():
    one = watched(every=10.0)
    one.publish("made", picture(), 100.0)
    one.every = 0.01
    assert one.due(100.02)


@pytest.mark.parametrize("early", [0.0, 0.002])
def test_frames_that_come_a_little_early_do_not_slow_it(early):
    one = watched(every=1 / 15)
    shown = 0
    for frame in range(300):
        now = 100 + frame / 30 - early * (frame % 3)
        if one.due(now):
            one.publish("made", picture(8, 8), now)
            one.publish("seen", picture(8, 8), now)
            shown += 1
    assert shown == pytest.approx(150, abs=2)


def test_after_a_stall_it_does_not_catch_up():
    one = watched(every=0.1)
    one.publish("made", picture(), 100.0)
    one.publish("made", picture(), 150.0)
    one.publish("made", picture(), 150.1)
    assert not one.due(150.15)


def test_a_picture_out_of_turn_holds_no_moving_one_up():
    one = watched(every=0.1)
    one.publish("made", picture(), 100.0)
    one.publish("brain/1", picture())
    assert one.due(100.0 + 0.1)


def test_of_a_small_picture_every_pixel_is_there_but_for_alpha():
    one, given = pictures(), picture(64, 48)
    one.publish("made", given, 100.0)
    _, shown = one.newest("made")
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, given[..., :3])


@pytest.mark.parametrize("size", [(64, 48), (1280, 720)])
def test_one_without_alpha_is_taken_too(size):
    one, given = pictures(), np.ascontiguousarray(picture(*size)[..., :3])
    one.publish("made", given, 100.0)
    step = size[0] // 640 or 1
    assert np.array_equal(one.newest("made")[1], given[::step, ::step])


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((640, 360), (640, 360)), ((641, 360), (321, 180)), ((960, 544), (480, 272)),
        ((1920, 1080), (640, 360)), ((1080, 1920), (360, 640)), ((4000, 1), (572, 1)),
    ],
)  # fmt: skip
def test_a_large_one_is_made_small_by_a_whole_number(size, small):
    one = pictures()
    one.publish("made", np.zeros((size[1], size[0], 4), np.uint8), 100.0)
    assert one.newest("made")[1].shape == (small[1], small[0], 3)


def test_a_small_one_has_the_large_ones_colours_where_they_were():
    one, given = pictures(), picture(1280, 720)
    one.publish("made", given, 100.0)
    assert np.array_equal(one.newest("made")[1], given[::2, ::2, :3])


@pytest.mark.parametrize("channels", [3, 4])
def test_a_copy_does_not_change_with_what_it_was_made_of(channels):
    one, given = pictures(), np.ascontiguousarray(picture(64, 48)[..., :channels])
    one.publish("made", given, 100.0)
    _, shown = one.newest("made")
    before = shown.copy()
    given[:] = 0
    one.publish("made", given, 101.0)
    assert np.array_equal(shown, before)


def test_nobody_can_write_in_a_copy():
    one = pictures()
    one.publish("made", picture(), 100.0)
    with pytest.raises(ValueError, match="read-only"):
        one.newest("made")[1][0, 0] = 0


def test_the_number_goes_up_also_after_it_was_forgotten():
    one, numbers = pictures(), []
    for _ in range(3):
        one.publish("brain/1", picture())
        numbers.append(one.newest("brain/1")[0])
        one.forget("brain/1")
    assert numbers == sorted(set(numbers))


def test_there_are_as_many_names_as_pictures():
    one = pictures()
    for name in ("made", "seen", "brain/3", "made"):
        one.publish(name, picture())
    one.forget("seen")
    assert one.names() == ["made", "brain/3"]
    assert one.newest("seen") is None


def test_what_was_never_there_can_be_forgotten():
    one = pictures()
    one.forget("made")
    assert one.names() == []
