"""Pure Data: one patch, plain Pd, no externals. The main knobs first, and all of them by group.

Everything goes by name, so that other patches can play and listen too: `fl-learn-rate 0.01` plays,
`fl-learn-rate-is` hears what First Light tells, and the controls follow `set VALUE` at
`fl-learn-rate-show`, which plays nothing. `fl-norm-…` is the same for the sliders, 0 to 1. The main
knobs have a short name as well: `fl-rate`.
"""

import textwrap
from itertools import groupby
from pathlib import Path

from bridge import tables, trees
from bridge.control.pd import Canvas, escaped, text
from bridge.control.surfaces import Place
from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace
from bridge.trees import Tree

MAIN = (  # played from the first window, and by short names
    "/learn/on", "/learn/rate", "/learn/momentum", "/learn/trust", "/learn/steps",
    "/memory/share", "/memory/half_life", "/net/name", "/net/gate", "/net/noise",
    "/see/feedback", "/see/zoom", "/brain/slot", "/brain/save", "/brain/recall", "/brain/morph",
    "/learn/blank", "/memory/forget", "/system/panic", "/system/sync",
)  # fmt: skip
TOLD = ("/stats/state", "/stats/fps", "/stats/psnr", "/stats/loss", "/system/heartbeat")

LETTER = 6  # pixels of one, at Pd's size 10
LINE = 24  # pixels from a row to the next
MORE = 13  # and more for each further line of a text
LABEL, CONTROL, NUMBER, DOC, EDGE = 20, 150, 318, 390, 1010  # where columns begin; the right edge
ARMED = 3000  # milliseconds in which what cannot be had back may be pressed
SILENCE = 3000  # milliseconds without a heartbeat after which it asks again

LOOK = "0 10 #fcfcfc #000000 #000000"  # of a control: font, its size, colours


def files(space: AddressSpace, place: Place) -> dict[str, str | bytes]:
    """The patch and its steps."""
    picture = Path(__file__).with_suffix(".png").read_bytes()
    return {
        "first-light.pd": _patch(space, place),
        "first-light.png": picture,
        "README.md": _readme(place),
    }


# What a knob is called in Pd


def _name(knob: Knob, tree: Tree = "plain") -> str:
    return "fl" + trees.address(tree, knob).replace("/", "-")


def _short(knob: Knob) -> str:
    return f"fl-{knob.name}"


# Rows: what a hand sees


