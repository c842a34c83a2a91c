"""Cameras: which one is meant, what it gives, and what happens when it goes and comes."""

import errno
import itertools
import os
import threading

import av
import numpy as np
import pytest
from fakes.cable import Cable

from bridge import Refusal
from bridge.video import camera, capture, discover, open_receiver
from bridge.video.capture import Camera, Wish, addresses, find, sighted, spelt, ways

LONG = 60.0  # seconds no test ever waits: what it waits for is certain to come
TWO = [Camera("HD Webcam", "/dev/video0"), Camera("Cam Link 4K", "/dev/video2")]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(camera, "AGAIN", 0.005)
    monkeypatch.setattr(camera, "PATIENCE", LONG)


@pytest.fixture
def opened(monkeypatch):
    made = []

    def make(cable, rest="", **options):
        if not options.pop("waits", False):
            monkeypatch.setattr(camera, "FIRST", 0)
        how = {"cameras": cable.cameras, "opened": cable.opened, "live": True} | options
        made.append((cable, camera.Receiver(rest, **how)))
        return made[-1][1]

    yield make
    for cable, receiver in made:
        receiver._closing.set()
        cable._given.put(0)  # a driver cannot be woken but by a picture
        receiver.close()
        assert not receiver._thread.is_alive()


def values(*frames):
    return [int(frame.pixels[0, 0, 0]) for frame in frames]


def until_lost(receiver):
    for _ in range(10_000):
        if not receiver.status().connected:
            return
        receiver.receive(0.001)
    raise AssertionError("it is still connected")


# Through FFmpeg itself, with a drawn source in the place of a camera


def drawn(_place, options):
    return av.open("testsrc2=size=320x180:rate=100,realtime", format="lavfi", options=options)


@pytest.fixture
def real():
    receiver = camera.Receiver("0", live=True, cameras=lambda: TWO, opened=drawn)
    yield receiver
    receiver.close()


def test_a_real_stream_comes_as_bgra_and_each_frame_once(real):
    frames = [real.receive(LONG) for _ in range(5)]
    assert {f.pixels.shape for f in frames} == {(180, 320, 4)}
    assert all(not np.array_equal(a.pixels, b.pixels) for a, b in itertools.pairwise(frames))
    assert all(a.time < b.time for a, b in itertools.pairwise(frames))


def test_a_real_stream_has_its_size_and_rate_from_the_start(real):
    status = real.status()
    assert (status.connected, status.name, status.size, status.rate, status.error) == (
        True, "HD Webcam", (320, 180), 100.0, "",
    )  # fmt: skip


def test_a_real_stream_is_upright_and_of_the_right_colours():
    def flag(_place, options):
        graph = "color=red:size=64x48,drawbox=y=0:h=24:color=blue:t=fill,realtime"
        return av.open(graph, format="lavfi", options=options)

    receiver = camera.Receiver("", live=True, cameras=lambda: TWO, opened=flag)
    pixels = receiver.receive(LONG).pixels
    receiver.close()
    assert [np.argmax(pixels[y, 20, :3]) for y in (5, 40)] == [0, 2]


def test_close_ends_the_thread_of_a_real_stream(real):
    real.close()
    assert not real._thread.is_alive()
    assert real.status().ended


@pytest.mark.skipif(capture.SYSTEM != "v4l2", reason="paths of Linux")
def test_what_is_no_camera_says_so_and_is_tried_again():
    receiver = open_receiver("camera:/dev/null", live=True)
    status = receiver.status()
    assert receiver.receive(0) is None
    receiver.close()
    assert not status.connected
    assert status.error.startswith("--in camera:/dev/null: it gives no pictures (")


# Live


