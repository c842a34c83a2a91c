"""The builder script for TouchDesigner, run in a strict fake of its documented Python."""

import os
import signal
import subprocess
import sys
import tempfile
import types

import pytest
from fakes.touchdesigner import ParMode, TouchDesigner

from bridge import play
from bridge.control.surfaces import Place, touchdesigner
from bridge.params import Param
from bridge.space import AddressSpace

SPACE = play.catalogue()
SCRIPT = touchdesigner.files(SPACE, Place())["first_light.py"]


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


class Process:
    """A process that does what its test says."""

    pid, code, asked, killed = 4711, None, 0, False

    def poll(self):
        return self.code

    def terminate(self):
        self.asked += 1

    def kill(self):
        self.killed, self.code = True, -9

    def wait(self, timeout):
        if self.code is None:
            raise subprocess.TimeoutExpired("firstlight", timeout)


class Launcher:
    """subprocess, but nothing is launched."""

    DEVNULL, STDOUT = subprocess.DEVNULL, subprocess.STDOUT
    TimeoutExpired = subprocess.TimeoutExpired
    CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP = 0x08000000, 0x00000200
    list2cmdline = staticmethod(subprocess.list2cmdline)

    def __init__(self):
        self.launched, self.log, self.fails = [], b"", None

    def Popen(self, command, **options):  # noqa: N802
        if self.fails:
            raise self.fails
        options["stdout"].write(self.log)
        self.launched.append((command, options, Process()))
        return self.launched[-1][2]


class Stage:
    """A TouchDesigner with the component in it, and the hands that play it."""

    def __init__(self, script=SCRIPT, **build):
        self.clock, self.launcher = Clock(), Launcher()
        self.touch = TouchDesigner({"time": self.clock, "subprocess": self.launcher}, **build)
        self.touch.run(script)
        self.comp = self.touch.project.op("first_light")
        self.par = self.comp.par
        self.beat()
        self.sent.clear()

    @property
    def sent(self):
        return self.comp.op("osc_out").sent

    @property
    def process(self):
        return self.launcher.launched[-1][2]

    @property
    def status(self):
        return self.par.Status.eval()

    def hear(self, address, *arguments):
        self.touch.hear(self.comp, address, *arguments)

    def beat(self):
        self.hear("/system/heartbeat", 1)
        self.frame()

    def frame(self, after=0.0):
        """A frame, so many seconds later, and what was sent by its end."""
        self.clock.now += after
        self.touch.frame()
        return self.sent

    def rebuild(self):
        self.touch.run(SCRIPT)
        return self.frame()

    def silent(self):
        """Nothing has been heard for long: Start may start."""
        self.frame(after=10.0)
        return self


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # for logs
    return Stage()


@pytest.fixture
def running(stage):
    stage.silent()
    stage.par.Start.pulse()
    stage.beat()
    stage.sent.clear()
    return stage


def parameter(address):
    return "".join(c for c in address if c.isalnum()).capitalize()


# The table


def test_every_knob_has_its_parameter_with_its_help(stage):
    for knob in SPACE:
        par = getattr(stage.par, parameter(knob.address))
        assert par.help == f"{knob.declared.doc} ({knob.address})".encode().decode("utf-8")


def test_every_group_has_its_page_and_the_component_its_own(stage):
    groups = {knob.address.split("/")[1].title() for knob in SPACE}
    assert {page.name for page in stage.comp.customPages} == groups | {"First Light"}


def test_a_number_has_its_range_and_its_default(stage):
    par = stage.par.Memorysize
    assert (par.style, par.default, par.val) == ("Int", 128, 128)
    assert (par.min, par.max, par.normMin, par.normMax) == (1, 512, 1, 512)
    par.val = 5000
    assert par.eval() == 512


def test_a_fader_begins_where_its_knob_does(stage):
    travel = SPACE["/learn/rate"].declared.to_norm(0.0025)
    assert (stage.par.Learnratefader.default, stage.par.Learnratefader.val) == (travel, travel)


