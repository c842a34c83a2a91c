"""The card: drawn, sent through whatever pictures go through, and read."""

import itertools

import numpy as np
import pytest
import torch
from fakes.stage import picture

from bridge.bench.card import BITS, KNOWN, ROUND, Card, read
from bridge.frame import Frame
from bridge.learn import image, tuning
from bridge.learn.learner import Learner

SIZE = 640, 360
NUMBER = 0b1011_0010_0111_0001
WAYS = list(itertools.product((False, True), repeat=3))  # flipped, mirrored, swapped


def card(number=NUMBER, size=SIZE):
    return Card(*size)(number)


def turned(pixels, flipped, mirrored, swapped):
    pixels = pixels[::-1] if flipped else pixels
    pixels = pixels[:, ::-1] if mirrored else pixels
    return np.ascontiguousarray(pixels[..., [2, 1, 0, 3]] if swapped else pixels)


def resized(pixels, size):
    return image.fit(torch.from_numpy(pixels), size, "stretch").contiguous().numpy()


def compressed(pixels):
    """As NDI has it: half the colours a row, whole numbers of 16 to 235, and noise."""
    levels = pixels[..., :3].astype(np.float32)
    luma = levels @ np.float32([0.0722, 0.7152, 0.2126])
    blue, red = (levels[..., 0] - luma) / 1.8556, (levels[..., 2] - luma) / 1.5748
    blue, red = (np.repeat((c[:, ::2] + c[:, 1::2]) / 2, 2, 1) for c in (blue, red))
    luma = np.round(luma * 219 / 255) * 255 / 219
    blue, red = (np.round(c * 224 / 255) * 255 / 224 for c in (blue, red))
    green = (luma - 0.2126 * (luma + 1.5748 * red) - 0.0722 * (luma + 1.8556 * blue)) / 0.7152
    made = np.stack([luma + 1.8556 * blue, green, luma + 1.5748 * red], -1)
    made += np.random.default_rng(1).normal(0, 6, made.shape)
    alpha = np.full((*made.shape[:2], 1), 255)
    return np.concatenate([np.clip(np.round(made), 0, 255), alpha], -1).astype(np.uint8)


ROADS = {
    "straight": lambda pixels: pixels,
    "by NDI": compressed,
    "to the network's size": lambda pixels: resized(pixels, (320, 192)),
    "to a size that no square fits": lambda pixels: resized(pixels, (350, 210)),
    "larger": lambda pixels: resized(pixels, (1280, 720)),
    "by NDI, smaller, and by NDI": lambda p: compressed(resized(compressed(p), (320, 192))),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("way", WAYS)
def test_each_turn_and_swap_is_told_from_all_others_on_every_road(road, way):
    reading = read(turned(ROADS[road](card()), *way))
    assert (reading.number, reading[1:4]) == (NUMBER, way)
    assert max(reading.grey, reading.off) < 12


def test_every_number_is_read_as_itself():
    draw = Card(160, 160)
    numbers = [*range(300), *(1 << bit for bit in range(BITS)), ROUND - 1, *range(0, ROUND, 997)]
    assert [read(draw(number)).number for number in numbers] == numbers


def test_after_the_last_number_comes_the_first():
    assert read(card(ROUND + 5)).number == 5


def test_neighbours_differ_in_one_square_above_and_one_below():
    """So that one shown for a moment over the other is not a third."""
    draw = Card(160, 160)
    for number in (0, 1, 255, 32767, ROUND - 1):
        before, after = draw(number).copy(), draw(number + 1)
        different = (before != after).any((1, 2))
        assert different[:26].sum() > 0 < different[-26:].sum()
        changed = (before != after).any(-1)
        assert changed[0].sum() == changed[-1].sum() == 8


def test_the_scene_between_the_bands_moves_on_with_each():
    draw = Card(*SIZE)
    before = draw(7)[120:300].copy()
    after = draw(8)[120:300]
    assert (before != after).any((0, 2)).mean() > 0.9
    assert (before[:, 4:] == after[:, :-4]).all()


def test_what_is_seen_of_two_cards_at_once_is_torn():
    draw = Card(*SIZE)
    half = draw(7).copy()
    half[180:] = draw(8)[180:]
    assert read(half).number is None


def test_rgba_is_read_by_its_layout():
    assert not read(turned(card(), False, False, True), "rgba").swapped
    assert read(card(), "rgba").swapped


def test_rows_may_be_further_apart_than_they_are_long():
    wide = np.zeros((360, 700, 4), np.uint8)
    wide[:, :640] = card()
    assert read(wide[:, :640]).number == NUMBER


def test_colours_that_are_untouched_are_off_by_nothing():
    assert read(card())[4:7] == (0, 0, 0)


@pytest.mark.parametrize("number", range(len(KNOWN)))
def test_each_colour_that_is_wrong_is_measured_and_by_how_much(number):
    wrong = card().copy()
    places = {0: (0, 0), 1: (0, 18), 2: (10, 0), 3: (10, 18)}
    row, column = places.get(number, (2, (number - 4) * 2))
    part = wrong[row * 30 : row * 30 + 60, column * 32 : column * 32 + 64, 1]
    part[:] = np.where(part > 127, part - 40, part + 40)
    grey, off, clear = read(wrong)[4:7]
    expected = {0: "grey", 1: "grey", 2: "grey", 3: "grey", 10: "grey", 11: "grey", 12: "grey"}
    names = {"grey": grey, "off": off, "clear": clear}
    which = expected.get(number, "clear" if number == 13 else "off")
    assert names.pop(which) == 40
    assert set(names.values()) == {0}


def test_a_limited_range_shows_in_the_greys():
    washed = card().copy()
    washed[..., :3] = np.round(16 + washed[..., :3] * (219 / 255))
    assert read(washed).grey >= 16


def test_alpha_is_the_lowest_there_is():
    opaque = card().copy()
    opaque[..., 3] = 255
    assert (read(card()).alpha, read(opaque).alpha) == (0, 255)


def test_alpha_that_was_multiplied_in_shows_in_the_transparent_patch_alone():
    dark = card().copy()
    dark[dark[..., 3] == 0] = 0
    assert read(dark)[4:7] == (0, 0, 224)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((192, 320, 4), 128, np.uint8),
        np.zeros((192, 320, 4), np.uint8),
        np.random.default_rng(2).integers(0, 256, (192, 320, 4), np.uint8),
        255 - card(),
        card()[100:],
    ],
    ids=["grey", "black", "noise", "a negative", "cut off"],
)
def test_what_is_no_card_is_refused(pixels):
    assert read(np.ascontiguousarray(pixels)) is None


def test_no_soft_coloured_picture_is_taken_for_one():
    assert [read(picture(160, 96, seed)) for seed in range(20)] == [None] * 20


def test_two_cards_mixed_are_none_or_torn_but_never_a_third():
    draw = Card(160, 160)
    for number in (5, 1023, 40000):
        one, other = draw(number).astype(int), draw(number + 1).astype(int)
        reading = read(((one + other) // 2).astype(np.uint8))
        assert reading is None or reading.number is None


def test_a_network_that_has_met_sixty_of_them_gives_every_next_one_back():
    tuning.use_threads(1)
    learner, draw = Learner("tiles", (320, 192), seed=1), Card(*SIZE)
    for turn in range(80):
        number = turn * 7919 % ROUND
        made = learner.look(learner.see(Frame(draw(number), "bgra", turn / 60)))
        if turn >= 60:
            assert read(made.numpy())[:4] == (number, False, False, False)
        learner.learn()
