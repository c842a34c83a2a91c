"""The words of the command: its subcommands, their options, and what is said of each.

Nothing is loaded for them: `--help` must answer at once.
"""

import argparse

from bridge import __version__

COMMANDS = {
    "run": "play: receive, learn, send (what happens when no command is named)",
    "params": "list every knob and reading, with its OSC address",
    "devices": "list what can be opened here, and what cannot, why, and what mends it",
    "patch": "write a surface for TouchDesigner, TouchOSC, Pure Data … made from the knobs",
    "latency": "send cards through the bridge and back: how late, how many, and whether upright",
    "collect": "fetch museums' pictures to teach from, from Wikimedia Commons or any list",
    "collections": "prepare folders of pictures for school: check, balance, hold out",
    "school": "teach a network on a museum, before the show",
    "bench": "measure this machine: speed, live, control, learn, memory, survive, knobs …",
}
BENCHES = (
    "speed", "live", "control", "copies", "learn", "memory", "survive", "knobs", "swing", "looks",
    "sight", "collections", "school",
)  # fmt: skip
EXAMPLES = """examples:
  firstlight --in pattern: --frames 900 --out file:first-light.mp4
  firstlight --in ndi:Arena --out ndi:
  firstlight --in file:clip.mp4 --out stills:frames --size 320x192
  firstlight --in file:clip.mp4 --net ghost --set /learn/rate=0.01
"""


def run_parser() -> argparse.ArgumentParser:
    others = "\n".join(f"  {name:11} {what}" for name, what in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="firstlight",
        description="A network that opens its eyes inside a live show.",
        epilog=f"commands (firstlight COMMAND --help):\n{others}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"firstlight {__version__}")
    add = parser.add_argument
    frames = "where frames come from: spout:NAME (Windows), syphon:NAME (macOS), ndi:NAME, \
camera: (also camera:NAME, camera:0@1280x720), file:MOVIE, stills:FOLDER, pattern: (built in), or \
auto: the first that is there (the default)"
    add("--in", dest="source", metavar="ADDRESS", help=frames)
    pictures = "where pictures go: spout:, syphon:, ndi:, file:NAME.mp4, file:NAME.mkv (lossless), \
stills:FOLDER, none:, or auto: Spout or Syphon, where the system has it (the default)"
    add("--out", dest="sinks", metavar="ADDRESS", action="append", help=pictures + "; repeatable")
    name = "what other programs see the picture as (default: First Light)"
    add("--name", metavar="NAME", help=name)
    net = "the network to begin with: tiles, sharp, paint, dream, ghost, hand, through (default: \
that of --brain, or paint)"
    add("--net", metavar="NAME", help=net)
    lines = "the picture's lines (default: 192, or 540 on a graphics card); its width follows \
the source"
    add("--lines", type=int, metavar="N", help=lines)
    add("--size", metavar="WxH", help="the picture's size; wins over --lines")
    fit = "how a frame of another shape is fitted (default: stretch)"
    add("--fit", choices=("stretch", "crop"), help=fit)
    device = "where to compute (default: auto, a graphics card if there is one)"
    add("--device", choices=("auto", "cpu", "cuda", "mps"), help=device)
    precision = "what to compute in (default: auto, the faster)"
    add("--precision", choices=("auto", "float32", "bfloat16"), help=precision)
    add("--threads", type=int, metavar="N", help="CPU threads to compute on (default: measured)")
    listen = "hear OSC on this address; 0.0.0.0: on every network (default: this machine only)"
    add("--listen", metavar="ADDR", help=listen)
    add("--osc", type=int, metavar="PORT", help="the port to hear OSC on (default: 9137)")
    told = 'who is told what changes, or none (default: localhost:9138); "HOST:PORT norm text" \
tells faders and labels; repeatable'
    add("--feedback", metavar="HOST:PORT", action="append", help=told)
    page = "the port of the page and of OSCQuery (default: 9180)"
    add("--page", type=int, metavar="PORT", help=page)
    add("--no-page", dest="page", action="store_const", const=-1, help="no page and no OSCQuery")
    add("--open", action="store_true", default=None, help="open the page in the browser")
    allow = "hear nobody but this machine and ADDR, or a network such as 10.0.0.0/24; repeatable"
    add("--allow", metavar="ADDR", action="append", help=allow)
    add("--token", metavar="WORD", help="a word that the page and OSCQuery ask for")
    brain = "begin with the weights in this file if it is there, and save them to it at the end; \
other networks that run have theirs beside it (NAME-ghost…)"
    add("--brain", metavar="FILE", help=brain)
    brains = "the folder of brains saved by hand and of the autosave (default: this system's place \
for a user's data)"
    add("--brains", metavar="FOLDER", help=brains)
    presets = "the folder of presets saved by hand (default: this system's place for a user's data)"
    add("--presets", metavar="FOLDER", help=presets)
    museum = "a museum that firstlight collections has prepared: up to 256 of its pictures are met \
among what is remembered, as often as /memory/museum says"
    add("--museum", metavar="FOLDER", help=museum)
    resume = (
        "go on from the last autosave: networks, memory and knobs, after a crash or a power cut"
    )
    add("--resume", action="store_true", default=None, help=resume)
    add("--seed", type=int, metavar="N", help="seed of the random beginning (default: a new one)")
    add("--frames", type=int, metavar="N", help="stop after so many frames")
    once = "every frame once, in order, without a clock: the same seed gives the same bytes"
    add("--offline", action="store_true", default=None, help=once)
    preset = (
        "knobs to start with: a JSON file, or the name of one that ships or was saved; repeatable"
    )
    add("--preset", metavar="FILE", action="append", help=preset)
    knob = "set a knob before the start, after every preset; repeatable"
    add("--set", dest="sets", metavar="/ADDRESS=VALUE", action="append", default=[], help=knob)
    folder = "where the films go that /system/record makes (default: the current folder)"
    add("--record", metavar="FOLDER", help=folder)
    add("--record-as", choices=("mp4", "mkv"), help="their kind; mkv is lossless (default: mp4)")
    add("--report", metavar="FILE", help="write what happened, frame by frame, as JSON")
    add("--config", metavar="FILE", help="read these settings from a TOML file; options win")
    return parser


def params_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firstlight params", description=COMMANDS["params"])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as the README's tables")
    return parser


