"""What runs elsewhere before a change lands, as far as it can be told from here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def steps() -> dict[str, str]:
    """What each system runs to test: a step's last line, by the system that it is for."""
    step = re.compile(
        r"name: Tests.*\n +if: runner.os == '(\w+)'\n(?: +shell: pwsh\n)? +run: \|\n +(.+)"
    )
    return dict(step.findall(WORKFLOW))


def test_each_system_runs_the_readmes_command_to_the_letter():
    posix, windows = (line for line in README.splitlines() if "'.[test]'" in line)
    assert steps() == {"Linux": "bash .ci/run", "macOS": posix, "Windows": windows}


def test_linux_takes_that_command_from_the_readme_itself():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert """grep -F "'.[test]'" README.md | head -n 1""" in script


def test_programs_of_other_makers_come_after_it_and_none_may_be_missing():
    *_, last = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert last == ".venv/bin/python -m pytest -m clients --skip-is-failure -n 0"


def test_ndi_is_tried_for_real_in_the_first_stage_already():
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert """PYTEST_ADDOPTS=--must-run=ndi bash -ec "$test_command\"""" in script


@pytest.mark.parametrize(
    ("words", "code"),
    [([], 0), (["--skip-is-failure"], 1), (["--must-run=ndi"], 1), (["--must-run=other"], 0)],
)
def test_there_a_skip_is_a_failure(tmp_path, words, code):
    (tmp_path / "test_one.py").write_text(
        "import pytest\n@pytest.mark.ndi\ndef test_one(): pytest.skip('it is gone')"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = ndi")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", *words, tmp_path]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert (done.returncode, "it is gone" in done.stdout) == (code, bool(code))


@pytest.mark.parametrize(("system", "scheme"), [("Windows", "spout"), ("macOS", "syphon")])
def test_what_only_another_system_has_is_measured_there_and_marked_as_unproven(system, scheme):
    *_, step = WORKFLOW.partition(f"name: {scheme.title()}, from one program to another\n")
    step = step.partition("\n\n")[0]
    assert f"if: runner.os == '{system}'" in step
    assert step.rstrip().endswith(f"firstlight latency {scheme}")
    assert "continue-on-error: true" in step
    assert "UNPROVEN, more than the rest" in WORKFLOW


def test_no_lock_file_names_hosts():
    assert (ROOT / "tests/clients/.npmrc").read_text(encoding="utf-8") == "package-lock=false\n"
    assert not list(ROOT.glob("tests/clients/*lock*"))


def test_it_may_only_read_and_neither_hangs_nor_piles_up():
    assert re.findall(r"^permissions:\n  contents: read$", WORKFLOW, re.MULTILINE)
    assert WORKFLOW.count("permissions:") == 1
    assert "timeout-minutes:" in WORKFLOW
    assert "cancel-in-progress: true" in WORKFLOW


def test_actions_are_pinned_by_their_major_version():
    used = re.findall(r"uses: (\S+)", WORKFLOW)
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
