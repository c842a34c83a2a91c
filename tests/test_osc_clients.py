"""Programs that artists really send OSC with, against the OSC thread, where they are installed."""

import contextlib
import itertools
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.hand import PATIENCE, Hand

from bridge.control.ear import Ear
from bridge.control.feedback import Feedback
from bridge.control.osc import encode
from bridge.control.server import OscServer
from bridge.params import Param, Reading, trigger
from bridge.space import AddressSpace

PATCH = Path(__file__).parents[1] / "patches" / "puredata" / "first-light.pd"

pytestmark = pytest.mark.clients

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
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-4, doc="step")
    momentum = Param(0.9, min=0.0, max=1.0, doc="kept direction")
    trust = Param(0.02, min=0.0, max=1.0, doc="longest step")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    loss = Reading(0.25, doc="how far off")

    def __init__(self) -> None:
        self.blanks = 0

    @trigger("start afresh", asks=True)
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
    with contextlib.closing(OscServer(space, port=0)) as server:
        yield server


@pytest.fixture
def feedback(server, space):
    """A feedback that is not started, whose heart beats at each turn, and a frame with it."""
    seconds = itertools.count()
    with contextlib.closing(
        Feedback(space, server.send, clock=lambda: next(seconds), pulse=lambda: space.apply(0.0))
    ) as feedback:
        space.add("/system", feedback)
        yield feedback


@pytest.fixture
def hand(server, feedback, space):
    with contextlib.closing(Hand(server, space)) as hand:
        hand.feedback = feedback
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


def oscsend(server: OscServer | Ear, *arguments: str) -> None:
    command = ["oscsend", "127.0.0.1", str(server.port), *arguments]
    subprocess.run(command, check=True, timeout=PATIENCE)


class Dump:
    """oscdump, and the lines it prints: address, types, values."""

    def __init__(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["oscdump", "-L", str(self.port)], stdout=subprocess.PIPE, bufsize=0
        )  # unbuffered, or select would not see the lines that were read ahead

    def line(self, patience: float = PATIENCE) -> list[str]:
        """The next message in words, without its time; empty when none comes."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], patience)[0]:
            return []
        return self.process.stdout.readline().decode().split()[1:]

    def begin(self, poke: Callable[[], object]) -> list[str]:
        """Its first line: it does not tell when it has begun to listen, so `poke` until it has."""
        for _ in range(100):
            poke()
            if line := self.line(0.1):
                return line
        raise AssertionError("oscdump hears nothing")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def dump():
    with contextlib.closing(Dump()) as dump:
        yield dump


@needs_oscdump
def test_oscdump_understands_what_sync_answers(hand, space, dump):
    expected = space.values().keys()
    told = {dump.begin(lambda: hand.play(encode("/system/sync", dump.port)))[0]}
    while told != expected:
        told.add(dump.line()[0])
    assert told == expected


@needs_liblo
@needs_oscdump
def test_oscdump_on_the_feedback_port_hears_what_oscsend_changes(dump):
    with Ear(port=0, feedback=[f"127.0.0.1:{dump.port}"]) as ear:
        ear.space.add("/learn", Learner())
        ear.complete()
        dump.begin(lambda: None)
        oscsend(ear, "/learn/rate", "f", "0.5")
        told: list[str] = []
        while told != ["/learn/rate", "f", "0.500000"]:
            ear.space.apply(0.0)
            told = dump.line()
            assert told, "nothing is told"


@needs_oscdump
def test_oscdump_hears_that_it_loads_before_torch_is_there(dump):
    code = """if True:
        import sys
        sys.modules["torch"] = None  # from here on importing it fails
        from bridge import cli
        sys.exit(cli.main(sys.argv[1:]))
    """
    place = f"127.0.0.1:{dump.port}"
    command = [sys.executable, "-c", code, "run", "--osc", "0", "--no-page", "--feedback", place]
    dump.begin(lambda: poke(dump.port))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "torch" in done.stderr) == (2, True)
    assert states(dump, until="ended")[0] == "loading"


@needs_oscdump
def test_oscdump_follows_a_show_from_loading_to_its_end(dump):
    place = f"127.0.0.1:{dump.port}"
    words = ["--size", "64x48", "--threads", "1", "--precision", "float32", "--frames", "12"]
    command = [
        sys.executable,
        "-m",
        "bridge",
        *words,
        "--osc",
        "0",
        "--no-page",
        "--feedback",
        place,
    ]
    dump.begin(lambda: poke(dump.port))
    subprocess.run(command, capture_output=True, timeout=60, check=True, cwd=PATCH.parents[2])
    found = states(dump, until="ended")
    assert [state for state, _ in itertools.groupby(found)][-3:] == ["loading", "learning", "ended"]


def poke(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_port:
        any_port.sendto(encode("/poke", 1), ("127.0.0.1", port))


def states(dump: Dump, until: str) -> list[str]:
    """What was told at /stats/state, up to `until`."""
    found: list[str] = []
    while until not in found:
        line = dump.line()
        assert line, f"{until} is never told, but {found}"
        if line[0] == "/stats/state":
            found.append(line[2].strip('"'))
    return found


# Pure Data, with the very patch that is shipped


@pytest.fixture
def driven(hand, server, tmp_path):
    """Open the shipped patch and a second one that plays `messages` to it, and `later` ones;
    `hasty`: its three seconds pass in twenty milliseconds. Returns its console."""

    def drive(*messages: str, later: str = "fl-nothing bang", hasty: bool = False) -> str:
        connect = f"fl-connection connect 127.0.0.1 {server.port}"
        lines = ["fl-connection disconnect", connect, *messages]
        sent = " ".join(f"\\; {line}" for line in lines)
        driver, patch = tmp_path / "driver.pd", PATCH
        driver.write_text(DRIVER.format(sent=sent, later=later))
        if hasty:
            patch = tmp_path / "hasty.pd"
            patch.write_text(PATCH.read_text("utf-8").replace("delay 3000", "delay 20"), "utf-8")
        command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", patch]
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
#X obj 20 180 delay 400;
#X msg 20 210 \; pd quit;
#X obj 200 20 r fl-rate;
#X obj 200 50 print rate;
#X obj 200 80 r fl-steps;
#X obj 200 110 print steps;
#X obj 200 140 r fl-heartbeat;
#X obj 200 170 print heartbeat;
#X obj 200 200 r fl-norm-learn-rate-show;
#X obj 200 230 print slider;
#X obj 200 260 r fl-learn-rule-show;
#X obj 200 290 print rule;
#X obj 200 320 r fl-learn-loss-is;
#X obj 200 350 print loss;
#X obj 20 110 delay 200;
#X msg 20 140 \; {later};
#X obj 300 320 r fl-nothing;
#X connect 1 0 17 0;
#X connect 17 0 18 0;
#X connect 11 0 12 0;
#X connect 13 0 14 0;
#X connect 15 0 16 0;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 1 0 3 0;
#X connect 3 0 4 0;
#X connect 5 0 6 0;
#X connect 7 0 8 0;
#X connect 9 0 10 0;
"""


