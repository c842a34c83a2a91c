"""The command, from its words to its files and exit codes."""

import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import weakref
from pathlib import Path

import av
import numpy as np
import pytest

from bridge import cli, video
from bridge.control.osc import decode, encode
from bridge.video import Sink

SMALL = [
    "--in",
    "pattern:",
    "--size",
    "64x48",
    "--threads",
    "1",
    "--precision",
    "float32",
    "--feedback",
    "none",
]


def run(*words):
    return cli.main(["run", *SMALL, *map(str, words)])


def offline(*words):
    return run("--offline", "--frames", "8", "--seed", "7", *words)


def digest(folder: Path) -> str:
    names = sorted(os.listdir(folder))
    return hashlib.sha256(b"".join((folder / n).read_bytes() for n in names)).hexdigest()


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("net", ["tiles", "paint"])
def test_the_same_seed_offline_gives_the_same_bytes(tmp_path, net):
    for name in ("a", "b"):
        assert offline("--net", net, "--out", f"stills:{tmp_path / name}") == 0
    assert len(os.listdir(tmp_path / "a")) == 8
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_another_seed_gives_another_picture(tmp_path):
    offline("--out", f"stills:{tmp_path / 'a'}")
    offline("--out", f"stills:{tmp_path / 'b'}", "--seed", "8")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def test_a_lossless_film_holds_the_same_pictures_as_the_stills(tmp_path):
    film, stills = tmp_path / "film.mkv", tmp_path / "stills"
    assert offline("--out", f"file:{film}", "--out", f"stills:{stills}") == 0
    from_stills = [pictures(stills / name)[0] for name in sorted(os.listdir(stills))]
    assert all(np.array_equal(a, b) for a, b in zip(pictures(film), from_stills, strict=True))


def test_offline_a_movie_shorter_than_the_asked_frames_goes_round(tmp_path):
    offline("--out", f"file:{tmp_path / 'short.mkv'}")
    source, out = f"file:{tmp_path / 'short.mkv'}", tmp_path / "long"
    assert offline("--in", source, "--out", f"stills:{out}", "--frames", "20") == 0
    assert len(os.listdir(out)) == 20


def test_offline_a_movie_plays_once_when_nobody_says_how_long(tmp_path):
    offline("--out", f"file:{tmp_path / 'short.mkv'}")
    source, out = f"file:{tmp_path / 'short.mkv'}", tmp_path / "once"
    assert run("--offline", "--in", source, "--out", f"stills:{out}") == 0
    assert len(os.listdir(out)) == 8


def test_the_report_tells_each_frame_and_the_whole(tmp_path):
    assert offline("--report", tmp_path / "r.json") == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert len(report["frames"]) == 8
    assert set(report["frames"][0]) == {"db", "loss", "ms"}
    summary = report["summary"]
    assert summary["seed"] == 7
    decibels = [row["db"] for row in report["frames"]]
    assert summary["mean_db"] == pytest.approx(sum(decibels) / 8, abs=2e-3)
    assert len(summary["first_hash"]) == 64
    assert summary["first_hash"] != summary["last_hash"]
    assert summary["versions"]["torch"]
    assert summary["machine"]


