"""Folders of pictures, in and out."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import open_receiver, open_sender
from bridge.video.stills import Receiver, Sender


def paint(folder: Path, name: str, value: int, size: tuple[int, int] = (16, 12)) -> None:
    """A flat picture, in the format that the name's ending says."""
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    av.VideoFrame.from_ndarray(pixels, "rgb24").save(folder / name)


def values(rest: object) -> list[int]:
    receiver = Receiver(str(rest), live=False)
    frames = list(iter(lambda: receiver.receive(0), None))
    receiver.close()
    return [int(f.pixels[0, 0, 0]) for f in frames]


def write(folder: Path, count: int, *, live: bool = False) -> None:
    sender = Sender(str(folder), live=live, rate=30.0)
    for n in range(count):
        sender.send(Frame(np.full((12, 16, 4), n, np.uint8), "bgra", n / 30))
    sender.close()


# In


def test_pictures_come_in_natural_order(tmp_path):
    for value, name in ((3, "b10.png"), (1, "b1.png"), (2, "b2.png"), (0, "A.png")):
        paint(tmp_path, name, value)
    assert values(tmp_path) == [0, 1, 2, 3]


def test_jpegs_come_too(tmp_path):
    paint(tmp_path, "a.jpg", 100)
    assert values(tmp_path) == pytest.approx([100], abs=2)


def test_other_files_and_hidden_ones_are_passed_over(tmp_path):
    paint(tmp_path, "a.png", 7)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "._a.png").write_text("what macOS leaves behind")
    receiver = Receiver(str(tmp_path), live=False)
    assert receiver.receive(0) is not None
    assert receiver.receive(0) is None
    assert receiver.status().error == ""
    receiver.close()


def test_at_seconds_holds_each_picture(tmp_path):
    paint(tmp_path, "a.png", 1)
    paint(tmp_path, "b.png", 2)
    assert values(f"{tmp_path}@0.1") == [1, 1, 1, 2, 2, 2]


def test_a_folder_whose_name_ends_so_is_a_folder(tmp_path):
    (tmp_path / "set@4").mkdir()
    paint(tmp_path / "set@4", "a.png", 5)
    assert values(tmp_path / "set@4") == [5]


def test_pictures_may_have_different_sizes(tmp_path):
    paint(tmp_path, "a.png", 1, (16, 12))
    paint(tmp_path, "b.png", 2, (8, 20))
    receiver = Receiver(str(tmp_path), live=False)
    shapes = [receiver.receive(0).pixels.shape for _ in range(2)]
    receiver.close()
    assert shapes == [(12, 16, 4), (20, 8, 4)]


def test_a_picture_that_cannot_be_read_is_passed_over_and_told(tmp_path):
    paint(tmp_path, "a.png", 1)
    (tmp_path / "b.png").write_bytes(b"torn")
    paint(tmp_path, "c.png", 3)
    receiver = Receiver(str(tmp_path), live=False)
    got = [int(receiver.receive(0).pixels[0, 0, 0]) for _ in range(2)]
    assert receiver.receive(0) is None
    assert got == [1, 3]
    assert receiver.status().error.endswith("b.png cannot be read; save it again as PNG.")
    receiver.close()


def test_thirty_a_second_and_the_size_are_known_at_once(tmp_path):
    paint(tmp_path, "a.png", 1)
    receiver = Receiver(str(tmp_path), live=True)
    status = receiver.status()
    receiver.close()
    assert (status.name, status.size, status.rate) == (tmp_path.name, (16, 12), 30.0)


def test_live_a_picture_put_into_the_folder_joins_the_next_round(tmp_path):
    paint(tmp_path, "a.png", 1)
    receiver = Receiver(str(tmp_path), live=True)
    paint(tmp_path, "b.png", 2)
    seen = {int(receiver.receive(60).pixels[0, 0, 0]) for _ in range(12)}
    receiver.close()
    assert seen == {1, 2}


@pytest.mark.parametrize(
    ("rest", "words"),
    [("", "no pictures there; it reads .png"), ("nowhere", "there is no such folder")],
)
def test_a_folder_without_pictures_is_refused(tmp_path, rest, words):
    with pytest.raises(Refusal, match=words):
        open_receiver(f"stills:{tmp_path / rest}", live=True)


# Out


def test_pictures_are_numbered_from_one(tmp_path):
    write(tmp_path / "out", 3)
    assert sorted(os.listdir(tmp_path / "out")) == ["000001.png", "000002.png", "000003.png"]


def test_a_png_gives_back_every_byte(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 16, 4), np.uint8)
    pixels[..., 3] = 255
    sender = open_sender(f"stills:{tmp_path}", live=False, rate=30.0)
    sender.send(Frame(pixels, "bgra", 0.0))
    sender.close()
    receiver = open_receiver(f"stills:{tmp_path}", live=False)
    assert (receiver.receive(0).pixels == pixels).all()
    receiver.close()


def test_a_png_carries_no_alpha(tmp_path):
    write(tmp_path, 1)
    with av.open(str(tmp_path / "000001.png")) as picture:
        assert picture.streams.video[0].pix_fmt == "rgb24"


def test_offline_the_same_command_gives_the_same_files(tmp_path):
    write(tmp_path, 4)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    write(tmp_path, 4)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_live_numbers_go_on_after_the_highest(tmp_path):
    write(tmp_path, 2, live=True)
    write(tmp_path, 1, live=True)
    assert sorted(os.listdir(tmp_path)) == ["000001.png", "000002.png", "000003.png"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="the folder cannot be made"):
        open_sender(f"stills:{tmp_path / 'file' / 'out'}", live=True, rate=30.0)