def test_a_choice_has_a_menu_and_a_bool_a_toggle_and_a_trigger_a_pulse(stage):
    assert stage.par.Netname.menuNames == list(SPACE["/net/name"].declared.choices)
    assert stage.par.Learnon.style == "Toggle"
    assert stage.par.Learnblank.style == "Pulse"


def test_what_can_only_be_read_is_read_only(stage):
    readings = [parameter(knob.address) for knob in SPACE if knob.access == "r"]
    assert all(getattr(stage.par, name).readOnly for name in readings)
    assert not stage.par.Learnrate.readOnly


def test_a_fader_has_the_travel_of_the_address_under_norm(stage):
    code = stage.comp.op("code").module
    for knob in SPACE:
        row, declared = code.BY_ADDRESS[knob.address], knob.declared
        bent = isinstance(declared, Param) and declared.taper != "linear"
        assert bool(row["fader"]) == bent
        for norm in (0.0, 1e-9, 0.3, 0.5, 0.999, 1.0) if bent else ():
            value = declared.at(norm)
            assert code.from_norm(row, norm) == pytest.approx(value, rel=1e-12)
            assert code.to_norm(row, value) == pytest.approx(declared.to_norm(value), abs=1e-9)


def test_two_knobs_of_one_name_are_no_script():
    class One:
        on = Param(False, doc="one")

    space = AddressSpace()
    space.add("/a/b", One())
    space.add("/ab", One())
    with pytest.raises(ValueError, match="Abon is no name for one parameter"):
        touchdesigner.files(space, Place())


def test_the_script_is_ascii_whatever_the_docs_say():
    class Foreign:
        on = Param(False, doc="größer ÷ kleiner …'''\"\"\"\\")

    space = AddressSpace()
    space.add("/far", Foreign())
    script = touchdesigner.files(space, Place())["first_light.py"]
    assert script.isascii()
    touch = TouchDesigner()
    touch.run(script)
    assert touch.project.op("first_light").par.Faron.help == f"{Foreign.on.doc} (/far/on)"


def test_a_knob_added_on_one_line_is_a_parameter():
    class Extra:
        sparkle = Param(0.5, min=0.0, max=1.0, doc="added on one line")

    space = AddressSpace()
    space.add("/extra", Extra())
    stage = Stage(touchdesigner.files(space, Place())["first_light.py"])
    stage.par.Extrasparkle.val = 0.75
    assert stage.frame() == [("/extra/sparkle", 0.75)]


# From here to there


def test_a_new_component_sends_nothing_but_its_question():
    touch = TouchDesigner()
    touch.run(SCRIPT)
    for _ in range(3):
        touch.frame()
    assert touch.project.op("first_light").op("osc_out").sent == [("/system/sync", 9138)]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Seegray", 0.5, ("/see/gray", 0.5)),
        ("Seegray", 1, ("/see/gray", 1.0)),
        ("Learnsteps", 7, ("/learn/steps", 7)),
        ("Learnon", False, ("/learn/on", 0)),
        ("Learnrule", "sgd", ("/learn/rule", "sgd")),
        ("Brainname", "red", ("/brain/name", "red")),
        ("Learnrate", 0.1, ("/learn/rate", 0.1)),
        ("Learnratefader", 0.25, ("/norm/learn/rate", 0.25)),
    ],
)
def test_a_move_sends_one_message_of_the_right_type(stage, name, value, message):
    getattr(stage.par, name).val = value
    stage.frame()
    stage.frame()
    assert stage.sent == [message]
    assert type(stage.sent[0][1]) is type(message[1])


def test_first_light_takes_what_every_move_sends(stage):
    values = {k.address: another(k.declared) for k in SPACE if k.access == "rw"}
    for address, value in values.items():
        getattr(stage.par, parameter(address)).val = value
    for address, argument in stage.frame():
        assert SPACE.set(address, [argument])
    SPACE.apply(0.0)
    SPACE.apply(3600.0)  # what glides has arrived
    assert {address: SPACE.values()[address] for address in values} == values