def _row(canvas: Canvas, knob: Knob, label: str) -> None:
    """A knob's line: its name, its control, what it does."""
    y = canvas.bottom
    if not isinstance(knob.declared, Trigger) and knob.declared.unit:
        label = f"{label} ({knob.declared.unit})"
    canvas.put(LABEL, y, text(label, (CONTROL - LABEL) // LETTER - 1))
    if knob.access == "r":
        canvas.put(CONTROL, y, _display(knob, (DOC - CONTROL) // LETTER - 4))
    elif isinstance(knob.declared, Trigger):
        _button(canvas, knob, y)
    elif knob.kind == "choice":
        y = _names(canvas, knob, y)
    elif isinstance(knob.declared, Param):
        _value(canvas, knob, knob.declared, y)
    width = (EDGE - DOC) // LETTER - 2
    canvas.put(DOC, y, text(knob.declared.doc, width))
    canvas.bottom = y + LINE + MORE * (len(textwrap.wrap(knob.declared.doc, width)) - 1)


def _display(knob: Knob, width: int) -> str:
    """What shows a value, and takes none."""
    kind = "symbolatom" if knob.kind in ("text", "choice") else "floatatom"
    width = width if kind == "symbolatom" else min(width, 12)
    return f"{kind} {width} 0 0 0 - {_name(knob)}-show - 0"


def _value(canvas: Canvas, knob: Knob, declared: Param[float], y: int) -> None:
    ends = f"{_name(knob)} {_name(knob)}-show"
    if knob.kind == "bool":
        canvas.put(CONTROL, y, f"obj tgl 16 0 {ends} empty 17 7 {LOOK} 0 1")
    elif knob.kind == "text":
        canvas.put(CONTROL, y, f"symbolatom 26 0 0 0 - {_name(knob)}-show {_name(knob)} 0")
    else:
        slider = f"{_name(knob, 'norm')} {_name(knob, 'norm')}-show"
        canvas.put(CONTROL, y, f"obj hsl 150 16 0 1 0 0 {slider} empty -2 -8 {LOOK} 0 1")
        ends = f"{_name(knob)}-show {_name(knob)}"
        canvas.put(NUMBER, y, f"floatatom 9 {declared.min:g} {declared.max:g} 0 - {ends} 0")


def _button(canvas: Canvas, knob: Knob, y: int) -> None:
    """A button; before one that loses what cannot be had back, a switch that arms it."""
    if not (isinstance(knob.declared, Trigger) and knob.declared.asks):
        canvas.put(CONTROL, y, _bang(_name(knob)))
        return
    arm = f"{_name(knob)}-arm {_name(knob)}-armed"
    canvas.put(CONTROL, y, f"obj tgl 16 0 {arm} empty 17 7 {LOOK} 0 1")
    canvas.put(CONTROL + 22, y, text("arm, then", 10))
    canvas.put(CONTROL + 92, y, _bang(f"{_name(knob)}-press"))


def _bang(send: str) -> str:
    return f"obj bng 16 250 50 0 {send} empty empty 17 7 {LOOK}"


def _names(canvas: Canvas, knob: Knob, y: int) -> int:
    """The name that is chosen, and a box for each that can be; answers the last line's y."""
    canvas.put(CONTROL, y, _display(knob, 10))
    x = left = CONTROL + 90
    names = []
    for name in knob.choices:
        width = LETTER * len(name) + 20
        if x + width > EDGE:
            x, y = left, y + LINE
        names.append(canvas.put(x, y, f"msg {escaped(name)}"))
        x += width
    send = canvas.put(CONTROL, y + LINE, f"obj s {_name(knob)}")
    for one in names:
        canvas.cord(one, send)
    return y + LINE


# Wires: what makes the names play


def _wires(knobs: list[Knob]) -> Canvas:
    canvas = Canvas("wires", EDGE)
    for knob in knobs:
        y = canvas.bottom
        if isinstance(knob.declared, Trigger):
            _wire_press(canvas, knob, y)
            canvas.bottom += 5 * LINE
        elif knob.access == "rw":
            _wire_value(canvas, knob, "plain", 20, y)
            if knob.kind in ("float", "int"):
                _wire_value(canvas, knob, "norm", 520, y)
            canvas.bottom += 5 * LINE
    return canvas


def _wire_value(canvas: Canvas, knob: Knob, tree: Tree, x: int, y: int) -> None:
    """From a name to its address, and to every control that shows it."""
    form = "" if tree == "norm" else {"int": "-f i ", "bool": "-f i "}.get(knob.kind, "")
    path = trees.address(tree, knob)[1:].replace("/", " ")
    listed = canvas.put(x, y + LINE, "obj list")
    canvas.chain(
        canvas.put(x, y, f"obj r {_name(knob, tree)}"),
        listed,
        canvas.put(x, y + 2 * LINE, f"obj oscformat {form}{path}"),
        canvas.put(x, y + 3 * LINE, "obj s \\$0-out"),
    )
    canvas.chain(
        listed,
        canvas.put(x + 250, y + 2 * LINE, "msg set \\$1"),
        canvas.put(x + 250, y + 3 * LINE, f"obj s {_name(knob, tree)}-show"),
    )


def _wire_press(canvas: Canvas, knob: Knob, y: int) -> None:
    path = knob.address[1:].replace("/", " ")
    press = canvas.put(20, y, f"obj r {_name(knob)}")
    out = canvas.put(20, y + 3 * LINE, "obj s \\$0-out")
    if knob.address == "/system/sync":  # it says what it wants to be told: units and sliders
        words = canvas.put(20, y + LINE, "msg list plain norm")
        canvas.chain(press, words, canvas.put(20, y + 2 * LINE, f"obj oscformat -f ss {path}"), out)
        return
    canvas.chain(press, canvas.put(20, y + 2 * LINE, f"obj oscformat {path}"), out)
    if isinstance(knob.declared, Trigger) and knob.declared.asks:
        _wire_arm(canvas, knob, y)


def _wire_arm(canvas: Canvas, knob: Knob, y: int) -> None:
    """The button gets through while the switch is on: for three seconds, or until it is pressed."""
    name = _name(knob)
    pressed = canvas.put(270, y, f"obj r {name}-press")
    gate = canvas.put(270, y + LINE, "obj spigot")
    both = canvas.put(270, y + 2 * LINE, "obj t b b")
    canvas.chain(pressed, gate, both, canvas.put(270, y + 3 * LINE, f"obj s {name}"))
    arm = canvas.put(520, y, f"obj r {name}-arm")
    wait = canvas.put(600, y + LINE, f"obj delay {ARMED}")
    canvas.cord(arm, gate, inlet=1)
    on = canvas.put(520, y + LINE, "obj sel 1")
    disarm = canvas.put(520, y + 2 * LINE, "msg 0")
    canvas.chain(arm, on, wait, disarm)
    canvas.chain(disarm, canvas.put(520, y + 3 * LINE, f"obj s {name}-armed"))
    canvas.cord(both, disarm, outlet=1)


def _short_names(space: AddressSpace) -> Canvas:
    """`fl-rate` for `fl-learn-rate`: played, it plays; told, it says `set VALUE`."""
    canvas = Canvas("short-names", EDGE)
    for address in MAIN:
        knob, y = space[address], canvas.bottom
        heard = canvas.put(20, y, f"obj r {_short(knob)}")
        other = canvas.put(20, y + LINE, "obj route set")
        canvas.chain(heard, other)
        canvas.cord(other, canvas.put(20, y + 2 * LINE, f"obj s {_name(knob)}"), outlet=1)
        if knob.access == "rw":
            told = canvas.put(320, y, f"obj r {_name(knob)}-is")
            say = canvas.put(320, y + LINE, "msg set \\$1")
            canvas.chain(told, say, canvas.put(320, y + 2 * LINE, f"obj s {_short(knob)}"))
        canvas.bottom += 4 * LINE
    for address in TOLD:
        knob, y = space[address], canvas.bottom
        told = canvas.put(20, y, f"obj r {_name(knob)}-is")
        canvas.chain(told, canvas.put(20, y + LINE, f"obj s {_short(knob)}"))
        canvas.bottom += 3 * LINE
    return canvas


def _connection() -> Canvas:
    """The socket: out goes what is formatted; in comes /group/name VALUE, to the names of a knob.

    It asks when it connects, and again after a silence: First Light may have been started anew.
    """
    canvas = Canvas("connection", EDGE)
    out = canvas.put(20, 20, "obj r \\$0-out")
    packed = canvas.put(20, 44, "obj list prepend send")
    trimmed = canvas.put(20, 68, "obj list trim")
    socket = canvas.put(20, 116, "obj netsend -u -b")
    canvas.chain(out, packed, trimmed, socket)
    canvas.chain(canvas.put(220, 20, "obj r fl-connection"), socket)
    state = canvas.put(20, 140, "obj t f f")
    canvas.cord(socket, state)
    asks = canvas.put(20, 164, "obj sel 1")
    canvas.chain(state, asks, canvas.put(20, 188, "obj s fl-system-sync"))
    canvas.cord(state, canvas.put(220, 164, "obj s fl-connected"), outlet=1)

    begin = canvas.put(520, 20, "obj loadbang")
    beat = canvas.put(620, 20, "obj r fl-system-heartbeat-is")
    again = canvas.put(820, 20, "obj r \\$0-again")
    bang = canvas.put(620, 44, "obj t b")
    wait = canvas.put(620, 68, f"obj delay {SILENCE}")
    both = canvas.put(620, 92, "obj t b b")
    canvas.chain(begin, wait)
    canvas.chain(beat, bang, wait, both, canvas.put(620, 116, "obj s fl-system-sync"))
    canvas.chain(again, wait)
    canvas.cord(both, canvas.put(820, 116, "obj s \\$0-again"), outlet=1)

    parsed = canvas.put(120, 236, "obj oscparse")
    canvas.cord(socket, parsed, outlet=1)
    plain = canvas.put(120, 260, "obj list trim")
    tree = canvas.put(120, 284, "obj route norm")
    canvas.chain(parsed, plain, tree)
    _dispatch(canvas, tree, 0, 20, "fl-norm-\\$1-\\$2", ("show",))
    _dispatch(canvas, tree, 1, 420, "fl-\\$1-\\$2", ("show", "is"))
    canvas.bottom = 480
    return canvas


def _dispatch(
    canvas: Canvas, tree: int, outlet: int, x: int, name: str, ends: tuple[str, ...]
) -> None:
    """Send the value of GROUP NAME VALUE to names made of the first two: first name, then value."""
    listed = canvas.put(x, 308, "obj list")
    canvas.cord(tree, listed, outlet=outlet)
    parts = canvas.put(x, 332, "obj t l l")
    value = canvas.put(x, 356, "obj list split 2")
    canvas.chain(listed, parts, value)
    shown = canvas.put(x, 404, "msg set \\$1")
    canvas.cord(value, shown, outlet=1)
    for index, end in enumerate(ends):
        at = x + 90 + 200 * index
        names = canvas.put(at, 380, f"msg symbol {name}-{end}")
        send = canvas.put(at, 428, "obj s")
        canvas.cord(parts, names, outlet=1)
        canvas.cord(names, send, inlet=1)
        if end == "show":
            canvas.cord(shown, send)
        else:
            canvas.cord(value, send, outlet=1)


# The windows


def _group(name: str, knobs: list[Knob]) -> Canvas:
    canvas = Canvas(name[1:].replace("/", "-"), EDGE)
    for knob in knobs:
        _row(canvas, knob, knob.name)
    canvas.window(_wires(knobs), LABEL, canvas.bottom + LINE)
    canvas.bottom += 3 * LINE
    return canvas


def _patch(space: AddressSpace, place: Place) -> str:
    canvas = Canvas("", EDGE)
    canvas.put(LABEL, 14, text("First Light: a network that learns what it sees, live.", 60))
    begin = canvas.put(LABEL, 42, "obj loadbang")
    connect = canvas.put(110, 42, f"msg disconnect \\, connect {place.host} {place.osc}")
    leave = canvas.put(390, 42, "msg disconnect")
    send = canvas.put(110, 66, "obj s fl-connection")
    canvas.chain(begin, connect, send)
    canvas.chain(leave, send)
    canvas.put(500, 42, f"obj tgl 16 0 empty fl-connected empty 17 7 {LOOK} 0 1")
    canvas.put(522, 42, text("connected; heartbeat below tells that it lives", 60))
    x = LABEL
    for address in TOLD:
        knob = space[address]
        canvas.put(x, 100, text(knob.name, 10))
        canvas.put(x + 70, 100, _display(knob, 12))
        x += 190
    canvas.bottom = 136
    for address in MAIN:
        _row(canvas, space[address], address[1:].replace("/", " "))
    y = canvas.bottom + 10
    canvas.put(LABEL, y, text("Every knob, by group:", 24))
    x = LABEL + 160
    for name, knobs in groupby(tables.ordered(space), key=tables.group):
        group = _group(name, list(knobs))
        canvas.window(group, x, y)
        x += LETTER * len(f"pd {group.name}") + 30
    for wiring in (_connection(), _short_names(space)):
        canvas.window(wiring, x, y)
        x += LETTER * len(f"pd {wiring.name}") + 30
    canvas.bottom = y + 2 * LINE
    return canvas.drawn() + "\n"


def _readme(place: Place) -> str:
    return f"""# Pure Data

`first-light.pd` needs plain Pd and no externals; it is tested with Pd 0.53.

![The first window: state, the main knobs, a box for each group](first-light.png)

1. Start First Light. It listens at {place.host}, port {place.osc}.
2. Open `first-light.pd` in Pd. It connects by itself, asks where the knobs stand, and its controls
   move there. It does not matter which was started first: after three seconds without a heartbeat
   the patch asks again.
3. Play: drag the sliders, whose travel is First Light's own (logarithmic where that feels right),
   or type into the number boxes, which are in units. What cannot be had back (`blank`, `forget`)
   has a switch in front of its button: arm it, and press within three seconds.
4. The controls follow whatever else moves a knob, without playing it again, and come back from
   beyond a range. Every knob has a row in the window of its group: click `pd learn` at the bottom.
5. Build your own. Other patches may send to `fl-GROUP-NAME`: 0.01 to `fl-learn-rate`, 0.5 to
   `fl-norm-learn-rate` (a slider's travel), `adam` to `fl-learn-rule`, a bang to `fl-learn-blank`
   (which asks nobody). They receive what is told at `fl-GROUP-NAME-is`, such as
   `fl-stats-psnr-is`. What is in the first window has short names too: `fl-rate`, `fl-psnr`.

First Light on another computer: start it there with `--listen` and that computer's address, and
write the same address into the `connect` message, or have the patch made for it:
`firstlight patch puredata --host ADDRESS`.

## Max

Max users can read the same README: First Light hears and tells plain OSC over UDP.

- To play: a message box `/learn/rate 0.01`, or `/norm/learn/rate 0.5` for a fader's travel, goes
  straight into `udpsend {place.host} {place.osc}`; no `oscformat` is needed. A slider from 0. to 1.
  followed by `prepend /norm/learn/rate` is a row of this patch. Before `/learn/blank` and
  `/memory/forget` put a `gate` that a `toggle` opens.
- To follow: `udpreceive {place.feedback}`, then `route /learn/rate /stats/psnr`, or CNMAT's
  `OSC-route /learn`; what comes back goes to a control through `prepend set`, so that it does not
  play. What changes is told there anyway; `/system/sync {place.feedback} plain norm`, sent once,
  asks for every value, and for those of sliders too.

The Max part has not been tried in Max.
"""
