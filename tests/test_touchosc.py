"""The TouchOSC layout, read back by py2tosc, which knows the format from files of the editor."""

import re

import py2tosc
import pytest

from bridge import play, tables, trees
from bridge.control.surfaces import Place, touchosc
from bridge.params import Param, trigger

FEEDBACK = 9138


class Extra:
    sparkle = Param(0.5, min=0.0, max=1.0, doc="a fader")
    shape = Param("b", choices=("a", "b", "c", "d"), doc="a choice")
    only = Param("one", choices=("one",), doc="a choice without an alternative")

    @trigger("something that cannot be had back", asks=True)
    def explode(self):
        pass


@pytest.fixture(scope="module")
def space():
    space = play.catalogue()
    space.add("/extra", Extra())
    return space


@pytest.fixture(scope="module")
def layout(space):
    return py2tosc.loads(touchosc.layout(space, Place(feedback=FEEDBACK)))


@pytest.fixture(scope="module")
def controls(layout):
    return {control.get("name"): control for control in layout.root.walk()}


def address(message):
    return "".join(part.value for part in message.path)


def sends(control):
    return [message for message in control.messages if message.send]


def hears(control):
    return [message for message in control.messages if message.receive]


def knob_of(space, message):
    return space[trees.split(address(message))[1]]


def walk(control, holders=()):
    """Each control with those that hold it, the outermost first."""
    yield control, holders
    for child in control.children:
        yield from walk(child, (*holders, control))


def on_screen(controls, control):
    """Where it is on the whole screen, in pixels: left, top, right, bottom."""
    x = sum(holder.frame.x for holder in holders_of(controls, control)) + control.frame.x
    y = sum(holder.frame.y for holder in holders_of(controls, control)) + control.frame.y
    return x, y, x + control.frame.w, y + control.frame.h


def holders_of(controls, control):
    return next(holders for one, holders in walk(controls["First Light"]) if one is control)


def page_of(controls, control):
    """The group whose page it is on; nothing for what is above them all."""
    names = [holder.get("name") for holder in holders_of(controls, control)]
    return names[2] if "pages" in names else ""


def test_nothing_in_it_is_strange_to_the_format(layout):
    assert layout.validate() == []


def test_there_is_a_page_for_each_group_in_their_order(space, controls):
    pages = [page.get("name") for page in controls["pages"].children]
    assert pages == [name for name, _ in tables.pages(space)]


def test_every_knob_can_be_played_on_the_page_of_its_group(space, controls):
    for knob in space:
        if trees.has("norm", knob):
            played = [address(message) for message in sends(controls[knob.address])]
            assert trees.split(played[0])[1] == knob.address
            assert page_of(controls, controls[knob.address]) == tables.group(knob)


def test_every_value_can_be_read_in_words(space, controls):
    for knob in space:
        if trees.has("text", knob):
            (message,) = controls[trees.address("text", knob)].messages
            assert address(message) == trees.address("text", knob)
            assert message.receive
            assert [(part.type, part.value) for part in message.arguments] == [("VALUE", "text")]


def test_every_address_is_one_that_first_light_knows(space, controls):
    for control in controls.values():
        for message in control.messages:
            tree, _ = trees.split(address(message))
            assert trees.has(tree, knob_of(space, message))


def test_what_is_only_told_is_not_sent(space, controls):
    for control in controls.values():
        for message in sends(control):
            assert knob_of(space, message).access != "r"
            assert trees.split(address(message))[0] != "text"


def test_what_is_heard_is_not_sent_back(controls):
    assert not any(m.feedback for control in controls.values() for m in control.messages)


def test_a_fader_sends_its_travel_and_follows_it(controls):
    fader = controls["/learn/rate"]
    (message,) = fader.messages
    (travel,) = message.arguments
    assert fader.control_type.value == "FADER"
    assert address(message) == "/norm/learn/rate"
    assert (message.send, message.receive) == (True, True)
    assert (travel.value, travel.scale_min, travel.scale_max) == ("x", 0, 1)


def test_until_it_is_told_a_control_stands_at_the_default(space, controls):
    assert float(controls["/learn/rate"].value("x").default) == pytest.approx(
        space["/learn/rate"].declared.to_norm(2.5e-3)
    )
    assert float(controls["/learn/on"].value("x").default) == 1
    assert float(controls["/learn/rule"].value("x").default) == 4