def test_the_newest_frame_wins_and_the_others_are_counted(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(1, 2, 3)
    frame = receiver.receive(LONG)
    assert (values(frame), frame.skipped) == ([3], 2)


def test_the_same_frame_is_never_given_twice(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(1)
    assert receiver.receive(LONG) is not None
    assert receiver.receive(0) is None


def test_a_frame_that_was_received_is_not_counted_as_skipped(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(1)
    receiver.receive(LONG)
    cable.show(2)
    assert receiver.receive(LONG).skipped == 0


def test_a_frame_is_not_overwritten_by_the_next(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(1)
    frame = receiver.receive(LONG)
    cable.show(2)
    assert values(frame) == [1]


def test_the_first_frame_is_waited_for_so_that_its_shape_is_known(opened):
    cable = Cable("Webcam")
    giving = threading.Thread(target=cable.show, args=(1,))
    giving.start()
    assert opened(cable, waits=True).status().size == (64, 48)
    giving.join()


def test_no_picture_is_held_back_by_threads_over_frames(opened):
    cable = Cable("Webcam")
    opened(cable)
    cable.show(1)
    assert cable.codec_context.thread_count == 1


def test_a_torn_picture_is_passed_over(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show("torn", 2)
    frame = receiver.receive(LONG)
    assert (values(frame), frame.skipped, len(cable.options)) == ([2], 0, 1)


def test_a_system_that_has_no_picture_yet_is_asked_again(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(av.error.BlockingIOError(errno.EAGAIN, "again"), 2)
    assert values(receiver.receive(LONG)) == [2]
    assert len(cable.options) == 1


def test_another_size_is_just_a_frame_of_another_shape(opened):
    cable = Cable("Webcam")
    receiver = opened(cable)
    cable.show(1)
    cable.shape = 20, 30
    cable.show(2)
    assert receiver.receive(LONG).pixels.shape == (20, 30, 4)
    assert receiver.status().size == (30, 20)


# Going and coming


def test_a_camera_that_is_not_there_is_no_error_and_is_picked_up_when_it_comes(opened):
    cable = Cable()
    receiver = opened(cable, waits=True)
    before = receiver.status()
    assert receiver.receive(0) is None
    cable.plugged["Webcam"] = "/dev/video0"
    cable.show(7)
    assert values(receiver.receive(LONG)) == [7]
    after = receiver.status()
    assert (before.connected, after.connected) == (False, True)
    assert "plug it in" in before.error
    assert (after.error, after.name) == ("", "Webcam")


def test_an_unplugged_camera_says_so_and_goes_on_when_it_is_back(opened):
    cable = Cable("Webcam")
    receiver = opened(cable, "0")
    cable.show(1)
    receiver.receive(LONG)
    cable.unplug("Webcam")
    until_lost(receiver)
    assert receiver.status().error == f"--in camera:0: {capture.GONE}"
    cable.plugged["Webcam"] = "/dev/video0"
    cable.show(2)
    assert values(receiver.receive(LONG)) == [2]
    assert receiver.status().connected


def test_an_unplugged_camera_is_known_by_its_name_wherever_it_comes_back(opened):
    cable = Cable("Webcam", "Other")
    receiver = opened(cable, "0")
    cable.show(1)
    cable.unplug("Webcam")
    cable.plugged["Webcam"] = "/dev/video7"
    cable.show(2)
    assert cable.place == "/dev/video7"
    assert values(receiver.receive(LONG)) == [2]


def test_another_camera_does_not_take_an_unplugged_ones_place(opened):
    cable = Cable("Webcam", "Other")
    receiver = opened(cable)
    cable.show(1)
    cable.unplug("Webcam")
    until_lost(receiver)
    assert cable.place == "/dev/video0"
    assert "plug it in" in receiver.status().error


def test_of_two_cameras_of_one_name_each_stays_itself():
    twins = [Camera("Cam Link", "/dev/video0"), Camera("Cam Link", "/dev/video2")]
    assert capture.find_again(twins[1], twins) == twins[1]


def test_a_name_that_is_not_there_is_told_beside_those_that_are(opened):
    error = opened(Cable("Webcam", "Cam Link"), "Sony", waits=True).status().error
    assert "it is not among Webcam, Cam Link" in error


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EBUSY, "another program has it; close that program."),
        (errno.EACCES, capture.NOT_ALLOWED[capture.SYSTEM]),
        (errno.ENODEV, capture.GONE),
        (errno.EIO, "close other programs that use it"),
    ],
)
def test_what_keeps_a_camera_shut_is_told_with_what_to_do(opened, number, advice):
    cable = Cable("Webcam")
    cable.refuses = OSError(number, os.strerror(number))
    assert advice in opened(cable, waits=True).status().error


def test_a_camera_that_falls_silent_is_told(opened):
    cable, clock = Cable("Webcam"), Clock()
    receiver = opened(cable, clock=clock)
    cable.show(1)
    clock.now += camera.SILENT + 1
    status = receiver.status()
    assert not status.connected
    assert "check its cable and power" in status.error


def test_a_camera_that_takes_long_to_open_is_not_taken_for_silent(opened):
    cable, clock = Cable("Webcam"), Clock()

    def slowly(place, options):
        clock.now += 10 * camera.SILENT
        return cable.opened(place, options)

    receiver = opened(cable, clock=clock, opened=slowly)
    cable.show(1)
    assert values(receiver.receive(LONG)) == [1]
    assert len(cable.options) == 1


def test_a_silent_camera_that_can_be_left_is_opened_anew(opened):
    cable, clock = Cable("Webcam"), Clock()
    receiver = opened(cable, clock=clock)
    cable.show(1)
    clock.now += camera.SILENT + 1
    cable.show(av.error.BlockingIOError(errno.EAGAIN, "again"), 2)
    assert values(receiver.receive(LONG)) == [2]
    assert len(cable.options) == 2


# Wishes


def test_offline_a_camera_is_refused_with_what_to_do_instead():
    with pytest.raises(Refusal, match=r"record it first \(--net through --out"):
        open_receiver("camera:", live=False)


@pytest.mark.parametrize(
    ("rest", "means"),
    [
        ("", ("", Wish())),
        ("1", ("1", Wish())),
        ("HD Webcam", ("HD Webcam", Wish())),
        ("/dev/video2", ("/dev/video2", Wish())),
        ("0@1280x720", ("0", Wish((1280, 720)))),
        ("0@1280x720@60", ("0", Wish((1280, 720), 60.0))),
        ("0@29.97", ("0", Wish(None, 29.97))),
        ("@640x360", ("", Wish((640, 360)))),
        (r"@device_pnp_\\?\usb#a@640x360", (r"@device_pnp_\\?\usb#a", Wish((640, 360)))),
    ],
)  # fmt: skip
def test_an_address_says_which_camera_and_what_is_wished(rest, means):
    assert spelt(rest) == means


@pytest.mark.parametrize(
    "rest", ["0@big", "0@", "0@0x0", "0@1280", "0@1280x", "0@9x9", "0@1x2@3@4", "0@0", "me@home"]
)
def test_a_wish_that_no_camera_grants_is_refused(rest):
    with pytest.raises(Refusal, match="after @ comes a size, a rate, or both"):
        open_receiver(f"camera:{rest}", live=True)


def test_the_wish_is_asked_of_the_camera(opened):
    cable = Cable("Webcam")
    opened(cable, "0@1280x720@60")
    cable.show(1)
    asked = cable.options[0]
    assert (asked["video_size"], asked["framerate"]) == ("1280x720", "60")


def test_a_wish_that_is_not_granted_is_no_error(opened):
    cable = Cable("Webcam")
    cable.refused_options = {"video_size", "framerate"}
    receiver = opened(cable, "0@1280x720@60")
    cable.show(1)
    assert receiver.receive(LONG).pixels.shape == (48, 64, 4)
    assert receiver.status().error == ""


def test_of_a_wish_the_size_is_kept_where_the_rate_cannot_be(opened):
    cable = Cable("Webcam")
    cable.refused_options = {"framerate", "input_format"}
    opened(cable, "0@1280x720@60")
    cable.show(1)
    assert cable.options[-1]["video_size"] == "1280x720"


def test_linux_is_asked_for_jpegs_first():
    first, second, *_ = ways(Wish((1280, 720)), "v4l2")
    assert (first["input_format"], "input_format" in second) == ("mjpeg", False)


def test_windows_is_asked_for_a_usual_rate_beside_a_wished_size():
    assert [way.get("framerate") for way in ways(Wish((1280, 720)), "dshow")] == ["30", None, None]


@pytest.mark.parametrize("system", ["v4l2", "dshow", "avfoundation"])
@pytest.mark.parametrize("wish", [Wish(), Wish((640, 360)), Wish(None, 60.0)])
def test_the_last_way_wishes_nothing(system, wish):
    assert ways(wish, system)[-1] == {"fflags": "nobuffer"}


def test_on_a_mac_a_usual_rate_is_asked_for_even_when_none_is_wished():
    assert ways(Wish(), "avfoundation")[0]["framerate"] == "30"
    assert ways(Wish((640, 360)), "avfoundation")[0] == {
        "fflags": "nobuffer", "video_size": "640x360", "framerate": "30",
    }  # fmt: skip


@pytest.mark.parametrize("system", ["v4l2", "dshow", "avfoundation"])
def test_the_whole_wish_comes_before_its_parts(system):
    asked = ways(Wish((640, 360), 50.0), system)
    assert (asked[0]["video_size"], asked[0]["framerate"]) == ("640x360", "50")
    parts = [("video_size" in way, "framerate" in way) for way in asked]
    assert parts.index((True, False)) < parts.index((False, True))


# Which


@pytest.mark.parametrize(
    ("which", "number"),
    [("", 0), ("0", 0), ("1", 1), ("Cam Link 4K", 1), ("cam link", 1), ("webcam", 0)],
)
def test_a_camera_is_found_by_number_name_or_a_part_of_it(which, number):
    assert find(which, TWO, "v4l2") == TWO[number]


@pytest.mark.parametrize("which", ["2", "99", "Sony"])
def test_what_is_not_listed_is_not_found(which):
    assert find(which, TWO, "v4l2") is None


def test_the_whole_name_is_found_before_a_part():
    seen = [Camera("Webcam Pro", "a"), Camera("Webcam", "b")]
    assert find("Webcam", seen, "v4l2") == seen[1]


def test_a_path_is_opened_whether_listed_or_not():
    assert find("/dev/v4l/by-id/x", TWO, "v4l2").place == "/dev/v4l/by-id/x"
    assert find("@device_pnp_x", TWO, "dshow").place == "video=@device_pnp_x"


@pytest.mark.parametrize(
    ("system", "which", "place"),
    [
        ("v4l2", "", "/dev/video0"),
        ("v4l2", "2", "/dev/video2"),
        ("avfoundation", "", "0"),
        ("avfoundation", "1", "1"),
        ("dshow", "HD Webcam", "video=HD Webcam"),
    ],
)
def test_where_nothing_is_listed_what_can_be_opened_all_the_same_is_tried(system, which, place):
    assert find(which, [], system).place == place


@pytest.mark.parametrize(("system", "which"), [("dshow", "0"), ("dshow", ""), ("v4l2", "Webcam")])
def test_where_nothing_is_listed_the_rest_is_not_found(system, which):
    assert find(which, [], system) is None


def test_a_macs_screen_is_not_taken_for_its_first_camera():
    screens = [Camera("Capture screen 0", "0")]
    assert find("", screens, "avfoundation") is None
    assert find("Capture screen 0", screens, "avfoundation") == screens[0]


def device(name, description, *media):
    return av.DeviceInfo(name, description, False, list(media))


def test_linux_cameras_are_in_the_order_of_their_nodes_without_data_channels(tmp_path):
    for node, index in (("video0", 0), ("video1", 1), ("video2", 0), ("video10", 0)):
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
    listed = [device(f"/dev/video{n}", f"Camera {n}", "video") for n in (10, 2, 1, 0)]
    listed.append(device("/dev/vbi0", "Teletext"))
    seen = sighted(listed, "v4l2", str(tmp_path))
    assert [c.place for c in seen] == ["/dev/video0", "/dev/video2", "/dev/video10"]


def test_windows_cameras_are_opened_by_their_unique_path_and_microphones_are_none():
    listed = [
        device("@device_pnp_a", "HD Webcam", "video"),
        device("@device_cm_b", "Microphone", "audio"),
        device("@device_sw_c", "OBS Virtual Camera"),
    ]
    assert sighted(listed, "dshow") == [
        Camera("HD Webcam", "video=@device_pnp_a"),
        Camera("OBS Virtual Camera", "video=@device_sw_c"),
    ]


def test_mac_cameras_are_opened_by_their_number():
    listed = [device("0", "FaceTime HD Camera", "video"), device("0", "Microphone", "audio")]
    assert sighted(listed, "avfoundation") == [Camera("FaceTime HD Camera", "0")]


# Discovering


def test_every_discovered_address_finds_its_own_camera():
    names = ["HD Webcam", "HD Webcam", "2", "me@home", "", "Cam", "Camera"]
    seen = [Camera(name, str(number)) for number, name in enumerate(names)]
    found = [find(spelt(address.removeprefix("camera:"))[0], seen) for address in addresses(seen)]
    assert found == seen


def test_an_address_is_of_the_name_where_that_is_clear():
    assert addresses(TWO) == ["camera:HD Webcam", "camera:Cam Link 4K"]


def test_discovered_cameras_are_those_that_are_seen(monkeypatch):
    monkeypatch.setattr(capture, "cameras", lambda: TWO)
    assert discover("camera", 1.0) == ["camera:HD Webcam", "camera:Cam Link 4K"]


def test_where_cameras_are_not_listed_it_says_what_to_type(monkeypatch):
    def fails():
        raise ValueError("no such input format")

    monkeypatch.setattr(capture, "cameras", fails)
    with pytest.raises(
        Refusal, match=r"does not list its cameras \(no such input format\); camera:"
    ):
        discover("camera", 1.0)


def test_a_camera_that_this_user_may_not_open_is_told(monkeypatch):
    monkeypatch.setattr(capture, "cameras", list)
    monkeypatch.setattr(capture, "barred", lambda: "/dev/video0")
    with pytest.raises(Refusal, match="/dev/video0 is there, but"):
        discover("camera", 1.0)
