"""`firstlight devices`: what can be opened here, what cannot and why, and what mends it.

It is what people attach to a report of a bug. Each line is said as soon as it is known, and what
is slow to ask comes last: NDI takes two seconds to see that nobody sends, torch takes seconds to
load. Nothing that is asked may end it, so that av and torch, either of which may be what is broken,
are loaded only when their turn comes. Senders are opened, a moment each, on the main thread.
"""

import contextlib
import importlib
import importlib.metadata
import io
import os
import platform
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from bridge import Refusal, __version__, video
from bridge.config import Config
from bridge.install import pip
from bridge.machine import at_home, nvidia, nvidia_on_the_bus, processor, system

FAULTS = (ImportError, OSError, ValueError, RuntimeError, AttributeError, Refusal)
PACKAGES = (
    "torch", "av", "numpy", "python-osc", "safetensors", "rich", "platformdirs", "websockets",
)  # fmt: skip
OPTIONAL = {"cyndilib": "NDI needs it, or an NDI runtime"}
NEEDED = {"torch": "torch>=2.9,<2.14", "av": "av>=17"}
TIMEOUT = 2.0  # seconds given to a transport to see what there is
SHOWS = 1.0  # seconds given to senders to show a picture
WAIT = 0.02  # seconds given to one of them before the next is asked
MOST = 8  # senders that are open at a time: each may load the network and this machine
WIDTH = 98
ENCODERS = {  # sink: the encoder that it needs, and what it makes
    "file:NAME.mp4": ("libx264", "H.264, plays everywhere"),
    "file:NAME.mkv": ("ffv1", "FFV1, lossless"),
    "stills:FOLDER": ("png", "numbered PNGs"),
}
SEEN = {"pattern": "six built-in scenes", "camera": "a camera, number {}"}
TRADEMARK = "NDI® is a registered trademark of Vizrt NDI AB, https://ndi.video"
SENT_AS = {  # what other programs see
    "spout": video.NAME,
    "syphon": f"{video.NAME}, beside this program's own name",
    "ndi": f"MACHINE ({video.NAME})",
}
ON_CARD = ("spout", "syphon")  # whose pictures may stay on the card


class Row(NamedTuple):
    mark: str  # ok, no, or ? for what could not be found out
    what: str
    text: str
    run: str = ""  # the command that mends it

    def __str__(self) -> str:
        head, indent = f"  {self.mark:<3} {self.what:<16} ", " " * 23
        lines = textwrap.fill(
            self.text, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False
        )
        # A command is never wrapped: it is there to be copied.
        return f"{lines}\n{indent}run: {self.run}" if self.run else lines


def tell(say: Callable[[str], object] | None = None) -> None:
    """Say all there is to say, line by line, on standard output unless told otherwise."""
    say = say or _print
    for title, rows in SECTIONS:
        say(f"\n{title}" if rows is not _versions else title)
        try:
            for row in rows():
                say(str(row))
        except BrokenPipeError:  # nobody listens any more: `firstlight devices | head`
            raise
        except FAULTS as problem:
            say(str(_refused("", problem)))


def _print(line: str) -> None:
    take_any_script()
    print(line, flush=True)


def take_any_script() -> None:
    """Let standard output replace what it cannot write: names come from outside."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _refused(what: str, problem: Exception) -> Row:
    """What cannot be had, in the problem's own words; or what could not even be found out."""
    text, _, run = str(problem).removeprefix(f"{what} ").partition(" run: ")
    if isinstance(problem, (Refusal, ImportError)):
        return Row("no", what, text.rstrip(";"), run)
    return Row("?", what, f"could not be found out ({text or type(problem).__name__})")


# The sections


