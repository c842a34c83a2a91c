"""Frame to tensor and back."""

import numpy as np
import pytest
import torch
from fakes.stage import picture

from bridge import Refusal
from bridge.frame import Frame
from bridge.learn import image


@pytest.mark.parametrize("patch", [1, 8])
def test_patches_and_back_is_the_same_picture(patch):
    pixels = torch.from_numpy(picture())
    assert torch.equal(
        image.quantise(image.to_patches(pixels, patch, torch.float32), patch), pixels
    )


def test_every_level_survives_the_way_there_and_back():
    pixels = torch.arange(256, dtype=torch.uint8).view(8, 32, 1).repeat(1, 1, 4)
    pixels[..., 3] = 255
    assert torch.equal(image.quantise(image.to_patches(pixels, 8, torch.float32), 8), pixels)


def test_a_patch_holds_its_own_square_of_pixels_row_by_row():
    pixels = torch.from_numpy(picture())
    patches = image.to_patches(pixels, 8, torch.float32)
    square = pixels[8:16, 24:32, :3].reshape(-1).float() / 127.5 - 1
    assert torch.allclose(patches[0, :, 1, 3], square, atol=1e-6)


def test_patches_lie_channels_last_for_the_convolutions():
    patches = image.to_patches(torch.from_numpy(picture()), 8, torch.float32)
    assert patches.shape == (1, 192, 6, 8)
    assert patches.is_contiguous(memory_format=torch.channels_last)


def test_bfloat16_patches_are_the_nearest_to_the_true_ones():
    pixels = torch.arange(256, dtype=torch.uint8).view(8, 32, 1).repeat(1, 1, 4)
    true = image.to_patches(pixels, 8, torch.float64).float()
    assert torch.equal(image.to_patches(pixels, 8, torch.bfloat16), true.bfloat16())


def test_values_beyond_the_range_are_clipped_and_alpha_is_full():
    y = torch.tensor([-9.0, 0.0, 9.0]).repeat(1)[None, :, None, None]
    assert image.quantise(y, 1).flatten().tolist() == [0, 128, 255, 255]


def test_a_frame_of_the_networks_size_is_not_touched():
    pixels = torch.from_numpy(picture())
    assert image.fit(pixels, (64, 48), "stretch") is pixels


def test_half_the_size_averages():
    pixels = torch.zeros(8, 8, 4, dtype=torch.uint8)
    pixels[:, 4:] = 200
    small = image.fit(pixels, (2, 2), "stretch")
    assert small[:, 0].max() < 60
    assert small[:, 1].min() > 140


@pytest.mark.parametrize("size", [(64, 48), (31, 17), (200, 3), (1, 1)])
@pytest.mark.parametrize("how", ["stretch", "crop"])
def test_any_size_is_fitted(size, how):
    fitted = image.fit(torch.from_numpy(picture(57, 33)), size, how)
    assert fitted.shape == (size[1], size[0], 4)
    assert fitted.dtype == torch.uint8


def test_crop_keeps_the_middle_and_the_aspect():
    pixels = torch.zeros(10, 40, 4, dtype=torch.uint8)
    pixels[:, 15:25] = 255
    assert image.fit(pixels, (10, 10), "crop").min() == 255


UYVY = {  # blue, green, red: and what it is in BT.709, 16 to 235
    (30, 50, 200): (104, 85, 195),
    (0, 0, 0): (128, 16, 128),
    (255, 255, 255): (128, 235, 128),
    (255, 0, 0): (240, 32, 118),
    (0, 255, 0): (42, 173, 26),
    (0, 0, 255): (102, 63, 240),
}


@pytest.mark.parametrize(("colour", "wire"), UYVY.items())
def test_uyvy_becomes_the_colour_that_it_was(colour, wire):
    blue, luma, red = wire
    pixels = np.empty((2, 4, 2), np.uint8)
    pixels[:, 0::2], pixels[:, 1::2] = (blue, luma), (red, luma)
    uploaded = image.upload(Frame(pixels, "uyvy", 0.0), torch.device("cpu"))
    assert uploaded.shape == (2, 4, 4)
    assert (uploaded[..., 3] == 255).all()
    assert np.abs(uploaded[..., :3].numpy().astype(int) - colour).max() <= 2


def test_two_neighbours_in_uyvy_have_their_own_light_and_one_colour():
    pixels = np.array([[[128, 16], [128, 235]]], np.uint8)
    uploaded = image.upload(Frame(pixels, "uyvy", 0.0), torch.device("cpu"))
    assert uploaded[0, :, :3].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_rows_that_lie_further_apart_than_they_are_long_are_read_as_they_are():
    rows = np.arange(2 * 20 * 4, dtype=np.uint8).reshape(2, 20, 4)
    uploaded = image.upload(Frame(rows[:, :16], "bgra", 0.0), torch.device("cpu"))
    assert torch.equal(uploaded, torch.from_numpy(rows[:, :16].copy()))


def test_rgba_is_turned_blue_first():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 0] = 200
    uploaded = image.upload(Frame(pixels, "rgba", 0.0), torch.device("cpu"))
    assert uploaded[0, 0].tolist() == [0, 0, 200, 0]


def test_a_host_frame_is_not_copied_on_the_cpu():
    pixels = picture()
    uploaded = image.upload(Frame(pixels, "bgra", 0.0), torch.device("cpu"))
    assert uploaded.data_ptr() == pixels.ctypes.data


@pytest.mark.parametrize(
    ("lines", "multiple", "source", "size"),
    [
        (192, 16, (1920, 1080), (336, 192)),
        (192, 32, (640, 360), (352, 192)),
        (192, 16, None, (336, 192)),
        (100, 16, (1080, 1920), (64, 96)),
        (8, 32, (16, 9), (32, 32)),
    ],
)
def test_lines_give_a_size_of_the_sources_aspect(lines, multiple, source, size):
    assert image.size_for(lines, multiple, source) == size


@pytest.mark.parametrize(
    "text", ["320", "320x", "x192", "320x192x3", "0x192", "-8x8", "9999x8", ""]
)
def test_a_size_that_is_none_is_refused_with_an_example(text):
    with pytest.raises(Refusal, match="320x192"):
        image.parse_size(text)


@pytest.mark.parametrize(
    ("size", "small"),
    [((320, 192), (160, 96)), ((192, 320), (96, 160)), ((64, 48), (64, 48)), ((4096, 8), (160, 1))],
)
def test_a_small_one_keeps_its_aspect_and_is_never_enlarged(size, small):
    pixels = torch.from_numpy(picture(*size))
    assert image.small(pixels, 160).shape == (small[1], small[0], 3)


def test_a_small_one_is_a_copy_of_the_colours():
    pixels = torch.from_numpy(picture())
    small = image.small(pixels, 160)
    assert torch.equal(small, pixels[..., :3])
    pixels.zero_()
    assert small.any()
