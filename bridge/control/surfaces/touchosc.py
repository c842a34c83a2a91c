"""A layout for TouchOSC on a tablet: a page for each group of knobs, readable in the dark.

Faders move along `/norm`, values are told in words from `/text`, and the line above the pages tells
how First Light is. A `.tosc` file is zlib over XML; its controls bear the addresses of what they
play. Where First Light runs is set in the app and cannot be written into the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from bridge import tables, trees
from bridge.control import tosc
from bridge.control.surfaces import Place
from bridge.control.tosc import Colour, Frame, Property
from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace

WIDTH, HEIGHT = 1024, 768
HEADER, TABS, EDGE, GAP = 72, 48, 12, 12
ROOM = HEIGHT - HEADER - TABS  # of a page below its tab
LEAST, MOST = 58, 92  # height of a knob's cell: a thumb needs as much, and more looks lost
CAPTION = 22  # height of a cell's line of words
TOLD = ("/stats/state", "/stats/fps", "/stats/psnr", "/stats/latency", "/system/heartbeat")
SYNC = "/system/sync"

BLACK: Colour = (0.025, 0.025, 0.035, 1)
CLEAR: Colour = (0, 0, 0, 0)
PALE: Colour = (0.62, 0.64, 0.7, 1)
WHITE: Colour = (0.93, 0.94, 0.97, 1)
RED: Colour = (0.8, 0.16, 0.14, 1)
HUES: tuple[Colour, ...] = (
    (0.16, 0.52, 0.6, 1),
    (0.72, 0.44, 0.12, 1),
    (0.42, 0.34, 0.7, 1),
    (0.64, 0.26, 0.42, 1),
    (0.26, 0.52, 0.3, 1),
    (0.34, 0.4, 0.5, 1),
)

# The first touch shows what the second one presses, elsewhere and for four seconds. Whatever goes
# wrong here, that stays hidden; and what is hidden takes no touch.
ARM = """
local since = 0
local function show(on)
  self.parent.children[3].visible = on
  self.parent.children[3].interactive = on
  self.parent.children[4].visible = on
end
function onValueChanged(key)
  if key == 'x' then
    since = getMillis()
    show(self.values.x == 1)
  end
end
function update()
  if self.values.x == 1 and getMillis() - since > 4000 then
    self.values.x = 0
    show(false)
  end
end
"""
PRESSED = """
function onValueChanged(key)
  if key == 'x' and self.values.x == 0 then
    self.parent.children[1].values.x = 0
  end