def test_the_report_tells_how_well_it_saw_in_the_end(tmp_path):
    offline("--frames", "120", "--report", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    decibels = [row["db"] for row in report["frames"]]
    summary = report["summary"]
    assert summary["mean_db_last_100"] == pytest.approx(sum(decibels[-100:]) / 100, abs=2e-3)
    first = next((i + 1 for i, d in enumerate(decibels) if d >= 20), None)
    assert summary["first_frame_of_20_db"] == first


def test_knobs_set_before_the_start_hold_from_the_first_frame(tmp_path):
    offline("--set", "/learn/on=off", "--report", tmp_path / "r.json")
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    assert summary["first_hash"] == summary["last_hash"]
    assert summary["knobs"]["/learn/on"] is False


def test_a_preset_that_names_a_network_is_told_of_that_network(tmp_path):
    offline("--size", "64x64", "--preset", "tide", "--report", tmp_path / "r.json")
    told = json.loads((tmp_path / "r.json").read_text())["summary"]
    offline("--size", "64x64", "--net", "ghost", "--report", tmp_path / "g.json")
    ghost = json.loads((tmp_path / "g.json").read_text())["summary"]
    assert [told[key] for key in ("net", "weights", "first_hash")] == [
        ghost[key] for key in ("net", "weights", "first_hash")
    ]


def test_a_show_that_learns_nothing_leaves_the_brain_as_it_was_made(tmp_path):
    brain = tmp_path / "b.safetensors"
    offline("--brain", brain)
    made = brain.read_bytes()
    offline("--brain", brain, "--set", "/learn/on=0")
    assert brain.read_bytes() == made
    offline("--brain", brain)
    assert brain.read_bytes() != made


def test_a_brain_that_is_not_there_is_told_and_no_blank_one_is_put_in_its_place(tmp_path, caplog):
    caplog.set_level(logging.INFO, "bridge.play")
    offline(
        "--size",
        "64x64",
        "--net",
        "hand",
        "--brain",
        tmp_path / "hnad.safetensors",
        "--set",
        "/learn/on=0",
    )
    assert "hnad.safetensors: is not there yet; hand begins blank." in caplog.text
    assert not list(tmp_path.iterdir())


def test_another_network_has_a_brain_of_its_own_beside(tmp_path):
    brain, seen = tmp_path / "b.safetensors", ["--report", tmp_path / "r.json"]
    switched = ["--brain", brain, "--set", "/net/name=tiles"]
    offline(*switched, *seen)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["b-tiles.safetensors"]
    first = json.loads((tmp_path / "r.json").read_text())["summary"]["last_hash"]
    offline(*switched, *seen)
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["first_hash"] == first


def test_a_brain_is_saved_at_the_end_and_opened_at_the_next_start(tmp_path):
    brain = tmp_path / "b.safetensors"
    offline("--brain", brain, "--report", tmp_path / "1.json")
    offline("--brain", brain, "--report", tmp_path / "2.json")
    first, second = (json.loads((tmp_path / f"{n}.json").read_text())["summary"] for n in "12")
    assert second["first_hash"] == first["last_hash"]


def test_settings_come_from_a_file_and_the_command_line_wins(tmp_path):
    (tmp_path / "show.toml").write_text('net = "tiles"\nseed = 3\n[knobs]\n"/learn/rate" = 0.5\n')
    words = ("--config", tmp_path / "show.toml", "--report", tmp_path / "r.json")
    offline(*words, "--set", "/learn/trust=0.5")
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    assert (summary["net"], summary["seed"]) == ("tiles", 7)
    assert summary["knobs"]["/learn/rate"] == 0.5
    assert summary["knobs"]["/learn/trust"] == 0.5


def test_a_preset_wins_over_the_files_knobs_a_later_one_over_it_and_set_over_all(tmp_path):
    for name, preset in (
        ("one", {"/learn/trust": 0.2, "/learn/l1": 0.2, "/learn/clip": 0.2}),
        ("two", {"/learn/l1": 0.3, "/learn/clip": 0.3}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(preset))
    knobs = "".join(f'"/learn/{name}" = 0.1\n' for name in ("rate", "trust", "l1", "clip"))
    (tmp_path / "show.toml").write_text(f"[knobs]\n{knobs}")
    presets = ("--preset", tmp_path / "one.json", "--preset", tmp_path / "two.json")
    words = ("--config", tmp_path / "show.toml", *presets, "--report", tmp_path / "r.json")
    assert offline(*words, "--set", "/learn/clip=0.4") == 0
    stood = json.loads((tmp_path / "r.json").read_text())["summary"]["knobs"]
    found = [stood[f"/learn/{name}"] for name in ("rate", "trust", "l1", "clip")]
    assert found == [0.1, 0.2, 0.3, 0.4]


def test_a_file_names_presets_and_options_replace_them(tmp_path):
    (tmp_path / "one.json").write_text('{"/learn/steps": 3}')
    (tmp_path / "show.toml").write_text(f"preset = ['{tmp_path / 'one.json'}']\n")
    words = ("--config", tmp_path / "show.toml", "--report", tmp_path / "r.json")
    steps = []
    for more in ((), ("--preset", "default")):
        offline(*words, *more)
        summary = json.loads((tmp_path / "r.json").read_text())["summary"]
        steps.append(summary["knobs"]["/learn/steps"])
    assert steps == [3, 1]


def test_a_preset_saved_by_hand_starts_by_its_name_out_of_its_folder(tmp_path):
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "dusk.json").write_text('{"slot": 3, "/learn/steps": 3}')
    words = ("--presets", tmp_path / "looks", "--preset", "dusk", "--set", "/preset/slot=3")
    assert offline(*words, "--report", tmp_path / "r.json") == 0
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    assert summary["knobs"]["/learn/steps"] == 3


def test_a_file_says_where_presets_are_and_morph_goes_there_offline(tmp_path):
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "dusk.json").write_text('{"slot": 3, "/learn/steps": 3}')
    (tmp_path / "show.toml").write_text(f"presets = '{tmp_path / 'looks'}'\n")
    words = ("--config", tmp_path / "show.toml", "--report", tmp_path / "r.json")
    assert offline(*words, "--set", "/preset/b=3", "--set", "/preset/morph=1") == 0
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    assert summary["knobs"]["/learn/steps"] == 3