@needs_pd
def test_the_pure_data_patch_plays_every_knob_it_shows(driven, space, learner):
    controls = {"rate": 0.25, "momentum": 0.5, "trust": 0.125, "steps": 3, "on": 1}
    driven(*[f"fl-{name} {value}" for name, value in controls.items()], "fl-blank bang")
    space.apply(0.0)
    assert {name: getattr(learner, name) for name in controls} == controls
    assert learner.blanks == 1


@needs_pd
def test_the_pure_data_patch_asks_by_itself_for_where_the_knobs_stand(driven):
    assert "rate: set 0.01" in driven()


@needs_pd
def test_the_controls_of_the_pure_data_patch_follow_without_playing(driven, server, feedback):
    feedback.start()
    driven()
    assert server.messages == 2  # the question, and the test's own mark


@needs_pd
def test_a_control_of_the_pure_data_patch_comes_back_from_beyond_the_range(driven, feedback):
    feedback.start()
    assert "steps: set 16" in driven("fl-steps 99")


@needs_pd
def test_the_pure_data_patch_is_not_told_what_it_played(driven, feedback):
    feedback.start()
    assert "rate: set 0.25" not in driven("fl-rate 0.25")


@needs_pd
def test_the_pure_data_patch_shows_the_heartbeat(driven, feedback):
    feedback.start()
    assert "heartbeat: 2" in driven()


@needs_pd
def test_the_slider_of_a_number_that_was_typed_follows_it(driven, feedback):
    feedback.start()
    assert "slider: set 0.75" in driven("fl-rate 0.1")


@needs_pd
def test_the_number_beside_a_slider_follows_it(driven, feedback, learner):
    feedback.start()
    assert "rate: set 0.1" in driven("fl-norm-learn-rate 0.75")
    assert learner.rate == pytest.approx(0.1)


@needs_pd
@pytest.mark.parametrize("sent", ["sgd", "symbol sgd", "0"])
def test_the_pure_data_patch_plays_a_choice_by_name_and_by_index(driven, space, learner, sent):
    learner.rule = "adam"
    driven(f"fl-learn-rule {sent}")
    space.apply(0.0)
    assert learner.rule == "sgd"


@needs_pd
def test_the_pure_data_patch_shows_a_choice_and_a_reading(driven):
    console = driven()
    assert "rule: set sgd" in console
    assert "loss: 0.25" in console


@needs_pd
@pytest.mark.parametrize(
    ("played", "blanks"),
    [
        (["fl-learn-blank-press bang"], 0),
        (["fl-learn-blank-arm 1", "fl-learn-blank-press bang"], 1),
        (["fl-learn-blank-arm 1", "fl-learn-blank-arm 0", "fl-learn-blank-press bang"], 0),
        (["fl-learn-blank-arm 1", *["fl-learn-blank-press bang"] * 2], 1),
    ],
)
def test_what_cannot_be_had_back_is_pressed_only_when_armed(driven, space, learner, played, blanks):
    driven(*played)
    space.apply(0.0)
    assert learner.blanks == blanks


@needs_pd
@pytest.mark.parametrize(("hasty", "blanks"), [(False, 1), (True, 0)])
def test_what_was_armed_is_disarmed_after_a_while(driven, space, learner, hasty, blanks):
    driven("fl-learn-blank-arm 1", later="fl-learn-blank-press bang", hasty=hasty)
    space.apply(0.0)
    assert learner.blanks == blanks


@needs_pd
def test_after_a_silence_the_pure_data_patch_asks_again(driven, server):
    driven(hasty=True)
    assert server.messages > 3  # the question, the test's own mark, and the question again


@needs_pd
def test_the_pure_data_patch_opens_and_plays_without_complaint(driven, feedback):
    feedback.start()
    console = driven("fl-rate 0.25", "fl-sync bang").splitlines()
    assert [line for line in console if line.split(":")[0] not in CONSOLE] == []


CONSOLE = {"rate", "steps", "heartbeat", "slider", "rule", "loss"}
