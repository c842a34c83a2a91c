"""Presets under /preset: save, recall, morph, and the presets folder."""

import errno
import json
import logging
import os
import threading
from concurrent.futures import wait

import pytest

from bridge import Refusal, files, preset
from bridge.looks import Presets
from bridge.params import Param, trigger
from bridge.space import AddressSpace


class Net:
    name = Param("paint", choices=("tiles", "paint", "ghost"), doc="network")
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-4, doc="step")
    trust = Param(0.0, min=0.0, max=1.0, doc="how deep")
    steps = Param(1, min=0, max=8, doc="steps a frame")
    on = Param(True, doc="learn at all")
    still = Param(0.0, min=0.0, max=1.0, slew=0.0, doc="always at once")
    gate = Param(0.0, min=0.0, max=1.0, slew=0.5, doc="never at once")
    record = Param(False, preset=False, doc="not a look")

    def __init__(self):
        self.pressed = 0

    @trigger("start afresh")
    def blank(self):
        self.pressed += 1


class Stage:
    """A space, a network's knobs and presets, frame by frame."""

    def __init__(self, folder=None):
        self.space, self.net, self.now = AddressSpace(), Net(), 0.0
        self.presets = Presets(self.space)
        self.space.add("/net", self.net)
        self.space.add("/preset", self.presets)
        if folder is not None:
            self.presets.open(folder)

    def frame(self, now=None):
        self.now = self.now if now is None else now
        self.space.apply(self.now)
        self.presets.follow()

    def play(self, **values):
        """Set knobs of the network, and have a frame."""
        for name, value in values.items():
            assert self.space.set(f"/net/{name}", [value])
        self.frame()

    def hand(self, **values):
        """Set knobs of /preset; True presses. And have a frame."""
        self.send(**values)
        self.frame()

    def send(self, **values):
        for name, value in values.items():
            assert self.space.set(f"/preset/{name}", [] if value is True else [value])

    def settle(self):
        wait([*self.presets._writing, *(read for read, _ in self.presets._reading)])
        self.frame()


@pytest.fixture
def stages():
    """Makes stages, and closes them in the end."""
    made = []

    def make(folder=None):
        made.append(Stage(folder))
        return made[-1]

    yield make
    for one in made:
        one.presets.close()


@pytest.fixture
def stage(stages):
    return stages()


@pytest.fixture
def two(stage):
    """Slot 1: rate 1e-4, trust .2, paint. Slot 2: rate 1, trust 1, ghost, 8 steps, off."""
    stage.play(rate=1e-4, trust=0.2)
    stage.hand(slot=1, save=True)
    stage.play(rate=1.0, trust=1.0, name="ghost", steps=8, on=False)
    stage.hand(slot=2, save=True)
    stage.hand(a=1, b=2)
    return stage


def hold(folder, name, table):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(table), encoding="utf-8")


# Save, recall


def test_recall_puts_every_knob_where_it_stood_when_saved(stage):
    stage.play(rate=0.3, name="tiles", steps=5, on=False)
    stage.hand(slot=3, save=True)
    stage.play(rate=0.9, name="ghost", steps=1, on=True)
    stage.hand(recall=True)
    assert (stage.net.rate, stage.net.name, stage.net.steps, stage.net.on) == (
        0.3, "tiles", 5, False,
    )  # fmt: skip


def test_recall_presses_nothing_and_leaves_what_no_preset_holds(stage):
    stage.hand(save=True)
    stage.play(record=True)
    stage.hand(recall=True)
    assert stage.net.record
    assert stage.net.pressed == 0


def test_an_empty_slot_moves_nothing_and_says_so(stage):
    stage.play(rate=0.3)
    stage.hand(slot=4, recall=True)
    assert stage.net.rate == 0.3
    assert "slot 4 is empty" in stage.presets.trouble


def test_the_slots_are_told(stage):
    stage.hand(slot=3, name="mine", save=True)
    stage.hand(slot=1, save=True)
    assert stage.presets.slots == "1 preset 1, 3 mine"


def test_a_name_is_for_one_save(stage):
    stage.hand(name="mine", save=True)
    assert stage.presets.name == ""