def another(declared):
    """A value that is not the default."""
    if declared.kind == "text":
        return "red"
    return declared.at(1.0) if declared.default != declared.at(1.0) else declared.at(0.0)


def test_fader_and_units_move_each_other(stage):
    stage.par.Learnratefader.val = 0.25
    stage.frame()
    assert stage.par.Learnrate.eval() == SPACE["/learn/rate"].declared.from_norm(0.25)
    stage.par.Learnrate.val = 1.0
    stage.frame()
    assert stage.par.Learnratefader.eval() == 1.0


def test_a_trigger_is_pressed_once(stage):
    stage.par.Systempanic.pulse()
    stage.frame()
    assert stage.sent == [("/system/panic", 1)]


@pytest.mark.parametrize(("button", "sent"), [(0, [("/learn/blank", 1)]), (1, []), (-1, [])])
def test_what_cannot_be_undone_is_asked_first(stage, button, sent):
    stage.touch.answer = button
    stage.par.Learnblank.pulse()
    assert stage.sent == sent
    ((title, question, buttons),) = stage.touch.asked
    assert (title, buttons) == ("First Light", ["Blank", "Cancel"])
    assert "fresh random network" in question


def test_nobody_is_asked_who_does_not_want_to_be(stage):
    stage.par.Ask.val = False
    stage.par.Learnblank.pulse()
    assert stage.sent == [("/learn/blank", 1)]
    assert stage.touch.asked == []


@pytest.mark.parametrize("name", ["Sync", "Systemsync"])
def test_sync_asks_with_the_port_that_is_listened_to(stage, name):
    stage.par.Feedbackport.val = 9555
    getattr(stage.par, name).pulse()
    assert stage.sent == [("/system/sync", 9555)]
    assert stage.comp.op("osc_in").par.port.eval() == 9555


def test_send_all_sends_what_a_preset_holds(stage):
    stage.par.Sendall.pulse()
    assert {address for address, _ in stage.sent} == set(SPACE.preset())


# From there to here


def test_feedback_moves_the_parameter_and_sends_nothing_back(stage):
    for address, value in SPACE.values().items():
        stage.hear(address, int(value) if isinstance(value, bool) else value)
    stage.hear("/learn/rate", 0.10000000149011612)
    stage.hear("/net/name", "ghost")
    stage.hear("/learn/on", 0)
    stage.frame()
    stage.frame()
    assert stage.sent == []
    assert stage.par.Learnrate.eval() == pytest.approx(0.1)
    assert stage.par.Learnratefader.eval() == pytest.approx(5 / 6)
    assert stage.par.Netname.eval() == "ghost"
    assert stage.par.Learnon.eval() is False


def test_what_comes_back_a_hair_off_moves_nothing(stage):
    stage.par.Learnmomentum.val = 0.9999
    stage.frame()
    fader = stage.par.Learnmomentumfader.eval()
    stage.hear("/learn/momentum", 0.9998999834060669)
    assert stage.par.Learnmomentum.eval() == 0.9999
    assert stage.par.Learnmomentumfader.eval() == fader


def test_a_counter_that_is_large_still_counts(stage):
    stage.hear("/stats/frames", 90_000_000)
    stage.hear("/stats/frames", 90_000_001)
    assert stage.par.Statsframes.eval() == 90_000_001


def test_a_move_after_feedback_is_sent(stage):
    stage.hear("/see/gray", 0.5)
    stage.frame()
    stage.par.Seegray.val = 0.25
    assert stage.frame() == [("/see/gray", 0.25)]


def test_the_way_back_to_a_value_of_before_is_sent(stage):
    stage.par.Seegray.val = 0.25
    stage.frame()
    stage.hear("/see/gray", 0.5)
    stage.frame()
    stage.par.Seegray.val = 0.25
    assert stage.frame() == [("/see/gray", 0.25), ("/see/gray", 0.25)]


def test_the_way_back_to_what_was_told_is_sent(stage):
    stage.hear("/see/gray", 0.5)
    stage.frame()
    for value in (0.25, 0.5):
        stage.par.Seegray.val = value
        stage.frame()
    assert stage.sent == [("/see/gray", 0.25), ("/see/gray", 0.5)]


