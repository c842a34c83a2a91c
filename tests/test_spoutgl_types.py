"""What stands for SpoutGL where there is none: the stubs and the fake, held to the real one.

The real one is a Windows wheel, which .ci/run downloads; pyright is npm's.
"""

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fakes import spoutgl

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "tests" / "clients"
STUBS = sorted((ROOT / "typings" / "SpoutGL").glob("*.pyi"))
PYRIGHT = CLIENTS / "node_modules" / ".bin" / "pyright"
CONFIGURATION = CLIENTS / "spout.json"
VERSION = "0.1.1"
VERBS = "get|set|is|send|receive|release|create|close|wait|read|write|delete|copy"


def declared():
    """What the stubs declare: functions, methods and constants by name, and how."""
    found = {}
    for stub in STUBS:
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                found[node.name] = node
            if isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
                found[ast.unparse(node.target)] = node
    return found


@pytest.fixture(scope="module")
def binary():
    """The wheel's compiled module."""
    wheels = list((CLIENTS / "wheels").glob(f"spoutgl-{VERSION}-*-win_amd64.whl"))
    if not wheels:
        pytest.skip("SpoutGL's wheel is not in tests/clients/wheels; .ci/run downloads it")
    with zipfile.ZipFile(wheels[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".pyd"))
        return wheel.read(name)


@pytest.mark.clients
def test_all_that_the_stubs_declare_is_in_the_wheel(binary):
    missing = [name for name in declared() if not re.search(rb"\b%b\0" % name.encode(), binary)]
    assert len(declared()) > 40
    assert missing == []


@pytest.mark.clients
def test_all_that_the_wheel_can_do_is_in_the_stubs(binary):
    names = {n.decode() for n in re.findall(rb"(?<![A-Za-z_])[a-z][A-Za-z0-9]{3,30}(?=\0)", binary)}
    able = {name for name in names if re.match(rf"({VERBS})[A-Z]", name)}
    assert able - declared().keys() == set()
    assert len(able) > 35


def test_the_stubs_the_wheel_and_what_is_installed_are_one_version():
    first = STUBS[0].read_text(encoding="utf-8").splitlines()[0]
    for place in ("pyproject.toml", ".ci/run"):
        assert f"SpoutGL=={VERSION}" in (ROOT / place).read_text(encoding="utf-8")
    assert f"SpoutGL {VERSION}" in first


@pytest.mark.parametrize("side", ["SpoutReceiver", "SpoutSender"])
def test_the_fake_can_do_nothing_that_spoutgl_cannot(side):
    for name, method in inspect.getmembers(getattr(spoutgl, side), inspect.isfunction):
        if not name.startswith("_"):
            given = inspect.signature(method).parameters
            assert len(given) == len(declared()[name].args.posonlyargs), name


needs_pyright = pytest.mark.skipif(
    not (PYRIGHT.exists() and shutil.which("node")),
    reason="pyright is not in tests/clients; there, run npm install",
)


def checked(configuration):
    """What pyright finds wrong on Windows."""
    command = [PYRIGHT, "-p", configuration, "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"], done.stdout
    return [
        f"{one['range']['start']['line']}: {one['message']}" for one in found["generalDiagnostics"]
    ]


@pytest.mark.clients
@needs_pyright
def test_pyright_finds_nothing_wrong_on_windows():
    assert checked(CONFIGURATION) == []


@pytest.mark.clients
@needs_pyright
def test_pyright_would_find_it(tmp_path):
    (tmp_path / "wrong.py").write_text(
        "import SpoutGL\n"
        "name: str = SpoutGL.SpoutReceiver().getSenderName()\n"
        "SpoutGL.SpoutReceiver().receiveImage(None, 1)\n"
        "SpoutGL.SpoutSender().sendImage('text', 1, 1, 1, False, 0)\n"
        "SpoutGL.SpoutSender().setSenderName(name='Out')\n"
    )
    settings = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    settings |= {"include": ["wrong.py"], "stubPath": str(ROOT / "typings"), "extraPaths": []}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    lines = [found.partition(":")[0] for found in checked(tmp_path / "settings.json")]
    assert sorted(set(lines)) == ["1", "2", "3", "4"]
