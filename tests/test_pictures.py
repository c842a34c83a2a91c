"""What pages are shown: small copies, made only while somebody watches."""

import numpy as np
import pytest
import torch

from bridge.learn import image
from bridge.pictures import Pictures


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pictures(clock) -> Pictures:
    return Pictures(clock)


PIXELS = np.arange(4 * 6 * 4, dtype=np.uint8).reshape(4, 6, 4)


def test_nothing_is_due_while_nobody_watches(pictures, clock):
    assert not pictures.due()
    pictures.watch(2.0)
    clock.now = 2.1
    assert not pictures.due()


def test_they_are_due_every_so_often(pictures, clock):
    pictures.every = 0.5
    pictures.watch(10.0)
    due = []
    for clock.now in (0.0, 0.2, 0.4, 0.6, 0.8, 1.2):
        due.append(pictures.due())
    assert due == [True, False, False, True, False, True]


def test_what_is_published_is_a_copy_without_alpha(pictures):
    pixels = PIXELS.copy()
    pictures.publish("made", pixels)
    pixels[:] = 0
    number, newest = pictures.newest("made")
    assert (newest == PIXELS[..., :3]).all()
    assert number == 1


def test_what_was_taken_is_never_written_again(pictures):
    pictures.publish("made", PIXELS)
    _, first = pictures.newest("made")
    pictures.publish("made", PIXELS + 1)
    assert (first == PIXELS[..., :3]).all()


def test_no_two_pictures_have_the_same_number(pictures):
    for name in ("seen", "made", "seen"):
        pictures.publish(name, PIXELS)
    assert [pictures.newest(name)[0] for name in ("seen", "made")] == [3, 2]


def test_what_is_forgotten_is_not_there(pictures):
    pictures.publish("brain/1", PIXELS)
    pictures.forget("brain/1")
    pictures.forget("brain/1")
    assert pictures.newest("brain/1") is None


@pytest.mark.parametrize(
    ("height", "width", "to"), [(192, 352, (192, 352)), (544, 960, (363, 640)), (2000, 4, (640, 1))]
)
def test_what_is_too_large_is_made_small(height, width, to):
    grey = torch.full((height, width, 4), 77, dtype=torch.uint8)
    small = image.small(grey, 640)
    assert small.shape == (*to, 4)
    assert (small[..., :3] == 77).all()
