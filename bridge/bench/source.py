"""The sender that `firstlight latency` measures with: cards, one after another, on time.

A process of its own: `python -m bridge.bench.source SCHEME NAME WIDTH HEIGHT RATE`. It says
`opened:` and what it is seen as, sends until its standard input ends, as it does when whoever
began it has gone, and then says `sent:` and when, for each card, just before it was handed over,
with what went wrong at its end.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

from bridge import Refusal, video
from bridge.bench.card import Card
from bridge.frame import Frame
from bridge.video import Sender

OPENED, SENT = "opened: ", "sent: "


class Sent(NamedTuple):
    """What a sender tells in the end: when it sent each card, by its number, and what is wrong."""

    times: list[float]
    error: str = ""


def send(
    sender: Sender,
    card: Card,
    rate: float,
    ended: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> list[float]:
    """Send cards from number 0, `rate` a second, until `ended`; answers when each was sent.

    Each is due at a time of its own, so that one that is late makes none of those after it late.
    A turn that is missed altogether is left out, as a show would: no card makes up for it.
    """
    begun, turn = clock(), 0
    sent: list[float] = []
    while not ended():
        pixels = card(len(sent))
        early = begun + turn / rate - clock()
        if early > 0:
            sleep(early)
        turn = max(turn, int((clock() - begun) * rate + 1e-3)) + 1
        # perf_counter is one clock for all processes of a machine: CLOCK_MONOTONIC on Linux,
        # mach_absolute_time on macOS, QueryPerformanceCounter on Windows (Python's documentation
        # promises "system-wide" on all three since 3.10). So another process may subtract this.
        now = clock()
        sent.append(now)
        sender.send(Frame(pixels, "bgra", now))
    return sent


def main(words: list[str], begin: TextIO, say: TextIO) -> int:
    scheme, name, width, height, rate = words
    ended = threading.Event()

    def wait() -> None:
        begin.read()
        ended.set()

    threading.Thread(target=wait, name="end", daemon=True).start()
    for end in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last is Windows' own
        if hasattr(signal, end):
            signal.signal(getattr(signal, end), lambda _number, _frame: ended.set())
    try:
        sender = video.open_sender(f"{scheme}:{name}", live=True, rate=float(rate))
    except (Refusal, ImportError) as problem:
        print(problem, file=say, flush=True)
        return 2
    print(f"{OPENED}{sender.status().name}", file=say, flush=True)
    try:
        times = send(sender, Card(int(width), int(height)), float(rate), ended.is_set)
        error = sender.status().error
    finally:
        sender.close()
    told = Sent([round(time, 6) for time in times], error)
    print(SENT + json.dumps(told._asdict()), file=say, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin, sys.stdout))
