"""Brains: weights as files."""

import math
import os

import pytest
import torch
from fakes.stage import frame
from safetensors import safe_open
from safetensors.torch import save_file

from bridge import Refusal, nets
from bridge.learn import brain
from bridge.learn.learner import Learner


def learner(name="paint", size=(64, 64), seed=1):
    torch.set_num_threads(1)
    return Learner(name, size, seed=seed)


def taught():
    one = learner()
    for _ in range(5):
        one.look(one.see(frame()))
        one.learn()
    return one


def test_a_saved_brain_comes_back_bit_for_bit(tmp_path):
    one, other = taught(), learner(seed=9)
    brain.save(one.life, str(tmp_path / "b.safetensors"))
    brain.load(other.life, str(tmp_path / "b.safetensors"))
    assert torch.equal(one.weights.flat, other.weights.flat)
    assert other.weights.hash() == one.weights.hash()


def test_the_same_picture_comes_out_of_a_brain_that_was_opened_again(tmp_path):
    one, other = taught(), learner(seed=9)
    brain.save(one.life, str(tmp_path / "b.safetensors"))
    brain.load(other.life, str(tmp_path / "b.safetensors"))
    assert torch.equal(one.look(one.see(frame())), other.look(other.see(frame())))


def test_paint_opens_at_another_size(tmp_path):
    brain.save(taught().life, str(tmp_path / "b.safetensors"))
    wider = learner(size=(128, 64))
    brain.load(wider.life, str(tmp_path / "b.safetensors"))
    assert wider.look(wider.see(frame())).shape == (64, 128, 4)


def test_missing_folders_are_made(tmp_path):
    brain.save(learner().life, str(tmp_path / "shows" / "tonight" / "b.safetensors"))
    assert (tmp_path / "shows" / "tonight" / "b.safetensors").exists()


def test_another_networks_brain_is_refused_with_how_to_open_it(tmp_path):
    brain.save(learner("ghost").life, str(tmp_path / "g.safetensors"))
    one = taught()
    before = one.weights.hash()
    with pytest.raises(Refusal, match="--net ghost --size 64x64"):
        brain.load(one.life, str(tmp_path / "g.safetensors"))
    assert one.weights.hash() == before


def test_a_ghost_of_another_size_is_refused(tmp_path):
    brain.save(learner("ghost").life, str(tmp_path / "g.safetensors"))
    with pytest.raises(Refusal, match="--size 64x64"):
        brain.load(learner("ghost", (96, 64)).life, str(tmp_path / "g.safetensors"))


@pytest.mark.parametrize("content", [b"", b"not a brain", bytes(64), b"\xff" * 200])
def test_a_file_that_is_no_brain_is_refused(tmp_path, content):
    (tmp_path / "b.safetensors").write_bytes(content)
    with pytest.raises(Refusal, match="First Light saved"):
        brain.load(learner().life, str(tmp_path / "b.safetensors"))


def test_somebody_elses_safetensors_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "b.safetensors")
    with pytest.raises(Refusal, match="not one of ours"):
        brain.load(learner().life, str(tmp_path / "b.safetensors"))


def test_a_brain_that_is_not_finite_is_refused(tmp_path):
    one = learner()
    one.weights.flat[0] = math.nan
    brain.save(one.life, str(tmp_path / "b.safetensors"))
    with pytest.raises(Refusal, match="not finite"):
        brain.load(learner().life, str(tmp_path / "b.safetensors"))


def test_a_save_that_fails_leaves_the_old_brain_and_no_litter(tmp_path, monkeypatch):
    place = tmp_path / "b.safetensors"
    brain.save(taught().life, str(place))
    kept = place.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="No space left on device"):
        brain.save(learner().life, str(place))
    assert place.read_bytes() == kept
    assert os.listdir(tmp_path) == ["b.safetensors"]


def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Refusal, match="choose another place"):
        brain.save(learner().life, str(tmp_path / "file" / "b.safetensors"))