def test_continuous_knobs_glide_in_their_faders_travel_for_so_long_as_time_says(two):
    two.frame(10.0)
    two.hand(slot=1, time=4.0, recall=True)
    two.frame(12.0)
    assert two.net.rate == pytest.approx(1e-2)
    two.frame(14.0)
    assert two.net.rate == 1e-4


def test_what_has_no_in_between_is_there_at_once(two):
    two.hand(slot=1, time=4.0, recall=True)
    assert (two.net.name, two.net.steps, two.net.on) == ("paint", 1, True)


def test_a_knob_that_never_glides_is_there_at_once_too(stage):
    stage.play(still=0.5)
    stage.hand(save=True)
    stage.play(still=1.0)
    stage.hand(time=4.0, recall=True)
    assert stage.net.still == 0.5


def test_a_knob_takes_its_own_slew_where_that_is_longer(stage):
    stage.hand(save=True)
    stage.space.assign("/net/gate", 1.0)
    stage.hand(recall=True)
    stage.frame(0.25)
    assert stage.net.gate == pytest.approx(0.5)
    stage.frame(0.5)
    assert stage.net.gate == 0.0


def test_a_hand_takes_a_knob_out_of_a_glide(two):
    two.hand(slot=1, time=4.0, recall=True)
    two.play(rate=0.5)
    two.frame(3.0)
    assert two.net.rate == 0.5


def test_what_is_sent_after_recall_stands_in_the_same_frame(two):
    two.send(slot=1, recall=True)
    two.play(trust=0.7)
    assert (two.net.rate, two.net.trust) == (1e-4, 0.7)


def test_recall_of_what_stands_changes_nothing(stage):
    stage.play(rate=0.0123)  # which comes back from a fader's travel a hair off
    stage.hand(save=True)
    stage.hand(time=3.0)
    since = stage.space.changes(0).until
    stage.hand(recall=True)
    stage.frame(1.0)
    assert stage.space.changes(since).changed == []


# Morph


def test_both_ends_of_morph_are_exact(two):
    for morph, stands in ((1.0, (1.0, 1.0)), (0.3, None), (0.0, (1e-4, 0.2)), (1.0, (1.0, 1.0))):
        two.hand(morph=morph)
        assert stands in (None, (two.net.rate, two.net.trust))


def test_half_way_is_half_of_a_faders_travel(two):
    two.hand(morph=0.5)
    assert two.net.rate == pytest.approx(1e-2)
    assert two.net.trust == pytest.approx(0.6)


@pytest.mark.parametrize(("morph", "stands"), [(0.49, ("paint", 1, True)), (0.5, ("ghost", 8, 0))])
def test_what_has_no_in_between_switches_at_the_half(two, morph, stands):
    two.hand(morph=0.9)
    two.hand(morph=morph)
    assert (two.net.name, two.net.steps, two.net.on) == stands


def test_what_a_hand_moves_stands_until_morph_moves(two):
    two.hand(morph=0.5)
    two.play(trust=0.0)
    two.frame()
    assert two.net.trust == 0.0
    two.hand(morph=0.75)
    assert two.net.trust == pytest.approx(0.8)


def test_a_hand_before_the_same_frame_yields_to_morph(two):
    two.send(morph=0.5)
    two.play(trust=0.0)
    assert two.net.trust == pytest.approx(0.6)


def test_save_after_a_move_of_morph_in_the_same_frame_keeps_where_it_went(two):
    two.hand(morph=0.5, slot=5, save=True)
    assert two.presets._shelf[5].values["/net/trust"] == pytest.approx(0.6)


def test_recall_after_a_move_of_morph_in_the_same_frame_has_the_last_word(two):
    two.hand(morph=0.5, slot=1, recall=True)
    assert two.net.trust == 0.2


def test_an_end_of_0_is_as_it_stood_when_morph_left_it(two):
    two.hand(a=0)
    two.play(trust=0.4)
    two.hand(morph=0.5)
    assert two.net.trust == pytest.approx(0.7)
    two.hand(morph=0.0)
    assert two.net.trust == 0.4
    two.play(trust=0.1)
    two.hand(morph=1.0)
    two.hand(morph=0.0)
    assert two.net.trust == 0.1


