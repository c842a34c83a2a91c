"""Programs that artists really send OSC with, against the OSC thread, where they are installed."""

import contextlib
import itertools
import select
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from fakes.hand import PATIENCE, Hand

from bridge.control.osc import encode
from bridge.control.server import OscServer
from bridge.params import Param, Reading, trigger
from bridge.space import AddressSpace

PATCH = Path(__file__).parents[1] / "patches" / "puredata" / "first-light.pd"

needs_liblo = pytest.mark.skipif(
    not shutil.which("oscsend"), reason="oscsend is missing (Debian: liblo-tools)"
)
needs_oscdump = pytest.mark.skipif(
    not shutil.which("oscdump"), reason="oscdump is missing (Debian: liblo-tools)"
)
needs_pd = pytest.mark.skipif(
    not shutil.which("pd"), reason="Pure Data is missing (Debian: puredata-core)"
)


class Learner:
    on = Param(False, doc="learn at all")
    rule = Param("sgd", choices=("sgd", "adam"), doc="update rule")
    rate = Param(0.01, min=0.0, max=1.0, doc="step")
    momentum = Param(0.9, min=0.0, max=1.0, doc="kept direction")
    trust = Param(0.02, min=0.0, max=1.0, doc="longest step")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    loss = Reading(0.25, doc="how far off")

    def __init__(self) -> None:
        self.blanks = 0

    @trigger("start afresh")
    def blank(self) -> None:
        self.blanks += 1


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def space(learner) -> AddressSpace:
    space = AddressSpace()
    space.add("/learn", learner)
    return space


@pytest.fixture
def server(space):
    seconds = itertools.count()
    with contextlib.closing(OscServer(space, port=0, clock=lambda: next(seconds))) as server:
        space.add("/system", server.sync)
        yield server


@pytest.fixture
def hand(server, space):
    with contextlib.closing(Hand(server, space)) as hand:
        yield hand


# liblo: oscsend, oscdump


@needs_liblo
@pytest.mark.parametrize(
    ("name", "arguments", "becomes"),
    [
        ("rate", ["f", "0.5"], 0.5),
        ("rate", ["d", "0.25"], 0.25),
        ("rate", ["i", "1"], 1.0),
        ("steps", ["i", "3"], 3),
        ("steps", ["h", "4"], 4),
        ("steps", ["f", "5"], 5),
        ("on", ["T"], True),
        ("on", ["i", "1"], True),
        ("rule", ["s", "adam"], "adam"),
        ("rule", ["S", "adam"], "adam"),
        ("rule", ["i", "1"], "adam"),
    ],
)
def test_oscsend_plays_a_knob(hand, server, space, learner, name, arguments, becomes):
    oscsend(server, f"/learn/{name}", *arguments)
    hand.play()
    space.apply(0.0)
    assert getattr(learner, name) == becomes


@needs_liblo
@pytest.mark.parametrize(("arguments", "presses"), [([], 1), (["I"], 1), (["N"], 1), (["F"], 0)])
def test_oscsend_presses_a_trigger(hand, server, space, learner, arguments, presses):
    oscsend(server, "/learn/blank", *arguments)
    hand.play()
    space.apply(0.0)
    assert learner.blanks == presses


def oscsend(server: OscServer, *arguments: str) -> None:
    command = ["oscsend", "127.0.0.1", str(server.port), *arguments]
    subprocess.run(command, check=True, timeout=PATIENCE)


@needs_oscdump
def test_oscdump_understands_what_sync_answers(hand, space):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    expected = space.values().keys()
    told: set[str] = set()
    with subprocess.Popen(["oscdump", "-L", str(port)], stdout=subprocess.PIPE) as dump:
        for _ in range(100):  # it does not tell when it has begun to listen: ask until it answers
            hand.play(encode("/system/sync", port))
            while told != expected and select.select([dump.stdout], [], [], 0.1)[0]:
                told.add(dump.stdout.readline().split()[1].decode())
            if told == expected:
                break
        dump.kill()
    assert told == expected


# Pure Data, with the very patch that is shipped


@pytest.fixture
def driven(hand, server, tmp_path):
    """Open the shipped patch and a second one that plays `messages` to it; returns its console."""

    def drive(*messages: str) -> str:
        connect = f"fl-connection connect 127.0.0.1 {server.port}"
        lines = ["fl-connection disconnect", connect, *messages]
        sent = " ".join(f"\\; {line}" for line in lines)
        driver = tmp_path / "driver.pd"
        driver.write_text(DRIVER.format(sent=sent))
        command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", PATCH]
        done = subprocess.run(
            [*command, "-open", driver], capture_output=True, text=True, timeout=60, check=True
        )
        hand.play()
        return done.stderr

    return drive


DRIVER = r"""#N canvas 0 0 450 300 12;
#X obj 20 20 loadbang;
#X obj 20 50 delay 50;
#X msg 20 80 {sent};
#X obj 20 180 delay 300;
#X msg 20 210 \; pd quit;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 1 0 3 0;
#X connect 3 0 4 0;
"""


@needs_pd
def test_the_pure_data_patch_plays_every_knob_it_shows(driven, space, learner):
    controls = {"rate": 0.25, "momentum": 0.5, "trust": 0.125, "steps": 3, "on": 1}
    driven(*[f"fl-{name} {value}" for name, value in controls.items()], "fl-blank bang")
    space.apply(0.0)
    assert {name: getattr(learner, name) for name in controls} == controls
    assert learner.blanks == 1


@needs_pd
def test_the_pure_data_patch_prints_what_sync_answers(driven):
    console = driven("fl-sync bang")
    told = {line.split()[3] for line in console.splitlines() if line.startswith("first-light:")}
    assert told == {"on", "rule", "rate", "momentum", "trust", "steps", "loss"}


@needs_pd
def test_the_controls_of_the_pure_data_patch_follow_sync_without_playing(driven, server):
    driven("fl-sync bang")
    assert server.messages == 2  # the question, and the test's own mark


@needs_pd
def test_the_pure_data_patch_opens_and_plays_without_complaint(driven):
    console = driven("fl-rate 0.25", "fl-sync bang")
    assert [line for line in console.splitlines() if not line.startswith("first-light:")] == []
