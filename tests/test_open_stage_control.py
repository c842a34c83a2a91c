"""The Open Stage Control session, against the properties that its version 1.29 declares."""

import json
import struct
from itertools import pairwise

import pytest

from bridge import play, tables, trees
from bridge.control.surfaces import Place, open_stage_control
from bridge.params import Param, trigger

COMMON = """type id visible interaction comments left top width height expand colorText colorWidget
    colorStroke colorFill alphaStroke alphaFillOff alphaFillOn lineWidth borderRadius padding html
    css value default linkId address preArgs typeTags decimals target ignoreDefaults bypass onCreate
    onValue"""
PANEL = """variables traversing colorBg layout justify gridTemplate contain scroll innerPadding
    tabsPosition widgets tabs onTouch"""
KNOWN = {
    "fader": """design knobSize colorKnob horizontal pips dashed gradient snap touchZone spring
        doubleTap range logScale sensitivity steps origin onTouch""",
    "button": "colorTextOn label vertical wrap on off mode doubleTap decoupled",
    "switch": "colorTextOn layout gridTemplate wrap values mode",
    "input": "align unit noCanvas asYouType numeric validation maxLength",
    "text": "vertical wrap align",
    "panel": PANEL,
    "tab": f"{PANEL} label",
    "root": f"{PANEL} hideMenu onPreload",
    "modal": f"""{PANEL} label doubleTap popupWidth popupHeight popupLeft popupTop relative
        ignoreTabs popupLabel popupPadding""",
}


class Extra:
    sparkle = Param(0.5, min=0.0, max=1.0, doc="a fader")

    @trigger("something that cannot be had back", asks=True)
    def explode(self):
        pass


@pytest.fixture(scope="module")
def space():
    space = play.catalogue()
    space.add("/extra", Extra())
    return space


@pytest.fixture(scope="module")
def session(space):
    made = open_stage_control.files(space, Place(feedback=5138))["first-light.json"]
    return json.loads(made)


@pytest.fixture(scope="module")
def widgets(session):
    return {widget["id"]: widget for widget in walk(session["content"])}


def inside(widget):
    return [*widget.get("widgets", []), *widget.get("tabs", [])]


def walk(widget):
    yield widget
    for child in inside(widget):
        yield from walk(child)


def number(share):
    return float(share.removesuffix("%"))


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def test_it_says_what_it_is(session):
    assert session["type"] == "session"
    assert session["content"]["type"] == "root"


def test_every_widget_and_property_is_one_that_the_program_has(widgets):
    for widget in widgets.values():
        known = {*COMMON.split(), *KNOWN[widget["type"]].split()}
        assert not set(widget) - known, widget["id"]


def test_every_id_is_of_one_widget(session, widgets):
    assert len(list(walk(session["content"]))) == len(widgets)


def test_there_is_a_tab_for_each_group_in_their_order(space, widgets):
    tabs = [tab["id"] for tab in widgets["pages"]["tabs"]]
    assert tabs == [name for name, _ in tables.pages(space)]


def test_every_knob_can_be_played_in_the_tab_of_its_group(space, widgets):
    for knob in space:
        if knob.access != "r":
            own = {widget["id"] for widget in walk(widgets[tables.group(knob)])}
            played = f"/text{knob.address}" if knob.kind == "text" else knob.address
            assert played in own


def test_every_value_can_be_read_in_words(space, widgets):
    for knob in space:
        if trees.has("text", knob):
            widget = widgets[trees.address("text", knob)]
            assert widget["type"] in ("text", "input")
            assert widget["address"] == trees.address("text", knob)


def test_every_address_is_one_that_first_light_knows(space, widgets):
    for widget in widgets.values():
        if "address" in widget:
            tree, plain = trees.split(widget["address"])
            assert trees.has(tree, space[plain])


def test_only_what_plays_a_knob_sends(space, widgets):
    for widget in widgets.values():
        if not widget.get("bypass"):
            tree, plain = trees.split(widget["address"])
            assert tree != "text"
            assert space[plain].access != "r"


def test_only_a_field_of_a_knob_sends_by_its_script(space, widgets):
    for key, widget in widgets.items():
        if "send(" in widget.get("onValue", "") and key not in ("header sync", "/system/sync"):
            knob = space[trees.split(widget["address"])[1]]
            assert widget["type"] == "input"
            assert knob.access == "rw"
            assert f'send("{knob.address}", ' in widget["onValue"]


