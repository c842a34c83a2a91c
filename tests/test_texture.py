"""A texture that OpenGL and CUDA share: equal both ways, on a real card.

What needs one is skipped, with the reason, where there is none. The same code with a fake card is
in test_video_spout.py.
"""

import gc
import importlib.util

import numpy as np
import pytest
import torch

from bridge import Refusal
from bridge.bench import egl
from bridge.video import _texture
from bridge.video._texture import CudaTexture, Incoming

SIZES = [(1920, 1080), (333, 221), (1, 1), (4096, 3)]
MIB = 2**20


@pytest.fixture(scope="module")
def gl():
    """OpenGL without a screen, whoever draws."""
    try:
        context = egl.offscreen()
        opened = context.__enter__()
    except Refusal as problem:
        pytest.skip(f"OpenGL without a screen is not to be had: {problem}")
    yield opened
    context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def card(gl):
    """OpenGL on the card that torch computes on."""
    if not torch.cuda.is_available():
        pytest.skip("torch computes on no NVIDIA card here: OpenGL to CUDA is not tried")
    if not gl.is_nvidia:
        pytest.skip(f"OpenGL is drawn on {gl.renderer} here, not on NVIDIA's card")
    if importlib.util.find_spec("cuda") is None:
        pytest.skip("cuda-bindings is not installed: OpenGL to CUDA is not tried")
    return gl


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4), np.uint8)


# OpenGL alone


@pytest.mark.parametrize("size", SIZES)
def test_a_texture_gives_back_what_was_put_in(gl, size):
    name = gl.texture(size)
    gl.put(name, noise(size))
    assert np.array_equal(gl.get(name, size), noise(size))
    gl.delete(name)


def test_a_texture_that_cannot_be_had_is_refused_and_not_left_behind(gl, monkeypatch):
    deleted, delete = [], gl.delete
    monkeypatch.setattr(gl, "delete", lambda name: (deleted.append(name), delete(name)))
    with pytest.raises(Refusal, match="no texture of 1000000x4"):
        gl.texture((1_000_000, 4))
    assert len(deleted) == 1


def test_without_its_library_opengl_says_what_to_install(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(_texture.ctypes, "CDLL", missing)
    with pytest.raises(Refusal, match="libopengl0"):
        _texture.GL()
    with pytest.raises(Refusal, match="libegl1"), egl.offscreen():
        pass


# OpenGL and CUDA


@pytest.mark.parametrize("size", SIZES)
def test_what_opengl_holds_is_what_torch_reads(card, size):
    texture = CudaTexture(card, size, "cuda")
    into = torch.zeros((size[1], size[0], 4), dtype=torch.uint8, device="cuda")
    for seed in range(3):  # registered once: what is drawn later is seen too
        card.put(texture.name, noise(size, seed))
        texture.read(into)
        assert np.array_equal(into.cpu().numpy(), noise(size, seed))
    texture.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layout", ["rgba", "bgra"])
def test_what_torch_writes_is_what_opengl_holds(card, size, layout):
    texture = CudaTexture(card, size, "cuda", write=True)
    for seed in range(3):
        texture.write(torch.from_numpy(noise(size, seed)).cuda(), layout)
        held = card.get(texture.name, size)  # nothing waits for CUDA in between
        expected = noise(size, seed)
        assert np.array_equal(held, expected if layout == "rgba" else expected[..., [2, 1, 0, 3]])
    texture.close()


def test_copies_keep_their_place_in_torchs_stream(card):
    size = 1920, 1080
    source, sink = (CudaTexture(card, size, "cuda", write=write) for write in (False, True))
    card.put(source.name, noise(size))
    pixels = torch.empty((size[1], size[0], 4), dtype=torch.uint8, device="cuda")
    busy = torch.randn(4096, 4096, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(20):
            busy = busy @ busy * 1e-3
        pixels.fill_(7)  # late, for the card is busy
        source.read(pixels)
        sink.write(255 - pixels, "rgba")
        pixels.zero_()
    assert np.array_equal(card.get(sink.name, size), 255 - noise(size))
    source.close()
    sink.close()


def test_a_ring_tells_what_is_new_and_keeps_what_it_gave(card):
    size = 640, 360
    incoming = Incoming(size, "cuda")
    held = []
    for seed in (0, 0, 1, 2):
        card.put(incoming.target, noise(size, seed))
        assert incoming.read()
        if not incoming.same():
            held.append(incoming.keep())
    assert len(held) == 3
    for seed, pixels in enumerate(held):
        assert np.array_equal(pixels.cpu().numpy(), noise(size, seed))
    incoming.close()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: torch.zeros(4, 8, 4, dtype=torch.uint8),
        lambda: torch.zeros(4, 8, 4, device="cuda"),
        lambda: torch.zeros(8, 4, 4, dtype=torch.uint8, device="cuda"),
        lambda: torch.zeros(4, 16, 4, dtype=torch.uint8, device="cuda")[:, ::2],
    ],
    ids=["on the host", "of floats", "on its side", "with gaps"],
)
def test_what_is_no_picture_of_its_size_is_not_read_into(card, wrong):
    texture = CudaTexture(card, (8, 4), "cuda")
    with pytest.raises(ValueError, match="is no picture"):
        texture.read(wrong())
    texture.close()


@pytest.mark.usefixtures("card")
def test_opening_and_closing_leaves_nothing_on_the_card():
    def open_and_close(count):
        for _ in range(count):
            incoming = Incoming((1920, 1080), "cuda")
            incoming.read()
            incoming.close()
            incoming.close()
        del incoming
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info()[0]

    before = open_and_close(5)
    assert before - open_and_close(60) < 64 * MIB  # one is 8 MiB, and its ring 24
