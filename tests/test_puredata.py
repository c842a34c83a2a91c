"""The Pure Data patch: tidy, whole, and played by the real Pd where it is installed."""

import contextlib
import re
import shutil
import subprocess
import textwrap
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from fakes.hand import Hand

from bridge import play
from bridge.control.server import OscServer
from bridge.control.surfaces import Place, puredata
from bridge.knob import Knob

needs_pd = pytest.mark.skipif(
    not shutil.which("pd"), reason="Pure Data is missing (Debian: puredata-core)"
)
LETTER, HEIGHT = 6, 18  # pixels of a letter and of a box, at Pd's size 10


@dataclass
class Window:
    """A canvas that was read back: its size, its boxes with theirs, and its cords."""

    name: str
    size: tuple[int, int]
    boxes: list[tuple[str, tuple[int, int, int, int]]] = field(default_factory=list)
    cords: list[tuple[int, int, int, int]] = field(default_factory=list)


def windows(patch: str) -> list[Window]:
    found, opened = [], []
    for line in re.split(r"(?<!\\);\n", patch.strip().removesuffix(";")):
        words = line.replace("\n", " ").split()
        if words[:2] == ["#N", "canvas"]:
            opened.append(Window(words[6], (int(words[4]), int(words[5]))))
            found.append(opened[-1])
        elif words[1] == "connect":
            opened[-1].cords.append(tuple(map(int, words[2:])))
        else:
            if words[1] == "restore":
                opened.pop()
                words = ["#X", "obj", *words[2:]]
            opened[-1].boxes.append((" ".join(words[1:]), area(words[1:])))
    return found


