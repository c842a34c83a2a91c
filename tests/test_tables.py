"""The list of knobs, and the README that shows it."""

import json
from pathlib import Path

import pytest

from bridge import tables

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def space(catalogue):
    return catalogue


def test_the_readme_shows_the_knobs_as_they_are(space):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- knobs -->")[1].strip()
    assert shown == tables.markdown(space), "run: firstlight params --markdown"


def test_every_knob_says_what_it_does(space):
    assert all(row["doc"] for row in tables.rows(space))


def test_the_rows_are_plain_json(space):
    rows = json.loads(json.dumps(tables.rows(space), allow_nan=False))
    rate = next(row for row in rows if row["address"] == "/learn/rate")
    assert rate["kind"] == "float"
    assert (rate["min"], rate["max"], rate["taper"]) == (0.0, 1.0, "log")


def test_every_address_is_in_a_group_of_the_design(space):
    groups = {knob.address.split("/")[1] for knob in space}
    assert groups <= {"learn", "net", "stats", "system", "see", "memory", "brain", "preset"}


def test_the_plain_table_has_a_line_for_every_knob(space):
    assert len(tables.plain(space).splitlines()) == len(list(space))