def test_feedback_beyond_the_range_is_clamped_and_not_sent_back(stage):
    stage.hear("/see/gray", 7.0)
    stage.frame()
    assert (stage.par.Seegray.eval(), stage.sent) == (1.0, [])


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/no/such/knob", (1.0,)),
        ("/norm/learn/rate", (0.5,)),
        ("/learn/rate", ()),
        ("/learn/rate", (0.1, 0.2)),
        ("/learn/rate", ("fast",)),
        ("/learn/rate", (float("nan"),)),
        ("/learn/rate", (float("inf"),)),
        ("/learn/rate", (float("-inf"),)),
        ("/learn/rate", (None,)),
        ("/learn/rate", (b"blob",)),
        ("/learn/steps", ("1",)),
        ("/learn/steps", (2**31,)),
        ("/learn/rule", ("newton",)),
        ("/learn/rule", (["adam"],)),
        ("/brain/name", (5,)),
        ("/learn/blank", (1,)),
        ("/system/heartbeat", ()),
    ],
)
def test_what_does_not_fit_is_passed_over(stage, address, arguments):
    before = {par.name: par.eval() for par in stage.comp.customPars}
    stage.hear(address, *arguments)
    stage.frame()
    assert {par.name: par.eval() for par in stage.comp.customPars} == before
    assert stage.sent == []


def test_what_an_expression_drives_is_sent_and_not_torn_off(stage):
    stage.par.Seegray.expr = "0.5"
    assert stage.frame() == [("/see/gray", 0.5)]
    stage.hear("/see/gray", 0.125)
    stage.frame()
    assert stage.par.Seegray.mode == ParMode.EXPRESSION
    assert stage.par.Seegray.eval() == 0.5


# Alive


def test_alive_is_a_heartbeat_within_three_seconds(stage):
    assert stage.par.Alive.eval() is True
    stage.frame(after=2.9)
    assert stage.par.Alive.eval() is True
    stage.frame(after=0.4)
    assert stage.par.Alive.eval() is False
    stage.beat()
    stage.frame(after=0.4)
    assert stage.par.Alive.eval() is True


def test_a_silent_first_light_is_asked_every_two_seconds(stage):
    stage.silent()
    stage.sent.clear()
    for _ in range(12):
        stage.frame(after=0.5)
    assert stage.sent == [("/system/sync", 9138)] * 3


def test_one_that_comes_back_is_asked_for_its_values(stage):
    stage.silent()
    stage.frame(after=0.3)
    stage.sent.clear()
    stage.hear("/system/heartbeat", 1)
    assert stage.frame(after=0.3) == [("/system/sync", 9138)]


# Start and stop


def test_start_launches_the_command_with_its_pictures_ports_and_options(stage):
    stage.silent()
    stage.par.Command.val = "'/Applications/First Light/firstlight'"
    stage.par.Options.val = "--net ghost --brain 'my brain'"
    stage.par.Start.pulse()
    ((command, options, _),) = stage.launcher.launched
    assert command[0] == "/Applications/First Light/firstlight"
    assert command[1:9] == [
        *("--in", "syphon:TouchDesigner", "--out", "syphon:First Light"),
        *("--osc", "9137", "--feedback", "127.0.0.1:9138"),
    ]
    assert command[9:] == ["--net", "ghost", "--brain", "my brain"]
    assert options["start_new_session"]
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(options["env"])
    assert stage.status == "First Light starts: process 4711."


def test_with_ndi_a_source_is_named_after_its_machine(stage):
    code = stage.comp.op("code").module
    code.socket = types.SimpleNamespace(gethostname=lambda: "stage")
    stage.silent().par.Transport.val = "ndi"
    stage.par.Start.pulse()
    command = stage.launcher.launched[0][0]
    assert command[1:5] == ["--in", "ndi:STAGE (TouchDesigner)", "--out", "ndi:First Light"]
    assert stage.comp.op("from_first_light_ndi").par.name.eval() == "STAGE (First Light)"
    assert stage.comp.op("chosen").par.index.eval() == 1
    assert stage.comp.op("to_first_light_ndi").par.active.eval()
    assert not stage.comp.op("to_first_light").par.active.eval()


