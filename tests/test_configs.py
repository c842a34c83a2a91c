"""The configurations that come with the program."""

from pathlib import Path

import pytest

from bridge import config, play

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_it_can_be_read_and_names_only_knobs_that_are_there(path):
    chosen = config.read(str(path))
    config.check(chosen)
    space = play.catalogue()
    for address, value in chosen.knobs.items():
        space.assign(address, value)