def test_each_step_of_a_radio_sends_the_choice_whose_name_is_on_it(space, controls):
    for knob in space:
        if knob.kind == "choice":
            (message,) = sends(controls[knob.address])
            (part,) = message.arguments
            told = [
                knob.declared.at(part.scale_min + x * (part.scale_max - part.scale_min))
                for x in range(controls[knob.address].get("steps"))
            ]
            names = [controls[f"{knob.address} {name}"] for name in knob.choices]
            assert tuple(told) == knob.choices
            assert [name.values[0].default for name in names] == list(knob.choices)
            assert [on_screen(controls, n) for n in names] == sorted(
                on_screen(controls, n) for n in names
            )


@pytest.mark.parametrize("whole", [int, round], ids=["cut", "rounded"])
def test_what_is_heard_lights_the_right_step_whether_it_is_cut_or_rounded(space, controls, whole):
    for knob in space:
        if knob.kind == "choice":
            (message,) = hears(controls[knob.address])
            (part,) = message.arguments
            travels = [knob.declared.travel(name) for name in knob.choices]
            span = part.scale_max - part.scale_min
            lit = [whole((travel - part.scale_min) / span) for travel in travels]
            assert lit == list(range(len(knob.choices)))


def test_a_trigger_is_pressed_once_by_a_touch_without_an_argument(space, controls):
    for knob in space:
        if knob.access == "w" and knob.address != "/system/sync":
            (message,) = controls[knob.address].messages
            assert [(t.var, t.condition) for t in message.triggers] == [("x", "RISE")]
            assert message.arguments == []
            assert not message.receive


def test_what_cannot_be_had_back_is_hidden_until_a_first_touch_elsewhere(space, controls):
    asking = [knob for knob in space if knob.access == "w" and knob.declared.asks]
    assert {"/learn/blank", "/memory/forget", "/extra/explode"} <= {k.address for k in asking}
    for knob in asking:
        asks, press = controls[f"{knob.address} ?"], controls[knob.address]
        assert (press.get("visible"), press.get("interactive")) == (False, False)
        assert asks.messages == []
        assert on_screen(controls, asks)[2] < on_screen(controls, press)[0]


def test_the_first_touch_shows_the_button_and_the_word_on_it(controls):
    asks = controls["/learn/blank ?"]
    siblings = holders_of(controls, asks)[-1].children
    shown = {int(number) for number in re.findall(r"children\[(\d)\]", asks.get("script"))}
    names = [siblings[number - 1].get("name") for number in sorted(shown)]
    assert names == ["/learn/blank", "/learn/blank word"]


def test_above_every_page_stand_state_and_health(controls):
    for told in ("/stats/state", "/stats/fps", "/stats/psnr", "/stats/latency"):
        label = controls[f"header /text{told}"]
        assert page_of(controls, label) == ""
        assert address(label.messages[0]) == f"/text{told}"
    assert address(controls["header /text/system/heartbeat"].messages[0]).endswith("heartbeat")


@pytest.mark.parametrize("name", ["header /system/sync", "/system/sync"])
def test_sync_asks_for_travel_and_words_at_the_port_that_the_tablet_listens_on(name, controls):
    (message,) = controls[name].messages
    assert [(t.var, t.condition) for t in message.triggers] == [("x", "RISE")]
    asked = [(str(part.conversion), part.value) for part in message.arguments]
    assert address(message) == "/system/sync"
    assert asked == [("INTEGER", str(FEEDBACK)), ("STRING", "norm"), ("STRING", "text")]


def test_nothing_to_touch_lies_over_another_or_off_the_screen(controls):
    touched = [
        control
        for control in controls.values()
        if control.control_type.value in ("BUTTON", "FADER", "RADIO")
    ]
    for index, one in enumerate(touched):
        left, top, right, bottom = on_screen(controls, one)
        assert 0 <= left < right <= 1024
        assert 0 <= top < bottom <= 768
        assert bottom - top >= 24
        for other in touched[:index]:
            if page_of(controls, one) == page_of(controls, other):
                x, y, far, low = on_screen(controls, other)
                apart = right <= x or far <= left or bottom <= y or low <= top
                assert apart, (one.get("name"), other.get("name"))
