"""Real programs, started for a test and ended with it: First Light itself, node, Pure Data."""

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.hand import PATIENCE

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
SMALL = [
    "--in",
    "pattern:",
    "--net",
    "tiles",
    "--size",
    "64x48",
    "--threads",
    "1",
    "--precision",
    "float32",
]
SLOW = 60  # seconds in which a program must have answered


def needs(*programs: str) -> list[pytest.MarkDecorator]:
    """Marks that skip a test where a program is missing."""
    return [
        pytest.mark.skipif(not shutil.which(program), reason=f"{program} is missing")
        for program in programs
    ]


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `what` answers, once that is something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := what():
            return found
        select.select([], [], [], 0.01)
    raise AssertionError("it never came to be")


class Instrument:
    """`firstlight run` as a process of its own: small, its ports free ones that it tells.

    `before` are words that start it; what they start must be the same process in the end.
    """

    def __init__(self, *words: str, page: int = 0, before: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "bridge", *SMALL, "--osc", "0", "--page", str(page)]
        self.process = subprocess.Popen(
            [*before, *command, *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.process.stderr is not None
        found = None
        while not found:
            said = self.process.stderr.readline()
            assert said, "it does not start"
            found = re.search(r"OSC on \S+:(\d+); page http://\S+:(\d+)/", said)
        self.osc, self.page = int(found[1]), int(found[2])

    def get(self, target: str) -> Any:
        return get(self.page, target)

    def value(self, address: str) -> Any:
        return self.get(f"{address}?VALUE")["VALUE"][0]

    def close(self, how: int = signal.SIGTERM) -> None:
        """End it. Harmless when it has ended."""
        self.process.send_signal(how)
        self.process.communicate(timeout=SLOW)


def get(port: int, target: str) -> Any:
    """What OSCQuery answers on this machine."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(line):
        line.request("GET", target)
        return json.loads(line.getresponse().read())


class Node:
    """node with the packages of tests/clients, as tests/clients/node.mjs has it."""

    def __init__(self, before: Sequence[str] = ()) -> None:
        if not (CLIENTS / "node_modules").is_dir():
            pytest.skip("tests/clients has no packages: run npm install there")
        self.process = subprocess.Popen(
            [*before, "node", CLIENTS / "node.mjs"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CLIENTS, bufsize=0,
        )  # fmt: skip

    def __call__(self, code: str, **given: Any) -> Any:
        """Run JavaScript, wait for what it returns."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"code": code, "given": given}).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self.process.stdout], [], [], SLOW)[0], f"no answer to {code}"
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            assert more, "node has ended"
            line += more
        answer = json.loads(line)
        assert "error" not in answer, f"{answer['error']}\nin {code}"
        return answer["value"]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class PureData:
    """Pure Data with a patch that plays what it is told, and prints what it hears on a port."""

    PATCH = r"""#N canvas 0 0 450 300 12;
#X obj 20 20 netreceive {told};
#X obj 20 50 oscformat;
#X obj 20 80 list prepend send;
#X obj 20 110 list trim;
#X obj 20 140 netsend -u -b;
#X obj 120 20 loadbang;
#X msg 120 50 connect 127.0.0.1 {osc};
#X obj 220 20 netreceive -u -b {hears};
#X obj 220 50 oscparse;
#X obj 220 80 print heard;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
#X connect 3 0 4 0;
#X connect 5 0 6 0;
#X connect 6 0 4 0;
#X connect 7 0 8 0;
#X connect 8 0 9 0;
"""

    def __init__(self, patch: Path, osc: int) -> None:
        self.hears, told = free_port(), free_port(socket.SOCK_STREAM)
        patch.write_text(self.PATCH.format(told=told, osc=osc, hears=self.hears))
        command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr", "-open", str(patch)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0)
        self._line = until(lambda: _connected(told))

    def play(self, address: str, value: object) -> None:
        path = " ".join(address.strip("/").split("/"))
        self._line.sendall(f"set {path};\nlist {value};\n".encode())

    def hear(self, address: str) -> float:
        """The next number that is told at an address, in six figures."""
        assert self.process.stderr is not None
        words = ["heard:", *address.strip("/").split("/")]
        end = time.monotonic() + PATIENCE
        while select.select([self.process.stderr], [], [], PATIENCE)[0]:
            line = self.process.stderr.readline().decode().split()
            if [word for word in line[:-1] if word != "list"] == words:
                return float(line[-1])
            if time.monotonic() > end:
                break
        raise AssertionError(f"Pure Data does not hear {address}")

    def close(self) -> None:
        self._line.close()
        self.process.kill()
        self.process.communicate()


def _connected(port: int) -> socket.socket | None:
    with contextlib.suppress(ConnectionRefusedError):
        return socket.create_connection(("127.0.0.1", port))
    return None
