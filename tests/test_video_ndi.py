"""NDI for real: its own library, between processes, each test in a network of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.network import alone

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import _libndi, _ndi, ndi

ROOT = Path(__file__).parents[1]

# NDI minds that a name is its sender's alone, on the whole machine: another test may run beside.
CAM = f"cam {os.getpid()}"
FIRST = "@127.0.0.1:5961"  # the first sender on a machine; the second is 5962
PATIENCE = 15.0  # seconds after which what was waited for has not come

# A sender in a process of its own: a grey that is its number's, until it is told to stop.
CAMERA = """
import sys, time
import numpy as np
from bridge.frame import Frame
from bridge.video import ndi
name, width, height, rate = sys.argv[1], *map(int, sys.argv[2:5])
sender, number = ndi.Sender(name, live=True, rate=rate), 0
start = time.perf_counter()
print("sending", flush=True)
while True:
    number += 1
    sender.send(Frame(np.full((height, width, 4), number % 200, np.uint8), "bgra", 0.0))
    time.sleep(max(0.0, start + number / rate - time.perf_counter()))
"""


@contextlib.contextmanager
def camera(name=CAM, width=64, height=48, rate=60):
    words = [sys.executable, "-c", CAMERA, name, str(width), str(height), str(rate)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "sending\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def searching():
    """libndi looks for names only among the machines it is told, where there is no mDNS."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ndi-config.v1.json").write_text('{"ndi":{"networks":{"ips":"127.0.0.1"}}}')
        os.environ["NDI_CONFIG_DIR"] = folder
        yield


@contextlib.contextmanager
def sending(*pictures, name=CAM, rate=60.0):
    """A sender in this process: these pictures in turn, over and over, on a thread."""
    sender, over = ndi.Sender(name, live=True, rate=rate), threading.Event()

    def send():
        number = 0
        while not over.wait(1 / rate):
            sender.send(Frame(pictures[number % len(pictures)], "bgra", 0.0))
            number += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sender
    finally:
        over.set()
        thread.join()
        sender.close()


@contextlib.contextmanager
def receiving(rest=FIRST, **how):
    receiver = ndi.Receiver(rest, live=True, **how)
    try:
        yield receiver
    finally:
        receiver.close()