def test_what_presets_cannot_do_is_told(tmp_path, caplog):
    words = ("--presets", tmp_path, "--set", "/preset/b=7", "--set", "/preset/morph=1")
    assert offline(*words) == 0
    assert "slot 7 is empty" in caplog.text


def test_what_a_preset_cannot_set_is_told_and_the_rest_is_taken(tmp_path, caplog):
    preset = {"/learn/rat": 1, "/learn/rate": "fast", "/learn/blank": 1, "/learn/steps": 2}
    (tmp_path / "p.json").write_text(json.dumps(preset))
    assert offline("--preset", tmp_path / "p.json", "--report", tmp_path / "r.json") == 0
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    assert summary["knobs"]["/learn/steps"] == 2
    for says in ("did you mean /learn/rate?", "takes a number, not 'fast'", "/learn/blank is not"):
        assert says in caplog.text


def test_a_wrong_knob_in_a_file_is_said_to_be_there(tmp_path, capsys):
    (tmp_path / "show.toml").write_text('[knobs]\n"/learn/rat" = 0.5\n')
    assert offline("--config", tmp_path / "show.toml") == 2
    assert "[knobs] /learn/rat: there is no such knob; did you mean" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--in", "file:nowhere.mp4"], "check the path"),
        (["--in", "flie:a.mp4"], "did you mean file:?"),
        (["--in", "nonsense"], "one of"),
        (["--out", "none"], "none:?"),
        (["--out", "file:a.avi"], ".mp4"),
        (["--out", "file:/nowhere/at/all/a.mp4"], "folder"),
        (["--net", "pain"], "did you mean paint?"),
        (["--net", "paint", "--size", "33x31"], "try 48x32"),
        (["--size", "big"], "320x192"),
        (["--frames", "0"], "--frames 0"),
        (["--set", "/learn/rat=1"], "did you mean /learn/rate?"),
        (["--set", "/learn/rate=fast"], "takes a number"),
        (["--set", "/learn/rate"], "--set /learn/rate=0.01"),
        (["--set", "/stats/loss=1"], "can be read, not set"),
        (["--set", "/learn/blank=1"], "pressed"),
        (["--config", "nowhere.toml"], "check the path"),
        (["--preset", "nowhere.json"], "check the path"),
        (["--preset", "breathless"], "pulse"),
        (["--brain", ""], "--brain: it is empty"),
        (["--report", ""], "--report: it is empty"),
        (["--listen", ""], "--listen: it is empty"),
        (["--record", ""], "--record: it is empty"),
        (["--record", "/dev/null/films"], "choose another place"),
        (["--report", "/"], "choose another place"),
        (["--brain", "/dev/null/x/b.safetensors"], "choose another place"),
        (["--report", "/nowhere/at/all.json"], "choose another place"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_2(words, says, capsys):
    assert offline(*words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("firstlight: ")
    assert says in error
    assert "Traceback" not in error


def test_an_unreadable_movie_is_refused(tmp_path, capsys):
    (tmp_path / "broken.mp4").write_bytes(b"no movie" * 99)
    assert offline("--in", f"file:{tmp_path / 'broken.mp4'}") == 2
    assert "check that it is a movie" in capsys.readouterr().err


@pytest.mark.parametrize(("by_way_of", "kind"), [("", "file"), ("", "stills"), ("auto:", "file")])
def test_the_source_is_never_recorded_over(tmp_path, kind, by_way_of, capsys):
    place = tmp_path / ("movie.mkv" if kind == "file" else "folder")
    offline("--out", f"{kind}:{place}")
    kept = place.read_bytes() if kind == "file" else digest(place)
    source = f"{by_way_of}{kind}:{place}"
    assert offline("--in", source, "--out", f"{kind}:{place}", "--seed", "9") == 2
    assert "source itself" in capsys.readouterr().err
    assert kept == (place.read_bytes() if kind == "file" else digest(place))


def test_ctrl_c_before_the_show_begins_leaves_no_traceback(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.RUNNERS, "run", interrupt)
    assert cli.main([]) == 130


def test_a_set_up_that_fails_leaves_no_file_behind(tmp_path):
    assert offline("--out", f"file:{tmp_path / 'a.mp4'}", "--set", "/no/such=1") == 2
    assert os.listdir(tmp_path) == []


def test_a_busy_port_is_refused_with_what_to_do(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert run("--frames", "3", "--osc", taken.getsockname()[1]) == 2
    assert "--osc" in capsys.readouterr().err


def test_live_a_full_disk_lets_the_show_go_on_and_is_told_at_the_end(tmp_path, capsys):
    words = ["--out", f"file:{tmp_path / 'good.mkv'}", "--report", tmp_path / "r.json"]
    engine_saw = []

    class Full:
        host = True

        def send(self, _frame):
            engine_saw.append(1)

        def status(self):
            return Sink("full", error="the disk is full; make room.")

        def close(self):
            """Nothing is open."""

    with pytest.MonkeyPatch.context() as patch:
        real = video.open_sender
        patch.setattr(
            video,
            "open_sender",
            lambda address, **how: Full() if address == "none:" else real(address, **how),
        )
        code = run("--osc", "0", "--no-page", "--frames", "12", "--out", "none:", *words)
    assert code == 2
    assert len(engine_saw) >= 12
    assert len(pictures(tmp_path / "good.mkv")) >= 8
    assert "make room" in capsys.readouterr().err


def test_crop_cuts_where_stretch_squeezes(tmp_path):
    for how in ("stretch", "crop"):
        out = f"stills:{tmp_path / how}"
        offline("--in", "pattern:200x48", "--net", "through", "--fit", how, "--out", out)
    assert digest(tmp_path / "stretch") != digest(tmp_path / "crop")


def test_a_full_disk_offline_is_exit_code_2(tmp_path, capsys):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    os.symlink("/dev/full", tmp_path / "full.mkv")
    assert offline("--out", f"file:{tmp_path / 'full.mkv'}", "--frames", "60") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_live_it_plays_at_the_sources_pace_and_records(tmp_path):
    assert (
        run("--osc", "0", "--no-page", "--frames", "12", "--out", f"file:{tmp_path / 'a.mp4'}") == 0
    )
    assert len(pictures(tmp_path / "a.mp4")) >= 8


def test_live_a_take_is_recorded_from_the_start_where_that_is_asked_for(tmp_path):
    words = ["--record", tmp_path / "films", "--record-as", "mkv"]
    assert (
        run("--osc", "0", "--no-page", "--frames", "12", *words, "--set", "/system/record=on") == 0
    )
    (name,) = os.listdir(tmp_path / "films")
    assert name.startswith("first-light-")
    assert len(pictures(tmp_path / "films" / name)) >= 8


def test_offline_the_button_does_nothing_and_says_so(tmp_path, caplog):
    assert offline("--record", tmp_path / "films", "--set", "/system/record=on") == 0
    assert os.listdir(tmp_path) == []
    assert "/system/record does nothing offline; use --out" in caplog.text


class Playing:
    """The command as a process of its own, playing the built-in scene."""

    def __init__(self, *words):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "bridge", *SMALL, "--osc", str(self.port), "--no-page"]
        self.process = subprocess.Popen(
            [*command, *map(str, words)], stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip
        weakref.finalize(self, self.process.kill)  # where a test fails before it stops it
        assert self.process.stderr is not None
        self.greeting = self.process.stderr.readline()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.1)

    def until(self, frames):
        """Ask until so many frames have been seen."""
        for _ in range(300):
            self.say(encode("/system/sync", 1))
            with contextlib.suppress(TimeoutError):
                for message in decode(self.socket.recv(65535)).messages:
                    if message.address == "/stats/frames" and message.arguments[0] >= frames:
                        return
        raise AssertionError("it does not play")

    def say(self, datagram):
        self.socket.sendto(datagram, ("127.0.0.1", self.port))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        _, rest = self.process.communicate(timeout=10)
        self.socket.close()
        return self.process.returncode, rest


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_every_file_playable(tmp_path, how):
    out = [word for end in ("mp4", "mkv") for word in ("--out", f"file:{tmp_path / f'a.{end}'}")]
    playing = Playing("--report", tmp_path / "r.json", "--brain", tmp_path / "b.safetensors", *out)
    assert "begins blank" in playing.greeting
    playing.until(frames=5)
    code, rest = playing.stop(how)
    assert code == 0
    assert "Traceback" not in rest
    for end in ("mp4", "mkv"):
        assert len(pictures(tmp_path / f"a.{end}")) >= 4
    assert json.loads((tmp_path / "r.json").read_text())["summary"]["first_hash"]
    assert (tmp_path / "b.safetensors").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_take_begins_and_ends_over_osc_and_one_left_on_is_finished_at_the_end(tmp_path):
    playing = Playing("--record", tmp_path)
    for state, frames in ((True, 10), (False, 15), (True, 25)):
        playing.say(encode("/system/record", state))
        playing.until(frames=frames)
    code, rest = playing.stop()
    assert (code, "Traceback" in rest) == (0, False)
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 2
    assert all(len(pictures(tmp_path / name)) >= 2 for name in names)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_hostile_datagrams_are_counted_and_the_picture_goes_on(tmp_path):
    playing = Playing("--report", tmp_path / "r.json")
    for hostile in (
        b"", b"/", b"\xff" * 300, b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc" + bytes(24),
        encode("/learn/rate", "fast"), b"/learn/rate\0,f\0\0\x7f\xc0\0\0",
        encode("/no/such/thing", 1.0), encode("/learn/rate", 1e9),
    ):  # fmt: skip
        playing.say(hostile)
    playing.say(encode("/learn/steps", 3))
    playing.until(frames=5)
    code, _ = playing.stop()
    assert code == 0
    summary = json.loads((tmp_path / "r.json").read_text())["summary"]
    stats = summary["stats"]
    assert stats["/stats/malformed"] >= 3
    assert stats["/stats/refused"] == 2
    assert stats["/stats/unknown"] == 1
    assert stats["/stats/clipped"] == 1
    assert stats["/stats/faults"] == 0
    assert summary["knobs"]["/learn/steps"] == 3


def test_a_word_that_is_no_command_is_told_how_a_movie_is_played(capsys):
    assert cli.main(["clip.mp4"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("firstlight: clip.mp4: there is no such command; write --in file:clip")


def test_params_lists_every_knob(capsys):
    assert cli.main(["params"]) == 0
    assert "/learn/rate" in capsys.readouterr().out


def test_params_as_json_can_be_read(capsys):
    assert cli.main(["params", "--json"]) == 0
    assert any(r["address"] == "/learn/rate" for r in json.loads(capsys.readouterr().out))


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert "firstlight 0." in capsys.readouterr().out