def _versions() -> Iterator[Row]:
    yield Row("ok", "system", system())
    yield Row("ok", "python", f"{platform.python_version()}, {at_home(sys.executable)}")
    for package in PACKAGES:
        try:
            yield Row("ok", package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Row("no", package, "not installed", pip(f"install {package}"))
    for package, use in OPTIONAL.items():
        try:
            yield Row("ok", package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Row("", package, f"not installed; it is optional: {use}")


def _sources() -> Iterator[Row]:
    yield Row("ok", "auto:", "the first sender of those below, or else pattern: (the default)")
    av = _loaded("av")
    yield Row("ok", "file:MOVIE", f"any movie that FFmpeg {av.ffmpeg_version_info} reads")
    yield Row("ok", "stills:FOLDER", "the pictures of a folder")
    for scheme in SEEN:
        try:
            found = video.discover(scheme, TIMEOUT)
        except FAULTS as problem:
            yield _refused(f"{scheme}:", problem)
            continue
        for number, address in enumerate(found):
            yield Row("ok", address, SEEN.get(scheme, "").format(number))
        if not found:
            yield Row("no", f"{scheme}:", "none is seen; plug one in, or start one, and look again")
    yield Row("", "", "A virtual camera, such as OBS's, is seen as a camera.")


def _sinks() -> Iterator[Row]:
    yield Row("ok", "auto:", "Spout on Windows, Syphon on macOS, else nowhere (the default)")
    yield Row("ok", "none:", "nowhere")
    av = _loaded("av")
    for sink, (encoder, makes) in ENCODERS.items():
        try:
            av.codec.Codec(encoder, "w")
            yield Row("ok", sink, f"{makes} ({encoder})")
        except ValueError:
            mend = pip('install --force-reinstall --only-binary av "av>=17"')
            yield Row("no", sink, f"this av has no {encoder}; its own wheels have it", mend)


def _control() -> Iterator[Row]:
    # What a show opens, opened: the server itself knows why it cannot.
    server = importlib.import_module("bridge.control.server")
    space = importlib.import_module("bridge.space").AddressSpace()
    port = Config().osc
    try:
        server.OscServer(space, port=port).close()
        yield Row("ok", "OSC in", f"UDP port {port} is free")
    except Refusal as problem:
        yield Row("no", "OSC in", str(problem).removeprefix(f"--osc {port}: "))


def _shared() -> Iterator[Row]:
    with ThreadPoolExecutor(1) as beside:  # NDI may take all the time it is given
        ndi = beside.submit(video.discover, "ndi", TIMEOUT)
        for scheme in video.SHARED:
            ask = ndi.result if scheme == "ndi" else partial(video.discover, scheme, TIMEOUT)
            yield from _transport(scheme, ask)


def _computing() -> Iterator[Row]:
    yield Row("ok", "processor", f"{processor()}, {os.cpu_count()} logical processors")
    cards = nvidia()
    yield from (Row("ok", "card", card) for card in cards)
    if not cards and nvidia_on_the_bus():
        text = "an NVIDIA card is here, but not its driver; install NVIDIA's driver for this system"
        yield Row("no", "card", text)
    torch = _loaded("torch")
    yield Row("ok", "torch", f"{torch.__version__}, built for {_built_for(torch)}")
    yield from _cuda(torch, cards)
    if sys.platform == "darwin":
        there = torch.backends.mps.is_available()
        text = "Apple's GPU" if there else "torch finds no Apple GPU that it can compute on"
        yield Row("ok" if there else "no", "mps", text)
    tuning = importlib.import_module("bridge.learn.tuning")
    counts = " or ".join(map(str, tuning.thread_choices()))
    kind = torch.backends.cpu.get_cpu_capability()
    yield Row("ok", "cpu", f"{kind}; a show takes {counts} threads, whichever is faster")
    device = tuning.pick_device("auto")
    text = f"First Light computes on {device.type} here, unless told otherwise"
    yield Row("ok", "in short", text)
    yield from _drawing()
    yield from _routes(str(device))


SECTIONS: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
    (f"First Light {__version__}", _versions),
    ("sources: --in ADDRESS", _sources),
    ("sinks: --out ADDRESS", _sinks),
    ("control", _control),
    ("between programs: --in ADDRESS, --out ADDRESS", _shared),
    ("computing", _computing),
)


# Senders


def _transport(scheme: str, ask: Callable[[], list[str]]) -> Iterator[Row]:
    """Whether it can be had here, and who sends by it."""
    told = f". {TRADEMARK}" if scheme == "ndi" else ""
    try:
        found = ask()
    except FAULTS as problem:
        row = _refused(f"{scheme}:", problem)
        yield row._replace(text=row.text.rstrip(".") + told)
        return
    nobody = "" if found else "; nobody else sends: start a sender, and look again"
    yield Row("ok", f"{scheme}:", f"others see us as {SENT_AS[scheme]}{nobody}{told}")
    yield from _senders(found)


def _senders(found: list[str]) -> Iterator[Row]:
    """Each with its size and format, as soon as they are known."""
    with contextlib.ExitStack() as opened:
        dark: dict[str, video.Receiver] = {}  # those that have shown nothing yet
        for address in found[:MOST]:
            try:
                dark[address] = video.open_receiver(address, live=True)
            except FAULTS as problem:
                yield _refused(address, problem)
            else:
                opened.callback(_closed, dark[address])
        until = time.monotonic() + SHOWS
        while dark:
            late = time.monotonic() >= until
            for address, receiver in list(dark.items()):
                row = _sender(address, receiver)
                if row is None and late:
                    row = Row("?", address, "it is there, and shows no picture")
                if row is not None:
                    del dark[address]
                    yield row
    for address in found[MOST:]:
        yield Row("ok", address, f"it is there; no more than {MOST} are opened")


def _sender(address: str, receiver: video.Receiver) -> Row | None:
    """One that shows a picture, or says what is wrong with it."""
    try:
        receiver.receive(WAIT)
        source = receiver.status()
    except FAULTS as problem:
        return _refused(address, problem)
    if source.error:
        return Row("no", address, source.error.removeprefix(f"--in {address}: "))
    if not source.size:
        return None
    # Where the card may come into it, torch must be asked first: see `_routes`.
    route = "" if address.startswith(ON_CARD) else f", {source.route}"
    return Row("ok", address, f"{picture(source)}{route}")


def picture(source: video.Source) -> str:
    """ "1280x720 UYVY", or as much of it as is known."""
    size = f"{source.size[0]}x{source.size[1]}" if source.size else ""
    return f"{size} {source.format}".strip()


def _closed(receiver: video.Receiver) -> None:
    with contextlib.suppress(*FAULTS):  # what had to be told of it has been told
        receiver.close()


def _routes(device: str) -> Iterator[Row]:
    """How the pictures that may stay on the card come to where torch computes."""
    for scheme in ON_CARD:
        found: list[str] = []
        with contextlib.suppress(*FAULTS):  # said above
            found = video.discover(scheme, 0.0)
        for address in found[:MOST]:
            try:
                receiver = video.open_receiver(address, live=True, device=device)
                with contextlib.closing(receiver):
                    receiver.receive(WAIT)
                    route = receiver.status().route
            except FAULTS as problem:
                yield _refused(address, problem)
                continue
            yield Row("ok" if route else "?", address, route or "it shows no picture any more")


def _drawing() -> Iterator[Row]:
    """The card that Spout's OpenGL is on: only where that is torch's do pictures stay on it."""
    what = "Spout's card"
    try:
        spout = importlib.import_module("bridge.video._spout")
        texture = importlib.import_module("bridge.video._texture")
        spout.CONTEXT.enter()
        try:
            if spout.CONTEXT.there:
                yield Row("ok", what, texture.GL().told(texture.GL_RENDERER))
            else:
                yield Row("no", what, "this system gives no OpenGL; update the graphics driver")
        finally:
            spout.CONTEXT.leave()
    except ImportError:  # it is not Windows, or the transport itself has said so
        return
    except FAULTS as problem:
        yield _refused(what, problem)


# Finding out


def _loaded(package: str) -> Any:
    """A package that may be broken. Raises Refusal with the command that installs it anew."""
    try:
        return importlib.import_module(package)
    except (ImportError, OSError) as problem:  # OSError: a DLL that is not there
        mend = pip(f'install --force-reinstall "{NEEDED.get(package, package)}"')
        first = "; install Microsoft's Visual C++ Redistributable, and if that is not it"
        why = f"({problem}){first if sys.platform == 'win32' else ''}"
        raise Refusal(f"{package} cannot be loaded {why}; run: {mend}") from problem


def _built_for(torch: Any) -> str:
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    if getattr(torch.version, "hip", None):
        return f"ROCm {torch.version.hip}"
    return "Apple's GPU and the processor" if sys.platform == "darwin" else "the processor only"


def _cuda(torch: Any, cards: list[str]) -> Iterator[Row]:
    with warnings.catch_warnings(record=True) as said:  # torch warns of a driver that is too old
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    if there:
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            memory = f"{card.total_memory / 2**30:.0f} GiB"
            yield Row("ok", f"cuda:{number}", f"{card.name}, {memory}")
    elif cards and not torch.version.cuda:
        mend = pip(f'install --force-reinstall "{NEEDED["torch"]}" --index-url ADDRESS')
        text = (
            "there is an NVIDIA card, but this torch computes on the processor only; install the "
            'one for the card, with the CUDA address that pytorch.org shows under "Get Started"'
        )
        yield Row("no", "cuda", text, mend)
    elif cards:
        why = f" ({said[0].message})" if said else ""
        yield Row("no", "cuda", f"torch cannot use the card; update NVIDIA's driver{why}")