def test_options_alone_may_say_where_pictures_come_from(stage):
    stage.silent().par.Transport.val = "options"
    stage.par.Options.val = "--in pattern:"
    stage.par.Start.pulse()
    assert "--out" not in stage.launcher.launched[0][0]
    assert stage.launcher.launched[0][0].count("--in") == 1


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (FileNotFoundError(2, "no"), "There is no command firstlight here: write the full path"),
        (PermissionError(13, "no"), "cannot be started"),
    ],
)
def test_a_command_that_cannot_run_says_what_to_do(stage, problem, sentence):
    stage.launcher.fails = problem
    stage.silent().par.Start.pulse()
    assert sentence in stage.status
    stage.frame(after=1.0)
    assert sentence in stage.status


def test_options_with_an_open_quote_say_where_to_look(stage):
    stage.silent().par.Options.val = "--brain 'red"
    stage.par.Start.pulse()
    assert stage.status.endswith("look at Command and Options.")


def test_start_twice_starts_once(running):
    running.par.Start.pulse()
    assert len(running.launcher.launched) == 1
    assert "runs already" in running.status


def test_one_that_was_started_elsewhere_is_not_started_again(stage):
    stage.frame(after=0.3)
    stage.par.Start.pulse()
    assert stage.launcher.launched == []
    assert "answers already" in stage.status


def test_another_computer_s_is_not_started_here(stage):
    stage.silent().par.Host.val = "10.1.2.3"
    stage.par.Start.pulse()
    assert stage.launcher.launched == []
    assert "another computer" in stage.status
    assert stage.comp.op("osc_out").par.address.eval() == "10.1.2.3"


def test_stop_asks_it_to_end_and_waits_for_it(running):
    running.par.Stop.pulse()
    running.par.Stop.pulse()
    assert (running.process.asked, running.process.killed) == (1, False)
    running.frame(after=14.0)
    assert not running.process.killed
    running.process.code = 0
    running.frame(after=0.5)
    assert running.status == "First Light has ended."


def test_what_does_not_end_within_its_grace_is_killed(running):
    running.par.Stop.pulse()
    running.frame(after=15.1)
    assert running.process.killed
    running.frame(after=0.5)
    assert running.status == "First Light did not end in 15 seconds and was killed."


def test_stop_with_nothing_started_says_so(stage):
    stage.par.Stop.pulse()
    assert "nothing to stop" in stage.status


def test_one_that_dies_is_told_of_and_left(running):
    running.process.code = -11
    running.frame(after=0.5)
    assert running.status.startswith("First Light died (code -11): the DAT `log`")
    running.frame(after=60.0)
    assert len(running.launcher.launched) == 1


def test_one_that_dies_starts_again_with_its_autosave_if_that_was_chosen(running):
    running.par.Restart.val = True
    running.process.code = 1
    running.frame(after=0.5)
    running.frame(after=4.9)
    assert len(running.launcher.launched) == 1
    running.frame(after=0.5)
    assert len(running.launcher.launched) == 2
    assert "--resume" in running.launcher.launched[1][0]


@pytest.mark.parametrize("code", [0, 2])
def test_one_that_ended_for_a_reason_is_not_started_again(running, code):
    running.par.Restart.val = True
    running.process.code = code
    running.frame(after=0.5)
    running.frame(after=60.0)
    assert len(running.launcher.launched) == 1


def test_a_stop_while_it_is_to_start_again_is_a_stop(running):
    running.par.Restart.val = True
    running.process.code = 1
    running.frame(after=0.5)
    running.par.Stop.pulse()
    running.frame(after=60.0)
    assert len(running.launcher.launched) == 1


def test_start_works_at_once_after_a_death(running):
    running.process.code = 1
    running.frame(after=0.5)
    running.par.Start.pulse()
    assert len(running.launcher.launched) == 2


