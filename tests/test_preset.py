"""Presets: files of knobs, and those that come with the program."""

import json
from pathlib import Path

import pytest

from bridge import Refusal, play, preset


@pytest.fixture(scope="module")
def space():
    return play.catalogue()


def test_default_is_every_fader_at_rest_and_leaves_the_network(space):
    faders = {address: v for address, v in space.preset().items() if address != "/net/name"}
    assert preset.read("default") == faders, "write it anew from AddressSpace.preset()"


@pytest.mark.parametrize("name", preset.shipped())
def test_what_ships_says_what_it_is_and_names_only_knobs_that_are_here(space, name):
    about = json.loads(preset.shipped()[name].read_text(encoding="utf-8"))["about"]
    assert isinstance(about, str)
    assert about
    assert space.recall(preset.read(name)) == []


def test_no_preset_starts_or_stops_a_recording(space):
    assert "/system/record" in space
    assert "/system/record" not in space.preset()


def test_an_installed_package_finds_those_beside_it(tmp_path, monkeypatch):
    (tmp_path / "dusk.json").write_text("{}")
    monkeypatch.setattr(preset, "FOLDERS", (tmp_path, *preset.FOLDERS))
    assert {"default", "dusk"} <= set(preset.shipped())


def test_the_package_carries_the_folder_of_the_repository():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'package-dir = { "bridge.presets" = "configs/presets"' in project
    assert '"bridge.presets" = ["*.json"]' in project


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_of_ones_own_is_read_without_what_it_says_of_itself(tmp_path, mark):
    (tmp_path / "mine.json").write_text(mark + '{"about": "dusk", "/learn/l1": 1}', "utf-8")
    assert preset.read(str(tmp_path / "mine.json")) == {"/learn/l1": 1}


def test_a_name_with_an_ending_is_a_file_here(tmp_path, monkeypatch):
    (tmp_path / "default.json").write_text('{"/learn/l1": 1}')
    monkeypatch.chdir(tmp_path)
    assert preset.read("default.json") == {"/learn/l1": 1}


@pytest.mark.parametrize("asked", ["", "breathless", ".."])
def test_an_unknown_name_is_told_those_there_are(asked):
    with pytest.raises(Refusal, match=r"only .*default.*\.json"):
        preset.read(asked)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("3", "between braces"),
        ('["/learn/rate"]', "between braces"),
    ],
)
def test_what_is_no_preset_is_refused_in_a_sentence(tmp_path, text, says):
    path = tmp_path / "p.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Refusal, match=says):
        preset.read(str(path))


@pytest.mark.parametrize("asked", ["nowhere.json", "."])
def test_what_cannot_be_opened_is_refused_in_a_sentence(tmp_path, asked):
    with pytest.raises(Refusal, match="check the path"):
        preset.read(str(tmp_path / asked) + ("/" if asked == "." else ""))
