"""Fake senders, visible by fake transports: no library is loaded, and no network is touched."""

import threading
from dataclasses import replace

import numpy as np

from bridge import video
from bridge.frame import Frame
from bridge.video import Source


class Sender:
    """One program that sends, and the receiver that it is seen by. It shows what it is told to."""

    def __init__(self, size=(64, 48), **known):
        self.source = Source(
            True, "a fake", size, **({"format": "UYVY", "route": "by air"} | known)
        )
        self.waiting = []
        self.fails = {}  # what is asked: what it raises
        self.opened, self.closed = [], 0  # the devices it was opened for; how often it was closed
        self.asked = 0

    def show(self, level, skipped=0):
        """A plain picture, of the next few that were sent."""
        self.waiting.append(Frame(np.full((48, 64, 4), level, np.uint8), "bgra", 0.0, skipped))

    def know(self, **known):
        self.source = replace(self.source, **known)

    def receive(self, _timeout):
        self._do("receive")
        self.asked += 1
        return self.waiting.pop(0) if self.waiting else None

    def status(self):
        self._do("status")
        return self.source

    def close(self):
        self.closed += 1
        self._do("close")

    def _do(self, what):
        assert threading.current_thread() is threading.main_thread()
        if what in self.fails:
            raise self.fails[what]


class Senders(dict):
    """Those that are there, by their addresses, in place of all real ones."""

    def __init__(self, monkeypatch):
        self.fails = {}  # a scheme, or an address: what it raises
        self.looks, self.patience = [], set()  # the schemes that were asked, and for how long
        self._real = video.discover
        monkeypatch.setattr(video, "discover", self.discover)
        monkeypatch.setattr(video, "open_receiver", self.open_receiver)

    def discover(self, scheme, timeout):
        if scheme not in video.SHARED:
            return self._real(scheme, timeout)
        self.looks.append(scheme)
        self.patience.add(timeout)
        if scheme in self.fails:
            raise self.fails[scheme]
        return [address for address in self if address.startswith(f"{scheme}:")]

    def open_receiver(self, address, *, live, device="cpu"):
        assert live
        self[address].opened.append(device)
        if address in self.fails:
            raise self.fails[address]
        return self[address]
