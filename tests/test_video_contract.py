"""Every transport keeps the contract of `bridge/video/__init__.py`.

Read from the syntax tree, so that a transport of another system is held to it here too.
"""

import ast
from pathlib import Path

import pytest

from bridge import video

FOLDER = Path(video.__file__).parent
CONSTRUCTORS = {
    "Receiver": (["self", "rest"], {"live": False, "loop": True, "device": True}),
    "Sender": (["self", "rest"], {"live": False, "rate": False, "device": True}),
}  # what is given by place, what by name, and whether it may be left out
TRANSPORTS = sorted({*video.RECEIVERS, *video.SENDERS})


def tree(name):
    return ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def classes(module):
    return {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}


def is_property(node):
    return any(ast.unparse(decorator) == "property" for decorator in node.decorator_list)


def functions(parent):
    made = [node for node in parent.body if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in made if not is_property(node)}


def attributes(parent):
    """What a class says of each of its instances: constants and properties."""
    constants = [node for node in parent.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    names = [ast.unparse(getattr(n, "target", None) or n.targets[0]) for n in constants]
    made = [node for node in parent.body if isinstance(node, ast.FunctionDef)]
    return {*names, *(node.name for node in made if is_property(node))}


def by_place(function):
    return [argument.arg for argument in function.args.args]


def by_name(function):
    """The names of the arguments given by name, and whether each may be left out."""
    arguments = function.args
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: default is not None for argument, default in pairs}


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_transport_has_the_sides_that_are_promised(name):
    there = classes(tree(name))
    assert ("Receiver" in there, "Sender" in there) == (
        name in video.RECEIVERS, name in video.SENDERS,
    )  # fmt: skip


def test_no_transport_is_forgotten():
    sides = [p.stem for p in FOLDER.glob("*.py") if classes(tree(p.stem)).keys() & CONSTRUCTORS]
    assert sorted(set(sides) - {"__init__"}) == TRANSPORTS


@pytest.mark.parametrize("side", CONSTRUCTORS)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_side_is_made_as_all_others_are(name, side):
    here = classes(tree(name)).get(side)
    if here is None:
        return
    made = functions(here)["__init__"]
    place, named = CONSTRUCTORS[side]
    asked = by_name(made)
    assert by_place(made) == place
    assert {key: asked.pop(key) for key in named} == named
    assert all(asked.values()), "what only one transport knows must have a default"


@pytest.mark.parametrize("side", CONSTRUCTORS)
@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_side_has_the_methods_of_the_contract(name, side):
    here = classes(tree(name)).get(side)
    if here is None:
        return
    promised = functions(classes(tree("__init__"))[side])
    kept = functions(here)
    for method, promise in promised.items():
        assert by_place(kept[method]) == by_place(promise)
        assert ast.unparse(kept[method].returns) == ast.unparse(promise.returns)
    assert {method for method in kept if not method.startswith("_")} == promised.keys()


@pytest.mark.parametrize("name", video.SENDERS)
def test_a_sender_tells_whether_pixels_must_be_on_the_host(name):
    assert "host" in attributes(classes(tree(name))["Sender"])


@pytest.mark.parametrize("name", TRANSPORTS)
def test_all_discover_in_one_way(name):
    found = functions(tree(name))["discover"]
    assert by_place(found) == ["timeout"]
    assert ast.unparse(found.returns) == "list[str]"


@pytest.mark.parametrize("name", ["pattern"])
def test_what_is_discovered_can_be_opened(name):
    for address in video.discover(name, 1.0):
        receiver = video.open_receiver(address, live=True)
        assert receiver.status().connected
        receiver.close()
