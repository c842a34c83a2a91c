"""Sight: treatment before the network."""

import pytest
import torch
from fakes.stage import frame, picture

from bridge.frame import Frame
from bridge.learn import canny, drawing, image, median, sight
from bridge.learn.learner import Learner
from bridge.learn.sight import Sight
from bridge.params import Param

SIZE = 64, 48
KNOBS = {name: knob for name, knob in vars(Sight).items() if isinstance(knob, Param)}

DRAWN_BY = {
    "canny_t1": "canny", "canny_t2": "canny", "threshold_block": "threshold",
    "threshold_c": "threshold", "pencil": "threshold",
}  # fmt: skip


def planes(seed=0.0):
    return image.to_planes(torch.from_numpy(picture(seed=seed)))


def moved(knob):
    return (
        knob.choices[-1] if knob.choices else (knob.min if knob.default == knob.max else knob.max)
    )


def test_at_rest_it_rests_and_each_knob_wakes_it_but_those_of_a_drawing_that_is_off():
    assert Sight().rests
    for name, knob in KNOBS.items():
        one = Sight()
        setattr(one, name, moved(knob))
        assert one.rests == (name in DRAWN_BY), name
        one.drawing = "canny"
        assert not one.rests


def test_a_drawing_shows_which_knobs_it_has():
    one = Sight()
    for way in ("off", "canny", "threshold"):
        one.drawing = way
        for name, knob in KNOBS.items():
            assert knob.active is None or knob.active(one) == (DRAWN_BY[name] == way), name


@pytest.mark.parametrize("name", KNOBS)
@pytest.mark.parametrize("size", [(64, 48), (8, 8), (33, 7)])
def test_each_knob_at_each_end_gives_a_picture_in_range_and_of_the_same_size(name, size):
    knob = KNOBS[name]
    x = torch.rand(1, 3, size[1], size[0]) * 2 - 1
    for value in knob.choices or (knob.min, knob.max, knob.clipped((knob.min + knob.max) / 2)):
        one = Sight()
        one.drawing = DRAWN_BY.get(name, "off")
        setattr(one, name, value)
        seen = one.treat(x.clone(), torch.rand_like(x))
        assert seen.shape == x.shape
        assert seen.abs().max() <= 1.0001, value


def test_what_it_is_given_is_not_written_to():
    x, last = planes(), planes(2)
    one = Sight()
    for name, knob in KNOBS.items():
        setattr(one, name, moved(knob))
    for one.drawing in ("off", "canny", "threshold"):
        one.treat(x, last)
        assert torch.equal(x, planes())
        assert torch.equal(last, planes(2))


def test_gray_takes_the_colour_and_leaves_the_light():
    x = planes()
    gray = sight.grayed(x, 1.0)
    assert torch.allclose(gray[:, 0], gray[:, 2])
    white = torch.ones(1, 3, 4, 4)
    assert torch.allclose(sight.grayed(white, 1.0), white)
    assert torch.allclose(sight.grayed(x, 0.5), (x + gray) / 2, atol=1e-6)


def test_green_is_brighter_than_red_and_red_than_blue():
    blue, green, red = (sight.grayed(torch.eye(3)[i].view(1, 3, 1, 1), 1.0)[0, 0] for i in range(3))
    assert blue < red < green


@pytest.mark.parametrize("deviation", [0.5, 2.0, 4.0, 5.0, 9.0, 15.0])
def test_a_blur_is_as_wide_as_it_says(deviation):
    x = torch.zeros(1, 3, 129, 129)
    x[..., 64, 64] = 1.0
    spread = sight.blurred(x, deviation)[0, 0].sum(0)
    place = torch.arange(129.0) - 64
    assert float(spread.sum()) == pytest.approx(1.0, abs=0.05)
    width = float((spread * place**2).sum() / spread.sum()) ** 0.5
    assert width == pytest.approx(deviation, rel=0.1)


def test_a_blur_moves_nothing_and_keeps_a_flat_picture():
    flat = torch.full((1, 3, 20, 31), 0.3)
    for deviation in (0.3, 3.0, 30.0, 64.0):
        assert torch.allclose(sight.blurred(flat, deviation), flat, atol=1e-5)
    x = torch.zeros(1, 3, 65, 65)
    x[..., 32, 32] = 1.0
    soft = sight.blurred(x, 12.0)
    assert torch.allclose(soft, soft.flip(-1).flip(-2), atol=2e-3)