def test_a_refusal_is_told_in_its_own_words(stage):
    stage.launcher.log = b"loading\nfirstlight: --net gost: did you mean ghost?\n"
    stage.silent().par.Start.pulse()
    stage.process.code = 2
    stage.frame(after=0.5)
    assert stage.status == ("First Light refused: firstlight: --net gost: did you mean ghost?")


def test_the_log_shows_the_end_of_what_it_says(stage):
    stage.launcher.log = b"x" * 100_000 + b"the end\n"
    stage.silent().par.Start.pulse()
    stage.frame(after=0.5)
    text = stage.comp.op("log").text
    assert text.endswith("the end\n")
    assert len(text) <= 8192


def test_on_windows_it_has_no_window_and_is_asked_through_its_own_console(stage):
    code, called = stage.comp.op("code").module, []
    code.os = types.SimpleNamespace(name="nt", environ={}, getpid=os.getpid, path=os.path)
    calls = ("AttachConsole", "GenerateConsoleCtrlEvent", "FreeConsole")
    kernel = {name: lambda *given, n=name: called.append((n, *given)) or 1 for name in calls}
    windll = types.SimpleNamespace(kernel32=types.SimpleNamespace(**kernel))
    code.ctypes = types.SimpleNamespace(windll=windll)
    stage.silent().par.Command.val = "C:\\tools\\firstlight.exe"
    stage.par.Start.pulse()
    ((command, options, process),) = stage.launcher.launched
    assert command.startswith('C:\\tools\\firstlight.exe --in spout:TouchDesigner --out "spout:')
    assert options["creationflags"] == 0x08000200
    stage.par.Stop.pulse()
    assert called == [
        ("AttachConsole", 4711), ("GenerateConsoleCtrlEvent", 1, 4711), ("FreeConsole",)
    ]  # fmt: skip
    assert process.asked == 0


def test_at_exit_it_is_stopped_if_that_was_chosen(running):
    leave = running.comp.op("every_frame").module.onExit
    running.par.Stopatexit.val = False
    leave()
    assert running.process.asked == 0
    running.par.Stopatexit.val = True
    leave()
    assert (running.process.asked, running.process.killed) == (1, True)


@pytest.mark.skipif(os.name == "nt", reason="Windows ends it through its console")
def test_a_real_process_starts_speaks_and_ends(stage):
    stage.comp.op("code").module.subprocess = subprocess
    child = f"{sys.executable} -c 'import signal; print(1, flush=True); signal.pause()'"
    stage.silent().par.Command.val = child
    stage.par.Start.pulse()
    code = stage.comp.op("code").module
    process = code.kept(stage.comp)["process"]
    stage.par.Stop.pulse()
    assert process.wait(10) == -signal.SIGTERM
    stage.frame(after=0.5)
    assert stage.status == "First Light has ended."


def test_a_real_command_that_is_not_there_says_so(stage):
    stage.comp.op("code").module.subprocess = subprocess
    stage.silent().par.Command.val = "no-such-firstlight"
    stage.par.Start.pulse()
    assert stage.status.startswith("There is no command no-such-firstlight here")


# Built again


def test_built_again_there_is_one_with_its_values_its_place_and_its_wires(stage):
    stage.par.Learnrate.val, stage.par.Netname.val, stage.par.Options.val = (
        0.5,
        "ghost",
        "--lines 9",
    )
    stage.par.Seegray.expr = "0.25 + 0.5"
    stage.comp.nodeX = 700
    stage.comp.appendCustomPage("Mine").appendFloat("Mine")[0].val = 0.125
    before = list(stage.comp.children)
    stage.frame()
    stage.sent.clear()
    assert stage.rebuild() == []
    assert stage.touch.project.children == [stage.comp]
    assert stage.comp.children == before
    assert stage.comp.nodeX == 700
    values = [stage.par.all[n].eval() for n in ("Learnrate", "Netname", "Options", "Mine")]
    assert values == [0.5, "ghost", "--lines 9", 0.125]
    assert stage.par.Seegray.expr == "0.25 + 0.5"
    assert stage.par.Seegray.mode == ParMode.EXPRESSION


