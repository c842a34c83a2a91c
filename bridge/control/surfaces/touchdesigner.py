"""TouchDesigner: a script that builds a component with a parameter for every knob.

TouchDesigner alone can write a .tox, so what is made here is text: the table of the knobs, then
`touchdesigner_code.txt` as it lies in the component, then `touchdesigner_builder.txt`, which builds
it. A slider of TouchDesigner is linear: where a knob's taper is not, a second parameter, its fader,
has the travel 0 to 1 of the address under /norm. Nobody has run this in TouchDesigner itself yet;
the tests run it in a strict fake of what its documentation says.
"""

import re
from pathlib import Path
from typing import Any

from bridge import tables
from bridge.control.surfaces import Place
from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace

HERE = Path(__file__).parent
NAME = re.compile(r"[A-Z][a-z0-9]*")  # TouchDesigner's rule for custom parameters

HEAD = '''"""First Light in TouchDesigner: builds the component `first_light`.

Run it in the Textport: exec(open(r'FOLDER/first_light.py', encoding='utf-8').read())
or paste it into a Text DAT and choose Run Script. Run again, it makes the component anew where it
is, with what its parameters hold and with its wires. Made by `firstlight patch touchdesigner`.
"""

HOST = {host}
PORT = {osc}
FEEDBACK = {feedback}

# Each knob: its parameter, its page, where it lives in First Light, and what it takes.
KNOBS = [
{knobs}]

# What the component does while it runs: this becomes its DAT `code`.
CODE = r\'\'\'
{code}\'\'\'

'''

README = """# TouchDesigner

`first_light.py` builds a component with a parameter for each of the {count} knobs, the pictures in
and out, and Start and Stop. **Nobody has run it in TouchDesigner yet.** It was only executed
against a strict fake of the documented API, so builds 2021, 2022, 2023 and 2025 are all unproven,
and so is ending First Light on Windows, where it must be reached through its hidden console. If the
Textport says that a parameter is not there in your build, set it by hand in the operator it names,
and please tell us.

1. In the Textport run `exec(open(r'FOLDER/first_light.py', encoding='utf-8').read())` with the
   folder of this file. `first_light` appears in `/project1`. Running it again, after an update,
   makes it anew where it is: what the parameters hold, its place and its wires stay.
2. Wire a picture into its input; take First Light's from its output. On the page `First Light`
   choose how pictures travel (Spout on Windows, Syphon on a Mac, or NDI). If none comes back, pick
   the sender in the menu of the TOP `from_first_light` inside, and run `firstlight latency spout`
   (`syphon`, `ndi`), which tells whether that way works on your machine: on real Windows and Macs
   First Light's own Spout and Syphon are as unproven as the rest here. NDI needs the extra `ndi`.
3. Press `Start` (or start First Light yourself, and set `Transport` to what you gave it). `Alive`
   goes on, and all parameters move to where First Light stands. What goes wrong stands in `Status`
   and in the DAT `log`. First Light needs its own Python, not TouchDesigner's: if the command is
   not found, write its full path into `Command`.
4. Play: a page for each group, a parameter for each knob; with Alt held, the pointer over one
   shows what it does. `Rate Fader` is the fader with the right travel, `Rate` the same in units,
   to type. Expressions, binds and CHOP exports work, and what First Light tells does not move what
   they drive. `Sync` asks where First Light stands; `Send All` makes it what the parameters say.
5. To keep it as one file, right-click the component, `Save Component .tox`: all is in it.

`Blank`, `Forget` and what else cannot be undone ask first; the box holds TouchDesigner up while it
is open, so switch `Ask Before Erasing` off before a show. The component reaches First Light
at {host}, port {osc}, and is told on port {feedback}. Only one program of a computer can hear on
a port: give a second one another `Feedback Port`, and press `Sync`.

To read it: `first_light.py` begins with the table of the knobs, one a line; then comes what the
component does while it runs, its DAT `code`; then what builds it, short functions from `build` on.
"""


def files(space: AddressSpace, place: Place) -> dict[str, str | bytes]:
    """The builder, ASCII only, and the steps. Raises ValueError for two knobs of one name."""
    knobs = [_knob(knob) for knob in tables.ordered(space)]
    _check_names(knobs)
    head = HEAD.format(
        host=repr(place.host),
        osc=place.osc,
        feedback=place.feedback,
        knobs="".join(f"    {knob!a},\n" for knob in knobs),
        code=(HERE / "touchdesigner_code.txt").read_text("ascii"),
    )
    script = head + (HERE / "touchdesigner_builder.txt").read_text("ascii")
    readme = README.format(
        count=sum(knob["access"] != "r" for knob in knobs),
        host=place.host,
        osc=place.osc,
        feedback=place.feedback,
    )
    return {"first_light.py": script, "README.md": readme}


def _knob(knob: Knob) -> dict[str, Any]:
    """A row of the script's table."""
    declared = knob.declared
    name = "".join(re.findall(r"[a-z0-9]+", knob.address.lower())).capitalize()
    label = knob.name.replace("_", " ").title()
    unit = "" if isinstance(declared, Trigger) else declared.unit
    row: dict[str, Any] = {
        "name": name,
        "fader": "",
        "page": tables.group(knob).strip("/").replace("/", " ").title(),
        "label": f"{label} {unit}".strip(),
        "address": knob.address,
        "kind": knob.kind,
        "access": knob.access,
        "preset": knob.in_presets,
        "asks": isinstance(declared, Trigger) and declared.asks,
        "default": None if isinstance(declared, Trigger) else declared.default,
        "min": None,
        "max": None,
        "choices": [],
        "help": declared.doc,
    }
    if isinstance(declared, Param):
        row["choices"] = list(declared.choices)
        if knob.kind in ("float", "int"):
            row |= {"min": declared.min, "max": declared.max}
        if declared.taper != "linear":
            row |= {"fader": f"{name}fader", "taper": declared.taper, "floor": declared.floor}
            row["travel"] = declared.to_norm(declared.default)
    return row


def _check_names(knobs: list[dict[str, Any]]) -> None:
    names = [name for knob in knobs for name in (knob["name"], knob["fader"]) if name]
    for name in names:
        if names.count(name) > 1 or not NAME.fullmatch(name):
            raise ValueError(f"{name} is no name for one parameter of TouchDesigner")