def test_the_new_brain_takes_the_old_ones_place_in_one_move(tmp_path, monkeypatch):
    place = tmp_path / "b.safetensors"
    brain.save(taught().life, str(place))
    kept = place.read_bytes()

    def torn(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", torn)
    with pytest.raises(Refusal, match="untouched"):
        brain.save(learner().life, str(place))
    assert place.read_bytes() == kept


def test_a_brain_tells_what_it_is(tmp_path):
    one = taught()
    brain.save(one.life, str(tmp_path / "b.safetensors"))
    with safe_open(tmp_path / "b.safetensors", "pt") as file:
        told = file.metadata()
    assert (told["network"], told["size"], told["seed"], told["steps"]) == (
        "paint", "64x64", "1", "5",
    )  # fmt: skip
    assert float(told["psnr"]) == pytest.approx(one.score.psnr, abs=0.01)
    assert told["hash"] == one.score.hash


@pytest.mark.parametrize("seed", ["x", "-1", "", str(1 << 63)])
def test_a_brain_whose_seed_is_none_is_refused_and_changes_nothing(tmp_path, seed):
    place, one = tmp_path / "b.safetensors", taught()
    brain.save(one.life, str(place))
    with safe_open(place, "pt") as file:
        told = file.metadata() | {"seed": seed}
    save_file(one.weights.state(), place, told)
    other = learner(seed=9)
    before = other.weights.hash()
    with pytest.raises(Refusal, match="what it grew from"):
        brain.load(other.life, str(place))
    assert other.weights.hash() == before


def pictured(tmp_path, picture):
    """A learner, and a brain of it that holds this picture."""
    one, place = taught(), tmp_path / "b.safetensors"
    brain.write(place, one.weights.state() | {brain.PICTURE: picture}, brain.describe(one.life))
    return one, place


@pytest.mark.parametrize("shape", [(160, 160, 3), (1, 1, 3), (90, 160, 3)])
def test_a_brain_may_show_what_it_makes(tmp_path, shape):
    picture = torch.randint(0, 256, shape, dtype=torch.uint8)
    one, place = pictured(tmp_path, picture)
    _, flat, shown = brain.opened(one.life, place)
    assert torch.equal(shown, picture)
    assert torch.equal(flat, one.weights.flat)


def test_a_brain_without_a_picture_opens_as_before(tmp_path):
    one = taught()
    brain.save(one.life, str(tmp_path / "b.safetensors"))
    _, flat, shown = brain.opened(one.life, tmp_path / "b.safetensors")
    assert shown is None
    assert torch.equal(flat, one.weights.flat)


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros(161, 8, 3, dtype=torch.uint8), torch.zeros(8, 4000, 3, dtype=torch.uint8),
        torch.zeros(8, 8, 4, dtype=torch.uint8), torch.zeros(8, 24, dtype=torch.uint8),
        torch.zeros(0, 8, 3, dtype=torch.uint8), torch.zeros(8, 0, 3, dtype=torch.uint8),
        torch.zeros(8, 8, 3), torch.zeros(8, 8, 3, dtype=torch.int8), torch.zeros(()),
        torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
    ],
    ids=lambda picture: f"{list(picture.shape)} {picture.dtype}",
)  # fmt: skip
def test_a_picture_that_is_none_of_ours_is_left_out_and_the_brain_opens(tmp_path, picture):
    one, place = pictured(tmp_path, picture)
    _, flat, shown = brain.opened(one.life, place)
    assert shown is None
    assert torch.equal(flat, one.weights.flat)


def test_what_is_left_out_is_not_even_read(tmp_path, monkeypatch):
    _, place = pictured(tmp_path, torch.zeros(8, 4000, 3, dtype=torch.uint8))
    touched = []

    class Noting:
        def __init__(self, *arguments):
            self.file = safe_open(*arguments)

        def __enter__(self):
            self.file.__enter__()
            return self

        def __exit__(self, *problem):
            return self.file.__exit__(*problem)

        def __getattr__(self, name):
            return getattr(self.file, name)

        def get_tensor(self, name):
            touched.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(brain, "safe_open", Noting)
    assert list(brain.read(place)[1]) == touched
    assert brain.PICTURE not in touched


def test_a_brain_with_a_picture_opens_with_brain(tmp_path):
    one, place = pictured(tmp_path, torch.zeros(8, 8, 3, dtype=torch.uint8))
    other = learner(seed=9)
    brain.load(other.life, str(place))
    assert torch.equal(other.weights.flat, one.weights.flat)


def test_a_brain_with_something_else_in_it_is_refused(tmp_path):
    one, place = taught(), tmp_path / "b.safetensors"
    brain.write(place, one.weights.state() | {"more": torch.zeros(3)}, brain.describe(one.life))
    with pytest.raises(Refusal, match="this is a paint"):
        brain.load(one.life, str(place))


@pytest.mark.parametrize("name", nets.NAMES)
def test_no_weight_is_called_as_the_picture_is(name):
    assert brain.PICTURE not in learner(name).weights.names
