"""The programs of `firstlight latency`: a sender and the bridge, each a process of its own.

Each is started once the one before is seen, and both are ended by their own ids, whatever happens.
What they say is read beside the main thread, so that neither ever waits to be heard.
"""

import contextlib
import errno
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from bridge import Refusal, video
from bridge.bench.source import OPENED, SENT, Sent
from bridge.control import osc

PORTS = range(5961, 6000)  # which NDI gives its senders, one after another
SAYS = 15.0  # seconds in which the sender must have opened, and at the end told what it sent
STARTS = 90.0  # the same of the bridge: a first start on Windows reads all of torch
ENDS = 10.0  # seconds given to a program to end in order
LOOK = 0.02  # seconds between two looks
ANSWERS = 0.5  # seconds given to the bridge to tell its readings
KEPT = 200  # lines of what a program says
GREETING = re.compile(r"OSC on \S+?:(\d+)")
WANTED = ("/stats/", "/net/name", "/net/size")


def needed(scheme: str) -> None:
    """Raises ImportError, saying what to install and where it works, where `scheme` is not here."""
    importlib.import_module(f"bridge.video.{scheme}")


class Program:
    """A process, and what it says, line by line."""

    def __init__(self, what: str, words: Sequence[str]) -> None:
        self._what = what
        self._said: list[str] = []
        self._more = threading.Condition()
        self._over = False
        # Windows knows no gentler end than a Ctrl-Break, which is for a whole group.
        group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        self._process = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", creationflags=group,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, name=what, daemon=True)
        self._reader.start()

    def heard(self, wanted: str | re.Pattern[str], seconds: float) -> re.Match[str]:
        """The first line in which `wanted` is. Raises Refusal if none comes, or when it ends."""
        pattern = re.compile(wanted)

        def found() -> re.Match[str] | None:
            return next((m for line in self._said if (m := pattern.search(line))), None)

        with self._more:
            self._more.wait_for(lambda: found() or self._over, seconds)
            match, over = found(), self._over
        if match is None:
            if over:
                self._process.wait(ENDS)
            self.check()
            raise Refusal(f"{self._what} does not start; it last said: {self.last()}")
        return match

    def check(self) -> None:
        """Raises Refusal if it has ended, with the last it said."""
        if self._process.poll() is not None:
            self._reader.join(ENDS)
            raise Refusal(f"{self._what} has ended; it last said: {self.last()}")

    def last(self) -> str:
        with self._more:
            line = next((line for line in reversed(self._said) if line), "nothing.")
        return line.removeprefix("firstlight: ")

    def release(self) -> None:
        """End its input, which it may take as a word to end."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def close(self) -> None:
        """End it, in order if it will. Harmless when it has ended."""
        self.release()
        if self._process.poll() is None:
            with contextlib.suppress(OSError):  # it ends at this very moment
                self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
        try:
            self._process.wait(ENDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(ENDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._said = [*self._said[1 - KEPT :], line.rstrip()]
                self._more.notify_all()
        with self._more:
            self._over = True
            self._more.notify_all()


class Rig:
    """Both programs, and the way to each. `words` are further options of the bridge's; what it
    would keep it keeps in `folder`, away from the user's own."""

    def __init__(
        self,
        scheme: str,
        size: tuple[int, int],
        rate: float,
        net: str,
        words: Sequence[str],
        folder: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._scheme, self._size, self._rate, self._net = scheme, size, rate, net
        self._words, self._folder, self._sleep = words, folder, sleep
        self._own = os.getpid()
        self._open = contextlib.ExitStack()
        self._source: Program | None = None
        self._bridge: Program | None = None
        self._osc = 0

    def clock(self) -> float:
        return time.perf_counter()

    def source(self) -> str:
        """Start the sender. Answers the address that its pictures are at."""
        name, before = f"First Light card {self._own}", self._taken()
        words = [self._scheme, name, *map(str, self._size), str(self._rate)]
        self._source = self._started("the sender", ["-m", "bridge.bench.source", *words])
        self._source.heard(f"^{OPENED}", SAYS)
        return self._address(name, before)

    def bridge(self, source: str) -> str:
        """Start the bridge on what is at `source`. Answers the address of its own pictures."""
        name, before = f"First Light latency {self._own}", self._taken()
        words = [
            "-m", "bridge", "run", "--in", source, "--out", f"{self._scheme}:", "--name", name,
            "--net", self._net, "--osc", "0", "--no-page", "--feedback", "none",
            "--brains", self._folder, "--presets", self._folder, *self._words,
        ]  # fmt: skip
        self._bridge = self._started("the bridge", words)
        self._osc = int(self._bridge.heard(GREETING, STARTS)[1])
        return self._address(name, before)

    def receiver(self, address: str) -> video.Receiver:
        return video.open_receiver(address, live=True)

    def check(self) -> None:
        """Raises Refusal when a process has ended, with the last it said."""
        for program in (self._source, self._bridge):
            if program is not None:
                program.check()

    def stats(self) -> dict[str, Any]:
        """What the bridge tells of itself now, by address; nothing where it does not answer. It is
        asked by OSC as anybody may: a report counts from its first second, when it is not yet in
        its stride."""
        told: dict[str, Any] = {}
        until = time.perf_counter() + ANSWERS
        # Kept open to the end: who has asked is told of changes from then on.
        wire = self._open.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with contextlib.suppress(OSError):
            wire.bind(("127.0.0.1", 0))
            wire.sendto(osc.encode("/system/sync", True), ("127.0.0.1", self._osc))
            while "/stats/skipped" not in told or "/stats/route" not in told:
                wire.settimeout(max(0.001, until - time.perf_counter()))
                messages = osc.decode(wire.recv(65535)).messages
                told |= {m.address: m.arguments[0] for m in messages if m.arguments}
        return {address: told[address] for address in sorted(told) if address.startswith(WANTED)}

    def said(self) -> str:
        """The last that the bridge said."""
        return self._bridge.last() if self._bridge else ""

    def sent(self) -> Sent:
        """End the sender. Answers what it did."""
        assert self._source is not None
        self._source.release()
        line = self._source.heard(f"^{SENT}", SAYS).string
        return Sent(**json.loads(line.removeprefix(SENT)))

    def close(self) -> None:
        self._open.close()

    def _started(self, what: str, words: Sequence[str]) -> Program:
        return self._open.enter_context(contextlib.closing(Program(what, words)))

    def _taken(self) -> set[int]:
        return {port for port in PORTS if is_taken(port)} if self._scheme == "ndi" else set()

    def _address(self, name: str, before: set[int]) -> str:
        """Of a sender that has just opened. NDI's is found by its port, which no sender can be
        asked for: names need mDNS, which is not everywhere, and only Spout and Syphon live by
        names."""
        if self._scheme != "ndi":
            return f"{self._scheme}:{name}"
        until = time.perf_counter() + SAYS
        while time.perf_counter() < until:
            new = sorted(self._taken() - before)
            if new:
                return f"ndi:@127.0.0.1:{new[0]}"
            self.check()
            self._sleep(LOOK)
        raise Refusal(
            f"latency ndi: no port from {PORTS[0]} to {PORTS[-1]} was opened by the sender; end "
            "other programs that send NDI from this machine."
        )


def is_taken(port: int) -> bool:
    """Whether a program of this machine listens on a TCP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # What a program has just left is free, and what one listens on is not: Windows has another
        # word for that, and its SO_REUSEADDR would take the port away.
        free = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        probe.setsockopt(socket.SOL_SOCKET, free, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as problem:
            return problem.errno in (errno.EADDRINUSE, errno.EACCES)
    return False