def devices_parser() -> argparse.ArgumentParser:
    what = f"{COMMANDS['devices']}; attach it to a report of a bug"
    parser = argparse.ArgumentParser(prog="firstlight devices", description=what)
    watch = "keep looking, until Ctrl-C: which senders come and go, how fast they are, and whether \
their picture moves. It receives them to see that (at most 8 at a time): NDI takes a third of a \
processor's core for 1920x1080 at 60 fps"
    parser.add_argument("--watch", action="store_true", help=watch)
    return parser


def patch_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firstlight patch", description=COMMANDS["patch"])
    add = parser.add_argument
    program = "touchdesigner, touchosc, open-stage-control, resolume or puredata (default: all)"
    add("names", nargs="*", metavar="NAME", help=program)
    add("--out", metavar="FOLDER", default="patches", help="where to (default: ./patches)")
    host = "the address of the machine that First Light runs on, as the surface reaches it"
    add("--host", metavar="ADDR", default="127.0.0.1", help=f"{host} (default: this machine)")
    add("--osc", type=int, metavar="PORT", default=9137, help="its OSC port (default: 9137)")
    told = "the port that the surface listens on (default: 9138)"
    add("--feedback", type=int, metavar="PORT", default=9138, help=told)
    add("--page", type=int, metavar="PORT", default=9180, help="the page's port (default: 9180)")
    return parser


