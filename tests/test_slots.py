"""Slots: save, recall, morph, and the brains folder."""

import os
import threading
from concurrent.futures import wait

import pytest
import torch
from fakes.stage import frame
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from bridge.files import file_name
from bridge.learn import brain
from bridge.learn.learner import Learner


def learner(name="paint", size=(64, 64), seed=1, folder=None):
    torch.set_num_threads(1)
    one = Learner(name, size, seed=seed)
    one.slots.folder = folder
    one.slots.fill(one.life)
    one.slots.turn_to(one.life)
    return one


def play(one, frames=1, seed=0.0):
    finite = True
    for _ in range(frames):
        one.look(one.see(frame(seed=seed)))
        finite = finite and bool(torch.isfinite(one._y).all())
        one.learn()
    return finite


def save(one, slot, name=""):
    one.slots.slot, one.slots.name = slot, name
    one.slots.save()
    written(one)
    return one.weights.flat.clone()


def load(one, slot, name):
    one.slots.slot, one.slots.name = slot, name
    one.slots.load()


def written(one):
    wait([*one.slots._writing, *(future for future, *_ in one.slots._reading)])
    one.slots.follow()


def apart(one, flat):
    return float((one.weights.flat - flat).norm())


def two(folder=None):
    """A learner with a set of weights in slot 1 and another in slot 2; it lives in between."""
    one = learner(folder=folder)
    play(one, 10)
    first = save(one, 1)
    play(one, 30, seed=5.0)
    second = save(one, 2)
    return one, first, second


def test_recall_is_what_was_saved_eased_in_and_anchored():
    one = learner()
    play(one, 10)
    kept, learnt = save(one, 3), one.score.learnt
    play(one, 10, seed=5.0)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)
    assert torch.equal(one.life.origin, kept)
    assert one.life.ease == 0
    assert one.score.learnt == learnt


def test_what_is_saved_does_not_go_on_learning():
    one = learner()
    kept = save(one, 1)
    play(one, 5)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)


def test_an_empty_slot_is_told_and_changes_nothing():
    one = learner()
    before = one.weights.flat.clone()
    one.slots.slot = 4
    one.slots.recall()
    assert "slot 4 is empty" in one.slots.trouble
    assert torch.equal(one.weights.flat, before)
    save(one, 4)
    assert one.slots.trouble == ""


def test_each_network_has_slots_of_its_own():
    one = learner()
    save(one, 1)
    one.running.name = "tiles"
    play(one)
    assert one.slots.slots == ""
    one.slots.recall()
    assert "empty" in one.slots.trouble
    one.running.name = "paint"
    play(one)
    assert one.slots.slots.startswith("1 ")


@pytest.mark.parametrize(("start", "end", "expected"), [(0.0, 1.0, 2), (1.0, 0.0, 1)])
def test_both_ends_of_morph_are_exact(start, end, expected):
    one, first, second = two()
    one.on = False
    one.slots.a, one.slots.b = 1, 2
    one.slots._stood = one.slots.morph = start
    for step in range(1, 61):
        one.slots.morph = start + (end - start) * step / 60
        assert play(one)
    assert torch.equal(one.weights.flat, second if expected == 2 else first)


def test_between_two_slots_it_stands_where_the_fader_stands():
    one, first, second = two()
    one.on = False
    one.slots.a, one.slots.b = 1, 2
    for place in (1.0, 0.0, 0.3, 0.7, 0.25):
        one.slots.morph = place
        play(one)
        assert torch.allclose(one.weights.flat, first.lerp(second, place), atol=1e-5)


def test_the_first_touch_does_not_jump_wherever_the_weights_are():
    one, _, second = two()
    play(one, 20, seed=9.0)
    one.on = False
    one.slots.a, one.slots.b = 1, 2
    before, far = one.weights.flat.clone(), apart(one, second)
    one.slots.morph = 0.01
    play(one)
    assert apart(one, before) == pytest.approx(0.01 * far, rel=0.01)


def test_from_the_living_to_a_slot_and_back():
    one = learner()
    kept = save(one, 1)
    play(one, 20)
    one.on = False
    living = one.weights.flat.clone()
    for place in (0.4, 1.0):
        one.slots.morph = place
        play(one)
    assert torch.equal(one.weights.flat, kept)
    for place in (0.5, 0.0):
        one.slots.morph = place
        play(one)
    assert torch.equal(one.weights.flat, living)


