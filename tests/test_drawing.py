"""Drawing: pictures as a camera or a pen would show them, against the definitions."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from bridge.learn import canny, drawing, filters, median, sight

LEVEL = filters.LEVEL
WAYS = {
    "flattened": partial(drawing.flattened, amount=1.0),
    "levelled": partial(drawing.levelled, amount=1.0),
    "coarsened": partial(drawing.coarsened, times=3.0),
    "median 3": partial(median.median, side=3),
    "median 15": partial(median.median, side=15),
    "cannied": partial(canny.cannied, low=40.0, high=90.0),
    "cannied wide": partial(canny.cannied, low=40.0, high=90.0, sigma=0.0, width=3),
    "ink": partial(drawing.thresholded, block=11, c=8.0, pencil=0.0),
    "pencil": partial(drawing.thresholded, block=31, c=8.0, pencil=1.0),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Two would wait for each other over pictures as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def dots(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scene(height=40, width=56, seed=0, batch=1):
    """Soft shapes in colour, in whole levels of 255."""
    small = dots(batch, 3, height // 4, width // 4, seed=seed)
    soft = interpolate(small, (height, width), mode="bicubic").clamp(-1, 1)
    return ((soft + 1) / LEVEL).round() * LEVEL - 1


def plane(x):
    """The first picture's first plane in levels of 255, as numpy."""
    return (x[0, 0].double().numpy() + 1) * 127.5


def windows(levels, side):
    wide = np.pad(levels, side // 2, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(wide, (side, side))


def filled(level, height=24, width=32):
    return torch.full((1, 3, height, width), level * LEVEL - 1)


# All of them


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(8, 8), (33, 7), (48, 64), (1, 1), (3, 50)])
def test_any_picture_of_any_size_stays_finite_and_in_range(way, size):
    for x in (dots(2, 3, *size), torch.full((2, 3, *size), 0.3), torch.full((2, 3, *size), -1.0)):
        kept = x.clone()
        made = WAYS[way](x)
        assert made.shape == x.shape
        assert made.dtype == torch.float32
        assert made.isfinite().all()
        assert made.abs().max() <= 1
        assert torch.equal(x, kept)
        made.add_(1.0)  # it is the caller's own
        assert torch.equal(x, kept)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_card_draws_as_a_processor_does(way):
    x = scene(batch=2)
    assert torch.allclose(way(x.cuda()).cpu(), way(x), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_one_plane_goes_in_and_comes_out_as_three_that_are_equal(way):
    gray = filters.light(scene())
    three, one = WAYS[way](gray.repeat(1, 3, 1, 1)), WAYS[way](gray)
    assert one.shape == gray.shape
    assert (three - one).abs().max() < 1e-4 or (three != one).float().mean() < 0.01


@pytest.mark.parametrize("way", WAYS)
def test_pictures_in_a_batch_know_nothing_of_each_other(way):
    x = scene(batch=3)
    together = WAYS[way](x)
    for i in range(3):
        assert torch.allclose(together[i : i + 1], WAYS[way](x[i : i + 1]), atol=1e-5)


@pytest.mark.parametrize(
    ("made", "numbers"),
    [
        (drawing.flattened, [(0.0, 0.4, 1.0)]),
        (drawing.levelled, [(0.0, 0.4, 1.0)]),
        (drawing.coarsened, [(1.0, 2.5, 7.0)]),
        (canny.cannied, [(10.0, 40.0, 90.0), (120.0, 60.0, 91.0)]),
        (drawing.thresholded, [(3, 9, 31), (1.0, 5.0, 20.0), (0.0, 0.5, 1.0)]),
    ],
)
def test_a_number_for_each_picture_is_that_number_for_it_alone(made, numbers):
    x = scene(batch=3)
    together = made(x, *(torch.tensor(each) for each in numbers))
    for i in range(3):
        alone = made(x[i : i + 1], *(each[i] for each in numbers))
        assert torch.allclose(together[i : i + 1], alone, atol=1e-5)


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("flattened", "levelled")])
def test_what_is_at_one_edge_is_not_seen_at_the_other(way):
    x = filled(120, 40, 60)
    x[..., :4] = 1.0
    x[..., :4, :] = 1.0
    made = WAYS[way](x)
    flat = made[..., 30:, 30:] if "pencil" not in way else made[..., 25:, 25:]
    assert (flat - flat[..., -1:, -1:]).abs().max() < 1e-4


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_turned_over_is_drawn_turned_over(way):
    """But for the side that the middle of an edge of two equal pixels falls to."""
    x = dots(1, 3, 30, 30, seed=4)
    for turned in (lambda t: t.flip(-1), lambda t: t.flip(-2), lambda t: t.transpose(-1, -2)):
        assert torch.allclose(WAYS[way](turned(x)), turned(WAYS[way](x)), atol=1e-4)