end
"""


def files(space: AddressSpace, place: Place) -> dict[str, str | bytes]:
    """The layout and how to put it on a tablet."""
    return {"first-light.tosc": layout(space, place), "README.md": readme(place)}


def layout(space: AddressSpace, place: Place) -> bytes:
    """A `.tosc` file. The same knobs give the same bytes; another zlib may pack them otherwise."""
    pages = [
        _page(name, knobs, HUES[index % len(HUES)], place)
        for index, (name, knobs) in enumerate(tables.pages(space))
    ]
    pager = tosc.node(
        "PAGER",
        "pages",
        Frame(0, HEADER, WIDTH, HEIGHT - HEADER),
        [
            ("c", "color", BLACK),
            ("b", "outline", False),
            ("b", "tabbar", True),
            ("b", "tabLabels", True),
            ("i", "tabbarSize", TABS),
            ("i", "textSizeOn", 20),
            ("i", "textSizeOff", 20),
        ],
        values={"page": "0", "touch": "false"},
        children=pages,
    )
    look: list[Property] = [("c", "color", BLACK), ("b", "outline", False)]
    root = tosc.node(
        "GROUP",
        "First Light",
        Frame(0, 0, WIDTH, HEIGHT),
        look,
        children=[*_header(space, place), pager],
    )
    return tosc.document(root)


# What is on it


def _header(space: AddressSpace, place: Place) -> list[str]:
    """State, pace, likeness, delay and heartbeat, and what asks for them."""
    knobs = [space[address] for address in TOLD if address in space]
    whole = Frame(EDGE, 8, WIDTH - 2 * EDGE - 150, HEADER - 16)
    nodes: list[str] = []
    for index, knob in enumerate(knobs):
        frame = whole.column(index, len(knobs), GAP)
        nodes += _words(knob, frame, key="header ", stacked=True)
    frame = Frame(WIDTH - EDGE - 138, 8, 138, HEADER - 16)
    return nodes + _sync(f"header {SYNC}", frame, HUES[4], place)


def _sync(key: str, frame: Frame, hue: Colour, place: Place) -> list[str]:
    """Asks for travel and words, told at the port that the app listens on."""
    asks = [
        tosc.partial("CONSTANT", "INTEGER", str(place.feedback)),
        tosc.partial("CONSTANT", "STRING", "norm"),
        tosc.partial("CONSTANT", "STRING", "text"),
    ]
    return _button(key, "sync", frame, hue, tosc.osc(SYNC, asks, condition="RISE", receive=False))


def _page(name: str, knobs: Sequence[Knob], hue: Colour, place: Place) -> str:
    """A group's page, filled column by column."""
    columns = next(n for n in range(1, len(knobs) + 1) if ROOM // -(-len(knobs) // n) >= LEAST)
    rows = -(-len(knobs) // columns)
    height = min(ROOM // rows, MOST)
    whole = Frame(EDGE, 0, WIDTH - 2 * EDGE, height)
    children: list[str] = []
    for index, knob in enumerate(knobs):
        cell = whole.column(index // rows, columns, 2 * GAP)
        cell = replace(cell, y=(index % rows) * height + GAP // 2, h=height - GAP)
        if knob.address == SYNC:
            children += _sync(knob.address, cell, hue, place)
        else:
            children += _cell(knob, cell, hue)
    properties: list[Property] = [
        ("c", "color", BLACK),
        ("b", "outline", False),
        ("s", "tabLabel", name.strip("/")),
        ("c", "tabColorOn", hue),
        ("c", "tabColorOff", _dark(hue, 0.3)),
        ("c", "textColorOn", WHITE),
        ("c", "textColorOff", PALE),
    ]
    return tosc.node("GROUP", name, Frame(0, TABS, WIDTH, ROOM), properties, children=children)


def _cell(knob: Knob, frame: Frame, hue: Colour) -> list[str]:
    """A knob: a line of words, and below it what moves it."""
    if knob.access == "w":
        return _trigger(knob, frame, hue)
    words = _words(knob, frame)
    if not trees.has("norm", knob):
        return words
    hand = replace(frame, y=frame.y + CAPTION, h=frame.h - CAPTION)
    address = trees.address("norm", knob)
    if knob.kind == "choice":
        return words + _choice(knob, address, hand, hue)
    message = tosc.osc(address, [tosc.partial("VALUE", "FLOAT", "x")])
    if knob.kind == "bool":
        return words + _button(knob.address, "", hand, hue, message, toggles=True, x=_start(knob))
    properties: list[Property] = [
        ("c", "color", hue),
        ("i", "orientation", 1),
        ("b", "grid", False),
        ("f", "cornerRadius", 4),
    ]
    values = {"x": _start(knob), "touch": "false"}
    return [*words, tosc.node("FADER", knob.address, hand, properties, values, [message])]


def _start(knob: Knob) -> str:
    """Where it stands until it is told: the default's travel."""
    declared = _param(knob)
    return f"{declared.travel(declared.default) or 0:.9g}"


def _param(knob: Knob) -> Param[Any]:
    assert isinstance(knob.declared, Param)
    return knob.declared


def _words(knob: Knob, frame: Frame, key: str = "", stacked: bool = False) -> list[str]:
    """A knob's name, and its value as it is told under /text: side by side, or one on the other."""
    line = replace(frame, h=CAPTION)
    name = replace(line, w=frame.w * 2 // 5)
    value = replace(line, x=frame.x + name.w, w=frame.w - name.w)
    size, align = 16, 3
    if stacked:
        name, value = line, replace(frame, y=frame.y + CAPTION, h=frame.h - CAPTION)
        size, align = 22, 1
    elif knob.access == "r" or knob.kind == "text":
        name, value, align = replace(name, h=frame.h), replace(value, h=frame.h), 1
    told = tosc.osc(
        trees.address("text", knob),
        [tosc.partial("VALUE", "STRING", "text")],
        condition=None,
        send=False,
    )
    return [
        _label(f"{key}{knob.address} name", knob.name, name, PALE, 15, 1),
        _label(f"{key}{trees.address('text', knob)}", "", value, WHITE, size, align, [told]),
    ]


def _choice(knob: Knob, address: str, frame: Frame, hue: Colour) -> list[str]:
    """A radio, its names over it. Its x is an index, and /norm counts from 0 to 1.

    What is received lands a hundredth above the index: whether it is then rounded or cut, the
    right one lights.
    """
    count = len(knob.choices)
    step = 1 / max(count - 1, 1)
    sends = tosc.osc(address, [tosc.partial("VALUE", "FLOAT", "x", 0, step)], receive=False)
    lower = -step / 100
    hears = tosc.osc(
        address,
        [tosc.partial("VALUE", "FLOAT", "x", lower, lower + step)],
        condition=None,
        send=False,
    )
    properties: list[Property] = [
        ("c", "color", hue),
        ("i", "steps", count),
        ("i", "radioType", 0),
        ("i", "orientation", 1),
        ("f", "cornerRadius", 4),
    ]
    values = {"x": str(knob.choices.index(_param(knob).default)), "touch": "false"}
    radio = tosc.node("RADIO", knob.address, frame, properties, values, [sends, hears])
    size = 16 if frame.w / count > 90 else 13
    names = [
        _label(f"{knob.address} {name}", name, frame.column(index, count), WHITE, size, 2)
        for index, name in enumerate(knob.choices)
    ]
    return [radio, *names]


def _trigger(knob: Knob, frame: Frame, hue: Colour) -> list[str]:
    """What is pressed; where that loses something for good, only after a first touch beside it."""
    declared = knob.declared
    assert isinstance(declared, Trigger)
    message = tosc.osc(knob.address, [], condition="RISE", receive=False)
    if not declared.asks:
        return _button(knob.address, knob.name, frame, hue, message)
    left, right = (Frame(0, 0, frame.w, frame.h).column(n, 2, GAP) for n in (0, 1))
    asks = _button(f"{knob.address} ?", f"{knob.name} …", left, hue, toggles=True, script=ARM)
    press = _button(knob.address, f"{knob.name}!", right, RED, message, script=PRESSED, hidden=True)
    look: list[Property] = [("b", "background", False), ("b", "outline", False)]
    both = f"{knob.address} both"
    return [tosc.node("GROUP", both, frame, look, children=[*asks, *press])]


def _button(
    key: str,
    text: str,
    frame: Frame,
    hue: Colour,
    message: str = "",
    *,
    toggles: bool = False,
    script: str = "",
    x: str = "0",
    hidden: bool = False,
) -> list[str]:
    """A button and the words on it; `toggles` at the touch, else it is on while held."""
    unseen: list[Property] = [("b", "visible", False)] if hidden else []
    properties: list[Property] = [
        ("c", "color", hue),
        ("i", "buttonType", 2 if toggles else 0),
        ("f", "cornerRadius", 4),
        ("b", "interactive", not hidden),
        *unseen,
    ]
    if script:
        properties.append(("s", "script", script.strip()))
    values = {"x": x, "touch": "false"}
    button = tosc.node("BUTTON", key, frame, properties, values, [message])
    return [button, _label(f"{key} word", text, frame, WHITE, 18, 2, more=unseen)]


def _label(
    key: str,
    text: str,
    frame: Frame,
    colour: Colour,
    size: int,
    align: int,
    messages: Sequence[str] = (),
    more: Iterable[Property] = (),
) -> str:
    """Words that let a touch through; `align` 1 left, 2 middle, 3 right."""
    properties: list[Property] = [
        ("c", "color", CLEAR),
        ("b", "background", False),
        ("b", "outline", False),
        ("b", "interactive", False),
        ("c", "textColor", colour),
        ("i", "textSize", size),
        ("i", "textAlignH", align),
        *more,
    ]
    return tosc.node("LABEL", key, frame, properties, {"text": text, "touch": "false"}, messages)


def _dark(colour: Colour, share: float) -> Colour:
    red, green, blue, alpha = colour
    return (red * share, green * share, blue * share, alpha)


def readme(place: Place) -> str:
    return f"""\
# TouchOSC

`first-light.tosc` is for a tablet held sideways, 1024 x 768, and scales to others. It is written by
First Light from its knobs, a page for each group. The file holds to the format as far as it is
known from layouts that the TouchOSC editor wrote; it has not been opened in the program itself.

1. Start First Light so that the tablet reaches it: `firstlight --listen` with the address of this
   computer in the network that both are in.
2. In TouchOSC switch one connection on, under Connections, OSC: UDP, host that same address
   (`{place.host}` where both are one machine), send port `{place.osc}`, receive port
   `{place.feedback}`. The layout plays over every connection that is on.
3. Bring `first-light.tosc` onto the tablet (by mail, a cloud drive, AirDrop, or the editor's
   network transfer), open it, and press play.
4. Touch `sync` on the top right: faders and words go to where the knobs stand, and follow them from
   then on. The number beside it goes up once a second while First Light is alive; if it stands,
   look at the connection and touch `sync` again.
5. Play. What forgets for good (`blank …`, `forget …`) takes two touches: the first shows a red
   button beside it, for four seconds.

TouchOSC has no field to type in: the name of a brain is shown here, and set from another surface.
"""
