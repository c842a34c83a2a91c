"""What the terminal shows while it runs.

On a terminal, a live status four times a second with a progress bar where the end is known;
elsewhere a plain line every few seconds. It reads the same values that OSC does and runs on a
thread of its own, so that a terminal that hangs holds nothing up.
"""

import logging
import sys
import threading
import time
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.space import AddressSpace

PLAIN_EVERY = 5.0  # seconds between plain lines
CONSOLE = Console(stderr=True)  # one for all: only then do log lines and live status not mix


class Show:
    """A context: while inside, the state in `space` is shown. `frames` is the end, if known."""

    def __init__(self, space: AddressSpace, frames: int | None) -> None:
        self._space, self._frames = space, frames
        self._begun = time.monotonic()
        self._done = threading.Event()
        self._live: Live | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Show":
        if CONSOLE.is_terminal:
            self._live = Live(get_renderable=self._render, console=CONSOLE, refresh_per_second=4)
            self._live.start()
        else:
            self._thread = threading.Thread(target=self._plain, name="show", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None:
            self._thread.join(1.0)

    def _plain(self) -> None:
        while not self._done.wait(PLAIN_EVERY):
            print(self.line(), file=sys.stderr, flush=True)
        print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """The status in one line."""
        v = self._space.values()
        end = f"/{self._frames}" if self._frames else ""
        return (
            f"{v['/stats/state']} frame {v['/stats/frames']}{end} | {v['/stats/source']} > "
            f"{v['/stats/sink']} | {v['/stats/fps']:.0f} fps, {v['/stats/busy']:.1f} ms | "
            f"loss {v['/stats/loss']:.4f}, {v['/stats/psnr']:.1f} dB | "
            f"{v['/stats/pace']:.0f} steps/s" + _trouble(v)
        )

    def _render(self) -> RenderableType:
        v = self._space.values()
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", justify="right")
        grid.add_column()
        # Text, not str: rich reads brackets in a str as markup, and names come from outside.
        grid.add_row("source", Text(f"{v['/stats/source']}  →  {v['/stats/sink']}"))
        grid.add_row(
            "network",
            f"{v['/net/name']} {v['/net/size']}  [bold]{v['/stats/psnr']:5.1f} dB[/]  "
            f"loss {v['/stats/loss']:.4f}  {v['/stats/state']}",
        )
        grid.add_row(
            "pace",
            f"{v['/stats/fps']:3.0f} fps  {v['/stats/busy']:5.1f} ms  "
            f"{v['/stats/pace']:3.0f} steps/s  {v['/stats/skipped']} skipped",
        )
        if "/stats/messages" in v:
            grid.add_row("osc", Text(f"{v['/stats/messages']} messages  {v['/stats/heard']}"))
        if trouble := _trouble(v):
            grid.add_row("[red]trouble[/]", Text(trouble.removeprefix(" | ")))
        if self._frames:
            grid.add_row("", self._progress(int(v["/stats/frames"])))
        return grid

    def _progress(self, frames: int) -> RenderableType:
        assert self._frames is not None
        row = Table.grid(padding=(0, 1))
        elapsed = time.monotonic() - self._begun
        left = elapsed * (self._frames - frames) / frames if frames else 0.0
        row.add_row(
            ProgressBar(self._frames, frames, width=40),
            f"{frames}/{self._frames}  {int(left) // 60}:{int(left) % 60:02d} left",
        )
        return row


def _trouble(v: dict[str, float | int | bool | str]) -> str:
    counted = [
        f"{v[address]} {word}"
        for address, word in (
            ("/stats/dropped", "dropped"),
            ("/stats/refused", "refused"),
            ("/stats/unknown", "unknown"),
            ("/stats/malformed", "malformed"),
            ("/stats/nonfinite", "not finite"),
        )
        if v.get(address)
    ]
    if v["/stats/error"]:
        counted.append(str(v["/stats/error"]))
    return " | " + ", ".join(counted) if counted else ""


def log_to_terminal() -> None:
    """Send the loggers' words to standard error, above the live status where there is one."""
    handler: logging.Handler
    if CONSOLE.is_terminal:
        handler = RichHandler(
            console=CONSOLE, show_path=False, show_level=False, log_time_format="%H:%M:%S"
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
