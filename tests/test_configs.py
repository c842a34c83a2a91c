"""The configurations that come with the program."""

import re
import tomllib
from pathlib import Path

import pytest

from bridge import config, play, preset

FOLDER = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(set(FOLDER.glob("*.toml")) - set(FOLDER.glob("collections-*.toml")))
# A key, set or offered behind a "#", with its sentence on the same line.
SAID = re.compile(r"^(?:# )?(?:(\w+) = .*\S|\[(\w+)\]) +# \w", re.MULTILINE)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_it_can_be_read_and_names_only_knobs_and_presets_that_are_there(path):
    chosen = config.read(str(path))
    config.check(chosen)
    space = play.catalogue()
    for address, value in chosen.knobs.items():
        space.assign(address, value)
    assert set(chosen.preset) <= set(preset.shipped())
    overwritten = {address for name in chosen.preset for address in preset.read(name)}
    assert not overwritten & set(chosen.knobs), "a preset goes on top of [knobs]"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_what_it_offers_behind_a_hash_is_true_too(path, tmp_path):
    offered = re.sub(r"^# (\w+ = )", r"\1", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / path.name).write_text(offered, encoding="utf-8")
    config.check(config.read(str(tmp_path / path.name)))


def test_blank_explains_every_key_in_a_line():
    blank = next(path for path in CONFIGS if path.name == "blank.toml")
    said = SAID.findall(blank.read_text(encoding="utf-8"))
    assert {key or table for key, table in said} == set(config.KEYS)


def test_a_rig_that_runs_for_weeks_keeps_its_brain_and_no_report():
    studio = next(path for path in CONFIGS if path.name == "studio.toml")
    keys = tomllib.loads(studio.read_text(encoding="utf-8"))
    assert keys["brain"]
    assert not keys.keys() & {"report", "frames", "offline"}