def test_the_other_end_can_be_as_it_stood_as_well(two):
    two.hand(morph=1.0)
    two.hand(b=0)
    two.play(trust=0.5)
    two.hand(morph=0.5)
    two.hand(morph=1.0)
    assert two.net.trust == 0.5
    two.play(trust=0.8)
    two.hand(morph=0.5)
    two.hand(morph=1.0)
    assert two.net.trust == 0.8


def test_between_0_and_0_nothing_moves(two):
    two.hand(a=0, b=0, morph=0.5)
    assert (two.net.rate, two.net.trust) == (1.0, 1.0)
    assert two.presets.trouble == ""


def test_a_knob_that_neither_preset_names_is_left_alone(stages, tmp_path):
    hold(tmp_path, "one", {"slot": 1, "/net/trust": 0.2})
    stage = stages(tmp_path)
    stage.hand(a=0, b=1)
    stage.hand(morph=0.5)
    stage.play(rate=0.5)
    stage.hand(morph=1.0)
    assert (stage.net.rate, stage.net.trust) == (0.5, 0.2)


def test_a_knob_that_one_preset_names_goes_from_where_it_stood(stages, tmp_path):
    hold(tmp_path, "one", {"slot": 1, "/net/rate": 1e-4})
    hold(tmp_path, "two", {"slot": 2, "/net/trust": 1.0})
    stage = stages(tmp_path)
    stage.play(trust=0.5)
    stage.hand(a=1, b=2)
    stage.hand(morph=0.5)
    assert stage.net.trust == pytest.approx(0.75)


def test_morph_to_an_empty_slot_moves_nothing_and_says_so(two):
    two.hand(b=7, morph=0.5)
    assert (two.net.rate, two.net.trust) == (1.0, 1.0)
    assert "slot 7 is empty" in two.presets.trouble


def test_morph_ends_a_glide(two):
    two.hand(slot=1, time=4.0, recall=True)
    two.hand(morph=0.5)
    two.frame(3.0)
    assert two.net.trust == pytest.approx(0.6)


def test_morph_is_not_delayed_by_the_slew_twice(two):
    two.space.slew = 1.0
    two.hand(morph=1.0)
    assert two.presets.morph == 1.0


def test_no_preset_holds_the_knobs_of_presets(stage):
    assert not [address for address in stage.space.preset() if address.startswith("/preset")]


# Files


def test_what_is_saved_is_a_preset_in_the_folder(stages, tmp_path):
    stage = stages(tmp_path / "presets")
    stage.play(rate=0.3)
    stage.hand(slot=3, name="mine", save=True)
    stage.settle()
    assert preset.read("mine", tmp_path / "presets") == stage.space.preset()
    assert os.listdir(tmp_path / "presets") == ["mine.json"]


def test_what_is_saved_is_in_its_slot_at_the_next_start(stages, tmp_path):
    first = stages(tmp_path)
    first.play(rate=0.3)
    first.hand(slot=3, name="mine", save=True)
    first.presets.close()
    later = stages(tmp_path)
    assert later.presets.slots == "3 mine"
    later.hand(slot=3, recall=True)
    assert later.net.rate == 0.3


def test_of_two_files_for_a_slot_the_newer_counts(stages, tmp_path):
    for name, date in (("a", 100), ("b", 300), ("c", 200)):
        hold(tmp_path, name, {"slot": 2})
        os.utime(tmp_path / f"{name}.json", (date, date))
    assert stages(tmp_path).presets.slots == "2 b"


@pytest.mark.parametrize("slot", [0, 9, "1", None, 1.0])
def test_a_file_that_names_no_slot_is_in_none_and_can_be_loaded(stages, tmp_path, slot):
    hold(tmp_path, "mine", {"slot": slot})
    stage = stages(tmp_path)
    assert stage.presets.slots == ""
    assert "mine" in stage.space["/preset/name"].choices


def test_load_reads_a_preset_into_the_slot(stages, tmp_path):
    hold(tmp_path, "mine", {"about": "dusk", "slot": 1, "/net/rate": 0.5})
    stage = stages(tmp_path)
    stage.hand(slot=4, name="mine", load=True)
    stage.settle()
    assert stage.presets.slots == "1 mine, 4 mine"
    assert stage.net.rate == 0.01
    stage.hand(recall=True)
    assert stage.net.rate == 0.5