def test_it_learns_on_the_way_and_every_picture_is_finite():
    one, _, _ = two()
    one.slots.a, one.slots.b = 1, 2
    learnt = one.score.learnt
    for step in range(61):
        one.slots.morph = step / 60
        assert play(one)
    assert one.score.learnt == learnt + 61
    assert torch.isfinite(one.weights.flat).all()


def test_morph_to_an_empty_slot_is_told_and_moves_nothing():
    one = learner()
    before = one.weights.flat.clone()
    one.on = False
    one.slots.b, one.slots.morph = 7, 0.5
    play(one)
    assert "slot 7 is empty" in one.slots.trouble
    assert torch.equal(one.weights.flat, before)


def test_a_morph_between_one_and_the_same_does_nothing():
    one = learner()
    one.on = False
    before = one.weights.flat.clone()
    one.slots.a = one.slots.b = 0
    one.slots.morph = 0.5
    play(one)
    assert torch.equal(one.weights.flat, before)


def test_a_saved_slot_is_there_at_the_next_start(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    kept = save(one, 3, "opening")
    assert one.slots.saved == "opening"
    other = learner(seed=9, folder=tmp_path)
    assert other.slots.slots == "3 opening"
    other.slots.slot = 3
    other.slots.recall()
    assert torch.equal(other.weights.flat, kept)
    assert other.score.hash == one.score.hash


def test_a_brain_of_the_folder_opens_with_brain(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    kept = save(one, 1, "opening")
    other = learner(seed=9)
    brain.load(other.life, str(tmp_path / "opening.safetensors"))
    assert torch.equal(other.weights.flat, kept)


def test_it_tells_what_it_is(tmp_path):
    one = learner("ghost", folder=tmp_path)
    save(one, 2, "opening")
    with safe_open(tmp_path / "opening.safetensors", "pt") as file:
        told = file.metadata()
    assert (told["slot"], told["name"], told["network"]) == ("2", "opening", "ghost")
    assert '"detail"' in told["options"]


def test_of_two_files_for_a_slot_the_newer_counts(tmp_path, monkeypatch):
    one = learner(folder=tmp_path)
    for name, date in (("newer", "2026-02"), ("older", "2026-01")):
        play(one)
        told = brain.describe(one.life) | {"date": date}
        monkeypatch.setattr(brain, "describe", lambda _life, told=told: told)
        save(one, 1, name)
        monkeypatch.undo()
    assert learner(folder=tmp_path).slots.slots == "1 newer"


def test_without_a_name_a_slot_keeps_its_own_and_a_new_one_is_called_what_it_is(tmp_path):
    one = learner(folder=tmp_path)
    save(one, 1, "opening")
    save(one, 1)
    save(one, 2)
    assert sorted(os.listdir(tmp_path)) == ["opening.safetensors", "paint 64x64 2.safetensors"]


def test_a_name_is_for_one_save():
    one = learner()
    save(one, 1, "opening")
    assert one.slots.name == ""


def test_load_reads_a_brain_into_the_slot(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    kept = save(one, 1, "opening")
    play(one, 5)
    load(one, 6, "opening")
    written(one)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)


def test_a_save_is_not_undone_by_a_load_that_was_pressed_before(tmp_path):
    one, first, _ = two(tmp_path)
    one.slots.slot, one.slots.name = 3, "paint 64x64 1"
    one.slots.load()
    kept = save(one, 3)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)
    assert not torch.equal(kept, first)


def test_another_networks_brain_is_refused_with_how_to_open_it(tmp_path):
    save(learner("ghost", folder=tmp_path), 1, "haunted")
    one = learner(folder=tmp_path)
    one.slots.name = "haunted"
    one.slots.load()
    written(one)
    assert "--net ghost --size 64x64" in one.slots.trouble
    assert one.slots.slots == ""


def test_files_that_are_none_of_ours_are_left_alone(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"not one")
    save(learner(size=(96, 64), folder=tmp_path), 1, "wide")
    assert learner(folder=tmp_path).slots.slots == ""
    assert (tmp_path / "x.safetensors").read_bytes() == b"not one"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    save(learner(folder=tmp_path / "else"), 1, "there")
    folder = tmp_path / "brains"
    folder.mkdir()
    try:
        (folder / "here.safetensors").symlink_to(tmp_path / "else" / "there.safetensors")
    except OSError:
        pytest.skip("this system makes no links")
    one = learner(folder=folder)
    assert one.slots.slots == ""
    one.slots.name = "here"
    one.slots.load()
    written(one)
    assert "is a link" in one.slots.trouble


def test_a_folder_that_cannot_be_written_is_told_and_the_slot_is_kept(tmp_path):
    (tmp_path / "file").write_text("in the way")
    one = learner(folder=tmp_path / "file")
    kept = save(one, 1)
    assert "choose another place" in one.slots.trouble
    play(one, 3)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)


