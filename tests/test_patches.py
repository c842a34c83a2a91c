"""The surfaces in patches/: generated from the knobs, and kept true."""

import zlib
from pathlib import Path

import pytest

from bridge import Refusal, cli, play
from bridge.control import surfaces
from bridge.control.surfaces import Place
from bridge.params import Param

PATCHES = Path(__file__).parents[1] / "patches"


def unpacked(content: bytes) -> bytes:
    """A file's own words: TouchOSC keeps them compressed."""
    return zlib.decompress(content) if content[:1] == b"\x78" else content


class Extra:
    sparkle = Param(0.5, min=0.0, max=1.0, doc="a knob that was added on one line")


@pytest.fixture(scope="module")
def space(catalogue):
    return catalogue


@pytest.fixture(scope="module")
def another():
    """The same knobs, put together anew."""
    return play.catalogue()


@pytest.fixture(scope="module")
def extended():
    space = play.catalogue()
    space.add("/extra", Extra())
    return space


@pytest.mark.parametrize("name", surfaces.NAMES)
def test_what_is_committed_is_what_the_knobs_make(name, space):
    for path, content in surfaces.files(name, space, Place()).items():
        committed = unpacked((PATCHES / name / path).read_bytes())
        assert committed == unpacked(content), (  # another zlib may pack the same otherwise
            f"patches/{name}/{path} is old: run `firstlight patch` in the repository"
        )


@pytest.mark.parametrize("name", surfaces.NAMES)
def test_the_same_knobs_make_the_same_bytes(name, space, another):
    assert surfaces.files(name, space, Place()) == surfaces.files(name, another, Place())


@pytest.mark.parametrize("name", surfaces.NAMES)
def test_a_readme_has_at_most_five_steps(name, space):
    lines = surfaces.files(name, space, Place())["README.md"].decode().splitlines()
    steps = [line for line in lines if line[:1].isdigit()]
    assert 1 <= len(steps) <= 5
    assert [step.split(".")[0] for step in steps] == [str(n + 1) for n in range(len(steps))]


@pytest.mark.parametrize("name", surfaces.NAMES)
def test_a_knob_added_on_one_line_is_in_every_patch(name, extended):
    made = [unpacked(content) for content in surfaces.files(name, extended, Place()).values()]
    assert any(b"/extra/sparkle" in content or b"extra sparkle" in content for content in made)


@pytest.mark.parametrize("name", surfaces.NAMES)
def test_a_surface_reaches_where_it_is_told_to(name, space, tmp_path):
    place = Place(host="10.1.2.3", osc=5137, feedback=5138, page=5180)
    paths = surfaces.write(name, space, place, tmp_path)
    told = b"".join(unpacked(path.read_bytes()) for path in paths)
    assert b"10.1.2.3" in told
    assert b"5137" in told


def test_what_cannot_be_written_says_what_to_do(space, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="--out FOLDER"):
        surfaces.write(surfaces.NAMES[0], space, Place(), tmp_path / "file")


def test_the_command_names_what_there_is(capsys):
    assert cli.main(["patch", "reaper"]) == 2
    assert "there are " in capsys.readouterr().err