def test_recall_right_after_load_waits_for_what_is_loaded(stages, tmp_path):
    hold(tmp_path, "mine", {"/net/rate": 0.5})
    stage = stages(tmp_path)
    stage.hand(slot=4, name="mine", load=True, recall=True)
    stage.settle()
    assert stage.net.rate == 0.5


def test_what_ships_can_be_loaded_also_without_a_folder(stage):
    assert "breath" in stage.space["/preset/name"].choices
    stage.hand(slot=2, name="breath", load=True)
    stage.settle()
    assert stage.presets.slots == "2 breath"


def test_a_save_after_a_load_into_the_slot_is_what_stays_there(stages, tmp_path):
    hold(tmp_path, "mine", {"/net/rate": 0.5})
    stage = stages(tmp_path)
    stage.send(slot=4, name="mine", load=True)
    stage.hand(name="yours", save=True)
    stage.settle()
    assert stage.presets.slots == "4 yours"


def test_the_menu_of_names_knows_what_was_just_saved(stages, tmp_path):
    stage = stages(tmp_path)
    stage.hand(name="mine", save=True)
    stage.settle()
    assert set(stage.space["/preset/name"].choices) == {"mine", *preset.shipped()}


def test_a_save_under_a_name_that_ships_leaves_that_one_be(stages, tmp_path):
    stage = stages(tmp_path)
    stage.hand(name="default", save=True)
    stage.settle()
    assert os.listdir(tmp_path) == ["_default.json"]


def test_a_save_without_a_name_keeps_that_of_the_slot(stages, tmp_path):
    stage = stages(tmp_path)
    stage.hand(name="mine", save=True)
    stage.play(rate=0.7)
    stage.hand(save=True)
    stage.settle()
    assert preset.read("mine", tmp_path)["/net/rate"] == 0.7


def test_load_of_what_is_not_there_says_what_is(stages, tmp_path):
    stage = stages(tmp_path)
    stage.hand(name="dusk", load=True)
    stage.settle()
    assert "no preset called dusk" in stage.presets.trouble
    assert "breath" in stage.presets.trouble


def test_recall_right_after_a_load_that_fails_moves_nothing(stages, tmp_path):
    stage = stages(tmp_path)
    stage.hand(save=True)
    stage.play(rate=0.5)
    stage.hand(name="dusk", load=True, recall=True)
    stage.settle()
    assert stage.net.rate == 0.5
    assert "no preset called dusk" in stage.presets.trouble


def test_load_without_a_name_says_what_to_do(stage):
    stage.hand(load=True)
    assert "/preset/name" in stage.presets.trouble


def test_what_a_file_holds_and_cannot_be_taken_is_told_and_the_rest_taken(stages, tmp_path):
    table = {"/net/rat": 1, "/net/blank": 1, "/net/record": True, "/net/trust": "x", "/net/rate": 9}
    hold(tmp_path, "mine", table)
    stage = stages(tmp_path)
    stage.hand(name="mine", load=True)
    stage.settle()
    assert "mine: /net/rat is not" in stage.presets.trouble
    assert "and 3 more" in stage.presets.trouble
    stage.hand(recall=True)
    assert stage.net.rate == 1.0
    assert (stage.net.pressed, stage.net.record, stage.net.trust) == (0, False, 0.0)