def latency_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firstlight latency",
        description=f"{COMMANDS['latency']}; 0 passed, 1 failed, 2 could not be run",
    )
    add = parser.add_argument
    by = "what pictures are shared by: spout (Windows), syphon (macOS), ndi (all systems)"
    add("scheme", metavar="SCHEME", help=by)
    add("--size", metavar="WxH", default="640x360", help="of what is sent (default: 640x360)")
    add("--rate", type=float, metavar="N", default=60.0, help="cards a second (default: 60)")
    add("--seconds", type=float, metavar="N", default=10.0, help="what counts (default: 10)")
    warm = "what does not, before that, for a network needs a moment (default: 3)"
    add("--warm", type=float, metavar="N", default=3.0, help=warm)
    net = "the network between (default: through, which changes nothing)"
    add("--net", metavar="NAME", default="through", help=net)
    add("--lines", type=int, metavar="N", help="its picture's lines, as of run")
    add("--out-size", metavar="WxH", help="its picture's size, as run has --size")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), help="where it computes, as of run")
    knob = "set a knob of the bridge's; repeatable"
    add("--set", dest="sets", metavar="/ADDRESS=VALUE", action="append", default=[], help=knob)
    add("--json", metavar="FILE", help="write all that was measured; attach it to a report")
    return parser


def collections_parser() -> argparse.ArgumentParser:
    what = "Look through folders of pictures, and prepare them as a museum that a school teaches \
from: what is broken is listed and passed over, duplicates are dropped, some are held out."
    parser = argparse.ArgumentParser(prog="firstlight collections", description=what)
    add = parser.add_argument
    folders = "a folder with a sub-folder for each collection, a flat folder (one collection), or \
a manifest (.csv or .jsonl: path, collection, license, title, source)"
    add("folders", nargs="+", metavar="DIR", help=folders)
    add("--out", metavar="FOLDER", default="museum", help="the museum (default: ./museum)")
    side = "the short side of the pictures that are kept; none is enlarged (default: 384)"
    add("--side", type=int, metavar="N", default=384, help=side)
    hold = "hold out this collection, or this picture of one (collection/picture), instead of a \
tenth of each and one whole collection by lot; repeatable; none: nothing"
    add("--hold", metavar="NAME", action="append", default=[], help=hold)
    tau = "how much more a large collection is drawn: 0 = as much as a small one, 1 = as it has \
more pictures (default: 0.5)"
    add("--tau", type=float, metavar="N", default=0.5, help=tau)
    add("--seed", type=int, metavar="N", default=0, help="of what is held out (default: 0)")
    workers = "processes that look at pictures (default: as many as there are cores)"
    add("--workers", type=int, metavar="N", help=workers)
    add("--anew", action="store_true", help="look at everything again")
    return parser


