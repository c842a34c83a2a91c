"""Movies in and out, through real files."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import open_receiver, open_sender
from bridge.video.file import Receiver, Sender, _claimed, _Movie

SIZE = 64, 48


def picture(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Noise that is different in every byte, or a flat grey that says its number."""
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def grey(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    return np.full((height, width, 4), 10 * number, np.uint8)


def record(path: Path, pictures: list[np.ndarray], *, rate: float = 25.0, layout="bgra") -> None:
    sender = open_sender(f"file:{path}", live=False, rate=rate)
    for pixels in pictures:
        sender.send(Frame(pixels, layout, 0.0))
    sender.close()


def played(path: Path) -> list[np.ndarray]:
    receiver = open_receiver(f"file:{path}", live=False)
    frames = [f.pixels for f in iter(lambda: receiver.receive(0), None)]
    receiver.close()
    return frames


def streams(path: Path) -> tuple[float, list[int]]:
    """The average rate and each frame's pts in units of 1/25."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [f.pts * stream.time_base * 25 for f in container.decode(stream)]
        return float(stream.average_rate), [round(t) for t in times]


# In


def test_a_movie_comes_once_and_in_order(tmp_path):
    record(tmp_path / "a.mp4", [grey(n) for n in range(20)])
    assert [round(p[0, 0, 0] / 10) for p in played(tmp_path / "a.mp4")] == list(range(20))


def test_size_rate_and_name_are_known_before_the_first_frame(tmp_path):
    record(tmp_path / "a.mp4", [grey(1)] * 5, rate=24.0)
    receiver = Receiver(str(tmp_path / "a.mp4"), live=True)
    status = receiver.status()
    receiver.close()
    assert (status.name, status.size, status.rate) == ("a.mp4", SIZE, 24.0)


def test_frames_are_packed_bgra(tmp_path):
    record(tmp_path / "a.mkv", [picture(1)])
    receiver = open_receiver(f"file:{tmp_path / 'a.mkv'}", live=False)
    frame = receiver.receive(0)
    receiver.close()
    assert (frame.layout, frame.pixels.shape, frame.pixels.dtype) == ("bgra", (48, 64, 4), "uint8")
    assert frame.pixels.flags.c_contiguous


def test_a_name_with_a_colon_arrives_whole(tmp_path):
    path = tmp_path / "live: one.mkv"
    try:
        path.touch()
    except OSError:
        pytest.skip("this system's files have no colons")
    record(path, [picture(1)])
    assert len(played(path)) == 1


def test_a_movie_filmed_upright_stands_upright(tmp_path):
    upright = np.zeros((48, 64, 4), np.uint8)
    upright[:24] = 200  # bright above
    record(tmp_path / "a.mp4", [upright] * 3)
    turn_clockwise(tmp_path / "a.mp4")
    pixels = played(tmp_path / "a.mp4")[0]
    assert pixels.shape == (64, 48, 4)
    assert pixels[32, 40, 0] > 150 > 50 > pixels[32, 8, 0]  # what was above is at the right


def turn_clockwise(path: Path) -> None:
    """Write a quarter turn into an .mp4's track header, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"tkhd") + 44  # the matrix, 16.16 and 2.30
    for i, value in enumerate((0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)):
        data[at + 4 * i : at + 4 * i + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(bytes(data))


def test_an_hd_movie_that_names_no_colours_is_taken_for_bt709(tmp_path):
    path = tmp_path / "a.mkv"
    yuv = av.VideoFrame(1280, 720, "yuv420p")
    for plane, value in zip(yuv.planes, (63, 102, 240), strict=True):  # BT.709's full red
        plane.update(bytes([value]) * plane.buffer_size)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        container.mux([*stream.encode(yuv), *stream.encode()])
    blue, green, red = played(path)[0][0, 0, :3].astype(int)
    assert (abs(blue), abs(green), abs(red - 255)) <= (3, 3, 3)


def test_a_movie_cut_short_plays_offline_up_to_the_cut_and_refuses(tmp_path):
    path = tmp_path / "a.mkv"
    record(path, [picture(n) for n in range(20)])
    with path.open("r+b") as file:  # a hole in the middle
        file.seek(path.stat().st_size // 2)
        file.write(bytes(range(256)) * 60)
    receiver = Receiver(str(path), live=False)
    got: list[Frame] = []
    with pytest.raises(Refusal, match="cannot be read to its end"):
        got.extend(iter(lambda: receiver.receive(0), None))
    receiver.close()
    assert 0 < len(got) < 20


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (str, "there is no such file; check the path."),
        (lambda p: p.mkdir(), "this is a folder; for its pictures use stills:"),
        (lambda p: p.write_text("not a movie"), "no picture in it can be read"),
        (lambda p: p.touch(), "no picture in it can be read"),
    ],
    ids=["missing", "folder", "text", "empty"],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(tmp_path, make, words):
    make(tmp_path / "clip.mp4")
    with pytest.raises(Refusal, match=words) as refusal:
        open_receiver(f"file:{tmp_path / 'clip.mp4'}", live=True)
    assert str(refusal.value).startswith(f"--in file:{tmp_path / 'clip.mp4'}: ")


def test_a_windows_path_arrives_whole():
    with pytest.raises(Refusal, match=r"--in file:C:\\clips\\a.mp4: there is no such file"):
        open_receiver(r"file:C:\clips\a.mp4", live=True)


# Out


def test_mkv_gives_back_every_byte(tmp_path):
    pictures = [picture(n) for n in range(5)]
    record(tmp_path / "a.mkv", pictures)
    assert all((a == b).all() for a, b in zip(played(tmp_path / "a.mkv"), pictures, strict=True))


def test_mkv_takes_rgba_too(tmp_path):
    pixels = picture(1)
    record(tmp_path / "a.mkv", [pixels], layout="rgba")
    assert (played(tmp_path / "a.mkv")[0] == pixels[..., [2, 1, 0, 3]]).all()


def test_mp4_has_every_frame_at_the_rate(tmp_path):
    record(tmp_path / "a.mp4", [grey(n) for n in range(12)])
    assert streams(tmp_path / "a.mp4") == (25.0, list(range(12)))


def test_mp4_keeps_ntsc_rates(tmp_path):
    record(tmp_path / "a.mp4", [grey(1)] * 5, rate=30000 / 1001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_mp4_is_what_everything_plays(tmp_path):
    record(tmp_path / "a.mp4", [grey(1)] * 3)
    with av.open(str(tmp_path / "a.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.colorspace) == ("h264", "yuv420p", 1)


def test_mp4_keeps_the_colours(tmp_path):
    colours = np.array([[40, 60, 220], [200, 90, 30], [60, 190, 80], [230, 230, 230]], np.uint8)
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[..., :3] = colours.repeat(16, axis=0)
    record(tmp_path / "a.mp4", [pixels] * 3)
    error = played(tmp_path / "a.mp4")[1][24, 8::16, :3].astype(int) - colours
    assert np.abs(error).max() <= 6


def test_mp4_of_odd_sides_is_not_cropped(tmp_path):
    record(tmp_path / "a.mp4", [grey(1, 51, 37)] * 3)
    assert played(tmp_path / "a.mp4")[0].shape == (37, 51, 4)


def test_live_gaps_stay_gaps(tmp_path):
    sender = Sender(str(tmp_path / "a.mp4"), live=True, rate=25.0)
    for moment in (0.0, 0.04, 0.4, 0.44):
        sender.send(Frame(grey(1), "bgra", 700 + moment))
    sender.close()
    assert streams(tmp_path / "a.mp4")[1] == [0, 1, 10, 11]


def test_live_a_take_is_never_overwritten(tmp_path):
    for _ in range(3):
        sender = Sender(str(tmp_path / "take.mkv"), live=True, rate=25.0)
        sender.send(Frame(picture(1), "bgra", 0.0))
        sender.close()
    assert sorted(os.listdir(tmp_path)) == ["take-2.mkv", "take-3.mkv", "take.mkv"]


def test_takes_begun_in_one_moment_never_share_a_name(tmp_path):
    with ThreadPoolExecutor(8) as many:
        names = list(many.map(_claimed, [str(tmp_path / "take.mp4")] * 64))
    assert len(set(names)) == 64 == len(os.listdir(tmp_path))


def test_a_take_that_got_not_one_byte_leaves_no_file(tmp_path):
    path = _claimed(str(tmp_path / "take.mp4"))
    _Movie(path, ".mp4", 30.0, new=True).abandon()
    assert os.listdir(tmp_path) == []


def test_offline_the_same_command_gives_the_same_file(tmp_path):
    path = tmp_path / "a.mp4"
    record(path, [grey(n) for n in range(9)])
    before = path.read_bytes()
    record(path, [grey(n) for n in range(9)])
    assert (os.listdir(tmp_path), path.read_bytes()) == (["a.mp4"], before)


def test_a_recording_of_nothing_leaves_no_file(tmp_path):
    Sender(str(tmp_path / "a.mp4"), live=True, rate=25.0).close()
    assert os.listdir(tmp_path) == []


def test_another_size_in_mid_recording_is_dropped_and_told(tmp_path):
    sender = Sender(str(tmp_path / "a.mp4"), live=True, rate=25.0)
    for n, pixels in enumerate([grey(1), grey(1, 32, 32), grey(1)]):
        sender.send(Frame(pixels, "bgra", n / 25))
    sender.close()
    assert "became 32x32 and the recording is 64x48" in sender.status().error
    assert streams(tmp_path / "a.mp4")[1] == [0, 2]


def test_close_is_well_within_a_second(tmp_path):
    sender = Sender(str(tmp_path / "a.mp4"), live=True, rate=30.0)
    for n in range(40):
        sender.send(Frame(picture(n % 4, 640, 384), "bgra", n / 30))
    before = time.perf_counter()
    sender.close()
    assert time.perf_counter() - before < 1.0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_full_disk_is_refused_in_a_sentence(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(Refusal, match=r"recording has stopped \(No space left on device\)"):
        record(tmp_path / name, [picture(n) for n in range(60)])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.avi", r"end the name in .mp4 \(plays everywhere\) or .mkv \(lossless\)"),
        ("nowhere/a.mp4", "check that the folder is there"),
        ("", "end the name in .mp4"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_a_sentence(tmp_path, name, words):
    with pytest.raises(Refusal, match=words):
        open_sender(f"file:{tmp_path / name}", live=True, rate=30.0)