# Light and paper


def test_paper_under_a_lamp_gets_the_same_light_all_over_and_keeps_what_is_drawn_on_it():
    paper = torch.ones(1, 3, 64, 96) * torch.tensor([0.6, 0.7, 0.8]).view(3, 1, 1)
    paper[..., 26:37, 40:51] *= 0.3
    lamp = torch.linspace(1.0, 0.4, 96)
    flat = (drawing.flattened(paper * lamp * 2 - 1, 1.0) + 1) / 2
    ground = flat[:, 1, :20]
    assert float(ground.max() / ground.min()) < 1.2  # it was 2.5
    drawn = flat[:, 1, 26:37, 40:51] / flat[:, 1, 10, 40:51]
    assert (drawn - 0.3).abs().max() < 0.03
    ratio = flat[:, 2] / flat[:, 0]
    assert (ratio - 0.8 / 0.6).abs().max() < 1e-3  # the colour is kept


def test_nothing_gets_darker_and_nothing_more_than_so_many_times_brighter_when_flattened():
    x = scene(seed=3) * 0.4 - 0.5
    x[..., 28:] = x[..., 28:] * 0.01 - 0.98
    times = (drawing.flattened(x, 1.0) + 1) / (x + 1)
    assert times.min() > 0.9  # cubics go a little beyond
    assert drawing.MOST_LIGHT < times.max() < 1.1 * drawing.MOST_LIGHT
    assert torch.allclose(drawing.flattened(filled(80), 1.0), filled(80), atol=1e-5)


def test_the_darkest_hundredth_goes_to_black_and_the_brightest_to_white():
    x = filters.light(scene(100, 120)).repeat(1, 3, 1, 1) * 0.4 - 0.2
    low, high = np.quantile(plane(x), (0.01, 0.99))
    expected = ((plane(x) - low) * 255 / (high - low)).clip(0, 255)
    assert abs(plane(drawing.levelled(x, 1.0)) - expected).max() < 2
    half = (expected + plane(x)) / 2
    inside = (expected > 0) & (expected < 255)
    assert abs(plane(drawing.levelled(x, 0.5)) - half)[inside].max() < 2


def test_a_full_range_stays_what_it_is():
    x = torch.linspace(-1, 1, 10000).view(1, 1, 100, 100)
    assert (drawing.levelled(x, 1.0) - x).abs().max() < 0.03


@pytest.mark.parametrize("level", [0, 3, 90, 255])
def test_a_flat_picture_stays_what_it_is_and_its_noise_is_not_blown_up(level):
    assert torch.allclose(drawing.levelled(filled(level), 1.0), filled(level), atol=1e-5)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 3 * LEVEL
    noisy = (filled(level, 64, 64) + noise).clamp(-1, 1)
    assert drawing.levelled(noisy, 1.0).std() < 3 * noisy.std()
    assert abs(drawing.levelled(noisy, 1.0).mean() - noisy.mean()) < 4 * LEVEL


def test_a_picture_of_little_contrast_gets_the_most_there_is_and_a_flatter_one_less():
    def gain(span):
        x = torch.linspace(100 - span / 2, 100 + span / 2, 10000).view(1, 1, 100, 100) * LEVEL - 1
        return float(drawing.levelled(x, 1.0).std() / x.std())

    gains = [gain(span) for span in (2, 20, 50, 52, 100, 200)]
    assert max(gains) == pytest.approx(drawing.MOST_CONTRAST, rel=0.05)
    assert gains[0] < gains[1] < gains[2]
    assert gains[3] > gains[4] > gains[5] > 1


@pytest.mark.parametrize("times", [1.0, 1.4, 2.0, 6.0, 24.0, 32.0])
def test_coarse_is_means_of_areas_enlarged_by_cubics(times):
    x = scene(48, 64)
    height, width = max(1, round(48 / times)), max(1, round(64 / times))
    rows, columns = (
        np.array([[max(0.0, min((i + 1) * n / m, j + 1) - max(i * n / m, j)) for j in range(n)]
                  for i in range(m)]) * m / n
        for n, m in ((48, height), (64, width))
    )  # fmt: skip
    small = torch.from_numpy(rows @ x.double().numpy() @ columns.T).float()
    large = interpolate(small, (48, 64), mode="bicubic", align_corners=False).clamp(-1, 1)
    assert torch.allclose(drawing.coarsened(x, times), large, atol=1e-5)


@pytest.mark.parametrize("side", [3, 5])
def test_a_median_is_the_middle_of_the_square(side):
    x = scene(20, 26) + 0.3 * dots(1, 3, 20, 26, seed=5)
    x = x.clamp(-1, 1)
    middle = np.median(windows(plane(x), side), axis=(-2, -1))
    assert abs(plane(median.median(x, side)) - middle).max() < 0.01


