"""What a frame copies is counted: from a trace, and on a real card where there is one."""

import numpy as np
import pytest
import torch

from bridge import Refusal, cli
from bridge.bench import copies, egl
from bridge.learn.learner import Learner

CPU = torch.device("cpu")


def memcpy(way, weight):
    return {"cat": "gpu_memcpy", "name": f"Memcpy {way} (A -> B)", "args": {"bytes": weight}}


def test_copies_on_a_card_are_told_by_their_way_and_weight():
    events = [
        memcpy("HtoD", 8_000_000), memcpy("HtoD", 32), memcpy("AtoD", 8_000_000),
        memcpy("DtoH", 4), memcpy("PtoP", 5), {"cat": "kernel", "name": "copy"}, {"ph": "M"},
    ]  # fmt: skip
    told = copies.tallied(events, 2, 1_000, "cuda")
    assert told.count == {
        "host to card": 2, "texture to tensor": 1, "card to host": 1, "PtoP": 1,
    }  # fmt: skip
    assert told.weight["host to card"] == 8_000_032
    assert told.whole["host to card"] == 1
    assert told.through_the_host() == 0.5


def test_what_stays_on_the_card_is_not_through_the_host():
    stays = ("DtoD", "AtoD", "DtoA", "AtoA")
    assert copies.tallied([memcpy(way, 9) for way in stays], 1, 1, "cuda").through_the_host() == 0
    crosses = ("HtoD", "DtoH", "HtoA", "AtoH")
    assert copies.tallied([memcpy(way, 9) for way in crosses], 1, 1, "cuda").through_the_host() == 4


@pytest.mark.parametrize(("kind", "weight"), [(torch.uint8, 3_000), (torch.float32, 12_000)])
def test_copies_in_memory_are_counted_with_what_they_weigh(kind, weight):
    source, into = torch.ones(10, 300, dtype=kind), torch.zeros(10, 300, dtype=kind)
    told = copies.counted(lambda: into.copy_(source), 2, 3_001, CPU)
    assert told.count == {copies.ON_CPU: 2}
    assert told.weight == {copies.ON_CPU: 2 * weight}
    assert told.whole[copies.ON_CPU] == 2 * (weight > 3_000)


def test_by_the_host_a_frame_reaches_the_network_and_a_picture_leaves():
    with copies._by_host(Learner("tiles", (64, 48))) as turn:
        picture = turn()
    assert (type(picture), picture.shape) == (np.ndarray, (48, 64, 4))


def test_without_a_card_it_says_what_it_left_out(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(copies, "TIMED", 1)
    monkeypatch.setattr(copies, "SOURCE", (96, 64))
    words = ["bench", "copies", "--net", "tiles", "--size", "64x48", "--frames", "1"]
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert "left out: the way on the card (torch computes on no NVIDIA card here)" in told
    assert "by the host" in told
    assert copies.ON_CPU in told


@pytest.mark.filterwarnings("default")  # a driver may have its own
def test_on_a_real_card_no_picture_goes_through_the_host_and_by_the_host_two_do():
    if not torch.cuda.is_available():
        pytest.skip("torch computes on no NVIDIA card here: no copies to count on it")
    learner = Learner("paint", (960, 544), device="cuda")
    weight = copies._weight(learner.size)
    try:
        with copies._on_card(learner) as turn:
            turn()
            on_card = copies.counted(turn, 5, weight, learner.device)
    except (Refusal, ImportError) as problem:
        pytest.skip(f"OpenGL and CUDA do not meet here: {problem}")
    with copies._by_host(learner) as turn:
        turn()
        by_host = copies.counted(turn, 5, weight, learner.device)
    assert on_card.through_the_host() == 0
    assert by_host.through_the_host() == 2
    assert on_card.count, "the profiler saw no copy at all"


@pytest.mark.filterwarnings("default")  # a driver may have its own
def test_a_network_sees_on_the_card_what_it_sees_by_the_host():
    if not torch.cuda.is_available():
        pytest.skip("torch computes on no NVIDIA card here: nothing to see on it")
    pixels = np.random.default_rng(1).integers(0, 256, (1080, 1920, 4), np.uint8)
    pixels[..., 3] = 255
    learner = Learner("through", (960, 544), device="cuda")
    try:
        with egl.offscreen() as gl, pytest.MonkeyPatch.context() as patch:
            seen = _through_textures(gl, learner, pixels, patch)
    except (Refusal, ImportError) as problem:
        pytest.skip(f"OpenGL and CUDA do not meet here: {problem}")
    expected = learner.look(learner.see(copies.Frame(pixels, "bgra", 0.0))).cpu().numpy()
    assert np.array_equal(seen[..., [2, 1, 0, 3]], expected)


def _through_textures(gl, learner, pixels, patch):
    """What leaves in OpenGL's texture when `pixels`, blue first, come in one."""
    made, make = [], copies._texture.outgoing
    patch.setattr(copies._texture, "outgoing", lambda *words: made.append(make(*words)) or made[0])
    read = copies._texture.Incoming.read

    def filled(incoming):
        gl.put(incoming.target, pixels[..., [2, 1, 0, 3]])
        return read(incoming)

    patch.setattr(copies._texture.Incoming, "read", filled)
    patch.setattr(copies, "_context", lambda: egl.contextlib.nullcontext())
    with copies._on_card(learner) as turn:
        turn()
        return gl.get(made[0].name, learner.size)