def test_built_again_elsewhere_is_where_it_was_moved_to(stage):
    room = stage.touch.project.create("baseCOMP", "room")
    stage.touch.project.children.remove(stage.comp)
    room.children.append(stage.comp)
    stage.comp._parent, stage.comp.name = room, "eye"
    stage.rebuild()
    assert stage.touch.project.children == [room]
    assert room.children == [stage.comp]


def test_built_again_a_choice_that_is_gone_falls_back(stage):
    stage.par.Netname.val = "ghost"
    stage.touch.run(SCRIPT.replace("'ghost'", "'spirit'"))
    assert stage.par.Netname.eval() == "paint"


def test_built_again_a_group_that_is_gone_takes_its_page_along(stage):
    class Extra:
        sparkle = Param(0.5, min=0.0, max=1.0, doc="…")

    space = AddressSpace()
    space.add("/extra", Extra())
    stage.touch.run(touchdesigner.files(space, Place())["first_light.py"])
    assert [page.name for page in stage.comp.customPages] == ["First Light", "Extra"]


def test_built_again_the_process_runs_on_and_can_be_stopped(running):
    process = running.process
    running.rebuild()
    assert (process.asked, process.killed) == (0, False)
    running.par.Start.pulse()
    assert len(running.launcher.launched) == 1
    running.par.Stop.pulse()
    assert process.asked == 1


def test_built_again_by_an_update_that_remembers_more_the_process_is_known(running):
    del running.comp.op("code").module.kept(running.comp)["again_at"]
    running.rebuild()
    running.par.Stop.pulse()
    assert running.process.asked == 1


# Builds that differ


def test_a_build_with_another_name_for_the_address_is_served():
    stage = Stage(oscoutDAT=("active", "port", "netaddress"))
    assert stage.comp.op("osc_out").par.netaddress.eval() == "127.0.0.1"


def test_a_build_without_a_parameter_is_told_of_and_served():
    stage = Stage(syphonspoutinTOP=())
    assert any("has no parameter sendername" in line for line in stage.touch.printed)
    assert stage.comp.op("out1").inputConnectors[0].source is stage.comp.op("chosen")


# Pictures


def test_what_comes_in_is_sent_and_what_is_received_goes_out(stage):
    comp = stage.comp
    assert comp.op("to_first_light").inputConnectors[0].source is comp.op("in1")
    assert comp.op("to_first_light_ndi").inputConnectors[0].source is comp.op("in1")
    sources = [connector.source for connector in comp.op("chosen").inputConnectors[:2]]
    assert sources == [comp.op("from_first_light"), comp.op("from_first_light_ndi")]
    assert comp.op("out1").inputConnectors[0].source is comp.op("chosen")


@pytest.mark.parametrize(
    ("transport", "local", "ndi"),
    [("spoutsyphon", True, False), ("ndi", False, True), ("options", False, False)],
)
def test_only_the_chosen_transport_sends(stage, transport, local, ndi):
    stage.par.Transport.val = transport
    assert stage.comp.op("to_first_light").par.active.eval() == local
    assert stage.comp.op("to_first_light_ndi").par.active.eval() == ndi


def test_senders_have_the_names_that_the_parameters_say(stage):
    stage.par.Sendername.val, stage.par.Receivername.val = "eye", "hand"
    assert stage.comp.op("to_first_light").par.sendername.eval() == "eye"
    assert stage.comp.op("to_first_light_ndi").par.name.eval() == "eye"
    assert stage.comp.op("from_first_light").par.sendername.eval() == "hand"


def test_what_is_received_is_bounded(stage):
    assert stage.comp.op("osc_in").par.clamp.eval() is True
    assert stage.comp.op("osc_in").par.maxlines.eval() == 50


# The folder


def test_the_readme_says_that_nobody_has_run_it():
    assert "Nobody has run it in TouchDesigner yet" in str(
        touchdesigner.files(SPACE, Place())["README.md"]
    )
