"""What is called of Syphon exists: read by pyright for macOS, beside syphon-python's own wheel.

The wheel is pure Python, so that this can be done on any system. It is fetched by .ci/run.
"""

import json
import os
import subprocess
import sys
import zipfile

import pytest
from fakes.programs import CLIENTS, ROOT, needs

pytestmark = [pytest.mark.clients, *needs("node")]

PYRIGHT = CLIENTS / "node_modules" / ".bin" / "pyright"
MODULES = ("syphon", "_syphon", "_metal")
WRONG = [  # a module, what it says, and what would be wrong there
    ("syphon", "is_flipped=", "flipped="),
    ("syphon", ".has_new_frame", ".has_frame"),
    ("syphon", "new_frame_image", "frame_image"),
    ("syphon", "device=self._device", "gpu=self._device"),
    ("syphon", ".server_description.uuid", ".description.uuid"),
    ("syphon", ".app_name", ".application"),
    ("_syphon", ".update_run_loop()", ".pump()"),
    ("_syphon", "server.uuid for", "server.id for"),
]


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """What pyright finds wrong, by the names of the files."""
    wheels = sorted((CLIENTS / "wheels").glob("syphon_python-*.whl"))
    if not PYRIGHT.exists():
        pytest.skip("tests/clients has no pyright: run npm install there")
    if not wheels:
        pytest.skip("syphon-python's wheel is not in tests/clients/wheels: .ci/run fetches it")
    folder = tmp_path_factory.mktemp("syphon")
    with zipfile.ZipFile(wheels[-1]) as wheel:
        wheel.extractall(folder / "wheel")
    sources = {name: ROOT / "bridge" / "video" / f"{name}.py" for name in MODULES}
    for number, (name, right, wrong) in enumerate(WRONG):
        text = sources[name].read_text(encoding="utf-8")
        assert right in text
        (folder / f"wrong_{number}.py").write_text(text.replace(right, wrong), encoding="utf-8")
    config = {
        "pythonPlatform": "Darwin",
        "extraPaths": ["wheel", os.path.relpath(ROOT, folder)],
        "include": [*(os.path.relpath(path, folder) for path in sources.values()), "wrong_*.py"],
        "reportMissingImports": False,  # of Metal, Cocoa and objc, which have no types
        "reportMissingModuleSource": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    done = subprocess.run(
        [PYRIGHT, "--project", folder, "--pythonpath", sys.executable, "--outputjson"],
        capture_output=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == len(sources) + len(WRONG)
    found: dict[str, list[str]] = {}
    for fault in told["generalDiagnostics"]:
        found.setdefault(os.path.basename(fault["file"]), []).append(fault["message"])
    return found


@pytest.mark.parametrize("name", MODULES)
def test_what_is_called_of_syphon_exists_and_takes_what_it_is_given(faults, name):
    assert faults.get(f"{name}.py") is None


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[wrong for _, _, wrong in WRONG])
def test_what_does_not_exist_would_be_found(faults, number):
    assert faults.get(f"wrong_{number}.py")