def area(words: list[str]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a box, a little more than Pd draws."""
    kind, x, y, *rest = words
    left, top = int(x), int(y)
    width, height = LETTER * len(" ".join(rest).replace("\\", "")) + 8, HEIGHT
    if kind in ("floatatom", "symbolatom"):
        width = LETTER * int(rest[0]) + 8
    elif rest[0] == "hsl":
        left, width, height = left - 3, int(rest[1]) + 8, int(rest[2])
    elif rest[0] in ("tgl", "bng"):
        width = height = int(rest[1])
    elif kind == "text":
        text = " ".join(rest[:-2]).rstrip(",").replace(" \\,", ",")
        lines = textwrap.wrap(text, int(rest[-1]))
        width = LETTER * max(map(len, lines)) + 4
        height = HEIGHT + 13 * (len(lines) - 1)
    return left, top, left + width, top + height


def overlapping(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.fixture(scope="module")
def space():
    return play.catalogue()


@pytest.fixture(scope="module")
def patch(space) -> str:
    content = puredata.files(space, Place())["first-light.pd"]
    assert isinstance(content, str)
    return content


# Tidy


def test_no_two_boxes_overlap(patch):
    for window in windows(patch):
        for (one, here), (other, there) in combinations(window.boxes, 2):
            assert not overlapping(here, there), f"{window.name}: {one} lies over {other}"


def test_no_box_stands_out_of_its_window_to_the_right_or_left(patch):
    for window in windows(patch):
        for box, (left, _, right, _) in window.boxes:
            assert 0 <= left < right <= window.size[0], f"{window.name}: {box}"


def test_the_first_window_shows_all_it_has_on_a_laptop(patch):
    first = windows(patch)[0]
    assert max(bottom for _, (*_, bottom) in first.boxes) <= first.size[1] <= 760
    assert first.size[0] <= 1240


def test_no_comment_shows_a_backslash_or_breaks_in_the_middle(patch):
    comments = [box for window in windows(patch) for box, _ in window.boxes if box[:5] == "text "]
    assert any(r" \, " in comment for comment in comments)
    assert not [comment for comment in comments if re.search(r"\S\\,|\\;", comment)]


def test_each_cord_goes_from_a_box_to_a_box(patch):
    for window in windows(patch):
        for source, _, target, _ in window.cords:
            assert source != target
            assert max(source, target) < len(window.boxes)


# Whole


def test_every_knob_has_a_row_in_the_window_of_its_group(patch, space):
    shown = {window.name: " ".join(box for box, _ in window.boxes) for window in windows(patch)}
    for knob in space:
        _, group, name = knob.address.split("/")
        end = {"trigger": "-press", "choice": ""}.get(knob.kind, "-show")
        assert re.search(f" fl-{group}-{name}({end})?( |$)", shown[group]), knob.address


def test_every_control_that_plays_is_heard_by_a_wire(patch):
    boxes = [box for window in windows(patch) for box, _ in window.boxes]
    wired = {box.split()[-1] for box in boxes if re.match(r"obj \d+ \d+ r ", box)}
    guis = [box for box in boxes if re.match(r"obj \d+ \d+ (hsl|tgl|bng) ", box)]
    sends = {word for box in guis for word in box.split() if word.startswith("fl-")}
    sends = {name for name in sends if not name.endswith(("-show", "-armed", "-connected"))}
    assert len(sends) > 40
    assert sends <= wired


def test_short_names_are_each_of_one_knob():
    names = [address.rsplit("/", 1)[1] for address in (*puredata.MAIN, *puredata.TOLD)]
    assert len(set(names)) == len(names)


def test_what_loses_something_for_good_has_no_button_of_its_own_name(patch, space):
    asks = [k for k in space if k.kind == "trigger" and k.declared.asks]
    assert asks
    for knob in asks:
        name = "fl" + knob.address.replace("/", "-")
        assert not re.search(rf"bng .* {name} ", patch)
        assert re.search(f"bng .* {name}-press ", patch)


# Played: the real Pd

DRIVER = r"""#N canvas 0 0 450 300 10;
#X obj 20 20 loadbang;
#X obj 20 50 delay 50;
#X msg 20 80 {sent};
#X obj 20 180 delay 300;
#X msg 20 210 \; pd quit;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 1 0 3 0;
#X connect 3 0 4 0;
"""


@pytest.fixture
def driven(space, patch, tmp_path):
    """Open the patch, connected to the knobs, and play `messages` to it; answers its console."""
    with (
        contextlib.closing(OscServer(space, port=0)) as server,
        contextlib.closing(Hand(server, space)) as hand,
    ):
        patches = {
            "first-light.pd": patch.replace("127.0.0.1 9137", f"127.0.0.1 {server.port}"),
            "driver.pd": "",
        }

        def drive(messages: list[str]) -> str:
            patches["driver.pd"] = DRIVER.format(sent=" ".join(f"\\; {m}" for m in messages))
            command = ["pd", "-nogui", "-noaudio", "-nomidi", "-stderr"]
            for name, content in patches.items():
                (tmp_path / name).write_text(content, encoding="utf-8")
                command += ["-open", str(tmp_path / name)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
            hand.play()
            return done.stderr

        yield drive


def elsewhere(knob: Knob) -> object:
    """A value that a knob does not stand at."""
    ends = (getattr(knob.declared, "min", 0), getattr(knob.declared, "max", 0))
    if knob.kind in ("float", "int"):
        return ends[1] if knob.value != ends[1] else ends[0]
    if knob.kind == "choice":
        return next(name for name in knob.choices if name != knob.value)
    return (not knob.value) if knob.kind == "bool" else "mine"


@needs_pd
def test_every_knob_is_played_by_its_name_and_the_console_stays_empty(driven, space):
    goes = {k.address: elsewhere(k) for k in space if k.access == "rw"}
    words = {a: int(v) if isinstance(v, bool) else v for a, v in goes.items()}
    console = driven([f"fl{a.replace('/', '-')} {value}" for a, value in words.items()])
    stand = space.values()
    assert {a: stand[a] for a in goes} == {
        a: pytest.approx(v) if isinstance(v, float) else v for a, v in goes.items()
    }
    assert console == ""


@needs_pd
def test_every_slider_is_played_by_its_name(driven, space):
    sliders = [k for k in space if k.access == "rw" and k.kind in ("float", "int")]
    driven([f"fl-norm{k.address.replace('/', '-')} 0.25" for k in sliders])
    stand = space.values()
    for knob in sliders:
        assert stand[knob.address] == pytest.approx(knob.declared.at(0.25))
