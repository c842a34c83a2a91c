"""What it costs to be played: frames beside floods of OSC and open pages; how soon a hand is felt.

The whole instrument plays, and hands are in processes of their own, as they are on stage. What is
said of a thread's share of a core is known on Linux only.
"""

import argparse
import contextlib
import logging
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from bridge import play
from bridge.bench.live import WIDTH, Stopwatch, free_port
from bridge.bench.measure import spread
from bridge.config import Config
from bridge.control import osc, web
from bridge.control.ear import Ear
from bridge.play import Instrument
from bridge.space import AddressSpace

WARM = 30  # pictures left out at the start
BLAST = 20_000  # messages, as fast as a socket takes them
RATE = 5_000  # messages a second
PAGES = 10
FUZZED = 60_000
FELT = 200  # messages whose way is timed

BLASTER = """
import socket, sys, time
from bridge.control.osc import encode
port, rate, seconds, count = (float(word) for word in sys.argv[1:])
port, count = int(port), int(count)
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to.connect(("127.0.0.1", port))
said = [encode("/learn/rate", 0.002 + i % 100 * 1e-5) for i in range(max(count, 100))]
if count:
    for one in said:
        to.send(one)
begun, sent = time.perf_counter(), 0
while time.perf_counter() - begun < seconds:
    for _ in range(int((time.perf_counter() - begun) * rate) - sent):
        to.send(said[sent % 100])
        sent += 1
    time.sleep(0.002)
print(count or sent)
"""

PAGE = """
import contextlib, json, sys, threading, time, urllib.request
from websockets.sync.client import connect
port, pages, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def get(path):
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}{path}"))
def leaves(node):
    for inside in node.get("CONTENTS", {}).values():
        yield from leaves(inside)
    if "TYPE" in node and node["ACCESS"] & 1:
        yield node["FULL_PATH"]
paths, shown = list(leaves(get("/"))), [0]
def watch():
    with connect(f"ws://127.0.0.1:{port}/pictures") as feed:
        have = {"seen": 0, "made": 0}
        while time.perf_counter() < end:
            feed.send(json.dumps(have))
            more = 1
            while more and time.perf_counter() < end:
                with contextlib.suppress(TimeoutError):
                    head = json.loads(feed.recv(timeout=0.5).split(b"\\n", 1)[0])
                    have[head["name"]], more = head["number"], head["more"]
                    shown[0] += 1
def listen():
    with connect(f"ws://127.0.0.1:{port}/?bundles") as line:
        for path in paths:
            line.send(json.dumps({"COMMAND": "LISTEN", "DATA": path}))
        while time.perf_counter() < end:
            with contextlib.suppress(TimeoutError):
                line.recv(timeout=1)
end = time.perf_counter() + seconds
threads = [threading.Thread(target=act) for act in (watch, listen) for _ in range(pages)]
[t.start() for t in threads]
[t.join() for t in threads]
print(round(shown[0] / 2 / pages / seconds, 1))
"""


@dataclass(slots=True)
class Played:
    """One run of the instrument."""

    instrument: Instrument
    ear: Ear
    gaps: list[float] = field(default_factory=list)  # ms between pictures
    shares: dict[str, float] = field(default_factory=dict)  # of a core, by thread
    told: str = ""  # what the hand said at its end


def main(options: argparse.Namespace) -> None:
    console = Console(width=max(WIDTH, Console().width))
    for name in options.net or ["paint"]:
        console.print(_beside(name, options))
        console.print(_felt(name, options))
    console.print(_alone())


def _beside(name: str, options: argparse.Namespace) -> Table:
    seconds = (options.frames or 600) / 30
    table = Table(title=f"{name} beside what plays it: ms between pictures")
    for heading in (
        "beside", "fps", "median", "p95", "p99", "longest", "skipped", "osc thread", "web thread",
        "what came of it",
    ):  # fmt: skip
        table.add_column(heading, justify="right")

    def blasted(run: Played, said: str) -> str:
        return f"{run.ear.space['/stats/messages'].value} of {said} heard"

    rows: list[tuple[str, list[object], Callable[[Played, str], str]]] = [
        ("nothing", [], lambda *_: ""),
        (f"{RATE:,} messages a second", [BLASTER, 0, RATE, seconds, 0], blasted),
        (f"{BLAST:,} at once", [BLASTER, 0, 1, 0, BLAST], blasted),
        (f"{PAGES} pages", [PAGE, 1, PAGES, seconds], lambda _, said: f"{said} pictures/s a page"),
        ("nothing", [], lambda *_: ""),
    ]
    for beside, hand, result in rows:
        run = _played(name, options, hand)
        ordered = sorted(run.gaps)
        table.add_row(
            beside, f"{1e3 / statistics.mean(ordered):.2f}",
            *(f"{ordered[int(len(ordered) * share)]:.1f}" for share in (0.5, 0.95, 0.99)),
            f"{ordered[-1]:.1f}", str(run.instrument.engine.stats.skipped),
            *(f"{run.shares[t]:.1%}" if t in run.shares else "–" for t in ("osc", "web")),
            result(run, run.told),
        )  # fmt: skip
    return table