def test_an_even_median_is_the_next_one_and_one_pixel_is_none():
    x = scene()
    assert torch.equal(median.median(x, 4), median.median(x, 5))
    assert torch.equal(median.median(x, 14), median.median(x, 15))
    assert torch.equal(median.median(x, 1), x)
    assert torch.equal(median.median(x, 0), x)


@pytest.mark.parametrize("side", sorted(median.STEPS))
def test_a_median_takes_specks_away_and_leaves_edges_where_they_are(side):
    x = filled(60, 40, 64)
    x[..., 40:] = 0.5
    edge = x.clone()
    x[..., 8 : 8 + side // 2, 8 : 8 + side // 2] = 1.0
    assert torch.allclose(median.median(x, side), edge, atol=1e-4)
    x = filled(60, 40, 40)
    x[..., 8 : 8 + side + 1, 8 : 8 + side + 1] = 1.0
    assert median.median(x, side)[..., 8 + side // 2, 8 + side // 2].min() > 0.99


@pytest.mark.parametrize("side", [3, 5, 11])
def test_a_median_made_in_strips_is_the_same(side, monkeypatch):
    x = scene() + 0.2 * dots(1, 3, 40, 56)
    whole = median.median(x.clamp(-1, 1), side)
    for values in (1, 56 * 3 * 7, 56 * 3 * 39):
        monkeypatch.setattr(median, "UNSHARED", values)
        assert torch.equal(median.median(x.clamp(-1, 1), side), whole)


@pytest.mark.parametrize("side", [7, 9, 11, 13, 15])
def test_a_wide_median_is_much_nearer_to_its_own_size_than_to_the_next(side):
    x = scene(48, 48, seed=2) + 0.3 * dots(1, 3, 48, 48, seed=5)
    levels = plane(x.clamp(-1, 1))
    own, smaller = (np.median(windows(levels, n), axis=(-2, -1)) for n in (side, side - 2))
    made = plane(median.median(x.clamp(-1, 1), side))
    assert abs(made - own).mean() < abs(smaller - own).mean() * 0.6
    assert abs(made - own).mean() < 0.3 * abs(levels - own).mean()


# Lines


@pytest.mark.parametrize(("block", "c"), [(3, 2.0), (7, 8.0), (31, 4.0), (101, 0.5)])
def test_ink_is_where_it_is_darker_than_its_square_by_so_much(block, c):
    x = filters.light(scene(seed=6))
    levels = plane(x)
    over = levels - windows(levels, block).mean((-2, -1)) + c
    made = drawing.thresholded(x, block, c, 0.0)[0, 0].numpy()
    sure = abs(over) > 0.02
    assert (made[sure] == np.where(over > 0, 1, -1)[sure]).all()
    assert 0.02 < (made < 0).mean() < 0.6


def test_an_even_block_is_the_next_odd_one():
    x = scene()
    assert torch.equal(drawing.thresholded(x, 10, 4.0, 0.0), drawing.thresholded(x, 11, 4.0, 0.0))


def test_a_flat_sheet_is_white_whatever_its_light():
    for level in (0, 100, 255):
        for pencil in (0.0, 0.5, 1.0):
            drawn = drawing.thresholded(filled(level), 101, 0.0, pencil)
            assert drawn.min() > 0.97


def test_a_pencil_is_the_greyer_the_deeper_and_ink_is_black_or_white():
    x = filled(200, 40, 60)
    for i, depth in enumerate((20, 40, 70, 100)):
        x[..., 10 + 12 * i] -= depth * LEVEL
    tones = drawing.thresholded(x, 11, 8.0, 1.0)[0, 0, 20, 10:58:12]
    assert (tones.diff() < -0.2).all()
    assert tones[0] > 0.6
    assert set(drawing.thresholded(x, 11, 8.0, 0.0).unique().tolist()) == {-1.0, 1.0}


def test_with_a_pencil_what_is_dark_all_over_stays_dark():
    x = filled(220, 60, 90)
    x[..., 50:] = 40 * LEVEL - 1
    middle = [float(drawing.thresholded(x, 11, 8.0, p)[0, 0, 30, 75]) for p in (0.0, 0.4, 1.0)]
    assert middle[0] == 1.0
    assert middle[2] < middle[1] < 0.5


def test_more_c_leaves_more_paper():
    x = scene(seed=7)
    black = [float((drawing.thresholded(x, 11, c, 0.0) < 0).sum()) for c in (0, 5, 10, 20, 60)]
    assert black == sorted(black, reverse=True)
    assert black[0] > black[2] > black[4]


def edges_by_definition(levels, low, high):
    """Canny's edges by the book, pixel by pixel; no Gaussian."""
    wide = np.pad(levels, 1, mode="edge")
    height, width = levels.shape
    square = [
        [wide[i : i + height, j : j + width] for j in range(3)] for i in range(3)
    ]  # fmt: skip
    dx = sum(w * (square[i][2] - square[i][0]) for i, w in enumerate((1, 2, 1)))
    dy = sum(w * (square[2][j] - square[0][j]) for j, w in enumerate((1, 2, 1)))
    steep = np.pad(abs(dx) + abs(dy), 1)
    kind = np.zeros((height, width), int)
    for y, x in np.ndindex(height, width):
        angle = np.degrees(np.arctan2(dy[y, x], dx[y, x])) % 180
        if angle < 22.5 or angle >= 157.5:
            step, tie = (0, 1), True
        elif 67.5 <= angle < 112.5:
            step, tie = (1, 0), True
        else:
            step, tie = ((1, 1) if angle < 90 else (1, -1)), False
        here = steep[y + 1, x + 1]
        before = steep[y + 1 - step[0], x + 1 - step[1]]
        after = steep[y + 1 + step[0], x + 1 + step[1]]
        if here > before and (here >= after if tie else here > after) and here > low:
            kind[y, x] = 2 if here > high else 1
    todo = list(zip(*np.nonzero(kind == 2), strict=True))
    found = kind == 2
    while todo:
        y, x = todo.pop()
        for i in range(max(0, y - 1), min(height, y + 2)):
            for j in range(max(0, x - 1), min(width, x + 2)):
                if kind[i, j] and not found[i, j]:
                    found[i, j] = True
                    todo.append((i, j))
    return found


@pytest.mark.parametrize(("low", "high"), [(20.0, 60.0), (60.0, 150.0), (0.0, 255.0)])
def test_canny_is_canny(low, high):
    x = filters.light(scene(44, 52, seed=8))
    expected = edges_by_definition(plane(x), low, high)
    made = canny.cannied(x, low, high, 0.0)[0, 0].numpy() > 0
    assert 0.03 < expected.mean() < 0.5
    assert (made != expected).mean() < 0.002


def test_canny_softens_first_by_sigma():
    x = filters.light(scene(seed=8) * 0.7 + 0.3 * dots(1, 3, 40, 56, seed=9))
    soft = filters.gaussian(x, 1.5)
    assert torch.equal(canny.cannied(x, 20.0, 60.0, 1.5), canny.cannied(soft, 20.0, 60.0, 0.0))
    lines = [float((canny.cannied(x, 20.0, 60.0, s) > 0).sum()) for s in (0.0, 1.0, 3.0)]
    assert lines[0] > lines[1] > lines[2]


def test_the_thresholds_of_canny_may_be_the_wrong_way_round():
    x = scene(seed=8)
    assert torch.equal(canny.cannied(x, 30.0, 120.0), canny.cannied(x, 120.0, 30.0))


def test_a_line_that_is_certain_at_one_end_is_followed_to_the_other():
    x = filled(100, 12, 900)
    x[..., :6, :] += torch.linspace(60, 20, 900) * LEVEL
    drawn = canny.cannied(x, 60.0, 239.0, 0.0)[0, 0]
    assert drawn[4:8].amax(0).min() == 1.0
    assert canny.cannied(x, 60.0, 245.0, 0.0).max() == -1.0  # nowhere certain: no line at all


def test_a_line_on_a_flat_ground_is_as_wide_as_is_asked():
    x = filled(40, 30, 30)
    x[..., 15:] = 0.8
    for sigma in (0.0, 1.0):  # at 0 both sides of the step are as steep, and one is the line
        for width in (1, 2, 3):
            drawn = canny.cannied(x, 50.0, 100.0, sigma, width)
            assert ((drawn > 0).sum(-1) == width).all()
            drawn = canny.cannied(x.transpose(-1, -2), 50.0, 100.0, sigma, width)
            assert ((drawn > 0).sum(-2) == width).all()


def test_a_flat_picture_has_no_edges_at_any_threshold():
    rounded = torch.full((1, 3, 30, 40), 0.3) + 1e-6 * dots(1, 3, 30, 40)
    for sigma in (0.0, 1.0):
        assert canny.cannied(rounded, 0.0, 0.0, sigma).max() == -1.0


# What they are made with


@pytest.mark.parametrize("side", [3, 5, 11, 31, 101])
def test_the_mean_of_a_square(side):
    x = dots(1, 1, 20, 33)
    mean = windows(plane(x), side).mean((-2, -1))
    assert abs(plane(filters.boxed(x, side)) - mean).max() < 1e-3


def test_light_is_luma():
    blue, green, red = torch.eye(3).view(3, 3, 1, 1)
    assert [float(filters.light(one[None])) for one in (blue, green, red)] == pytest.approx(
        filters.LUMA
    )
    assert torch.allclose(sight.grayed(scene(), 1.0)[:, :1], filters.light(scene()), atol=1e-6)