@given(st.text(max_size=300))
def test_no_name_from_anywhere_leads_out_of_the_folder(text):
    name = file_name(text)
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert name == name.strip(" .")
    assert len(name.encode()) <= 201
    assert not name.casefold().startswith("autosave")
    assert name.split(".")[0].casefold() not in {"con", "nul", "com1"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("opening", "opening"), ("../../etc/passwd", "etc-passwd"), ("C:\\x", "C--x"),
        ("nul", "_nul"), ("COM1.txt", "_COM1.txt"), ("autosave", "_autosave"), ("...", ""),
        ("Ürgüp 夜 2.1", "Ürgüp 夜 2.1"), ("a\0b\nc", "a-b-c"),
    ],
)  # fmt: skip
def test_names_are_kept_as_far_as_every_system_allows(text, name):
    assert file_name(text) == name


def test_after_recall_the_governor_falls_back_on_nothing_from_before():
    one = learner()
    play(one, 150)
    save(one, 1)
    one.slots.recall()
    assert one.governor.selves(one.life) == [one.life.origin]


@pytest.mark.parametrize("slot", ["0", "99", "x", "-1", "²"])
def test_a_file_that_names_no_slot_of_ours_fills_none(tmp_path, slot):
    one = learner(folder=tmp_path)
    told = brain.describe(one.life) | {"slot": slot}
    brain.write(tmp_path / "odd.safetensors", one.weights.state(), told)
    assert learner(folder=tmp_path).slots.slots == ""


def test_the_anchor_comes_along_with_the_morph():
    one = learner()
    play(one, 10)
    kept = save(one, 1)
    play(one, 20, seed=5.0)
    one.optimiser.rate, one.slots.anchor = 0.0, 0.1
    for place in (0.5, 1.0):
        one.slots.morph = place
        play(one, 5)
    play(one, 30)
    assert torch.allclose(one.weights.flat, kept, atol=1e-3)


def test_recall_waits_for_what_is_being_read(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    kept = save(one, 1, "opening")
    play(one, 5)
    load(one, 6, "opening")
    one.slots.recall()
    written(one)
    assert torch.equal(one.weights.flat, kept)


def test_a_button_that_is_hammered_saves_once_a_frame(tmp_path):
    one = learner(folder=tmp_path)
    for _ in range(200):
        one.slots.save()
    assert len(one.slots._writing) == 1
    written(one)


def test_a_folder_full_of_brains_takes_no_more_by_hand(tmp_path):
    for number in range(256):
        (tmp_path / f"{number}.safetensors").write_bytes(b"")
    one = learner(folder=tmp_path)
    one.slots.name = "one more"
    one.slots.save()
    assert "move some away" in one.slots.trouble
    assert not (tmp_path / "one more.safetensors").exists()


def slow_disk(monkeypatch):
    """Writing waits until the answer is set."""
    gate, write = threading.Event(), brain.write

    def slowly(*arguments):
        gate.wait(10)
        write(*arguments)

    monkeypatch.setattr(brain, "write", slowly)
    return gate


def test_recall_does_not_wait_for_what_is_being_written(tmp_path, monkeypatch):
    gate = slow_disk(monkeypatch)
    one = learner(folder=tmp_path)
    kept = one.weights.flat.clone()
    one.slots.save()
    play(one, 5)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)
    gate.set()