def _config(name: str, options: argparse.Namespace) -> Config:
    return Config(
        source=(options.sources or ["pattern:"])[0], net=name, size=options.size or "320x192",
        frames=options.frames or 600, osc=free_port(), page=0, feedback=["none"], seed=1,
    )  # fmt: skip


def _felt(name: str, options: argparse.Namespace) -> str:
    """How long a message takes from the hand to the knob, while the instrument plays."""
    config = _config(name, options)
    instrument = play.assemble(config)
    space, knob = instrument.space, instrument.space["/learn/patience"]
    sent: dict[float, float] = {}
    waits: list[float] = []
    apply, over = space.apply, threading.Event()

    def applied(now: float) -> None:
        apply(now)
        if knob.value in sent:
            waits.append((time.perf_counter() - sent.pop(knob.value)) * 1e3)

    def hand() -> None:
        dice = random.Random(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            for number in range(FELT):
                value = 1.0 + number / 1024  # which 32 bits hold exactly
                sent[value] = time.perf_counter()
                wire.sendto(osc.encode(knob.address, value), ("127.0.0.1", config.osc))
                if over.wait(dice.uniform(0.03, 0.09)):
                    return

    space.apply = applied  # type: ignore[method-assign]  # the very moment, seen from outside
    thread = threading.Thread(target=hand, name="hand", daemon=True)
    instrument.engine.afterwards.append(
        lambda _: None if thread.ident or instrument.engine.stats.frames < WARM else thread.start()
    )
    instrument.play()
    over.set()
    return f"from hand to knob, ms: {spread(waits)}, {len(waits)} messages; a frame is 33.3"


def _played(name: str, options: argparse.Namespace, hand: list[object]) -> Played:
    """Play, beside a hand: its script, which port it gets (0: OSC, 1: the page) and its words."""
    config = _config(name, options)
    with Ear(port=config.osc, feedback=config.feedback) as ear:
        web.open_page(ear, config.listen, config.page)
        instrument = play.assemble(config, ear)
        run, watch = Played(instrument, ear), Stopwatch()
        instrument.engine.senders.append(watch)
        with _hand(run, hand):
            begun = time.perf_counter()
            before = _used()
            instrument.play()
            after, lasted = _used(), time.perf_counter() - begun
    run.shares = {t: (after[t] - before.get(t, 0.0)) / lasted for t in after}
    gaps = [(b - a) * 1e3 for a, b in zip(watch.times, watch.times[1:], strict=False)]
    run.gaps = gaps[min(WARM, len(gaps) // 2) :]
    return run


@contextlib.contextmanager
def _hand(run: Played, hand: list[object]) -> Iterator[None]:
    if not hand:
        yield
        return
    script, which, *words = hand
    port = run.ear.web.port if which and run.ear.web else run.ear.port
    command = [sys.executable, "-c", str(script), str(port), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield
        run.told = process.communicate()[0].strip()


def _used() -> dict[str, float]:
    """Seconds of a core that each named thread has used, where the system tells."""
    clock_of, read = (getattr(time, n, None) for n in ("pthread_getcpuclockid", "clock_gettime"))
    if clock_of is None or read is None:
        return {}
    found = {}
    for thread in threading.enumerate():
        if thread.ident:
            found[thread.name] = read(clock_of(thread.ident))
    return found


def _alone() -> Table:
    """The way of one message, and the worst that a datagram can do."""
    table = Table(title="one message")
    table.add_column("what")
    table.add_column("µs", justify="right")
    logging.getLogger("bridge.osc").setLevel(logging.ERROR)  # which says each thing once
    space = play.catalogue()
    one = osc.encode("/learn/rate", 0.0025)
    sixty = next(iter(osc.bundles([("/learn/rate", 0.0025)] * 60, limit=1 << 16)))
    table.add_row("datagram to line", spread(_times(lambda: _heard(space, one), 3000)))
    table.add_row("a bundle of sixty", spread(_times(lambda: _heard(space, sixty), 300)))
    dice = random.Random(0)
    worst, slow = 0.0, 0
    for _ in range(FUZZED):
        datagram = _mutated(dice, (one, sixty))
        begun = time.thread_time()  # the processor's, which nobody else can take away
        _heard(space, datagram)
        took = (time.thread_time() - begun) * 1e6
        worst, slow = max(worst, took), slow + (took > 1000)
    table.add_row(f"the worst of {FUZZED:,} mutilated ({slow} over 1 ms)", f"{worst:.0f}")
    return table


def _heard(space: AddressSpace, datagram: bytes) -> None:
    for message in osc.decode(datagram).messages:
        space.set(message.address, message.arguments, ("10.0.0.2", 5000))


def _times(act: Callable[[], None], count: int) -> list[float]:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1e6)
    return times


def _mutated(dice: random.Random, sound: tuple[bytes, ...]) -> bytes:
    data = bytearray(dice.choice(sound))
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(data) + 1)
        if dice.random() < 0.5:
            data[at : at + 1] = dice.choice(
                [b"*", b"{", b"[", b"?", b"\xff", b"#bundle\0", b"\0" * 4]
            )
        else:
            data[at:at] = dice.randbytes(dice.randint(1, 12)) * dice.choice([1, 1, 40])
    return bytes(data)
