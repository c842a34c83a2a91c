"""Telling the network where First Light is. What needs multicast is in test_clients.py."""

import importlib
import logging
import threading
from types import SimpleNamespace

import pytest

from bridge.control import announce
from bridge.control.announce import Announcement, reached_at

PATIENCE = 10  # seconds after which a test that waits has failed


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.5", "::1", "fe80::1%eth0"])
def test_one_address_is_reached_at_itself(host):
    assert reached_at(host) == [host]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_all_addresses_are_reached_at_those_of_the_network(host):
    for address in reached_at(host):
        assert not address.startswith("127.")
        assert address not in ("0.0.0.0", "::", "::1")


def test_without_zeroconf_it_says_what_to_install(monkeypatch, caplog):
    monkeypatch.setattr(importlib, "import_module", _none)
    with caplog.at_level(logging.INFO):
        Announcement("10.0.0.5", 9137, 9180).close()
    assert ".[mdns]" in caplog.text


def test_it_holds_nobody_up_while_the_network_is_asked_for_a_free_name(monkeypatch):
    asked, answered = threading.Event(), threading.Event()

    class Slow:
        Error, InterfaceChoice = OSError, SimpleNamespace(All=0)

        def Zeroconf(self, interfaces):  # noqa: ARG002, N802
            asked.set()
            assert answered.wait(PATIENCE)
            raise self.Error("no multicast here")

    monkeypatch.setattr(importlib, "import_module", lambda _name: Slow())
    announcement = Announcement("10.0.0.5", 9137, 9180)
    assert asked.wait(PATIENCE)
    answered.set()
    announcement.close()


def _none(_name: str) -> None:
    raise ImportError


@pytest.mark.parametrize(
    ("name", "label"),
    [("rig", "rig"), ("Mémo's Mac.local", "M-mo-s-Mac"), ("x" * 99, "x" * 63), ("", "first-light")],
)
def test_any_machines_name_becomes_one_that_dns_takes(name, label):
    assert announce._label(name) == label
