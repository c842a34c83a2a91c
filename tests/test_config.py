"""What is fixed at the start."""

import dataclasses

import pytest

from bridge import Refusal, config


def written(tmp_path, text):
    path = tmp_path / "show.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_sets_what_it_names_and_leaves_the_rest(tmp_path):
    chosen = config.read(written(tmp_path, 'net = "ghost"\nlines = 240\nin = "file:a.mp4"\n'))
    assert chosen == dataclasses.replace(
        config.Config(), net="ghost", lines=240, source="file:a.mp4"
    )


def test_knobs_are_set_by_address(tmp_path):
    chosen = config.read(written(tmp_path, '[knobs]\n"/learn/rate" = 0.001\n'))
    assert chosen.knobs == {"/learn/rate": 0.001}


def test_an_alias_gives_a_foreign_address_the_meaning_of_ours(tmp_path):
    chosen = config.read(written(tmp_path, '[aliases]\n"/fader/1" = "/norm/learn/rate"\n'))
    assert chosen.aliases == {"/fader/1": "/norm/learn/rate"}


@pytest.mark.parametrize(
    "line", ['"fader" = "/learn/rate"', '"/fader" = "learn/rate"', '"/fader" = 3', "lines = 3"]
)
def test_an_alias_without_both_addresses_is_told_what_to_write(tmp_path, line):
    with pytest.raises(Refusal, match=r"is no alias; write both addresses"):
        config.read(written(tmp_path, f"[aliases]\n{line}\n"))


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(Refusal, match="did you mean lines"):
        config.read(written(tmp_path, "line = 3\n"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lines = 2.5", "lines takes a whole number"),
        ("lines = true", "lines takes a whole number"),
        ("net = 3", "net takes a text"),
        ('offline = "yes"', "offline takes true or false"),
        ("out = 3", "out takes a list"),
        ("out = [3]", "out takes a list"),
        ("knobs = 3", "knobs takes a table"),
        ("aliases = 3", "aliases takes a table"),
        ('preset = "default"', "preset takes a list of texts"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(tmp_path, line, says):
    with pytest.raises(Refusal, match=says):
        config.read(written(tmp_path, line))


def test_a_setting_below_the_knobs_is_told_where_it_belongs(tmp_path):
    with pytest.raises(Refusal, match=r"lines is no address of a knob; .* stand above \[knobs\]"):
        config.read(written(tmp_path, '[knobs]\n"/learn/rate" = 1\nlines = 3\n'))


def test_what_set_says_on_the_command_line_is_no_key_of_a_file(tmp_path):
    with pytest.raises(Refusal, match="there is no key sets"):
        config.read(written(tmp_path, "sets = {}\n"))


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    with pytest.raises(Refusal, match="not TOML"):
        config.read(written(tmp_path, "net = = 3"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(Refusal, match="check the path"):
        config.read(str(tmp_path / "nowhere.toml"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("fit", "squash"), ("device", "tpu"), ("precision", "int8"), ("lines", 0), ("osc", 70000),
     ("threads", 0), ("frames", -1), ("seed", -1)],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(key, value):
    with pytest.raises(Refusal, match="choose"):
        config.check(dataclasses.replace(config.Config(), **{key: value}))


def test_the_defaults_are_in_range():
    config.check(config.Config())
