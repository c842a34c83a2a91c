"""The command `firstlight`: what each of its words starts, and its exit codes.

Each subcommand imports what it needs when it runs: torch alone takes seconds, and `--help` must
answer at once. The rooms meet in `play`.
"""

import argparse
import json
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bridge import Refusal, config
from bridge.parsers import COMMANDS, PARSERS


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line. Answers the exit code: 0, or 2 with one sentence on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = words.pop(0) if words and not words[0].startswith("-") else "run"
    try:
        if command not in COMMANDS:
            raise Refusal(
                f"{command}: there is no such command; write --in file:{command} to play a "
                f"movie, or one of {', '.join(COMMANDS)}."
            )
        options = PARSERS[command]().parse_intermixed_args(words)
        return int(RUNNERS[command](options) or 0)
    except (Refusal, ImportError) as problem:
        print(f"firstlight: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the show began; from then on Ctrl-C ends it in order
        return 130
    except BrokenPipeError:  # `firstlight params | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def settings(options: argparse.Namespace) -> config.Config:
    """The configuration: defaults, then the file, then the command line."""
    chosen = config.read(options.config) if options.config else config.Config()
    for key, value in vars(options).items():
        if value is not None and key not in ("config", "sets"):
            setattr(chosen, key, value)
    for assignment in options.sets:
        address, equals, text = assignment.partition("=")
        if not equals:
            raise Refusal(f"--set {assignment}: write --set /learn/rate=0.01.")
        chosen.sets[address] = _value(text)
    config.check(chosen)
    return chosen


def _value(text: str) -> Any:
    """What a value on the command line means: a number, on, off, or else a text."""
    if text in ("on", "off"):
        return text == "on"
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def run(options: argparse.Namespace) -> None:
    """Play. Live, the ear opens first: who listens hears `loading` while torch is imported."""
    chosen = settings(options)
    from bridge import show

    show.log_to_terminal()
    if chosen.offline:  # nothing from outside may change what is made
        perform(chosen, None)
        return
    from bridge.control.ear import Ear

    with Ear(
        host=chosen.listen,
        port=chosen.osc,
        feedback=chosen.feedback,
        allow=chosen.allow,
        token=chosen.token or "",
    ) as ear:
        if chosen.page >= 0:  # after the ear, for what it brings takes as long as all the rest
            from bridge.control import web

            web.open_page(ear, chosen.listen, chosen.page)
        tell_what_is_open(chosen, ear)
        if chosen.open and ear.web:
            webbrowser.open(ear.web.address)
        perform(chosen, ear)


def tell_what_is_open(chosen: config.Config, ear: Any) -> None:
    """Say it where others than this machine are let in."""
    from bridge.control.feedback import here_only

    if here_only(ear.host):
        return
    page = f", and the page at {ear.web.address}" if ear.web else ""
    who = f"from {', '.join(chosen.allow)} only" if chosen.allow else "from anybody on its networks"
    logging.getLogger("bridge").info(
        "open to the network: OSC on %s port %d%s, %s.", chosen.listen, ear.port, page, who
    )


def perform(chosen: config.Config, ear: Any) -> None:
    from bridge import play, show

    instrument = play.assemble(chosen, ear)
    engine = instrument.engine

    def stop(_number: int, _frame: FrameType | None) -> None:
        engine.stopping = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C does not wait

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last is Windows' own
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    logging.getLogger("bridge").info("%s", instrument.greeting)
    try:
        with show.Show(instrument.space, chosen.frames):
            instrument.play()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def params(options: argparse.Namespace) -> None:
    from bridge import play, tables

    space = play.catalogue()
    if options.json:
        print(json.dumps(tables.rows(space), indent=1))
    elif options.markdown:
        print(tables.markdown(space))
    else:
        print(tables.plain(space))


def patch(options: argparse.Namespace) -> None:
    from bridge import play
    from bridge.control import surfaces

    place = surfaces.Place(options.host, options.osc, options.feedback, options.page)
    space = play.catalogue()
    for name in options.names or surfaces.NAMES:
        for path in surfaces.write(name, space, place, Path(options.out).expanduser()):
            print(path)


def devices(options: argparse.Namespace) -> None:
    if options.watch:
        from bridge import watch

        watch.run()
    else:
        from bridge.devices import tell

        tell()


def latency(options: argparse.Namespace) -> int:
    from bridge.bench import latency

    return latency.main(options)


def collect(options: argparse.Namespace) -> int:
    from bridge.museum import collect

    return collect.main(options)


def collections(options: argparse.Namespace) -> None:
    from bridge.museum import catalogue

    catalogue.main(options)


def school(options: argparse.Namespace) -> None:
    from bridge.museum import school

    school.main(options)


def bench(options: argparse.Namespace) -> None:
    import importlib

    from bridge.bench.measure import address

    options.sources = [*(options.sources or []), *map(address, options.clips)]
    importlib.import_module(f"bridge.bench.{options.what}").main(options)


RUNNERS = {
    "run": run, "params": params, "devices": devices, "patch": patch,
    "collect": collect, "collections": collections, "school": school,
    "latency": latency, "bench": bench,
}  # fmt: skip