def test_a_fader_sends_its_travel_with_all_its_decimals(space, widgets):
    faders = [knob for knob in space if knob.access == "rw" and knob.kind in ("float", "int")]
    for knob in faders:
        fader = widgets[knob.address]
        assert fader["type"] == "fader"
        assert fader["address"] == trees.address("norm", knob)
        assert fader["typeTags"] == "f"
        assert fader["decimals"] == 8


def test_two_taps_on_a_fader_give_the_default(space, widgets):
    for knob in space:
        if widgets.get(knob.address, {}).get("type") == "fader":
            fader = widgets[knob.address]
            assert fader["doubleTap"] is True
            at = knob.declared.at(float32(fader["default"]))
            assert at == pytest.approx(knob.declared.default, rel=1e-5)


def test_a_fader_of_whole_numbers_snaps_to_where_they_stand(widgets):
    assert widgets["/learn/steps"]["steps"] == 17
    assert "steps" not in widgets["/learn/rate"]


def test_a_choice_sends_a_name_and_lights_the_name_it_hears(space, widgets):
    for knob in space:
        if knob.kind == "choice":
            switch = widgets[knob.address]
            assert switch["values"] == list(knob.choices)
            assert (switch["address"], switch["typeTags"]) == (knob.address, "s")


def test_a_bool_is_a_button_that_stays(space, widgets):
    for knob in space:
        if knob.kind == "bool":
            button = widgets[knob.address]
            assert (button["mode"], button["on"], button["off"]) == ("toggle", 1, 0)


def test_a_trigger_is_pressed_without_an_argument_and_without_a_release(space, widgets):
    for knob in space:
        if knob.access == "w":
            assert widgets[knob.address]["mode"] == "momentary"
            if knob.address != "/system/sync":
                assert widgets[knob.address]["address"] == knob.address


def test_what_cannot_be_had_back_is_in_a_window_that_a_first_touch_opens(space, widgets):
    asking = {knob.address for knob in space if knob.access == "w" and knob.declared.asks}
    assert {"/learn/blank", "/memory/forget", "/extra/explode"} <= asking
    for address in asking:
        (window,) = (w for w in widgets.values() if widgets[address] in w.get("widgets", []))
        assert window["type"] == "modal"
        assert window["bypass"]
        assert widgets[address]["onValue"] == f'set("{window["id"]}", 0)'


def test_what_is_heard_for_a_field_of_a_number_keeps_its_decimals(widgets):
    assert all(w["decimals"] == 8 for w in widgets.values() if w["type"] == "input")


def test_it_asks_for_all_three_trees_at_the_port_it_listens_on(widgets):
    asks = 'send("/system/sync", {"type": "i", "value": 5138}, "plain", "norm", "text")'
    assert asks in widgets["root"]["onCreate"]
    for key in ("header sync", "/system/sync"):
        assert widgets[key]["onValue"] == asks
        assert widgets[key]["bypass"]


def test_it_asks_again_when_nothing_beats(widgets):
    assert widgets["header /text/system/heartbeat"]["onValue"] == "globals.heard = Date.now()"
    assert "globals.heard" in widgets["root"]["onCreate"]
    assert "header /text/stats/state" in widgets["root"]["onCreate"]


def test_nothing_lies_over_another(widgets):
    for holder in widgets.values():
        placed = [child for child in inside(holder) if "left" in child]
        frames = [[number(w[side]) for side in ("left", "top", "width", "height")] for w in placed]
        for index, (left, top, width, height) in enumerate(frames):
            assert left >= 0
            assert top >= 0
            assert left + width <= 100.01
            assert top + height <= 100.01
            for x, y, w, h in frames[:index]:
                apart = (
                    left + width <= x + 0.01
                    or x + w <= left + 0.01
                    or top + height <= y + 0.01
                    or y + h <= top + 0.01
                )
                assert apart, (holder["id"], placed[index]["id"])


def test_played_knobs_come_before_what_is_only_told(space):
    for _, knobs in tables.pages(space):
        told = [knob.access == "r" for knob in knobs]
        assert all(a <= b for a, b in pairwise(told))