def school_parser() -> argparse.ArgumentParser:
    what = (
        "Teach a network on a museum (firstlight collections makes one). Stopped, the same command \
goes on. What it makes can be opened with --brain at any time; sheets and curves are in a folder \
beside it."
    )
    parser = argparse.ArgumentParser(prog="firstlight school", description=what)
    add = parser.add_argument
    add("museum", metavar="MUSEUM", help="a folder that firstlight collections prepared")
    lesson = "hand: paints what it is shown of a drawing; eye: sees what it is shown, and goes on \
learning live (default: hand)"
    add("--lesson", choices=("hand", "eye"), default="hand", help=lesson)
    net = "the network of an eye: tiles, sharp, paint (default), dream or ghost"
    add("--net", metavar="NAME", help=net)
    preset = (
        "how long, on what: cpu, two minutes on a processor (default); evening, three hours on a \
laptop's graphics card; day, 22 hours on a big one"
    )
    add("--preset", choices=("cpu", "evening", "day"), default="cpu", help=preset)
    add("--out", metavar="BRAIN", required=True, help="the brain to make, a .safetensors file")
    add("--minutes", type=float, metavar="N", help="another time than the preset's")
    add("--steps", type=int, metavar="N", help="so many steps, however long they take")
    batch = "crops a step, of all processes together (default: the preset's)"
    add("--batch", type=int, metavar="N", help=batch)
    add("--side", type=int, metavar="N", help="pixels a side of a crop (default: the preset's)")
    add("--seed", type=int, metavar="N", default=0, help="of all that is drawn (default: 0)")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")
    add("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="and in what")
    add("--threads", type=int, metavar="N", help="CPU threads (default: all cores but the show's)")
    add("--anew", action="store_true", help="begin again, whatever was there")
    return parser


def bench_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firstlight bench", description=COMMANDS["bench"])
    what = "speed: against an afternoon's work, by stage, by network. live: the interval between \
pictures. control: the same beside floods of OSC and open pages. copies: what a frame \
copies on its way, counted. learn: dB from blank, bursts. \
memory: what is kept of one clip while another plays, and what that costs. survive: every fader \
thrown to its ends, and back. knobs: what each does. swing: points of oscillation, found or \
measured. looks: contact sheets. sight: what each treatment before the network costs. collections: \
20,000 pictures prepared for school (--frames: so many). school (a folder of pictures, then clips \
or drawings): teaches hand and eye on each split, and marks them"
    parser.add_argument(
        "what",
        nargs="?",
        choices=BENCHES,
        default="speed",
        help=what,
    )
    add = parser.add_argument
    clips = "a movie, or another address that frames come from; memory: two"
    add("clips", nargs="*", metavar="CLIP", help=clips)
    frames = "the same; repeatable"
    add("--in", dest="sources", metavar="ADDRESS", action="append", help=frames)
    add("--net", metavar="NAME", action="append", help="only this network; repeatable")
    add("--size", metavar="WxH", help="the picture's size")
    add("--frames", type=int, metavar="N", help="how many frames; swing: how many settings to try")
    add("--preset", metavar="FILE", action="append", help="swing, looks: this one; repeatable")
    add("--fader", metavar="/ADDRESS", help="swing: how the presets' waves follow it")
    held = "school: a split, by names of collections or collection/picture; repeatable"
    add("--hold", metavar="NAMES", action="append", help=held)
    add("--minutes", type=float, metavar="N", help="school: of each lesson (default: 2)")
    sheets = "looks, knobs: where sheets go (looks: stills:looks); memory: its plot (memory.png); \
school: the folder for all it makes"
    add("--out", metavar="ADDRESS", help=sheets)
    return parser


def collect_parser() -> argparse.ArgumentParser:
    what = (
        f"{COMMANDS['collect']}. It waits between two requests, goes on where it was stopped, and \
writes down the licence and the source of every picture. It has been tested against a local server \
that answers as Commons' documentation says, never against the real Commons."
    )
    parser = argparse.ArgumentParser(prog="firstlight collect", description=what)
    add = parser.add_argument
    contact = "your e-mail address or web page: servers want to know whom to write to; needed"
    add("--contact", metavar="YOU", help=contact)
    config = "a list of collections on Commons (default: collections-2017, those of that year)"
    add("--config", metavar="FILE.toml", help=config)
    manifest = "a list of pictures, .csv or .jsonl with a column url, also collection, license, \
title, artist, source; repeatable. Then Commons is asked only with --config"
    add("--manifest", metavar="FILE", action="append", help=manifest)
    add("--out", metavar="FOLDER", default="paintings", help="where to (default: ./paintings)")
    width = "of the pictures from Commons, in pixels: one that it serves, such as 330, 500, 960 \
(default: 500). Another width is another picture: give it a folder of its own"
    add("--width", type=int, metavar="N", default=500, help=width)
    add("--most", type=int, metavar="N", help="at most so many of each collection")
    rate = "requests a second to any one host (default: 1)"
    add("--rate", type=float, metavar="N", default=1.0, help=rate)
    add("--only", metavar="NAME", action="append", help="only this collection; repeatable")
    add("--subcategories", action="store_true", help="also what is one category below")
    anywhere = "follow addresses into this machine and its own network too; a list of somebody \
else's could ask your router"
    add("--anywhere", action="store_true", help=anywhere)
    return parser


PARSERS = {
    "run": run_parser, "params": params_parser, "devices": devices_parser,
    "patch": patch_parser, "collect": collect_parser, "collections": collections_parser,
    "school": school_parser, "latency": latency_parser, "bench": bench_parser,
}  # fmt: skip
