"""No test writes where the user's own brains are; where everything is there, none is skipped."""

import functools
import os

import pytest


def pytest_configure(config):
    """Give each of the processes a core of its own: the instrument pins itself to the first one it
    may have, and two that shared that one would leave the other idle."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker[2:]) % len(cores)]})


def pytest_addoption(parser):
    parser.addoption(
        "--skip-is-failure", action="store_true", help="fail what would be skipped: all is there"
    )
    parser.addoption("--must-run", metavar="MARKER", help="the same for what has this marker")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    must = item.config.getoption("--must-run")
    return _or_failed(report, item.config, must=bool(must and item.get_closest_marker(must)))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    return _or_failed(report, collector.config)


def _or_failed(report, config, *, must=False):
    if report.skipped and (must or config.getoption("--skip-is-failure")):
        *_, reason = report.longrepr
        report.outcome, report.longrepr = "failed", f"{report.nodeid}: {reason}"
    return report


@pytest.fixture(scope="session")
def catalogue():
    """The whole address tree, for who only reads it."""
    from bridge import play  # not above: torch is to wake in the core that is this process's own

    return play.catalogue()


@pytest.fixture(autouse=True, scope="session")
def _a_home_of_their_own(tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):  # tests that start processes hand it on
        os.environ[name] = home


@pytest.fixture(autouse=True, scope="session")
def _scenes_are_drawn_up_once():
    """The textures of `pattern:` are most of a second of work, whatever its size. Its frames are a
    function of their number alone (test_pattern holds the class itself to that), so receivers of
    one size share them."""
    from bridge.video import pattern

    own = pattern.Pattern
    pattern.Pattern = functools.lru_cache(maxsize=4)(own)
    yield
    pattern.Pattern = own