def test_contrast_turns_about_middle_grey_and_stops_at_black_and_white():
    one = Sight()
    one.contrast = 4.0
    x = torch.tensor([-0.5, -0.1, 0.0, 0.1, 0.5]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert torch.allclose(one.treat(x, None)[0, 0, 0], torch.tensor([-1, -0.4, 0, 0.4, 1.0]))
    one.contrast = 0.0
    assert one.treat(x, None).abs().max() == 0


def test_invert_is_the_negative_and_half_of_it_is_grey():
    one, x = Sight(), planes()
    one.invert = 1.0
    assert torch.equal(one.treat(x, None), -x)
    one.invert = 0.5
    assert one.treat(x, None).abs().max() == 0


def test_the_mirrors():
    x = planes()
    assert torch.equal(sight.mirrored(x, "flip"), x.flip(-1))
    fold, four = sight.mirrored(x, "fold"), sight.mirrored(x, "four")
    assert torch.equal(fold, fold.flip(-1))
    assert torch.equal(fold[..., :32], x[..., :32])
    assert torch.equal(four, four.flip(-1))
    assert torch.equal(four, four.flip(-2))
    assert torch.equal(four[..., :24, :32], x[..., :24, :32])


def test_zoom_shows_the_middle():
    x = torch.full((1, 3, 40, 40), -1.0)
    x[..., 15:25, 15:25] = 1.0
    assert (sight.zoomed(x, 8.0) > 0.9).all()
    assert torch.allclose(sight.zoomed(x, 1.0), x, atol=1e-5)


def learner(**knobs):
    torch.set_num_threads(1)
    one = Learner("paint", SIZE, seed=1)
    for name, value in knobs.items():
        setattr(one.sight, name, value)
    return one


def test_at_rest_a_frame_becomes_patches_in_one_copy_with_the_same_numbers():
    one = learner()
    treated = learner(invert=1.0)
    assert torch.allclose(treated.see(frame()), -one.see(frame()), atol=1e-6)


def test_the_network_is_to_give_back_what_it_was_shown():
    one = learner(invert=1.0)
    for _ in range(60):
        picture_ = one.look(one.see(frame()))
        one.learn()
    negative = 255 - frame().pixels[..., :3].astype(float)
    assert abs(picture_[..., :3].float().numpy() - negative).mean() < 12
    assert one.score.psnr > 18


def test_feedback_mixes_in_the_last_picture_sent():
    one = learner(feedback=0.25)
    plain = learner().see(frame())
    assert torch.equal(one.see(frame()), plain)  # there is none yet
    last = image.to_patches(one.look(plain), 8, torch.float32)
    assert torch.allclose(one.see(frame()), 0.75 * plain + 0.25 * last, atol=1e-6)


def test_all_feedback_sees_only_itself():
    one = learner(feedback=1.0)
    one.look(one.see(frame()))
    assert torch.equal(one.see(frame()), one.see(frame(seed=9)))


def test_feedback_goes_on_over_a_switch_of_the_network():
    one = learner(feedback=0.5)
    one.look(one.see(frame()))
    one.running.name = "through"
    assert one.look(one.see(Frame(picture(), "bgra", 0.0))).shape == (48, 64, 4)


@pytest.mark.parametrize(
    ("knobs", "made"),
    [
        ({"zoom": 2.0}, lambda x: sight.zoomed(x, 2.0)),
        ({"mirror": "fold"}, lambda x: sight.mirrored(x, "fold")),
        ({"gray": 0.7}, lambda x: sight.grayed(x, 0.7)),
        ({"blur": 3.0}, lambda x: sight.blurred(x, 3.0)),
        ({"gray": 1.0}, lambda x: sight.grayed(x, 1.0)),
        ({"flatten": 0.6}, lambda x: drawing.flattened(x, 0.6)),
        ({"pre_median": 4}, lambda x: median.median(x, 5)),
        ({"pre_blur": 2.0}, lambda x: sight.blurred(x, 2.0)),
        ({"levels": 0.6}, lambda x: drawing.levelled(x, 0.6)),
        ({"coarse": 5.0}, lambda x: drawing.coarsened(x, 5.0)),
        (
            {"drawing": "canny", "canny_t1": 9.0, "canny_t2": 30.0},
            lambda x: canny.cannied(x, 9.0, 30.0),
        ),
        (
            {"drawing": "threshold", "threshold_block": 7, "threshold_c": 5.0, "pencil": 0.3},
            lambda x: drawing.thresholded(x, 7, 5.0, 0.3),
        ),
        ({"zoom": 3.0, "blur": 3.0}, lambda x: sight.blurred(sight.zoomed(x, 3.0), 3.0)),
    ],
)
def test_a_knob_is_its_function(knobs, made):
    one, x = Sight(), planes()
    for name, value in knobs.items():
        setattr(one, name, value)
    assert torch.allclose(one.treat(x, None), made(x), atol=1e-6)
    assert not torch.allclose(one.treat(x, None), x, atol=0.01)


ORDER = {
    "zoom": 1.5, "mirror": "fold", "flatten": 1.0, "pre_median": 3, "pre_blur": 1.0, "levels": 1.0,
    "coarse": 2.0, "drawing": "threshold", "blur": 1.5, "contrast": 1.5,
    "invert": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("drawn", ["off", "canny", "threshold"])
def test_each_is_done_to_what_the_one_before_has_made(drawn):
    one, x, last = Sight(), planes(), planes(2)
    alone = Sight()
    alone.feedback = one.feedback = 0.5
    expected = alone.treat(x, last)
    if drawn != "off":
        expected = sight.grayed(expected, 1.0)
    for name, value in (ORDER | {"drawing": drawn}).items():
        alone = Sight()
        for by in (one, alone):
            setattr(by, name, value)
            by.threshold_c = 0.0
            by.canny_t1, by.canny_t2, by.threshold_block, by.pencil = 5.0, 15.0, 31, 0.7
        expected = alone.treat(expected, None)
    assert expected.std() > 0.1
    assert torch.allclose(one.treat(x, last), expected, atol=5e-3)  # a median counts in steps


@pytest.mark.parametrize("name", KNOBS)
def test_a_batch_is_treated_as_its_pictures_one_by_one(name):
    one, x = Sight(), torch.cat([planes(), planes(2)])
    one.drawing = DRAWN_BY.get(name, "off")
    setattr(one, name, moved(KNOBS[name]))
    seen = one.treat(x, x.flip(0))
    for i in range(2):
        alone = one.treat(x[i : i + 1], x.flip(0)[i : i + 1])
        assert torch.allclose(seen[i : i + 1], alone, atol=1e-5)


def test_a_drawing_is_grey_whatever_is_drawn():
    one, x = Sight(), planes()
    for one.drawing in ("canny", "threshold"):
        for one.pencil in (0.0, 1.0):
            seen = one.treat(x, None)
            assert torch.equal(seen[:, 0], seen[:, 1])
            assert torch.equal(seen[:, 0], seen[:, 2])
            assert seen.min() < 0 < seen.max()


def test_invert_makes_white_lines_on_black_of_a_pens_and_the_other_way_round():
    one, x = Sight(), planes()
    for one.drawing in ("canny", "threshold"):
        one.invert = 0.0
        drawn = one.treat(x, None)
        assert (drawn.mean() < 0) == (one.drawing == "canny")
        one.invert = 1.0
        assert torch.equal(one.treat(x, None), -drawn)


def test_a_median_of_one_pixel_is_none():
    one = Sight()
    one.pre_median = 1
    assert one.rests


def test_what_it_gives_may_be_written_to():
    one = Sight()
    for knobs in ({"gray": 1.0}, {"drawing": "canny"}, {"drawing": "threshold"}):
        for name, value in knobs.items():
            setattr(one, name, value)
        one.treat(planes(), None).add_(1.0)


@pytest.mark.parametrize("blur", [5e-324, 1e-160, 1e-40, 0.29])
def test_less_blur_than_any_is_none(blur):
    one = Sight()
    one.blur = one.pre_blur = blur
    assert one.rests
    one.invert = 1.0
    assert torch.equal(one.treat(planes(), None), -planes())


def test_zoom_goes_on_with_the_picture_at_its_edges():
    flat = torch.full((1, 3, 9, 14), 0.5)
    for times in (1.001, 1.5, 8.0):
        assert torch.allclose(sight.zoomed(flat, times), flat, atol=1e-6)
