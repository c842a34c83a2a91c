"""The address space as OSCQuery's JSON: what a client finds, and what it is answered."""

import json
import math

import pytest

from bridge.control.oscquery import answer, host_info, node
from bridge.params import Param, Reading, trigger
from bridge.space import AddressSpace

INFO = host_info("First Light", 9137, 9180)


class Learner:
    rate = Param(0.01, min=0.0, max=1.0, taper="log", floor=1e-4, unit="ms", doc="step")
    steps = Param(1, min=0, max=16, doc="steps a frame")
    on = Param(True, doc="learn at all")
    rule = Param("adam", choices=("sgd", "adam"), doc="update rule")
    name = Param("", suggests=lambda owner: owner.known, doc="a name")
    source = Param("a", suggests=lambda owner: owner.seen, only=True, doc="one that is there")
    detail = Param(0.5, min=0.0, max=1.0, active=lambda owner: owner.on, doc="where")
    loss = Reading(0.25, unit="dB", doc="how far off")
    known = ("mine",)
    seen = ("a", "b")

    @trigger("start afresh", critical=True, asks=True)
    def blank(self) -> None: ...

    @trigger("keep")
    def save(self) -> None: ...


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def space(learner) -> AddressSpace:
    space = AddressSpace()
    space.add("/learn", learner)
    return space


def test_the_root_holds_units_faders_and_words(space):
    root = node(space, "/")
    assert list(root["CONTENTS"]) == ["learn", "norm", "text"]
    assert list(root["CONTENTS"]["norm"]["CONTENTS"]["learn"]["CONTENTS"]) == [
        "rate", "steps", "on", "rule", "detail", "blank", "save",
    ]  # fmt: skip
    assert "blank" not in root["CONTENTS"]["text"]["CONTENTS"]["learn"]["CONTENTS"]


def test_every_node_says_where_it_is(space):
    def walk(path, one):
        assert one["FULL_PATH"] == path or (path, one["FULL_PATH"]) == ("", "/")
        for name, inside in one.get("CONTENTS", {}).items():
            walk(f"{path}/{name}", inside)

    walk("", node(space, "/"))


def test_a_float_says_its_range_unit_default_and_how_it_travels(space):
    assert node(space, "/learn/rate") == {
        "FULL_PATH": "/learn/rate",
        "DESCRIPTION": "step",
        "TYPE": "f",
        "ACCESS": 3,
        "VALUE": [0.01],
        "DEFAULT_VALUE": [0.01],
        "UNIT": ["time.ms"],
        "RANGE": [{"MIN": 0.0, "MAX": 1.0}],
        "CLIPMODE": ["both"],
        "TAGS": ["log"],
    }


def test_a_fader_is_nought_to_one(space):
    fader = node(space, "/norm/learn/rate")
    assert (fader["RANGE"], fader["TYPE"]) == ([{"MIN": 0.0, "MAX": 1.0}], "f")
    assert fader["VALUE"] == [pytest.approx(0.5)]


def test_words_can_only_be_read(space):
    words = node(space, "/text/learn/rate")
    assert (words["TYPE"], words["ACCESS"], words["VALUE"]) == ("s", 1, ["0.01 ms"])


@pytest.mark.parametrize(("on", "tag"), [(True, "T"), (False, "F")])
def test_a_bools_type_is_its_value(space, learner, on, tag):
    learner.on = on
    found = node(space, "/learn/on")
    assert (found["TYPE"], found["VALUE"]) == (tag, [on])


def test_a_text_that_can_only_be_what_it_suggests_is_a_menu(space):
    found = node(space, "/learn/source")
    assert found["TAGS"] == ["menu"]
    assert found["RANGE"] == [{"VALS": ["a", "b"]}]
    assert "menu" not in node(space, "/learn/name").get("TAGS", [])


def test_a_choice_names_its_values(space):
    assert node(space, "/learn/rule")["RANGE"] == [{"VALS": ["sgd", "adam"]}]


