"""`firstlight devices`: what it says, in which order, and that nothing ends it."""

import importlib
import io
import os
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fakes import spoutgl
from fakes.senders import Sender, Senders

from bridge import Refusal, cli, devices, machine, video
from bridge.config import Config
from bridge.learn import tuning
from bridge.video import _texture

ROOT = Path(__file__).parents[1]
LONG = 60.0  # seconds no test ever waits: what it waits for is certain to come
# The command, where nobody sends: NDI would look for senders in the whole network.
COMMAND = """
import sys
from bridge import cli, video
real = video.discover
video.discover = lambda scheme, wait: [] if scheme in video.SHARED else real(scheme, wait)
sys.exit(cli.main(["devices"]))
"""


@pytest.fixture(autouse=True)
def senders(monkeypatch):
    return Senders(monkeypatch)


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
        [sys.executable, "-c", COMMAND],
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
    for what in ("pattern:", "file:NAME.mp4", "libx264", "none:", "ndi:", "processor", "torch"):
        assert what in said


def test_torch_is_loaded_last(tmp_path):
    broken(tmp_path, "torch", "print('HERE', flush=True); raise ImportError('it is broken')")
    said = process(tmp_path).stdout
    before, after = said.split("HERE")
    assert "UDP port" in before
    assert "camera:" in before
    assert "ndi:" in before
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


def test_what_it_calls_optional_is_what_an_extra_brings():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {line.partition(">")[0] for line in project["optional-dependencies"]["ndi"]} == set(
        devices.OPTIONAL
    )


def test_an_optional_package_that_is_not_installed_is_told_and_is_no_fault(monkeypatch):
    monkeypatch.setattr(devices, "OPTIONAL", {"no-such-package": "NDI needs it"})
    said = told(devices._versions)
    assert "\n      no-such-package  not installed; it is optional: NDI needs it" in said


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
    assert not machine.nvidia_on_the_bus(str(tmp_path))
    (tmp_path / "b" / "class").write_text("0x030200\n")
    assert machine.nvidia_on_the_bus(str(tmp_path))


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
    faked = video.discover

    def discover(scheme, timeout):
        return cameras() if scheme == "camera" else faked(scheme, timeout)

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


def test_every_sender_is_told_with_its_size_and_format(senders):
    senders["spout:Arena"] = Sender((1920, 1080), format="B8G8R8A8")
    senders["syphon:Deck"] = Sender((640, 360), format="BGRA")
    said = told(devices._shared)
    assert "ok  spout:Arena      1920x1080 B8G8R8A8\n" in said
    assert "ok  syphon:Deck      640x360 BGRA\n" in said


def test_a_sender_that_never_comes_by_the_card_is_told_with_its_route(senders):
    senders["ndi:S (A)"] = Sender((1280, 720), route="by the host: over the network")
    assert "ok  ndi:S (A)        1280x720 UYVY, by the host: over the network" in told(
        devices._shared
    )


def test_a_size_is_told_as_soon_as_it_is_known(senders):
    slow, quick = Sender(None), Sender()
    senders |= {"ndi:slow": slow, "ndi:quick": quick}
    rows = (row for row in devices._shared() if row.what in senders)
    assert next(rows).what == "ndi:quick"
    slow.know(size=(320, 180))
    assert next(rows) == devices.Row("ok", "ndi:slow", "320x180 UYVY, by air")


def test_a_sender_that_shows_nothing_is_told_in_the_end(senders, monkeypatch):
    monkeypatch.setattr(devices, "SHOWS", 0.0)
    senders["ndi:dark"] = Sender(None)
    assert "?   ndi:dark         it is there, and shows no picture" in told(devices._shared)


def test_what_is_wrong_with_a_sender_is_told_in_its_own_words(senders):
    senders["spout:A"] = Sender(error="--in spout:A: it sends R16G16B16A16; set it to 8 bits.")
    said = told(devices._shared)
    assert "no  spout:A          it sends R16G16B16A16; set it to 8 bits.\n" in said