def test_of_two_saves_in_a_row_the_second_stays_in_the_slot(tmp_path, monkeypatch):
    gate = slow_disk(monkeypatch)
    one = learner(folder=tmp_path)
    one.slots.save()
    first = one.slots._writing[0]
    play(one, 5)
    kept = one.weights.flat.clone()
    one.slots.save()
    gate.set()
    wait([first])
    play(one, 5)
    one.slots.recall()
    assert torch.equal(one.weights.flat, kept)


# Pictures


def shown(one, slot):
    newest = one.slots.pictures.newest(f"brain/{slot}")
    return None if newest is None else torch.from_numpy(newest[1].copy())


def test_a_saved_slot_shows_what_the_network_last_made():
    one = learner()
    play(one, 10)
    made = one.last.clone()
    save(one, 3)
    play(one, 5, seed=5.0)
    assert torch.equal(shown(one, 3), made[..., :3])
    assert one.slots.pictures.names() == ["brain/3"]


def test_what_a_slot_shows_is_small():
    one = learner("tiles", size=(320, 192))
    play(one, 2)
    save(one, 1)
    assert shown(one, 1).shape == (96, 160, 3)
    expected = one.last[..., :3].float().mean((0, 1))
    assert torch.allclose(shown(one, 1).float().mean((0, 1)), expected, atol=2.0)


def test_a_slot_that_was_saved_before_the_first_picture_shows_none():
    one = learner()
    save(one, 1)
    assert one.slots.pictures.names() == []


def test_the_pictures_are_there_at_the_next_start(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    save(one, 3, "opening")
    other = learner(seed=9, folder=tmp_path)
    assert torch.equal(shown(other, 3), shown(one, 3))


def test_what_is_loaded_into_a_slot_is_shown_there(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    save(one, 1, "opening")
    load(one, 6, "opening")
    written(one)
    assert torch.equal(shown(one, 6), shown(one, 1))


def test_a_brain_without_a_picture_shows_none_where_another_was_shown(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 5)
    brain.save(one.life, str(tmp_path / "plain.safetensors"))
    save(one, 1)
    assert shown(one, 1) is not None
    load(one, 1, "plain")
    written(one)
    assert shown(one, 1) is None


def test_only_what_is_saved_over_is_shown_anew():
    one = learner()
    play(one, 3)
    save(one, 1), save(one, 2)
    first, second = (one.slots.pictures.newest(f"brain/{slot}")[0] for slot in (1, 2))
    play(one, 3)
    save(one, 2)
    assert one.slots.pictures.newest("brain/1")[0] == first
    assert one.slots.pictures.newest("brain/2")[0] > second
    assert torch.equal(shown(one, 2), one.last[..., :3])


def test_the_pictures_are_those_of_the_network_that_plays():
    one = learner()
    play(one, 3)
    save(one, 1), save(one, 2)
    of_paint = shown(one, 2)
    one.running.name = "tiles"
    play(one, 3)
    assert one.slots.pictures.names() == []
    save(one, 2)
    assert one.slots.pictures.names() == ["brain/2"]
    assert not torch.equal(shown(one, 2), of_paint)
    one.running.name = "paint"
    play(one)
    assert sorted(one.slots.pictures.names()) == ["brain/1", "brain/2"]
    assert torch.equal(shown(one, 2), of_paint)


def test_a_slot_that_is_copied_to_another_between_two_frames_shows_what_it_showed():
    one = learner()
    play(one, 3)
    save(one, 1)
    play(one, 20, seed=5.0)
    one.slots.recall()
    one.slots.slot = 2
    one.slots.save()
    assert torch.equal(shown(one, 2), shown(one, 1))
    play(one, 3, seed=9.0)
    one.slots.save()
    assert torch.equal(shown(one, 2), one.last[..., :3])


def test_a_network_that_is_turned_to_as_another_is_recalled_shows_its_own(tmp_path):
    one = learner(folder=tmp_path)
    play(one, 3)
    save(one, 1, "opening")
    load(one, 1, "opening")
    one.slots.recall()
    wait([future for future, *_ in one.slots._reading])
    one.running.name = "tiles"
    play(one)
    one.slots.save()
    assert one.life.name == "tiles"
    assert torch.equal(shown(one, 1), one.last[..., :3])
