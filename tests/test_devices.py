"""`firstlight devices`: what it says, in which order, and that nothing ends it."""

import io
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bridge import Refusal, cli, devices, video
from bridge.config import Config

ROOT = Path(__file__).parents[1]


def told(*sections):
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        if sections:
            patch.setattr(devices, "SECTIONS", tuple(("title", section) for section in sections))
        devices.tell(lines.append)
    return "\n".join(lines)


def process(*ahead, **environment):
    """The command as a process of its own, with these folders ahead of all packages."""
    paths = os.pathsep.join(map(str, (*ahead, ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "bridge", "devices"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )  # fmt: skip


def broken(folder, package, line):
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(line + "\n")
    return folder


def test_it_names_what_can_be_opened(capsys):
    assert cli.main(["devices"]) == 0
    said = capsys.readouterr().out
    for what in ("pattern:", "file:NAME.mp4", "libx264", "none:", "processor", "torch"):
        assert what in said


def test_torch_is_loaded_last(tmp_path):
    broken(tmp_path, "torch", "print('HERE', flush=True); raise ImportError('it is broken')")
    said = process(tmp_path).stdout
    before, after = said.split("HERE")
    assert "UDP port" in before
    assert "camera:" in before
    assert "torch cannot be loaded (it is broken)" in after


def test_a_broken_torch_ends_nothing_and_is_told_with_the_command_that_mends_it(tmp_path):
    done = process(broken(tmp_path, "torch", "raise OSError('a DLL is missing')"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "a DLL is missing" in done.stdout
    assert '-m pip install --force-reinstall "torch>=2.9,<2.14"' in done.stdout


def test_a_broken_av_ends_nothing_and_is_told_with_the_command_that_mends_it(tmp_path):
    done = process(broken(tmp_path, "av", "raise ImportError('no codecs')"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "av cannot be loaded (no codecs)" in done.stdout
    assert '-m pip install --force-reinstall "av>=17"' in done.stdout
    assert "First Light computes on" in done.stdout


def test_what_mends_a_package_asks_for_what_the_project_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(devices.NEEDED.values()) <= set(project["dependencies"])


def test_the_packages_it_names_are_those_that_are_needed_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everywhere = {line for line in project["dependencies"] if ";" not in line}
    assert {line.partition(">")[0] for line in everywhere} == set(devices.PACKAGES)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for the driver's program")
def test_an_nvidia_card_that_torch_cannot_use_is_told_without_asking_torch(tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 4090, 24564 MiB, 560.94'\n")
    program.chmod(0o755)
    broken(tmp_path, "torch", CPU_ONLY)
    said = process(tmp_path, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}").stdout
    assert "NVIDIA GeForce RTX 4090, 24564 MiB, driver 560.94" in said
    assert "this torch computes on the processor only" in " ".join(said.split())
    assert '--force-reinstall "torch>=2.9,<2.14" --index-url ADDRESS' in said


CPU_ONLY = """
from types import SimpleNamespace as N
__version__, version = "2.13.0+cpu", N(cuda=None, hip=None)
cuda = N(is_available=lambda: False)
"""


def rows_of(cards, torch):
    return list(devices._cuda(torch, cards))


class OldDriver:
    """A torch that was built for the card and cannot use it."""

    class version:  # noqa: N801
        cuda = "13.0"

    class cuda:  # noqa: N801
        @staticmethod
        def is_available():
            import warnings

            warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
            return False


def test_a_driver_that_is_too_old_is_told_in_torchs_own_words():
    [row] = rows_of(["NVIDIA A"], OldDriver)
    assert (row.mark, "update NVIDIA's driver" in row.text) == ("no", True)
    assert "is too old" in row.text


def test_without_a_card_nothing_is_said_of_cuda():
    assert rows_of([], OldDriver) == []


def test_a_card_without_its_driver_is_seen_on_the_bus(tmp_path):
    for name, vendor, kind in (("a", "0x8086", "0x030000"), ("b", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    assert not devices.nvidia_on_the_bus(str(tmp_path))
    (tmp_path / "b" / "class").write_text("0x030200\n")
    assert devices.nvidia_on_the_bus(str(tmp_path))


def test_a_taken_port_is_told_with_what_to_do():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken,
        pytest.MonkeyPatch.context() as p,
    ):
        taken.bind(("127.0.0.1", 0))
        p.setattr(devices, "Config", lambda: Config(osc=taken.getsockname()[1]))
        said = " ".join(told(devices._control).split())
    assert "no OSC in the port is taken" in said
    assert "choose another with --osc PORT" in said


def test_a_free_port_is_told_and_left_free(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(devices, "Config", lambda: Config(osc=port))
    assert f"UDP port {port} is free" in told(devices._control)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))


def seeing(monkeypatch, cameras):
    real = video.discover

    def discover(scheme, timeout):
        return cameras() if scheme == "camera" else real(scheme, timeout)

    monkeypatch.setattr(video, "discover", discover)
    return told(devices._sources)


def test_every_camera_is_named_with_its_number(monkeypatch):
    said = seeing(monkeypatch, lambda: ["camera:HD Webcam", "camera:1"])
    assert "ok  camera:HD Webcam a camera, number 0" in said
    assert "ok  camera:1         a camera, number 1" in said


def test_where_there_is_no_camera_it_says_what_to_do(monkeypatch):
    assert "no  camera:          none is seen; plug one in" in seeing(monkeypatch, list)


def test_a_camera_that_cannot_be_had_is_told_with_the_command_that_mends_it(monkeypatch):
    def barred():
        raise Refusal("/dev/video0 is there, but this user may not open it; run: mend it.")

    said = seeing(monkeypatch, barred)
    assert "/dev/video0 is there, but this user may not open it\n" in said
    assert "\n                       run: mend it." in said
    assert "pattern:" in said


def test_what_is_not_here_yet_is_said_and_not_promised():
    said = told(devices._absent)
    assert all(f"no  {scheme}" in said for scheme in ("spout:", "syphon:", "ndi:"))


def test_a_transport_that_is_here_is_not_called_absent(monkeypatch):
    monkeypatch.setattr(video, "RECEIVERS", (*video.RECEIVERS, "ndi"))
    assert "ndi:" not in told(devices._absent)


@pytest.mark.parametrize("problem", [OSError("gone"), RuntimeError("gone"), ValueError("gone")])
def test_what_cannot_be_found_out_says_so_and_the_rest_goes_on(problem):
    def fails():
        yield devices.Row("ok", "a", "b")
        raise problem

    said = told(fails, lambda: iter([devices.Row("ok", "next", "goes on")]))
    assert "could not be found out (gone)" in said
    assert "goes on" in said


def test_an_encoder_that_this_av_lacks_is_told(monkeypatch):
    monkeypatch.setitem(devices.ENCODERS, "file:NAME.mp4", ("libno", "H.264"))
    said = told(devices._sinks)
    assert "no  file:NAME.mp4    this av has no libno" in said
    assert "ok  file:NAME.mkv" in said


def test_a_name_in_any_script_can_be_said_on_any_terminal(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    devices._print("camera:カメラ")
    assert terminal.buffer.getvalue().splitlines() == [b"camera:???"]


def test_a_command_is_never_wrapped():
    row = devices.Row("no", "x", "why " * 40, "mend " * 40)
    assert str(row).splitlines()[-1].strip() == f"run: {'mend ' * 40}".strip()
    assert all(len(line) <= devices.WIDTH for line in str(row).splitlines()[:-1])


def test_a_reader_that_leaves_early_ends_it_quietly():
    def gone(_line):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        devices.tell(gone)