def test_a_sender_that_cannot_be_opened_keeps_no_other_from_being_told(senders):
    senders |= {"ndi:a": Sender(), "ndi:b": Sender()}
    senders.fails["ndi:a"] = Refusal("NDI opens no more connections; restart it.")
    said = told(devices._shared)
    assert "no  ndi:a            NDI opens no more connections; restart it." in said
    assert "ok  ndi:b            64x48" in said


@pytest.mark.parametrize("what", ["receive", "status"])
def test_a_receiver_that_fails_keeps_no_other_from_being_told(senders, what):
    senders |= {"ndi:a": Sender(), "ndi:b": Sender()}
    senders["ndi:a"].fails[what] = RuntimeError("gone")
    said = told(devices._shared)
    assert "?   ndi:a            could not be found out (gone)" in said
    assert "ok  ndi:b            64x48" in said


def test_every_receiver_is_closed_again_whatever_it_says_to_that(senders):
    senders |= {"ndi:a": Sender(), "ndi:b": Sender()}
    senders["ndi:b"].fails["close"] = OSError("gone")
    assert "could not be found out" not in told(devices._shared)
    assert [(s.opened, s.closed) for s in senders.values()] == [(["cpu"], 1)] * 2


def test_so_many_senders_are_opened_and_the_others_named(senders):
    for number in range(devices.MOST + 1):
        senders[f"ndi:{number}"] = Sender()
    said = told(devices._shared)
    assert "ok  ndi:7            64x48" in said
    assert "ok  ndi:8            it is there; no more than 8 are opened" in said
    assert senders["ndi:8"].opened == []


def test_what_others_see_is_told_of_each_transport_that_is_here():
    said = told(devices._shared)
    assert set(devices.SENT_AS) == set(video.SHARED)
    assert "ok  spout:           others see us as First Light; nobody else sends" in said
    assert "ok  ndi:             others see us as MACHINE (First Light); nobody else" in said


def test_that_nobody_sends_is_not_said_where_somebody_does(senders):
    senders["spout:A"] = Sender()
    assert "ok  spout:           others see us as First Light\n" in told(devices._shared)


def test_a_transport_that_is_not_here_is_told_in_its_own_words_with_the_command(senders):
    senders.fails["ndi"] = ImportError("ndi: needs a library; run: pip install 'it'")
    said = told(devices._shared)
    assert "no  ndi:             needs a library. NDI®" in said
    assert "\n                       run: pip install 'it'" in said
    assert "ok  spout:" in said


def test_a_transport_that_fails_keeps_no_other_from_being_told(senders):
    senders.fails["spout"] = RuntimeError("no Direct3D")
    said = told(devices._shared)
    assert "?   spout:           could not be found out (no Direct3D)" in said
    assert "ok  syphon:" in said


def test_transports_are_given_time_to_see_who_sends(senders):
    told(devices._shared)
    assert senders.patience == {devices.TIMEOUT}


@pytest.mark.parametrize("fails", [{}, {"ndi": ImportError("not here.")}])
def test_whose_trademark_ndi_is_is_said_once(senders, fails):
    senders.fails |= fails
    said = " ".join(told(*(section for _, section in devices.SECTIONS[:-1])).split())
    assert said.count("NDI® is a registered trademark of Vizrt NDI AB, https://ndi.video") == 1
    assert ". NDI®" in said
    assert ".. NDI®" not in said


def test_no_transport_waits_for_ndi_which_takes_its_time(monkeypatch):
    asked, faked = threading.Event(), video.discover

    def discover(scheme, timeout):
        if scheme == "syphon":
            asked.set()
        if scheme == "ndi":
            assert asked.wait(LONG)
        return faked(scheme, timeout)

    monkeypatch.setattr(video, "discover", discover)
    assert "ok  ndi:" in told(devices._shared)


