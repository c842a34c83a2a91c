"""A session for Open Stage Control: a tab for each group of knobs, in a browser, on any screen.

Faders move along `/norm`; the field beside one shows its value in words and takes a typed number.
The session asks for everything when it is opened, and again when First Light has been silent for
three seconds. Properties and their meaning are those of Open Stage Control 1.29.
"""

import json
from collections.abc import Sequence
from typing import Any

from bridge import tables, trees
from bridge.control.surfaces import Place
from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace

Widget = dict[str, Any]

HEADER = 76  # pixels; all else is a share of the window
ROWS = 10  # knobs below one another, before there is another column
GAP = 1.0  # per cent of the page around a knob
TOLD = ("/stats/state", "/stats/fps", "/stats/psnr", "/stats/latency", "/system/heartbeat")

SYNC = "/system/sync"
DARK, WORDS, QUIET, RED = "#0b0b0f", "#e6e8ee", "#9a9fac", "#d8402f"
HUES = ("#2a8c9e", "#b8752a", "#7a64bd", "#a8486e", "#4a8c52", "#5d6c85")

# Without it every fader would be sent with two decimals: a rate of 0.0025 as 0.
DECIMALS = 8


def files(space: AddressSpace, place: Place) -> dict[str, str | bytes]:
    """The session and how to start Open Stage Control with it."""
    return {
        "first-light.json": json.dumps(session(space, place), indent=1, ensure_ascii=False) + "\n",
        "README.md": readme(place),
    }


def session(space: AddressSpace, place: Place) -> Widget:
    """A session as Open Stage Control keeps it."""
    tabs = [
        _tab(name, knobs, HUES[index % len(HUES)], place)
        for index, (name, knobs) in enumerate(tables.pages(space))
    ]
    pages = _widget("panel", "pages", expand=True, bypass=True, tabs=tabs)
    root = _widget(
        "root",
        "root",
        layout="vertical",
        bypass=True,
        colorBg=DARK,
        colorText=WORDS,
        onCreate=_keeps_asking(place),
        widgets=[_header(space, place), pages],
    )
    return {
        "createdWith": "Open Stage Control",
        "version": "1.29.2",
        "type": "session",
        "content": root,
    }


# What is on it


def _header(space: AddressSpace, place: Place) -> Widget:
    """State, pace, likeness, delay and heartbeat, above every page."""
    knobs = [space[address] for address in TOLD if address in space]
    width = 100 / (len(knobs) + 1)
    widgets = []
    for index, knob in enumerate(knobs):
        left = index * width
        name = _name(knob, left, 0, width, 40)
        told = _told(knob, left, 40, width, 60)
        name["id"], told["id"] = f"header {name['id']}", f"header {told['id']}"
        told["css"] = "font-size: 150%;"
        if knob.address == "/system/heartbeat":
            told["onValue"] = "globals.heard = Date.now()"
        widgets += [name, told]
    sync = _sync("header sync", _frame(100 - width, 10, width - GAP, 80), place)
    look = {"height": HEADER, "scroll": False, "bypass": True, "colorWidget": HUES[4]}
    return _widget("panel", "header", **look, widgets=[*widgets, sync])


def _sync(key: str, frame: Widget, place: Place) -> Widget:
    """Asks with its script: a press that names no tree would ask for the plain one only."""
    look = {"label": "sync", "mode": "momentary", "bypass": True}
    return _widget("button", key, **frame, **look, onValue=_asks(place))


def _asks(place: Place) -> str:
    port = json.dumps({"type": "i", "value": place.feedback})
    return f'send("{SYNC}", {port}, "plain", "norm", "text")'


def _keeps_asking(place: Place) -> str:
    """What a script may send at all, it may send from here: the session was opened by a hand."""
    return f"""\
var ask = () => {_asks(place)}
setTimeout(ask, 300)
setInterval(() => {{
  if (Date.now() - (globals.heard || 0) > 3000) {{
    set("header /text/stats/state", "no answer", {{send: false}})
    ask()
  }}
}}, 1000)"""


