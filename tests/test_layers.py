"""The architecture: which room may import which. This table is the document."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

BRIDGE = Path(__file__).parents[1] / "bridge"
# A room may import from floors below its own, and from itself; rooms of one floor do not meet.
FLOORS = [
    {
        "frame",
        "patterns",
        "params",
        "knob",
        "trees",
        "held",
        "space",
        "stats",
        "files",
        "install",
        "machine",
        "preset",
        "looks",
        "config",
        "parsers",
        "tables",
        "pictures",
    },
    {"video", "nets", "control"},
    {"learn"},
    {"engine", "bench", "museum", "devices", "watch"},
    {"play", "going_on", "show", "cli", "__main__"},
]
SAME_FLOOR = {  # the exceptions, each with its reason
    ("knob", "params"): "it binds a declaration",
    ("trees", "params"): "it tells knobs in other words",
    ("trees", "knob"): "it tells knobs in other words",
    ("space", "params"): "it holds what they declare",
    ("space", "patterns"): "addresses are matched by pattern",
    ("space", "knob"): "it holds them",
    ("space", "trees"): "a knob has an address in each",
    ("space", "held"): "it keeps messages for knobs that are not here yet",
    ("stats", "params"): "it declares knobs",
    ("preset", "files"): "a preset's name is a file's",
    ("looks", "preset"): "it reads and writes them",
    ("looks", "files"): "it writes them whole",
    ("looks", "params"): "it declares knobs",
    ("looks", "space"): "it moves every knob there is",
    ("tables", "knob"): "the tables list the knobs",
    ("tables", "space"): "the tables list the knobs",
    ("tables", "params"): "the tables list the knobs",
    ("bench", "museum"): "it measures what is taught",
    ("watch", "devices"): "it goes on looking at what that lists",
    ("play", "going_on"): "what it begins with",
    ("cli", "play"): "a subcommand",
    ("cli", "show"): "a subcommand",
    ("__main__", "cli"): "python -m bridge",
}
ABOVE = {  # upward, each with its reason
    ("bench", "play"): "a live measurement plays the whole instrument",
}
NO_TORCH = {
    "frame",
    "patterns",
    "params",
    "knob",
    "trees",
    "held",
    "space",
    "files",
    "install",
    "machine",
    "preset",
    "looks",
    "stats",
    "config",
    "tables",
    "cli",
    "parsers",
    "devices",
    "watch",
    "show",
    "control",
    "pictures",
    "video",
}
# loaded only where pictures are wanted on a card
TORCH_ALL_THE_SAME = {"video/_metal.py", "video/_texture.py"}
FUNCTION_IMPORTS = {"cli.py"}  # a subcommand imports what it runs


def modules() -> list[Path]:
    return sorted(BRIDGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(BRIDGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> list[tuple[ast.stmt, str]]:
    found: list[tuple[ast.stmt, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "bridge":
            found += [(node, f"bridge.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node, node.module))
    return found


def rooms_imported(path: Path) -> set[str]:
    names = [name.split(".")[1] for _, name in imports(path) if name.startswith("bridge.")]
    return {name for name in names if name in set().union(*FLOORS)}


def floor(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(BRIDGE)))
def test_a_room_imports_only_downward(path):
    room = room_of(path)
    if room == "__init__":
        assert rooms_imported(path) == set()
        return
    for other in rooms_imported(path) - {room}:
        below = floor(other) < floor(room)
        assert below or (room, other) in SAME_FLOOR or (room, other) in ABOVE, f"{room} → {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(BRIDGE)))
def test_nothing_is_imported_inside_a_function(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tried = [node for tries in tree.body if isinstance(tries, ast.Try) for node in tries.body]
    top = {id(node) for node in (*tree.body, *tried)}
    hidden = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in top
    ]
    assert not hidden or str(path.relative_to(BRIDGE)) in FUNCTION_IMPORTS


@pytest.mark.parametrize("room", sorted(NO_TORCH))
def test_a_lower_room_does_not_import_torch(room):
    for path in modules():
        if room_of(path) == room and str(path.relative_to(BRIDGE)) not in TORCH_ALL_THE_SAME:
            assert not any(name.split(".")[0] == "torch" for _, name in imports(path)), path


def test_every_module_says_what_it_is_in_at_most_twelve_lines():
    for path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if path.read_text(encoding="utf-8").strip():
            assert docstring, path
            assert len(docstring.splitlines()) <= 12, path


def test_only_the_engines_turn_and_the_control_threads_edge_catch_everything():
    broad = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                names = ast.unparse(node.type) if node.type else ""
                if names in ("", "Exception", "BaseException"):
                    broad.append(str(path.relative_to(BRIDGE)))
    edges = ["control/feedback.py", "control/server.py", "control/web.py"]
    assert sorted(set(broad)) == [*edges, "engine.py"]


def test_the_command_touches_no_transport_of_another_system():
    code = "import sys, bridge.cli, bridge.video\n"
    code += "there = {m.split('.')[0] for m in sys.modules}\n"
    code += "sys.exit(bool(there & {'SpoutGL', 'syphon', 'objc', 'Metal', 'cyndilib', 'cuda'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0


def test_the_command_answers_help_without_torch():
    code = (
        "import sys; from bridge.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    )
    code += "sys.exit(any(m.split('.')[0] in ('torch', 'av', 'rich') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"firstlight" in done.stdout