def test_how_pictures_come_is_told_once_it_is_known_where_torch_computes(senders, monkeypatch):
    senders |= {"spout:A": Sender(route="on the card"), "ndi:A": Sender()}
    monkeypatch.setattr(tuning, "pick_device", lambda _wish: torch.device("cuda:1"))
    monkeypatch.setattr(devices, "_drawing", lambda: [devices.Row("ok", "Spout's card", "RTX")])
    said = told(devices._computing).partition("computes on cuda here")[2]
    assert "ok  Spout's card     RTX" in said
    assert "ok  spout:A          on the card" in said
    assert senders["spout:A"].opened == ["cuda:1"]
    assert senders["ndi:A"].opened == []  # the card does not come into it


def test_pictures_are_asked_for_on_the_card_itself_and_the_receiver_is_closed(senders):
    senders["syphon:A"] = Sender(route="on the card")
    assert [row.text for row in devices._routes("mps")] == ["on the card"]
    assert (senders["syphon:A"].opened, senders["syphon:A"].closed) == (["mps"], 1)


def test_a_card_that_fails_and_a_sender_that_went_are_told(senders):
    senders |= {"spout:A": Sender(), "spout:B": Sender(route="")}
    senders["spout:A"].fails["receive"] = RuntimeError("CUDA error")
    assert [tuple(row)[:3] for row in devices._routes("cuda:0")] == [
        ("?", "spout:A", "could not be found out (CUDA error)"),
        ("?", "spout:B", "it shows no picture any more"),
    ]


def test_a_transport_that_is_not_here_has_no_route(senders):
    senders.fails |= {"spout": ImportError("not here"), "syphon": Refusal("not now")}
    assert list(devices._routes("cuda:0")) == []


class Context:
    """A fake of Spout's GL context, which is Windows' own."""

    def __init__(self, monkeypatch, there):
        self.there, self.users = there, 0
        gl = SimpleNamespace(told=lambda what: ("no card", "RTX 4090")[self.users and what])
        texture = SimpleNamespace(GL=lambda: gl, GL_RENDERER=1)
        monkeypatch.setitem(sys.modules, "bridge.video._spout", SimpleNamespace(CONTEXT=self))
        monkeypatch.setitem(sys.modules, "bridge.video._texture", texture)

    def enter(self):
        self.users += 1

    def leave(self):
        self.users -= 1


def test_the_card_that_spout_is_on_is_told(monkeypatch):
    context = Context(monkeypatch, True)
    assert list(devices._drawing()) == [devices.Row("ok", "Spout's card", "RTX 4090")]
    assert context.users == 0


def test_the_card_is_asked_for_by_names_that_are_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "SpoutGL", spoutgl)
    monkeypatch.delitem(sys.modules, "bridge.video._spout", raising=False)
    try:
        context = importlib.import_module("bridge.video._spout").CONTEXT
        assert callable(context.enter)
        assert callable(context.leave)
        assert context.there is False
    finally:  # nobody else is to find what was made with the fake
        sys.modules.pop("bridge.video._spout", None)
        vars(video).pop("_spout", None)
    assert callable(_texture.GL.told)
    assert _texture.GL_RENDERER == 0x1F01


def test_a_windows_without_opengl_is_told_with_what_mends_it(monkeypatch):
    context = Context(monkeypatch, False)
    [row] = devices._drawing()
    assert (row.mark, context.users) == ("no", 0)
    assert "update the graphics driver" in row.text


def test_an_opengl_that_cannot_be_asked_is_told(monkeypatch):
    context = Context(monkeypatch, True)
    monkeypatch.delattr(sys.modules["bridge.video._texture"], "GL")
    [row] = devices._drawing()
    assert (row.mark, row.what, context.users) == ("?", "Spout's card", 0)


def test_a_spout_that_is_not_installed_is_not_told_twice(monkeypatch):
    Context(monkeypatch, True)
    monkeypatch.setitem(sys.modules, "bridge.video._spout", None)  # which makes its import fail
    assert list(devices._drawing()) == []


def test_virtual_cameras_are_told_apart_from_senders():
    assert "A virtual camera, such as OBS's, is seen as a camera." in told(devices._sources)


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
