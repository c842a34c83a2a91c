"""`--resume`: going on after a crash or a power cut."""

import json
import logging
import os

import pytest

from bridge import cli, parsers, play
from bridge.learn.autosave import MEMORY, STATE

SMALL = [
    "--in",
    "pattern:",
    "--size",
    "64x64",
    "--threads",
    "1",
    "--precision",
    "float32",
    "--feedback",
    "none",
]


def run(tmp_path, name, *words):
    """Play live for a moment; answers the report's summary."""
    report = tmp_path / f"{name}.json"
    live = [
        "run",
        "--osc",
        "0",
        "--no-page",
        "--frames",
        "12",
        "--brains",
        str(tmp_path / "brains"),
    ]
    assert cli.main([*live, *SMALL, "--report", str(report), *map(str, words)]) == 0
    return json.loads(report.read_text())["summary"]


def test_it_goes_on_with_the_weights_that_were_there(tmp_path):
    first = run(tmp_path, "a")
    second = run(tmp_path, "b", "--resume")
    assert second["first_hash"] == first["last_hash"]
    assert second["seed"] == first["seed"]
    assert second["stats"]["/stats/learnt"] > first["stats"]["/stats/learnt"]


def test_the_network_and_the_knobs_come_back_and_set_wins(tmp_path):
    run(tmp_path, "a", "--net", "tiles", "--set", "/learn/rate=0.01", "--set", "/memory/share=0.5")
    second = run(tmp_path, "b", "--resume", "--set", "/memory/share=0.25")
    assert second["net"] == "tiles"
    assert second["knobs"]["/learn/rate"] == 0.01
    assert second["knobs"]["/memory/share"] == 0.25


def test_a_network_that_was_resumed_waits_while_another_is_asked_for(tmp_path):
    first = run(tmp_path, "a", "--net", "paint")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains"), "--resume"]
    words += ["--set", "/net/name=tiles"]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args([*words, *SMALL])))
    with instrument.closing:
        running = instrument.engine.learner.running
        assert running.life.name == "tiles"
        assert running.lives["paint"].weights.hash() == first["last_hash"]


@pytest.mark.parametrize(("words", "every"), [([], 7.0), (["--set", "/brain/autosave=9"], 9.0)])
def test_it_goes_on_saving_as_often_as_it_did(tmp_path, words, every):
    run(tmp_path, "a", "--set", "/brain/autosave=7")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains"), "--resume", *words]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args([*words, *SMALL])))
    with instrument.closing:
        assert instrument.space["/brain/autosave"].value == every


def test_panic_goes_back_to_knobs_that_were_asked_for_on_top(tmp_path):
    run(tmp_path, "a", "--set", "/learn/rate=1.0")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains"), "--resume"]
    words += ["--set", "/learn/rate=0.01"]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args([*words, *SMALL])))
    with instrument.closing:
        instrument.engine.panic()
        assert instrument.space["/learn/rate"].value == 0.01


def test_the_size_comes_back_where_none_is_asked_for(tmp_path):
    run(tmp_path, "a")
    report = tmp_path / "b.json"
    words = [
        "run",
        "--osc",
        "0",
        "--no-page",
        "--frames",
        "2",
        "--brains",
        str(tmp_path / "brains"),
        "--resume",
    ]
    assert cli.main([*words, *SMALL[:2], *SMALL[4:], "--report", str(report)]) == 0
    assert json.loads(report.read_text())["summary"]["size"] == "64x64"


def test_panic_does_not_go_back_to_knobs_that_were_resumed(tmp_path):
    run(tmp_path, "a", "--set", "/learn/rate=1.0")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains"), "--resume"]
    chosen = cli.settings(parsers.run_parser().parse_args([*words, *SMALL]))
    instrument = play.assemble(chosen)
    with instrument.closing:
        assert instrument.space["/learn/rate"].value == 1.0
        instrument.engine.panic()
        assert instrument.space["/learn/rate"].value == 0.0025


def test_with_nothing_saved_it_begins_blank(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        summary = run(tmp_path, "a", "--resume", "--seed", "5")
    assert summary["seed"] == 5
    assert "begins blank" in caplog.text


def test_what_cannot_be_read_is_kept_and_it_begins_blank(tmp_path, caplog):
    (tmp_path / "brains").mkdir()
    (tmp_path / "brains" / STATE).write_bytes(b"torn")
    summary = run(tmp_path, "a", "--resume", "--seed", "5")
    assert summary["seed"] == 5
    kept = [name for name in os.listdir(tmp_path / "brains") if name.startswith("unreadable")]
    assert (tmp_path / "brains" / kept[0]).read_bytes() == b"torn"
    assert "kept as" in caplog.text


def test_another_size_begins_blank_and_keeps_what_was_saved(tmp_path, caplog):
    run(tmp_path, "a")
    run(tmp_path, "b", "--resume", "--size", "96x64")
    assert any(name.startswith("unreadable") for name in os.listdir(tmp_path / "brains"))
    assert "96x64 was asked for" in caplog.text


def test_of_lines_alone_the_width_may_be_another_source_s_at_the_start(tmp_path):
    """A sender of another shape may not be there yet after a power cut."""
    first = run(tmp_path, "a")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains"), "--resume"]
    words += ["--lines", "64", *SMALL[:2], *SMALL[4:], "--in", "pattern:640x360"]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args(words)))
    with instrument.closing:
        assert instrument.first["first_hash"] == first["last_hash"]
        assert instrument.first["size"] == "64x64"


@pytest.mark.parametrize("words", [["--offline"], ["--set", "/brain/autosave=0"]])
def test_offline_and_at_0_nothing_is_saved(tmp_path, words):
    run(tmp_path, "a", *words)
    assert not (tmp_path / "brains").exists()


def test_listing_the_knobs_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert cli.main(["params"]) == 0
    assert os.listdir(tmp_path) == []


def test_an_orderly_end_saves_the_memory_too(tmp_path):
    run(tmp_path, "a")
    assert (tmp_path / "brains" / MEMORY).exists()


def test_where_nothing_can_be_written_the_show_goes_on_and_says_why(tmp_path):
    (tmp_path / "brains").write_text("in the way")
    summary = run(tmp_path, "a", "--set", "/brain/autosave=1", "--frames", "45")
    assert summary["frames_seen"] == 45
    assert summary["stats"]["/stats/faults"] == 0
    assert "choose another place" in summary["stats"]["/stats/error"]


def test_the_pictures_of_what_was_saved_are_there_for_who_watches(tmp_path):
    run(tmp_path, "a")
    words = ["--osc", "0", "--no-page", "--brains", str(tmp_path / "brains")]
    chosen = cli.settings(parsers.run_parser().parse_args([*words, *SMALL]))
    for _ in range(2):
        instrument = play.assemble(chosen)
        with instrument.closing:
            engine, names = instrument.engine, instrument.engine.pictures.names()
            assert engine.pictures is engine.learner.slots.pictures
            instrument.engine.pictures.watch(1000.0)
            engine.run(1)
            engine.learner.slots.save()
            assert {"made", "seen", "brain/1"} <= set(instrument.engine.pictures.names())
    assert names == ["brain/1"]