def test_a_name_is_no_way_out_of_the_folder(stages, tmp_path):
    stage = stages(tmp_path / "presets")
    stage.hand(name="../../out", save=True)
    stage.settle()
    assert os.listdir(tmp_path) == ["presets"]
    assert os.listdir(tmp_path / "presets") == ["out.json"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights there")
def test_links_are_not_followed_neither_to_read_nor_to_write(stages, tmp_path):
    hold(tmp_path, "secret", {"slot": 2, "/net/rate": 0.5})
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.json").symlink_to(tmp_path / "secret.json")
    stage = stages(tmp_path / "presets")
    assert stage.presets.slots == ""
    stage.hand(name="mine", load=True)
    stage.settle()
    assert "no preset called mine" in stage.presets.trouble
    stage.hand(name="mine", save=True)
    stage.settle()
    assert "is a link" in stage.presets.trouble
    assert json.loads((tmp_path / "secret.json").read_text()) == {"slot": 2, "/net/rate": 0.5}


def test_a_folder_full_of_presets_takes_no_more_but_those_that_are_there(stages, tmp_path):
    for number in range(files.MOST):
        (tmp_path / f"{number}.json").write_text("{}")
    stage = stages(tmp_path)
    stage.hand(name="mine", save=True)
    stage.settle()
    assert "move some away" in stage.presets.trouble
    assert not (tmp_path / "mine.json").exists()
    stage.hand(name="7", save=True)
    stage.settle()
    assert stage.presets.trouble == ""
    assert preset.read("7", tmp_path) == stage.space.preset()


def test_a_full_disk_is_told_and_loses_nothing(stages, tmp_path, monkeypatch):
    hold(tmp_path, "mine", {"slot": 1, "/net/rate": 0.5})
    stage = stages(tmp_path)

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    stage.play(rate=0.9)
    stage.hand(slot=1, save=True)
    stage.settle()
    assert "No space left" in stage.presets.trouble
    assert os.listdir(tmp_path) == ["mine.json"]
    assert preset.read("mine", tmp_path) == {"/net/rate": 0.5}
    stage.play(rate=0.1)
    stage.hand(recall=True)
    assert stage.net.rate == 0.9


def test_what_could_not_be_written_at_the_end_is_told(stages, tmp_path, caplog):
    (tmp_path / "presets").write_text("in the way")
    stage = stages(tmp_path / "presets")
    stage.send(save=True)
    stage.space.apply(0.0)
    with caplog.at_level(logging.WARNING):
        stage.presets.close()
    assert "could not be written" in caplog.text


def test_a_file_that_is_no_preset_is_told_and_the_others_are_there(stages, tmp_path, caplog):
    (tmp_path / "bad.json").write_text("{")
    hold(tmp_path, "mine", {"slot": 2})
    assert stages(tmp_path).presets.slots == "2 mine"
    assert "is not JSON" in caplog.text


def test_the_frame_does_not_wait_for_the_disk(stages, tmp_path, monkeypatch):
    stage, gate = stages(tmp_path), threading.Event()
    write = preset.write

    def slowly(path, table):
        gate.wait(10)
        write(path, table)

    monkeypatch.setattr(preset, "write", slowly)
    stage.play(rate=0.3)
    stage.hand(name="mine", save=True)
    stage.play(rate=0.9)
    stage.hand(recall=True)
    assert stage.net.rate == 0.3
    assert os.listdir(tmp_path) == []
    gate.set()
    stage.settle()
    assert os.listdir(tmp_path) == ["mine.json"]


def test_a_flood_of_saves_does_not_pile_up(stages, tmp_path, monkeypatch):
    stage, gate = stages(tmp_path), threading.Event()
    monkeypatch.setattr(preset, "write", lambda _path, _table: gate.wait(10))
    for _ in range(3):
        for _ in range(100):
            stage.send(save=True)
        stage.frame()
    behind = len(stage.presets._writing)
    gate.set()
    assert behind == files.MOST
    assert "press again later" in stage.presets.trouble


def test_the_menu_asks_no_disk(stages, tmp_path, monkeypatch):
    stage = stages(tmp_path)
    monkeypatch.setattr(preset, "saved", lambda _folder: pytest.fail("asked the disk"))
    assert "breath" in stage.space["/preset/name"].choices


# At the start


def test_a_preset_saved_by_hand_is_found_by_its_name(tmp_path):
    hold(tmp_path, "v1.2", {"slot": 3, "about": "dusk", "/net/rate": 0.5})
    assert preset.read("v1.2", tmp_path) == {"/net/rate": 0.5}


def test_ones_own_comes_before_one_that_ships(tmp_path):
    hold(tmp_path, "breath", {"/net/rate": 0.5})
    assert preset.read("breath", tmp_path) == {"/net/rate": 0.5}


def test_an_unknown_name_is_told_those_in_the_folder_too(tmp_path):
    hold(tmp_path, "mine", {})
    with pytest.raises(Refusal, match=r"or is in .*only .*mine"):
        preset.read("dusk", tmp_path)
