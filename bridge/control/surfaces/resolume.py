"""Resolume: a table that gives its own addresses the meaning of our faders.

Resolume sends every control at an address of its own, 0 to 1. `aliases.toml` is a configuration
that leads those worth playing to knobs under /norm; `addresses.txt` lists all knobs, for controls
that are given a custom address. Resolume is not needed to make or to test them.
"""

import json

from bridge import tables, trees
from bridge.control.surfaces import Place
from bridge.knob import Knob
from bridge.params import Param
from bridge.space import AddressSpace

# What Resolume sends, and the knob it plays. The dashboard of the composition comes first: eight
# dials that do nothing in Resolume until something is linked to them.
ALIASES = {
    "/composition/dashboard/link1": "/learn/rate",
    "/composition/dashboard/link2": "/learn/momentum",
    "/composition/dashboard/link3": "/learn/trust",
    "/composition/dashboard/link4": "/memory/share",
    "/composition/dashboard/link5": "/net/gate",
    "/composition/dashboard/link6": "/net/noise",
    "/composition/dashboard/link7": "/see/feedback",
    "/composition/dashboard/link8": "/see/zoom",
    "/composition/layers/1/dashboard/link1": "/learn/steps",
    "/composition/layers/1/dashboard/link2": "/learn/l1",
    "/composition/layers/1/dashboard/link3": "/learn/ssim",
    "/composition/layers/1/dashboard/link4": "/learn/edges",
    "/composition/layers/1/dashboard/link5": "/learn/noise",
    "/composition/layers/1/dashboard/link6": "/learn/mask",
    "/composition/layers/1/dashboard/link7": "/see/blur",
    "/composition/layers/1/dashboard/link8": "/brain/anchor",
    "/composition/crossfader/phase": "/brain/morph",
}

# Offered, and left to whoever wants them: these controls do something in Resolume as well.
OFFERED = {
    "/composition/layers/1/video/opacity": ("/net/gate", "fade the layer, and the picture melts"),
    "/composition/layers/1/clips/1/connect": ("/learn/blank", "a blank network, without asking"),
}


def files(space: AddressSpace, place: Place) -> dict[str, str | bytes]:
    """A configuration with `[aliases]`, the list of every knob under /norm, and the steps."""
    return {
        "README.md": _readme(place),
        "addresses.txt": _addresses(space, place),
        "aliases.toml": _aliases(space),
    }


def _aliases(space: AddressSpace) -> str:
    lines = [
        "# What Resolume's own controls play in First Light: on the left Resolume's address, on",
        "# the right the knob, which under /norm takes 0 to 1 of a fader's travel.",
        "#   firstlight --config aliases.toml",
        "# or copy the table into a configuration of your own. Addresses are exact: no * or ?.",
        "",
        "[aliases]",
    ]
    lines += [_line(space, foreign, address) for foreign, address in ALIASES.items()]
    lines += [
        "",
        "# Take the # away from those you want. A clip's `connected` is no button: it tells 0 to 4",
        "# whenever any clip of its layer starts or stops.",
    ]
    for foreign, (address, says) in OFFERED.items():
        lines.append(f"# {_line(space, foreign, address)}   # {says}")
    return "\n".join(lines) + "\n"


def _line(space: AddressSpace, foreign: str, address: str) -> str:
    return f"{json.dumps(foreign)} = {json.dumps(trees.address('norm', space[address]))}"


def _addresses(space: AddressSpace, place: Place) -> str:
    """Every knob that a control of Resolume can play, with what it does."""
    knobs = [knob for knob in tables.ordered(space) if trees.has("norm", knob)]
    width = max(len(trees.address("norm", knob)) for knob in knobs)
    takes = max(len(_takes(knob)) for knob in knobs)
    lines = [
        "Every knob of First Light, as a custom address for a control of Resolume.",
        f"They are heard at {place.host}, port {place.osc}. 0 to 1 is the whole travel of a",
        "fader; the middle column says what that is in the knob's own units.",
        "",
    ]
    lines += [
        f"{trees.address('norm', knob):{width}}  {_takes(knob):{takes}}  {knob.declared.doc}"
        for knob in knobs
    ]
    return "\n".join(lines) + "\n"


def _takes(knob: Knob) -> str:
    declared = knob.declared
    if not isinstance(declared, Param):
        return "press"
    if declared.choices:
        return " | ".join(declared.choices)
    if knob.kind == "bool":
        return "off | on"
    ends = f"{declared.min:g} to {declared.max:g} {declared.unit}".strip()
    return ends if declared.taper == "linear" else f"{ends}, {declared.taper}"


def _readme(place: Place) -> str:
    return f"""# Resolume

For Arena and Avenue 7. What is here is tested against a stream of messages like Resolume's, not in
Resolume itself.

1. Start First Light with the table of Resolume's addresses, and all else as usual:
   `firstlight --config patches/resolume/aliases.toml`
2. In Resolume, Preferences > OSC: switch OSC Output on, to the IP address {place.host} and
   port {place.osc}.
3. Choose a custom output preset there, not "Output All OSC Messages": that one sends hundreds of
   messages a second. First Light only counts what it does not know (`/stats/unknown`), but they are
   in the way. In Shortcuts > Edit OSC switch on the output of the controls in `aliases.toml`.
4. Play. The eight dials of the composition's dashboard are rate, momentum, trust, memory, gate,
   noise, feedback and zoom, in this order; those of layer 1 are steps, L1, structure, edges,
   noise, mask, blur and anchor; the crossfader goes from one brain to the other.
5. For any other knob, give a control a custom address out of `addresses.txt` in Shortcuts > Edit
   OSC (`/norm/learn/decay`), or write a line of your own into `aliases.toml`.

Nothing is sent back: Resolume's dials do not follow what other hands play.

## The picture

On Windows switch Output > Texture Sharing (Spout) on in Resolume and start First Light with nothing
more than step 1: it takes the first Spout sender that is not its own, and its picture is among
Resolume's sources as `First Light`. On a Mac the same by Syphon. Over NDI, also from another
machine: `--in ndi:Arena --out ndi:`, after `python -m pip install '.[ndi]'`. Spout and Syphon have
been tried against stand-ins only so far; `firstlight latency spout` (or `syphon`, or `ndi`) tells
in ten seconds whether they work on your machine, and how late the picture is. `/system/source`
chooses another sender while it plays.
"""
