"""OSCQuery: the address space as JSON, so that a client finds every knob by itself. No sockets.

Three trees (bridge/trees.py): units at the root, faders under `/norm`, words under `/text`. What
our own page needs beyond the proposal is in attributes of the same manner: `DEFAULT_VALUE`, as
libossia has it, and `TAGS`. Reference: Vidvox, "OSC Query Proposal", 2018.
"""

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from bridge import tables, trees
from bridge.knob import Knob
from bridge.params import Param, Trigger
from bridge.space import AddressSpace
from bridge.trees import TREES, Tree

Node = dict[str, Any]

ACCESS = {"r": 1, "w": 2, "rw": 3}
KIND = {"float": "f", "int": "i", "choice": "s", "text": "s"}
UNITS = {"s": "time.second", "ms": "time.ms", "1/s": "time.hz"}  # as the proposal names them
OPTIONAL = (
    "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS", "UNIT", "CLIPMODE", "CRITICAL",
    "DEFAULT_VALUE",
)  # fmt: skip
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", *OPTIONAL)
SPOKEN = (*OPTIONAL, "LISTEN", "IGNORE", "PATH_CHANGED")
UNSPOKEN = "EXTENDED_TYPE", "OVERLOADS", "HTML", "PATH_ADDED", "PATH_REMOVED", "PATH_RENAMED"
EXTENSIONS = {name: name in SPOKEN for name in (*SPOKEN, *UNSPOKEN)}


def host_info(name: str, osc_port: int, web_port: int) -> Node:
    """Who answers. The addresses are left out: they are the one that was asked."""
    return {
        "NAME": name,
        "EXTENSIONS": EXTENSIONS,
        "OSC_PORT": osc_port,
        "OSC_TRANSPORT": "UDP",
        "WS_PORT": web_port,
    }


def answer(space: AddressSpace, target: str, info: Node) -> tuple[int, Node | None]:
    """The HTTP status and the JSON for a request's target, "/learn/rate?VALUE"."""
    parts = urlsplit(target)
    asked = attribute(target)
    if asked == "HOST_INFO":
        return 200, info
    found = node(space, unquote(parts.path))
    if found is None:
        return 404, None
    if not asked:
        return 200, found
    if asked not in ATTRIBUTES:
        return 400, None
    if asked == "VALUE" and not found["ACCESS"] & 1:
        return 204, None
    return 200, {asked: found[asked]} if asked in found else {}


def attribute(target: str) -> str:
    """What of a node a request asks for: its first word, but for our token; "" for all of it."""
    words = (word.partition("=")[0] for word in urlsplit(target).query.split("&"))
    return next((word for word in words if word not in ("", "token")), "")


def node(space: AddressSpace, path: str) -> Node | None:
    """A knob or a container with all that is in it; None where there is neither."""
    path = "/" + path.strip("/")
    tree, plain = trees.split(path)
    if plain in space and trees.has(tree, space[plain]):
        return leaf(tree, space[plain])
    root: Node = _container("/")
    for tree, knob in _everything(space):
        address = trees.address(tree, knob)
        if path == "/" or address.startswith(f"{path}/"):
            _hang(root, address, leaf(tree, knob))
    for name in path.split("/"):
        root = root if not name else root.get("CONTENTS", {}).get(name)
        if root is None:
            return None
    return root


def _everything(space: AddressSpace) -> Iterator[tuple[Tree, Knob]]:
    ordered = tables.ordered(space)
    yield from ((tree, knob) for tree in TREES for knob in ordered if trees.has(tree, knob))


def _container(path: str) -> Node:
    return {"FULL_PATH": path, "ACCESS": 0, "CONTENTS": {}}


def _hang(root: Node, address: str, one: Node) -> None:
    *names, last = address.strip("/").split("/")
    path = ""
    for name in names:
        path += f"/{name}"
        root = root["CONTENTS"].setdefault(name, _container(path))
    root["CONTENTS"][last] = one


def leaf(tree: Tree, knob: Knob) -> Node:
    """One knob as one tree tells of it. Arrays have one entry for each type tag: there is one."""
    declared = knob.declared
    found: Node = {"FULL_PATH": trees.address(tree, knob), "DESCRIPTION": declared.doc}
    if isinstance(declared, Trigger):
        # Some clients do without a knob that has no VALUE: nothing is a value too.
        found |= {"TYPE": "I", "ACCESS": 2, "VALUE": [None]}
        if declared.critical:
            found["CRITICAL"] = True
    elif tree == "text":
        found |= {"TYPE": "s", "ACCESS": 1, "VALUE": [trees.words(knob, knob.value)]}
    elif tree == "norm":
        found |= _fader(knob)
    else:
        found |= _plain(knob)
    tags = _tags(knob)
    return found | {"TAGS": tags} if tags else found


def _fader(knob: Knob) -> Node:
    declared = knob.declared
    assert isinstance(declared, Param)
    return {
        "TYPE": "f",
        "ACCESS": 3,
        "VALUE": [declared.travel(knob.value)],
        "DEFAULT_VALUE": [declared.travel(declared.default)],
        "RANGE": [{"MIN": 0.0, "MAX": 1.0}],
        "CLIPMODE": ["both"],
    }


def _plain(knob: Knob) -> Node:
    declared, value = knob.declared, knob.value
    assert not isinstance(declared, Trigger)
    found: Node = {"TYPE": _tag(value, knob.kind), "ACCESS": ACCESS[knob.access]}
    found["VALUE"] = [_shown(value)]
    if declared.unit:
        found["UNIT"] = [UNITS.get(declared.unit, declared.unit)]
    if isinstance(declared, Param):
        found["DEFAULT_VALUE"] = [declared.default]
        if knob.choices:
            found["RANGE"] = [{"VALS": list(knob.choices)}]
        if knob.kind in ("float", "int"):
            found["RANGE"] = [{"MIN": declared.min, "MAX": declared.max}]
            found["CLIPMODE"] = ["both"]
    return found


def _tag(value: Any, kind: str) -> str:
    """A bool's type tag is its value."""
    return KIND[kind] if kind != "bool" else "T" if value else "F"


def _shown(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tags(knob: Knob) -> list[str]:
    """What a surface likes to know: how the fader travels, whether it moves anything now, whether
    a press is to be asked for twice."""
    declared = knob.declared
    found: list[str] = []
    if isinstance(declared, Trigger):
        return ["asks"] if declared.asks else []
    if isinstance(declared, Param):
        found += [declared.taper] if declared.taper != "linear" else []
        found += ["choice"] if declared.choices else []
        found += ["menu"] if declared.only else []
    return found + ([] if knob.active else ["inactive"])