def frames(receiver, fits=lambda _: True, patience=PATIENCE):
    """Frames as they come, until one fits, which is answered."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        frame = receiver.receive(0.1)
        if frame is not None and fits(frame):
            return frame
    raise AssertionError(f"it never came; {receiver.status()}")


def picture(height=48, width=64, *, blue=0, green=0, red=0, alpha=255):
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[:] = blue, green, red, alpha
    return pixels


def near(pixels, colour, tolerance=16):
    return np.abs(pixels[..., :3].astype(int) - colour).max() <= tolerance


# What comes


@alone
def test_a_picture_arrives_the_right_way_up_in_its_own_colours():
    sent = picture(red=200, green=50, blue=30)
    sent[:24] = 10, 60, 220, 255
    with sending(sent), receiving() as receiver:
        frame = frames(receiver)
        assert (frame.layout, frame.pixels.shape) == ("bgra", (48, 64, 4))
        assert near(frame.pixels[4:20], (10, 60, 220))
        assert near(frame.pixels[28:44], (30, 50, 200))


@alone
def test_a_frame_is_the_librarys_own_memory_and_not_a_copy():
    with sending(picture()), receiving() as receiver:
        frame = frames(receiver)
        assert frame.pixels.ctypes.data == receiver._video.data


@alone
def test_for_a_graphics_card_it_comes_as_on_the_wire():
    """What 200, 50, 30 is in BT.709, 16 to 235."""
    with sending(picture(red=200, green=50, blue=30)), receiving(device="cuda:0") as receiver:
        frame = frames(receiver)
        assert (frame.layout, frame.pixels.shape) == ("uyvy", (48, 64, 2))
        assert near(frame.pixels.reshape(48, 32, 4)[..., [0, 1, 2]], (103, 84, 194), 2)
        assert near(frame.pixels.reshape(48, 32, 4)[..., [0, 3, 2]], (103, 84, 194), 2)


@alone
def test_what_it_knows_of_its_source_it_tells():
    with sending(picture(), rate=25.0), receiving() as receiver:
        assert not receiver.status().connected
        frames(receiver)
        status = receiver.status()
        assert (status.connected, status.size, status.rate) == (True, (64, 48), 25.0)
        assert status.format == "BGRX"
        assert "host" in status.route
        assert not status.error


@alone
def test_the_size_may_change_while_it_plays_and_odd_sides_lose_a_pixel():
    pictures = [picture(h, w) for h, w in ((48, 64), (90, 160), (221, 333))]
    with sending(*pictures, rate=30.0), receiving() as receiver:
        for shape in ((48, 64, 4), (90, 160, 4), (220, 332, 4), (48, 64, 4)):
            frame = frames(receiver, lambda f, shape=shape: f.pixels.shape == shape)
            assert frame.pixels.copy().shape == shape


@alone
def test_alpha_may_come_and_go_and_is_full_on_the_way_out():
    with sending(picture(red=200, alpha=0)), receiving() as receiver:
        frame = frames(receiver)
        assert near(frame.pixels, (0, 0, 200))
        assert (frame.pixels[..., 3] == 255).all()


@alone
def test_only_the_newest_is_given_and_the_others_are_counted():
    """Frames of a source that sends sixty a second, to one who takes four."""
    with camera(rate=60), receiving() as receiver:
        frames(receiver)
        seen, skipped = [], []
        for _ in range(5):
            time.sleep(0.25)  # the work of a network that is slow
            frame = receiver.receive(1.0)
            seen.append(int(frame.pixels[0, 0, 1]))
            skipped.append(frame.skipped)
        steps = np.diff(seen) % 200
        assert (np.abs(steps - np.array(skipped[1:]) - 1) <= 1).all(), (seen, skipped)
        assert (steps > 8).all()


@alone
def test_behind_what_is_given_nothing_older_waits():
    """At most the one that comes meanwhile: a queue would hand out several at once."""
    with camera(rate=60), receiving() as receiver:
        frames(receiver)
        for _ in range(3):
            time.sleep(0.1)  # six frames
            assert receiver.receive(1.0) is not None
            waiting = [receiver.receive(0.0) for _ in range(3)]
            assert sum(frame is not None for frame in waiting) <= 1


@alone
def test_nothing_new_is_nothing():
    with receiving() as receiver:
        assert receiver.receive(0.01) is None
        assert not receiver.status().connected


# What goes and returns


@contextlib.contextmanager
def camera_at_the_first_port():
    """A sender that returns while its old connection still closes may be given the next port."""
    while True:
        with camera(), contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 5961)).close()
            yield
            return


@alone
def test_by_its_address_it_is_back_within_a_second_and_no_wait_is_long():
    with receiving() as receiver:
        with camera():
            frames(receiver)
        waits = []
        while receiver.status().connected:
            begun = time.monotonic()
            receiver.receive(1 / 30)
            waits.append(time.monotonic() - begun)
        with camera_at_the_first_port():
            returned = time.monotonic()
            frames(receiver)
            assert time.monotonic() - returned < 1.0
        assert sorted(waits)[len(waits) // 2] < 0.06


@alone
def test_by_its_name_it_is_back_within_six_seconds():
    with searching(), receiving(CAM) as receiver:
        with camera():
            frames(receiver)
            assert receiver.status().name == ndi.discover(0.0)[0]
        while receiver.status().connected:
            receiver.receive(1 / 30)
        with camera():
            returned = time.monotonic()
            frames(receiver)
            assert time.monotonic() - returned < 6.0


@alone
def test_a_source_that_is_not_there_is_told_of_once_it_is_missed():
    now = [0.0]
    with receiving("Nobody", clock=lambda: now[0], sleep=lambda _: None) as receiver:
        receiver.receive(0.03)
        assert not receiver.status().error
        now[0] = ndi.MISSED + 1
        receiver.receive(0.03)
        assert "ndi:Nobody: it is not to be seen; start it" in receiver.status().error


@alone
def test_a_receiver_that_returns_is_served_and_counted():
    with sending(picture()) as sender:
        for _ in range(3):
            with receiving() as receiver:
                frames(receiver)
                assert sender.status().watchers == 1


@alone
def test_of_two_senders_each_is_seen_by_its_own_address():
    with (
        sending(picture(red=200), name=f"one {CAM}"), sending(picture(blue=200), name=f"two {CAM}"),
        receiving() as one, receiving("@127.0.0.1:5962") as two,
    ):  # fmt: skip
        assert near(frames(one).pixels, (0, 0, 200))
        assert near(frames(two).pixels, (200, 0, 0))


@alone
def test_a_name_finds_its_own_of_two():
    code = CAMERA.replace(
        "sender, number", "other = ndi.Sender('Arena ' + name, live=True, rate=30); sender, number"
    )  # one process: of two on one machine, without mDNS, a finder hears one
    words = [sys.executable, "-c", code, CAM, "64", "48", "60"]
    with searching(), subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        found = ndi.discover(PATIENCE)
        assert sorted(name.partition(" (")[2] for name in found) == [f"Arena {CAM})", f"{CAM})"]
        with receiving(f"aReNa {CAM}") as receiver:
            assert receiver.status().name.endswith(f"(Arena {CAM})")
        process.kill()


@alone
def test_our_own_picture_is_not_discovered():
    with searching(), sending(picture()), camera(f"Arena {CAM}", rate=30):
        assert not [name for name in ndi.discover(2.0) if f"({CAM})" in name]
        assert len(_ndi.OURS) == 1
    assert not _ndi.OURS


# What is sent


@alone
def test_the_library_never_holds_the_memory_that_is_filled():
    with contextlib.closing(ndi.Sender(CAM, live=True, rate=60.0)) as sender, receiving() as r:
        buffers = []
        while len(buffers) < 4:
            frame = Frame(picture(), "bgra", 0.0)
            sender.send(frame)
            r.receive(0.05)
            if sender.status().watchers:
                buffers.append(sender._ring[sender._turn ^ 1].ctypes.data)
        assert buffers[0] == buffers[2] != buffers[1] == buffers[3]


@alone
def test_red_and_blue_keep_their_places_whichever_comes_first():
    sender = ndi.Sender(CAM, live=True, rate=60.0)
    with contextlib.closing(sender), receiving() as receiver:
        for layout, colour in (("rgba", (0, 0, 200)), ("bgra", (200, 0, 0))):
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                sender.send(Frame(picture(blue=200), layout, 0.0))
                frame = receiver.receive(0.1)
                if frame is not None and near(frame.pixels, colour):
                    break
            else:
                raise AssertionError(layout)


@alone
def test_a_taken_name_is_told_as_what_it_became():
    with contextlib.closing(ndi.Sender(CAM, live=True, rate=30.0)) as one:
        assert one.status().name.endswith(f" ({CAM})")
        with contextlib.closing(ndi.Sender(CAM, live=True, rate=30.0)) as two:
            assert two.status().name.endswith(f" ({CAM} 2)")


def held():
    """What this process holds: MB, threads, files."""
    with open("/proc/self/statm") as file:
        megabytes = int(file.read().split()[1]) * 4096 / 2**20
    return megabytes, len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def left_behind(once):
    """What a thousand times leave, after fifty that may keep something for the others."""
    for number in range(50):
        once(number)
    before = held()
    for number in range(1000):
        once(number)
    return np.subtract(held(), before)


@alone
def test_a_hand_that_flipped_through_many_names_does_not_hold_the_end_up():
    code = "from bridge.video import ndi\n"
    code += "for n in range(5): ndi.Receiver(f'STUDIO ({n})', live=True).close()"
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
    assert time.monotonic() - begun < 3.5  # a name takes a second, five take five


@alone
def test_a_thousand_receivers_opened_and_closed_leave_nothing_behind():
    def once(_number):
        with receiving() as receiver:
            receiver.receive(0.0)

    with camera():
        megabytes, threads, files = left_behind(once)
    assert megabytes < 4.0
    assert threads <= 2
    assert files <= 2


@alone
def test_a_thousand_senders_opened_and_closed_leave_nothing_behind():
    def once(number):
        sender = ndi.Sender(f"{CAM} {number % 3}", live=True, rate=30.0)
        sender.send(Frame(picture(), "bgra", 0.0))
        sender.close()

    megabytes, threads, files = left_behind(once)
    assert megabytes < 4.0
    assert threads <= 2
    assert files <= 2


# The whole


@alone
def test_a_show_goes_in_and_comes_back_under_its_name_in_the_shape_of_its_source_by_tensors_too():
    import torch

    from bridge import cli, parsers, play

    words = ["--in", f"ndi:{FIRST}", "--out", "ndi:", "--name", f"First {CAM}", "--osc", "0"]
    words += ["--feedback", "none", "--no-page", "--net", "through", "--lines", "64"]
    with camera(width=160, height=90):
        instrument = play.assemble(cli.settings(parsers.run_parser().parse_args(words)))
        with instrument.closing, receiving("@127.0.0.1:5962") as back:
            assert instrument.engine.learner.size == (128, 64)  # of 16:9, in steps of 32
            assert instrument.space["/system/source"].value == f"ndi:{FIRST}"
            frame, seen = None, []
            while frame is None or len(seen) < 10:
                instrument.engine.turn()
                frame = back.receive(0.0) or frame
                seen.append(int(instrument.engine.picture.pixels[9, 9, 1]))
            assert frame.pixels.shape == (64, 128, 4)
            assert any(near(frame.pixels, level) for level in seen)
            assert instrument.engine.stats.sink.endswith(f"(First {CAM})")
            assert "NDI compresses on the processor" in instrument.engine.stats.route
            assert instrument.engine.stats.watchers == 1
            green = torch.from_numpy(picture(green=150))  # as of a learner on a graphics card
            frame = None
            while frame is None or not near(frame.pixels, (0, 150, 0)):
                instrument.engine.senders[0].send(Frame(green, "bgra", 0.0))
                frame = back.receive(0.1)


# Without the library


def test_a_missing_library_is_told_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(_libndi, "_places", lambda: iter(["nowhere/libndi.so"]))
    monkeypatch.setattr(_libndi.importlib.util, "find_spec", lambda _: None)
    _libndi.load.cache_clear()
    with pytest.raises(ImportError, match=r'run: .* -m pip install "cyndilib>=0\.1\.2"'):
        ndi.discover(0.0)
    _libndi.load.cache_clear()


def test_that_command_asks_for_what_the_extra_does():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = project["optional-dependencies"]["ndi"]
    assert f'"{wanted}"' in _libndi.MISSING


def test_a_library_that_does_not_load_is_told_with_the_reason(monkeypatch, tmp_path):
    (tmp_path / "libndi.so").write_text("no library")
    monkeypatch.setattr(_libndi, "_places", lambda: iter([str(tmp_path / "libndi.so")]))
    monkeypatch.setattr(_libndi.importlib.util, "find_spec", lambda _: True)
    _libndi.load.cache_clear()
    with pytest.raises(ImportError, match=r"cannot be loaded \(libndi.so: "):
        ndi.Sender(CAM, live=True, rate=30.0)
    _libndi.load.cache_clear()


@pytest.mark.parametrize("rest", ["@", "@10.0.0.5", "@10.0.0.5:0", "@10.0.0.5:99999", "@a b:5961"])
def test_an_address_that_is_none_is_refused_with_an_example(rest):
    with pytest.raises(Refusal, match=r"ndi:@10\.0\.0\.5:5961"):
        _ndi.address(rest)


@pytest.mark.parametrize("rest", ["@10.0.0.5:5961", "@studio.local:5962", "@[fe80::1%en0]:5961"])
def test_an_address_is_a_machine_and_a_port(rest):
    assert _ndi.address(rest) == rest[1:]


def test_offline_it_is_refused_with_what_to_do_instead():
    with pytest.raises(Refusal, match="record it first"):
        ndi.Receiver("cam", live=False)


SEEN = ["STUDIO (Arena)", "STUDIO (Arena - Composition)", "LAPTOP (TD)"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", SEEN[0]), ("LAPTOP (TD)", SEEN[2]), ("laptop (td)", SEEN[2]), ("arena", SEEN[0]),
        ("TD", SEEN[2]), ("comp", SEEN[1]), ("STUDIO", ""), ("nobody", ""),
    ],
)  # fmt: skip
def test_a_name_means_the_whole_then_what_is_in_brackets_then_a_part_that_only_one_has(
    asked, found
):
    assert _ndi.meant(asked, SEEN) == found


@pytest.mark.parametrize(
    ("rate", "declared"),
    [(30.0, Fraction(30)), (29.97, Fraction(30000, 1001)), (59.94, Fraction(60000, 1001)),
     (25.0, Fraction(25)), (4.0, Fraction(4)), (144.0, Fraction(144))],
)  # fmt: skip
def test_the_rate_that_was_said_is_declared(rate, declared):
    assert _ndi.Pace(rate)(0.0) == declared


def test_another_rate_is_declared_once_the_pictures_show_it():
    pace = _ndi.Pace(30.0)
    told = [pace(number / 59.9) for number in range(_ndi.MEASURED + 1)]
    assert set(told[:-1]) == {Fraction(30)}
    assert told[-1] in (Fraction(60), Fraction(60000, 1001))


def test_a_rate_that_only_trembles_stays_as_declared():
    pace, dice = _ndi.Pace(30.0), np.random.default_rng(1)
    told = {pace(number / 30 + dice.uniform(-0.01, 0.01)) for number in range(200)}
    assert told == {Fraction(30)}