def _tab(name: str, knobs: Sequence[Knob], hue: str, place: Place) -> Widget:
    """A group's page, filled column by column."""
    columns = -(-len(knobs) // ROWS)
    rows = max(-(-len(knobs) // columns), ROWS // 2)
    width, height = 100 / columns, 100 / rows
    widgets: list[Widget] = []
    for index, knob in enumerate(knobs):
        left, top = index // rows * width, index % rows * height
        cell = (left + GAP, top + GAP, width - 2 * GAP, height - 2 * GAP)
        if knob.address == SYNC:
            widgets.append(_sync(knob.address, _frame(*cell), place))
        else:
            widgets += _cell(knob, *cell)
    return _widget(
        "tab",
        name,
        label=name.strip("/"),
        colorWidget=hue,
        colorBg=DARK,
        bypass=True,
        widgets=widgets,
    )


def _cell(knob: Knob, left: float, top: float, width: float, height: float) -> list[Widget]:
    """A knob: a line of words, and below it what moves it."""
    line = height * 0.4
    hand = _frame(left, top + line, width, height - line)
    if knob.access == "w":
        return [_trigger(knob, _frame(left, top, width, height))]
    name = _name(knob, left, top, width / 2, line)
    if knob.access == "r":
        return [
            _name(knob, left, top, width / 3, height),
            _told(knob, left + width / 3, top, width * 2 / 3, height),
        ]
    if knob.kind == "text":
        return [_name(knob, left, top, width, line), _typed(knob, hand)]
    if knob.kind in ("bool", "choice"):
        told = _told(knob, left + width / 2, top, width / 2, line)
        return [name, told, _choice(knob, hand) if knob.kind == "choice" else _switch(knob, hand)]
    return [name, _typed(knob, _frame(left + width / 2, top, width / 2, line)), _fader(knob, hand)]


def _fader(knob: Knob, frame: Widget) -> Widget:
    """Along /norm; whole numbers snap to where they stand, a double tap goes to the default."""
    declared = knob.declared
    assert isinstance(declared, Param)
    steps: Widget = {}
    if knob.kind == "int" and declared.taper == "linear":
        steps = {"steps": int(declared.max - declared.min) + 1}
    return _widget(
        "fader",
        knob.address,
        **frame,
        address=trees.address("norm", knob),
        typeTags="f",
        decimals=DECIMALS,
        default=round(declared.travel(declared.default) or 0.0, DECIMALS),
        doubleTap=True,
        horizontal=True,
        design="compact",
        snap=True,
        **steps,
        comments=declared.doc,
    )


def _switch(knob: Knob, frame: Widget) -> Widget:
    look = {"label": knob.name, "mode": "toggle", "on": 1, "off": 0, "typeTags": "i"}
    return _plays("button", knob, frame, **look)


def _choice(knob: Knob, frame: Widget) -> Widget:
    look = {"layout": "horizontal", "values": list(knob.choices), "typeTags": "s"}
    return _plays("switch", knob, frame, **look)


def _trigger(knob: Knob, frame: Widget) -> Widget:
    """A button; where it loses something for good, one that only opens a window with the button."""
    declared = knob.declared
    assert isinstance(declared, Trigger)
    if not declared.asks:
        return _plays("button", knob, frame, label=knob.name, mode="momentary")
    window = f"ask {knob.address}"
    press = _plays(
        "button",
        knob,
        _frame(5, 10, 90, 80),
        label=f"{knob.name}: {declared.doc}",
        mode="momentary",
        wrap="soft",
        colorWidget=RED,
        onValue=f"set({json.dumps(window)}, 0)",
    )
    return _widget(
        "modal",
        window,
        **frame,
        label=f"{knob.name} …",
        popupLabel=f"{knob.name}?",
        popupWidth=420,
        popupHeight=260,
        bypass=True,
        widgets=[press],
    )


def _plays(kind: str, knob: Knob, frame: Widget, **properties: Any) -> Widget:
    """What sends to a knob's plain address."""
    common = {"address": knob.address, "comments": knob.declared.doc}
    return _widget(kind, knob.address, **frame, **common, **properties)


def _typed(knob: Knob, frame: Widget) -> Widget:
    """Shows a value in words, and sends what is typed over them to the plain address.

    A script's `send` does nothing but for a hand, so that what is heard is not sent back.
    """
    address = json.dumps(knob.address)
    sends = f'send({address}, {{type: "s", value: String(value)}})'
    if knob.kind != "text":
        sends = (
            "var number = parseFloat(value)\n"
            f'if (!isNaN(number)) send({address}, {{type: "f", value: number}})'
        )
    return _widget(
        "input",
        trees.address("text", knob),
        **frame,
        address=trees.address("text", knob),
        bypass=True,
        onValue=sends,
        decimals=DECIMALS,
        align="left" if knob.kind == "text" else "right",
        comments=knob.declared.doc,
    )


def _told(knob: Knob, left: float, top: float, width: float, height: float) -> Widget:
    """A value in words."""
    address = trees.address("text", knob)
    frame = _frame(left, top, width, height)
    look = {"bypass": True, "wrap": True, "align": "left" if knob.access == "r" else "right"}
    return _widget("text", address, **frame, address=address, **look, comments=knob.declared.doc)


def _name(knob: Knob, left: float, top: float, width: float, height: float) -> Widget:
    """A knob's name; no address has a space, so that nothing is heard at this one."""
    return _widget(
        "text",
        f"name {knob.address}",
        **_frame(left, top, width, height),
        default=knob.name,
        bypass=True,
        align="left",
        colorText=QUIET,
    )


def _frame(left: float, top: float, width: float, height: float) -> Widget:
    """A place as shares of what holds it, each given in per cent."""
    shares = {"left": left, "top": top, "width": width, "height": height}
    return {name: f"{share:.3f}%" for name, share in shares.items()}


def _widget(kind: str, key: str, **properties: Any) -> Widget:
    return {"type": kind, "id": key, **properties}


def readme(place: Place) -> str:
    start = f"{place.host}:{place.osc} --osc-port {place.feedback}"
    return f"""\
# Open Stage Control

`first-light.json` is a session for Open Stage Control 1.29 or newer, written by First Light from
its knobs, a tab for each group. It is checked against the properties in that program's own source;
this session has not been opened in the program itself.

1. Start First Light.
2. Start Open Stage Control with these options, in its launcher or in a terminal in this folder:
   `open-stage-control --load first-light.json --send {start}`
3. It opens its window; any tablet or phone in the network opens the address that it prints. The
   session asks First Light where everything stands, and again whenever that was silent for three
   seconds: until then the state on the top left reads `no answer`.
4. Play: drag a fader, tap it twice for its default, or type a number over its value. What forgets
   for good (`blank …`, `forget …`) opens a window that asks.
5. First Light on another computer: start it there with `firstlight --listen` and that computer's
   address, and write the same address into `--send`.

Open Stage Control listens to the whole network, on every address of its computer: whoever is in it
can play. Its own option `--authentication NAME:PASSWORD` asks them who they are.
"""