def test_a_text_names_what_is_there_now(space, learner):
    learner.known = ("mine", "yours")
    assert node(space, "/learn/name")["RANGE"] == [{"VALS": ["mine", "yours"]}]


def test_an_int_and_a_reading_have_their_kinds(space):
    assert node(space, "/learn/steps")["TYPE"] == "i"
    loss = node(space, "/learn/loss")
    assert (loss["TYPE"], loss["ACCESS"], loss["UNIT"]) == ("f", 1, ["dB"])


def test_a_press_can_only_be_written_and_has_nothing_for_a_value(space):
    blank = node(space, "/learn/blank")
    assert (blank["TYPE"], blank["ACCESS"], blank["VALUE"]) == ("I", 2, [None])


def test_what_must_arrive_is_critical_and_what_loses_is_asked_for(space):
    assert node(space, "/learn/blank")["CRITICAL"] is True
    assert node(space, "/learn/blank")["TAGS"] == ["asks"]
    assert "CRITICAL" not in node(space, "/learn/save")


def test_a_knob_that_moves_nothing_now_says_so(space, learner):
    learner.on = False
    assert node(space, "/learn/detail")["TAGS"] == ["inactive"]


def test_arrays_are_as_long_as_the_type(space):
    def walk(one):
        for name in ("VALUE", "RANGE", "UNIT", "CLIPMODE", "DEFAULT_VALUE"):
            assert len(one.get(name, one.get("TYPE", ""))) == len(one.get("TYPE", ""))
        for inside in one.get("CONTENTS", {}).values():
            walk(inside)

    walk(node(space, "/"))


def test_a_number_that_is_none_is_null(space, learner):
    learner.loss = math.nan
    assert json.loads(json.dumps(node(space, "/"), allow_nan=False))
    assert node(space, "/learn/loss")["VALUE"] == [None]


# Requests


@pytest.mark.parametrize(
    ("target", "status", "found"),
    [
        ("/learn/steps?VALUE", 200, {"VALUE": [1]}),
        ("/learn/steps?VALUE=", 200, {"VALUE": [1]}),
        ("/learn/steps?VALUE&token=x", 200, {"VALUE": [1]}),
        ("/norm/learn/on?VALUE", 200, {"VALUE": [1.0]}),
        ("/learn/steps?UNIT", 200, {}),
        ("/learn/blank?VALUE", 204, None),
        ("/learn?VALUE", 204, None),
        ("/learn/steps?NONSENSE", 400, None),
        ("/learn/none", 404, None),
        ("/none/at/all?VALUE", 404, None),
        ("/learn/steps/deeper", 404, None),
        ("/norm/learn/loss", 404, None),
        ("/text/learn/save", 404, None),
        ("/?HOST_INFO", 200, INFO),
        ("/learn/none?HOST_INFO", 200, INFO),
    ],
)
def test_a_request_is_answered(space, target, status, found):
    assert answer(space, target, INFO) == (status, found)


@pytest.mark.parametrize("target", ["/", "/learn", "/learn/", "/learn/rate", "//", "/%6cearn/rate"])
def test_a_path_is_found_however_it_is_written(space, target):
    assert answer(space, target, INFO)[0] == 200


@pytest.mark.parametrize(
    "target", ["/../..", "/%2e%2e/%2e%2e/etc/passwd", "/page.html", "\\", "/%00"]
)
def test_no_path_leads_to_a_file(space, target):
    assert answer(space, target, INFO)[0] == 404


def test_the_host_tells_where_osc_goes_and_what_it_speaks():
    assert (INFO["OSC_PORT"], INFO["WS_PORT"], INFO["OSC_TRANSPORT"]) == (9137, 9180, "UDP")
    assert INFO["EXTENSIONS"]["LISTEN"] is True
    assert INFO["EXTENSIONS"]["PATH_RENAMED"] is False
