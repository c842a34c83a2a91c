"""No test writes where the user's own brains are."""

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _a_home_of_their_own(tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):  # tests that start processes hand it on
        os.environ[name] = home
