"""Folders of pictures become a museum: what is read, looked at, dropped, held out, balanced, and
gone on with."""

import csv
import functools
import importlib
import io
import json
import math
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from fakes import deadly
from PIL import Image, ImageCms, ImageDraw, ImageEnhance, PngImagePlugin

from bridge import Refusal, cli
from bridge.learn import shards
from bridge.learn.shards import Shards
from bridge.museum import alike, balance, catalogue, crew, edges, ledger
from bridge.museum.look import COARSE, Found, look

SIDE = 96


@functools.lru_cache(None)
def _painted(seed, size):
    dice = np.random.default_rng(seed)
    shown = np.full((size[1], size[0], 3), 128.0)
    for fine, strength in ((6, 90), (14, 50), (30, 30), (60, 18)):
        blots = Image.fromarray(dice.integers(0, 256, (fine, fine, 3), np.uint8))
        shown += strength * (np.asarray(blots.resize(size, Image.Resampling.BICUBIC)) / 127.5 - 1)
    return Image.fromarray(shown.clip(0, 255).astype(np.uint8))


def painting(seed=0, size=(128, 112)):
    """A picture like no other: blots of colour, coarse and strong ones and finer ones."""
    return _painted(seed, size).copy()


def put(place, picture, **options):
    place.parent.mkdir(parents=True, exist_ok=True)
    picture.save(place, **options)
    return place


@pytest.fixture
def root(tmp_path):
    """Two collections of two and of one."""
    for number, name in enumerate(["munch/scream.jpg", "munch/sick/child.png", "klee/fish.webp"]):
        put(tmp_path / "root" / name, painting(number))
    return tmp_path / "root"


def prepare(*folders, out, **told):
    """Prepare a museum; answers it."""
    usual = {"side": SIDE, "hold": [], "tau": 0.5, "seed": 0, "workers": 1, "anew": False}
    catalogue.main(Namespace(folders=[str(f) for f in folders], out=str(out), **{**usual, **told}))
    return Shards(out)


def names(museum):
    return {entry.name for entry in museum.entries}


def skipped(museum):
    lines = (museum.folder / ledger.SKIPPED).read_text("utf-8").split("\n")[:-1]
    return {os.path.basename(told["path"]): told["reason"] for told in map(json.loads, lines)}


# What is read


def test_each_sub_folder_is_a_collection_however_deep_its_pictures_lie(root, tmp_path):
    museum = prepare(root, out=tmp_path / "out")
    assert names(museum) == {"munch/scream", "munch/sick/child", "klee/fish"}
    assert {entry.collection for entry in museum.entries} == {"munch", "klee"}


def test_a_flat_folder_is_one_collection_of_its_name(root, tmp_path):
    museum = prepare(root / "klee", out=tmp_path / "out")
    assert names(museum) == {"klee/fish"}


def test_pictures_beside_sub_folders_are_a_collection_too(root, tmp_path):
    put(root / "loose.tif", painting(9))
    museum = prepare(root, out=tmp_path / "out")
    assert "root/loose" in names(museum)


def test_several_folders_are_one_museum_and_each_file_is_in_it_once(root, tmp_path):
    museum = prepare(root / "klee", root / "munch", root / "klee", out=tmp_path / "out")
    assert len(museum) == 3
    assert museum.card["duplicates"] == 0


def test_endings_are_read_in_any_case_and_a_systems_own_files_are_not(root, tmp_path):
    put(root / "munch" / "SUN.JPEG", painting(9), format="JPEG")
    put(root / "munch" / "._SUN.jpg", painting(10))
    put(root / "__MACOSX" / "a.jpg", painting(11))
    (root / "munch" / "notes.txt").write_text("no picture")
    museum = prepare(root, out=tmp_path / "out")
    assert names(museum) == {"munch/scream", "munch/sick/child", "klee/fish", "munch/SUN"}
    assert skipped(museum) == {}


def test_two_files_of_one_name_have_names_of_their_own(root, tmp_path):
    put(root / "klee" / "fish.png", painting(9))
    put(tmp_path / "more" / "klee" / "fish.webp", painting(10))
    museum = prepare(root, tmp_path / "more", out=tmp_path / "out")
    assert names(museum) >= {"klee/fish", "klee/fish.webp", "klee/fish-2"}


def rows(place, columns, *values, **options):
    with open(place, "w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        csv.writer(file, **options).writerows([columns, *values])
    return place


COLUMNS = ("path", "collection", "license", "title")


@pytest.mark.usefixtures("root")
def test_a_csv_manifest_says_collection_licence_and_title(tmp_path):
    place = rows(tmp_path / "list.csv", COLUMNS, ("root/klee/fish.webp", "zoo", "CC0", "Fisch"))
    entry = prepare(place, out=tmp_path / "out").entries[0]
    assert (entry.name, entry.collection) == ("zoo/fish", "zoo")
    assert (entry.license, entry.title, entry.source) == ("CC0", "Fisch", "")


def test_a_jsonl_manifest_does_so_too_and_a_url_is_the_source(root, tmp_path):
    told = {"path": "klee/fish.webp", "collection": "zoo", "url": "https://example.org/1"}
    (root / "manifest.jsonl").write_text(json.dumps(told) + "\n\n")
    entry = prepare(root, out=tmp_path / "out").entries[0]
    assert (entry.collection, entry.source) == ("zoo", "https://example.org/1")


def test_a_folder_with_a_manifest_is_read_by_it(root, tmp_path):
    rows(root / "manifest.csv", ("path",), ("munch/scream.jpg",))
    assert names(prepare(root, out=tmp_path / "out")) == {"munch/scream"}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "options", [{"delimiter": ";"}, {"delimiter": "\t"}, {"encoding": "utf-8-sig"}]
)
def test_the_tables_of_any_spreadsheet_are_read(tmp_path, options):
    columns = ("Path ", "Collection", "Artist, born")
    place = rows(tmp_path / "a.csv", columns, ("root/klee/fish.webp", "Öl", "Klee"), **options)
    assert names(prepare(place, out=tmp_path / "out")) == {"Öl/fish"}


@pytest.mark.usefixtures("root")
def test_a_collection_is_drawn_for_each_picture_of_a_manifest_without_that_column(tmp_path):
    place = rows(tmp_path / "a.csv", ("path",), ("root/klee/fish.webp",))
    assert names(prepare(place, out=tmp_path / "out")) == {"klee/fish"}


@pytest.mark.usefixtures("root")
def test_what_a_manifest_names_and_is_not_there_is_told_and_the_rest_is_used(tmp_path):
    lines = [("root/klee/none.jpg", "a"), ("", "b"), ("root/klee/fish.webp", "c")]
    place = rows(tmp_path / "a.csv", ("path", "collection"), *lines)
    museum = prepare(place, out=tmp_path / "out")
    assert names(museum) == {"c/fish"}
    assert skipped(museum) == {
        "none.jpg": "there is no such file",
        "a.csv, line 3": "says no `path`",
    }


@pytest.mark.usefixtures("root")
def test_a_picture_that_is_not_fetched_yet_is_told_so(tmp_path):
    lines = [("", "https://example.org/1"), ("root/klee/fish.webp", "")]
    place = rows(tmp_path / "a.csv", ("path", "url"), *lines)
    museum = prepare(place, out=tmp_path / "out")
    assert "firstlight collect" in skipped(museum)["a.csv, line 2"]


@pytest.mark.usefixtures("root")
def test_a_line_that_is_no_json_is_told_and_the_rest_is_used(tmp_path):
    place = tmp_path / "a.jsonl"
    place.write_text('{"path": "root/klee/fish.webp"}\n{"path": \n3\n')
    museum = prepare(place, out=tmp_path / "out")
    assert len(museum) == 1
    assert set(skipped(museum)) == {"a.jsonl, line 2", "a.jsonl, line 3"}


# What is bad input


@pytest.mark.usefixtures("root")
def test_a_manifest_of_other_columns_is_told_with_what_it_has(tmp_path):
    place = rows(tmp_path / "a.csv", ("file", "museum"), ("root/klee/fish.webp", "zoo"))
    with pytest.raises(Refusal, match=r"no column `path` .*it has file, museum"):
        prepare(place, out=tmp_path / "out")


@pytest.mark.parametrize("text", ["", "path\n", "path\n\n"])
def test_a_manifest_of_nothing_is_told(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(Refusal, match="path"):
        prepare(tmp_path / "a.csv", out=tmp_path / "out")


def test_a_manifest_that_is_no_text_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(Refusal, match="save it as UTF-8"):
        prepare(tmp_path / "a.csv", out=tmp_path / "out")


def test_no_folder_is_told(tmp_path):
    with pytest.raises(Refusal, match="no such folder"):
        prepare(tmp_path / "none", out=tmp_path / "out")


def test_an_empty_folder_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refusal, match="there is no picture there"):
        prepare(tmp_path / "empty", out=tmp_path / "out")


def test_a_file_that_is_no_manifest_is_told(root, tmp_path):
    with pytest.raises(Refusal, match="neither a folder nor a manifest"):
        prepare(root / "klee" / "fish.webp", out=tmp_path / "out")


def test_where_nothing_is_good_the_reasons_are_told(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").write_bytes(b"")
    with pytest.raises(Refusal, match="1: the file is empty"):
        prepare(tmp_path / "a", out=tmp_path / "out")


def test_a_museum_that_was_prepared_is_no_collection(root, tmp_path):
    prepare(root, out=tmp_path / "out")
    with pytest.raises(Refusal, match="give the folder that the pictures are in"):
        prepare(tmp_path / "out", out=tmp_path / "other")


def test_a_folder_of_other_things_is_not_written_into(root):
    with pytest.raises(Refusal, match=r"has other things in it \(klee\)"):
        prepare(root, out=root)
    assert sorted(os.listdir(root)) == ["klee", "munch"]


def test_a_single_picture_is_a_museum_and_it_is_told_that_nothing_is_held_out(
    root, tmp_path, capsys
):
    museum = prepare(root / "klee", out=tmp_path / "out")
    assert museum.card["pictures"] == 1
    assert "nothing is held out" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_that_go_round_are_followed_once(root, tmp_path):
    (root / "munch" / "again").symlink_to(root)
    museum = prepare(root, out=tmp_path / "out")
    assert len(museum) == 3
    assert skipped(museum) == {"again": f"leads back to {root}"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_folder_elsewhere_is_followed(root, tmp_path):
    put(tmp_path / "elsewhere" / "a.jpg", painting(9))
    (root / "more").symlink_to(tmp_path / "elsewhere")
    assert "more/a" in names(prepare(root, out=tmp_path / "out"))


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_used(root, tmp_path, monkeypatch):
    scandir = os.scandir

    def closed(place):
        if os.path.basename(place) == "sick":
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", closed)
    museum = prepare(root, out=tmp_path / "out")
    assert skipped(museum) == {"sick": "cannot be read (Permission denied)"}
    assert len(museum) == 2


@pytest.mark.parametrize(
    "told", [{"tau": -0.1}, {"tau": math.nan}, {"side": 8}, {"side": 9999}, {"workers": 0}]
)
def test_what_no_option_can_be_is_told(root, tmp_path, told):
    with pytest.raises(Refusal, match="choose"):
        prepare(root, out=tmp_path / "out", **told)


# What a look finds


def seen(tmp_path, picture, name="a.png", side=SIDE, **options):
    found = look(str(put(tmp_path / name, picture, **options)), side)
    assert isinstance(found, Found), found
    return found.pixels[..., ::-1].astype(int)


def off(one, other):
    return np.abs(one - np.asarray(other).astype(int)).mean()


def reason(place):
    found = look(str(place), SIDE)
    assert isinstance(found, str)
    return found


def test_a_picture_is_kept_blue_first_and_never_enlarged(tmp_path):
    red = painting()
    red.paste((250, 10, 10), (20, 40, 60, 60))
    found = look(str(put(tmp_path / "a.png", red)), 384)
    assert found.pixels.shape == (112, 128, 3)
    assert tuple(found.pixels[50, 30]) == (10, 10, 250)


def test_its_short_side_is_what_was_asked_for_and_its_shape_stays(tmp_path):
    assert seen(tmp_path, painting(0, (400, 300))).shape == (96, 128, 3)
    assert seen(tmp_path, painting(0, (300, 400))).shape == (128, 96, 3)


@pytest.mark.parametrize("name", ["a.jpg", "b.png"])
def test_a_large_picture_decoded_small_is_the_same_picture(tmp_path, name):
    large = painting(0, (600, 450))
    small = large.resize((128, 96), Image.Resampling.LANCZOS)
    assert off(seen(tmp_path, large, name, quality=95), small) < 3


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(tmp_path, turn):
    upright = painting(0, (160, 120))
    exif = Image.Exif()
    exif[0x0112] = turn
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    lying = upright.transpose(undo[turn]) if turn > 1 else upright
    assert off(seen(tmp_path, lying, "a.jpg", 384, exif=exif, quality=95), upright) < 4


def test_what_is_transparent_lies_on_white(tmp_path):
    glass = painting().convert("RGBA")
    glass.paste((0, 0, 0, 0), (40, 40, 80, 80))
    assert tuple(seen(tmp_path, glass, side=384)[60, 60]) == (255, 255, 255)


def test_what_is_transparent_by_a_colour_lies_on_white_too(tmp_path):
    grey = painting().convert("L")
    grey.paste(7, (40, 40, 80, 80))
    assert tuple(seen(tmp_path, grey, side=384, transparency=7)[60, 60]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: painting().quantize(256), "a.png"),
        (lambda: painting().convert("CMYK"), "a.jpg"),
        (lambda: painting().convert("CMYK"), "a.tif"),
        (lambda: painting().convert("YCbCr"), "a.tif"),
        (lambda: painting(), "a.webp"),
    ],
)
def test_every_kind_of_colour_becomes_red_green_and_blue(tmp_path, make, name):
    assert off(seen(tmp_path, make(), name, 384), painting()) < 12


def test_a_picture_of_lab_becomes_red_green_and_blue(tmp_path):
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    there = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    kept = seen(tmp_path, ImageCms.applyTransform(painting(), there), "a.tif", 384)
    assert off(kept, painting()) < 6


def grey_levels():
    return np.asarray(painting().convert("L"))


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        (lambda grey: grey.astype(np.uint16) * 257, "a.png"),
        (lambda grey: grey.astype(np.uint16) * 257, "a.tif"),
        (lambda grey: grey.astype(np.int32) * 257, "a.tif"),
        (lambda grey: grey.astype(np.float32) / 255, "a.tif"),
        (lambda grey: grey.astype(np.float32), "a.tif"),
        (lambda grey: grey > 127, "a.png"),
    ],
)
def test_every_depth_becomes_8_bits(tmp_path, numbers, name):
    made = numbers(grey_levels())
    wanted = made * 255 if made.dtype == bool else grey_levels()
    assert off(seen(tmp_path, Image.fromarray(made), name, 384)[..., 1], wanted) < 1.5


def test_numbers_of_any_range_are_stretched(tmp_path):
    made = grey_levels().astype(np.float32) * 1000 - 5000
    kept = seen(tmp_path, Image.fromarray(made), "a.tif", 384)
    assert (kept.min(), kept.max()) == (0, 255)


def test_numbers_that_are_not_finite_are_told(tmp_path):
    made = grey_levels().astype(np.float32)
    made[3, 3] = math.nan
    assert "not finite" in reason(put(tmp_path / "a.tif", Image.fromarray(made)))


def swapped():
    """A profile whose red is what is green in sRGB, and the other way round."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def test_colours_are_what_the_profile_says(tmp_path):
    red, green, blue = painting().split()
    kept = seen(tmp_path, painting(), side=384, icc_profile=swapped())
    assert off(kept, Image.merge("RGB", (green, red, blue))) < 2


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200])
def test_a_profile_that_is_none_changes_nothing(tmp_path, profile):
    assert off(seen(tmp_path, painting(), side=384, icc_profile=profile), painting()) == 0


def test_the_profile_of_another_kind_of_picture_changes_nothing(tmp_path):
    kept = seen(tmp_path, painting().convert("L"), side=384, icc_profile=swapped())
    assert off(kept[..., 0], painting().convert("L")) == 0


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_is_cut_short_is_told(tmp_path, name, share):
    place = put(tmp_path / name, painting())
    whole = place.read_bytes()
    place.write_bytes(whole[: int(len(whole) * share)])
    assert reason(place)


def test_a_large_jpeg_that_is_cut_short_is_told_though_it_is_decoded_small(tmp_path):
    place = put(tmp_path / "a.jpg", painting(0, (600, 450)))
    place.write_bytes(place.read_bytes()[:-3000])
    assert "cut short" in reason(place)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_whatever_is_damaged_is_a_picture_or_told_and_never_fatal(tmp_path, name):
    whole = put(tmp_path / name, painting(0, (120, 100))).read_bytes()
    dice = np.random.default_rng(5)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in dice.integers(0, len(whole), 6):
            damaged[place] = dice.integers(0, 256)
        (tmp_path / name).write_bytes(damaged)
        assert look(str(tmp_path / name), SIDE)


def test_what_is_no_picture_is_told(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>429 Too Many Requests</html>")
    assert reason(tmp_path / "a.jpg").startswith("no picture of a kind that is read")


def test_a_kind_that_is_not_read_is_told_whatever_its_ending(tmp_path):
    painting().save(tmp_path / "a.jpg", format="GIF")
    assert reason(tmp_path / "a.jpg").startswith("no picture of a kind that is read")


def test_an_empty_file_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    assert reason(tmp_path / "a.jpg") == "the file is empty"


def bomb(side):
    """A PNG that says it is so large, and is not."""
    told = io.BytesIO()
    head = side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    PngImagePlugin.putchunk(told, b"IHDR", head)
    PngImagePlugin.putchunk(told, b"IDAT", b"")
    PngImagePlugin.putchunk(told, b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + told.getvalue()


@pytest.mark.parametrize("side", [13_400, 20_000, 60_000])
def test_a_bomb_is_not_decoded(tmp_path, side):
    (tmp_path / "a.png").write_bytes(bomb(side))
    assert reason(tmp_path / "a.png") == "more than 178 million pixels"


def test_what_is_too_small_is_told(tmp_path):
    assert reason(put(tmp_path / "a.png", painting(0, (95, 300)))).startswith("too small (95x300")


def test_what_is_too_narrow_is_told(tmp_path):
    assert reason(put(tmp_path / "a.png", painting(0, (900, 100)))).startswith("too narrow")


@pytest.mark.parametrize("colour", [(128, 128, 128), (255, 255, 255), (200, 30, 40)])
def test_what_is_all_of_one_colour_is_told(tmp_path, colour):
    dice = np.random.default_rng(0)
    flat = np.asarray(Image.new("RGB", (128, 112), colour)) + dice.normal(0, 2, (112, 128, 3))
    wall = Image.fromarray(flat.clip(0, 255).astype(np.uint8))
    assert reason(put(tmp_path / "a.png", wall)) in ("all of one colour",)


def test_the_palette_is_mean_and_deviation_of_blue_green_and_red(tmp_path):
    found = look(str(put(tmp_path / "a.png", painting())), 384)
    levels = found.pixels.reshape(-1, 3) / 255
    assert found.palette == pytest.approx([*levels.mean(0), *levels.std(0)], abs=1e-6)


# Margins, bars, rulers


def within(picture):
    pixels = np.asarray(picture)
    return edges.within(
        pixels, np.asarray(picture.reduce(max(1, round(max(picture.size) / COARSE))))
    )


def scanned(picture, below, card=(255, 255, 255), turn=0):
    """A picture on a card, with something below it, as it comes out of a JPEG; the lot turned."""
    width, height = picture.size
    scan = Image.new("RGB", (width + 40, height + 100), card)
    scan.paste(picture, (20, 20))
    if below is not None:
        scan.paste(below, (20, height + 45))
    file = io.BytesIO()
    scan.rotate(turn, expand=True).save(file, "JPEG", quality=88)
    return Image.open(file)


PICTURE = painting(3, (320, 260))


@pytest.mark.parametrize("card", [(255, 255, 255), (246, 244, 238), (8, 8, 8), (140, 141, 139)])
def test_a_margin_is_cut_off(card):
    scan = scanned(PICTURE, None, card)
    top, bottom, left, right = within(scan)
    assert 18 <= top <= 24
    assert 18 <= left <= 24
    assert abs(bottom - top - 260) <= 8
    assert abs(right - left - 320) <= 8


def test_a_drawn_frame_of_any_colour_is_cut_off():
    framed = Image.new("RGB", (360, 300), (180, 20, 30))
    framed.paste(PICTURE, (20, 20))
    assert within(framed) == (22, 278, 22, 338)


def test_of_a_margin_without_a_picture_something_is_left():
    top, bottom, left, right = within(Image.new("RGB", (200, 200), (255, 255, 255)))
    assert bottom - top > 30
    assert right - left > 30


def strips(width, colours):
    strip = Image.new("RGB", (width, 30), (128, 128, 128))
    brush = ImageDraw.Draw(strip)
    for number, colour in enumerate(colours):
        left = number * width // len(colours)
        brush.rectangle((left, 0, (number + 1) * width // len(colours) - 1, 30), fill=colour)
    return strip


HUES = [
    (0, 0, 200), (0, 160, 210), (0, 140, 60), (250, 240, 0), (220, 30, 30), (200, 0, 130),
    (250, 250, 250), (110, 80, 70), (20, 20, 20),
]  # fmt: skip
GREYS = [(v, v, v) for v in range(250, 10, -13)]


def ruler(width, step):
    strip = Image.new("RGB", (width, 30), (240, 240, 235))
    brush = ImageDraw.Draw(strip)
    for number, left in enumerate(range(4, width, step)):
        low = 24 if number % 10 == 0 else 13
        brush.rectangle((left, 0, left + max(1, step // 4) - 1, low), fill=(15, 15, 15))
    return strip


STRIPS = {
    "hues": strips(320, HUES),
    "half as long": strips(160, HUES),
    "greys": strips(320, GREYS),
    "greys the other way": strips(320, GREYS[::-1]),
    "ruler": ruler(320, 8),
}


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("strip", STRIPS)
def test_a_bar_or_a_ruler_beside_the_picture_is_cut_off(strip, turn):
    scan = scanned(PICTURE, STRIPS[strip], turn=turn)
    top, bottom, left, right = within(scan)
    wide, high = (320, 260) if turn % 180 == 0 else (260, 320)
    assert abs(bottom - top - high) <= 12
    assert abs(right - left - wide) <= 12


def test_a_few_flat_stripes_are_no_bar():
    poster = PICTURE.copy()
    poster.paste(strips(320, HUES[:4]).resize((320, 20)), (0, 235))
    assert within(poster) == (0, 260, 0, 320)


def test_flat_patches_of_like_colours_are_no_bar():
    browns = [(90 + 15 * (n % 3), 60 + 9 * (n % 2), 40) for n in range(9)]
    poster = PICTURE.copy()
    poster.paste(strips(320, browns).resize((320, 20)), (0, 235))
    assert within(poster) == (0, 260, 0, 320)


AWNING = [(200, 40, 40), (240, 230, 60)] * 5
FADING = [(60 + 22 * n, 30 + 16 * n, 10 + 10 * n) for n in range(9)]


@pytest.mark.parametrize("colours", [AWNING, FADING])
def test_stripes_of_two_hues_or_of_a_fading_one_are_no_bar(colours):
    poster = PICTURE.copy()
    poster.paste(strips(320, colours).resize((320, 20)), (0, 235))
    assert within(poster) == (0, 260, 0, 320)


def test_waves_at_one_distance_are_no_ruler():
    wave = np.rint(127 + 100 * np.sin(np.arange(320) / 1.6)).astype(np.uint8)
    poster = PICTURE.copy()
    poster.paste(Image.fromarray(np.tile(wave, (20, 1))), (0, 235))
    assert within(poster) == (0, 260, 0, 320)


def test_a_painted_ground_of_one_colour_is_no_margin():
    rough = np.random.default_rng(1).integers(-8, 9, (300, 360, 1))
    ground = Image.fromarray((np.array((180, 90, 60)) + rough).astype(np.uint8))
    ground.paste(PICTURE, (20, 20))
    assert within(ground) == (0, 300, 0, 360)


def test_ticks_at_no_one_distance_are_no_ruler():
    dice = np.random.default_rng(2)
    poster = PICTURE.copy()
    strip = Image.new("RGB", (320, 20), (240, 240, 235))
    for left in np.cumsum(dice.integers(4, 16, 40)).tolist():
        ImageDraw.Draw(strip).rectangle((left, 0, left + 1, 20), fill=(15, 15, 15))
    poster.paste(strip, (0, 235))
    assert within(poster) == (0, 260, 0, 320)


@pytest.mark.parametrize("seed", range(12))
def test_a_painting_is_left_whole(seed):
    assert within(painting(seed, (320, 260))) == (0, 260, 0, 320)


def test_a_picture_of_stripes_from_top_to_bottom_is_left_whole():
    stripes = strips(320, HUES).resize((320, 260))
    assert within(stripes)[:2] == (0, 260)


def test_a_test_card_is_no_picture(tmp_path):
    bars = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0)]
    card = Image.new("RGB", (320, 240), (16, 16, 16))
    card.paste(strips(320, [*bars, (0, 0, 191)]).resize((320, 170)), (0, 0))
    assert reason(put(tmp_path / "a.jpg", card)) == "a test card of colour bars"


# The same picture again


def print_of(picture):
    small = picture.convert("L").resize((alike.FINE, alike.FINE), Image.Resampling.BOX)
    return alike.print_of(np.asarray(small))


def again(picture, how):
    width, height = picture.size
    if how == "smaller":
        return picture.resize((width // 2, height // 2))
    if how == "larger":
        return picture.resize((width * 2, height * 2))
    if how == "brighter":
        return ImageEnhance.Brightness(picture).enhance(1.12)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("how", ["smaller", "larger", "brighter", "encoded again"])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_picture_is_known_again(seed, how):
    picture = painting(seed, (320, 260))
    assert alike.apart(print_of(picture), print_of(again(picture, how))) <= 20


def test_other_pictures_are_far_apart():
    prints = [print_of(painting(seed)) for seed in range(30)]
    apart = [alike.apart(one, two) for i, one in enumerate(prints) for two in prints[:i]]
    assert min(apart) > 3 * alike.MOST_APART


def flipped(print_, *bits):
    for bit in bits:
        print_ ^= 1 << bit
    return print_


def test_the_first_of_each_kind_is_found():
    one, other = print_of(painting(0)), print_of(painting(1))
    prints = [one, other, flipped(one, 3), flipped(other, 200, 7), flipped(one, *range(28))]
    assert alike.first_of_each(prints) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("same", range(alike.PARTS))
def test_one_part_that_is_the_same_is_enough_to_be_found(same):
    one = print_of(painting(0))
    other = flipped(one, *(16 * part + 3 for part in range(alike.PARTS) if part != same))
    assert alike.first_of_each([one, other]) == [0, 0]


def test_what_is_just_too_far_apart_is_another():
    one = print_of(painting(0))
    near, far = flipped(one, *range(28)), flipped(one, *range(29))
    assert alike.first_of_each([one, near, far]) == [0, 0, 2]


def test_a_chain_of_likenesses_is_not_one_picture():
    one = print_of(painting(0))
    steps = [flipped(one, *range(20 * n)) for n in range(4)]
    assert alike.first_of_each(steps) == [0, 0, 2, 2]


def test_the_larger_of_two_is_kept_and_the_other_listed_and_counted(root, tmp_path):
    put(root / "klee" / "a small scream.jpg", again(painting(0, (256, 224)), "smaller"))
    put(root / "klee" / "scream.jpg", painting(0, (256, 224)))
    museum = prepare(root, out=tmp_path / "out")
    assert names(museum) == {"klee/scream", "klee/fish", "munch/sick/child"}
    assert (museum.card["duplicates"], museum.card["skipped"]) == (2, 0)
    assert skipped(museum)["a small scream.jpg"].startswith("the same picture as")


# Who is held out


def collections(**counts):
    """Names of pictures, and their collections."""
    return {f"{name}/{i}": name for name, count in counts.items() for i in range(count)}


def test_a_tenth_of_a_collection_is_held_out():
    held = balance.held_out(collections(a=40, b=20), 0)
    assert sum(name.startswith("a/") for name in held) == 4
    assert sum(name.startswith("b/") for name in held) == 2


@pytest.mark.parametrize(("count", "held"), [(4, 0), (5, 1), (14, 1), (16, 2)])
def test_of_five_pictures_one_is_held_out_and_of_four_none(count, held):
    assert len(balance.held_out(collections(a=count), 0)) == held


def test_of_three_collections_one_of_the_smallest_is_held_out_whole():
    pictures = collections(a=9, b=2, c=2)
    whole = {pictures[name] for seed in range(20) for name in balance.held_out(pictures, seed)} - {
        "a"
    }
    assert whole == {"b", "c"}
    assert len(balance.held_out(pictures, 0) - {f"a/{i}" for i in range(9)}) == 2


def test_of_two_collections_none_is_held_out_whole():
    assert balance.held_out(collections(a=3, b=2), 0) == set()


def test_the_same_seed_holds_out_the_same_whatever_the_order():
    pictures = collections(a=30, b=2, c=2)
    turned = dict(reversed(list(pictures.items())))
    assert balance.held_out(pictures, 3) == balance.held_out(turned, 3)


def test_a_picture_more_changes_little_of_what_is_held_out():
    before, after = (balance.held_out(collections(a=n), 0) for n in (50, 51))
    assert len(before - after) <= 1


@pytest.mark.parametrize(
    ("words", "held"),
    [
        (["b"], {"b/0", "b/1"}),
        (["B"], {"b/0", "b/1"}),
        (["a/1"], {"a/1"}),
        (["a/1", "b"], {"a/1", "b/0", "b/1"}),
        (["a/deep"], {"a/in/deep"}),
        (["none"], set()),
    ],
)
def test_what_is_asked_for_is_held_out_and_nothing_else(words, held):
    pictures = {**collections(a=20, b=2), "a/in/deep": "a"}
    assert balance.named(pictures, words) == held


def test_a_name_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(Refusal, match=r"--hold mucnh: .* did you mean munch\?"):
        balance.named(collections(munch=2, klee=1), ["mucnh"])


def test_what_is_held_out_is_in_the_museum_and_not_drawn(root, tmp_path):
    museum = prepare(root, out=tmp_path / "out", hold=["munch"])
    told = {entry.name: (entry.held, entry.share) for entry in museum.entries}
    assert told["munch/scream"] == (True, 0.0)
    assert told["klee/fish"] == (False, 1.0)
    assert museum.card["held_out_collection"] == "munch"


def test_where_all_is_held_out_nothing_can_be_taught(root, tmp_path):
    with pytest.raises(Refusal, match="hold out less"):
        prepare(root, out=tmp_path / "out", hold=["munch", "klee"])


# How often who is drawn


def test_six_pictures_against_one_are_drawn_by_the_root_of_six():
    shares = balance.shares({"a": 6, "b": 1}, 0.5)
    assert shares["a"] / shares["b"] == pytest.approx(math.sqrt(6))


def test_three_thousand_against_eight_are_as_the_facts_say():
    shares = balance.shares({"a": 3000, "b": 8}, 0.5)
    assert shares["a"] / shares["b"] == pytest.approx(19.36, abs=0.01)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(("tau", "ratio"), [(0, 1), (0.3, 6**0.3), (1, 6)])
def test_tau_goes_from_collections_alike_to_pictures_alike(tau, ratio):
    shares = balance.shares({"a": 6, "b": 1}, tau)
    assert shares["a"] / shares["b"] == pytest.approx(ratio)


@pytest.mark.parametrize("tau", [0, 0.5, 1])
def test_no_picture_comes_more_than_twenty_times_and_the_excess_goes_to_the_others(tau):
    counts = {"huge": 100_000, "large": 5000, "small": 30, "tiny": 8, "one": 1, "none": 0}
    shares, total = balance.shares(counts, tau), sum(counts.values())
    repeats = {name: shares[name] * total / n for name, n in counts.items() if n}
    assert max(repeats.values()) <= 20 + 1e-9
    assert sum(shares.values()) == pytest.approx(1)
    free = [name for name in repeats if repeats[name] < 20 - 1e-9]
    weights = [shares[name] / counts[name] ** tau for name in free]
    assert weights == pytest.approx([weights[0]] * len(free))


def test_an_excess_that_lifts_another_over_the_bound_goes_on():
    shares = balance.shares({"a": 10_000, "b": 240, "c": 1}, 0)
    total = 10_241
    assert shares["c"] == pytest.approx(20 / total)
    assert shares["b"] == pytest.approx(20 * 240 / total)


def test_a_picture_has_its_part_of_the_collections_share(root, tmp_path):
    museum = prepare(root, out=tmp_path / "out")
    share = {entry.name: entry.share for entry in museum.entries}
    assert share["munch/scream"] == share["munch/sick/child"]
    assert 2 * share["munch/scream"] / share["klee/fish"] == pytest.approx(math.sqrt(2))


# The card


@pytest.mark.usefixtures("root")
def test_the_card_counts_what_is_there(tmp_path):
    lines = [
        ("root/munch/scream.jpg", "CC0"),
        ("root/munch/sick/child.png", ""),
        ("root/klee/fish.webp", "CC0"),
        ("root/klee/none.webp", "CC0"),
    ]
    place = rows(tmp_path / "a.csv", ("path", "license", "collection"), *[(*r, "m") for r in lines])
    card = prepare(place, out=tmp_path / "out").card
    assert (card["format"], card["tau"], card["skipped"]) == (shards.FORMAT, 0.5, 1)
    assert card["collections"] == [
        {
            "name": "m",
            "pictures": 3,
            "held_out": 0,
            "share": 1.0,
            "repeats": 1.0,
            "licenses": {"": 1, "CC0": 2},
        }
    ]


def test_the_card_is_printed_and_what_to_do_next(root, tmp_path, capsys):
    (root / "klee" / "broken[1].jpg").write_bytes(b"x")
    assert cli.main(["collections", str(root), "--out", str(tmp_path / "o"), "--side", "96"]) == 0
    told = capsys.readouterr().out
    for word in ("munch", "klee", "58.6%", "1 skipped: no picture of a kind that is read"):
        assert word in told
    assert told.splitlines()[-1].startswith("next: firstlight school --lesson hand --preset cpu")


# Going on


@pytest.fixture
def small_shards(monkeypatch):
    """Shards that are full after two or three pictures."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 70_000)


def many(folder, count=9):
    for number in range(count):
        put(folder / f"c{number % 2}" / f"{number}.png", painting(number, (120, 100)))
    return folder


class Looks:
    """`look`, counted; it is killed at a call."""

    def __init__(self, killed_at=-1):
        self.paths, self.killed_at = [], killed_at

    def __call__(self, path, side):
        if len(self.paths) == self.killed_at:
            raise KeyboardInterrupt
        self.paths.append(os.path.basename(path))
        return look(path, side)


def files(museum):
    """What is in a museum but for the date of its card."""
    found = {place.name: place.read_bytes() for place in museum.folder.iterdir()}
    found[shards.CARD] = json.dumps({**json.loads(found[shards.CARD]), "date": ""}).encode()
    return found


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("killed_at", [0, 4, 8])
def test_a_run_that_was_killed_goes_on_and_nothing_tells_it_from_one_that_was_not(
    tmp_path, monkeypatch, killed_at
):
    folder = many(tmp_path / "root")
    (folder / "c0" / "broken.png").write_bytes(b"x")
    with monkeypatch.context() as patched:
        patched.setattr(crew, "look", Looks(killed_at))
        with pytest.raises(KeyboardInterrupt):
            prepare(folder, out=tmp_path / "out")
    going_on = Looks()
    monkeypatch.setattr(crew, "look", going_on)
    museum = prepare(folder, out=tmp_path / "out")
    assert len(going_on.paths) <= 10 - killed_at + 2  # those of the shard that was not finished
    assert files(museum) == files(prepare(folder, out=tmp_path / "other"))


def test_whoever_stops_it_is_told_that_it_goes_on(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(crew, "look", Looks(1))
    with pytest.raises(KeyboardInterrupt):
        prepare(root, out=tmp_path / "out")
    assert "goes on from here" in capsys.readouterr().err
    with pytest.raises(Refusal, match="not finished"):
        Shards(tmp_path / "out")


def looked_at_again(monkeypatch, *folders, **told):
    counted = Looks()
    monkeypatch.setattr(crew, "look", counted)
    return prepare(*folders, **told), counted.paths


def test_what_has_not_changed_is_not_looked_at_again(root, tmp_path, monkeypatch):
    (root / "klee" / "broken.jpg").write_bytes(b"x")
    before = files(prepare(root, out=tmp_path / "out"))
    museum, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert paths == []
    assert files(museum) == before


def test_what_has_changed_or_come_is_looked_at_and_what_has_gone_is_gone(
    root, tmp_path, monkeypatch
):
    prepare(root, out=tmp_path / "out")
    put(root / "munch" / "scream.jpg", painting(7, (150, 120)))
    put(root / "klee" / "cat.png", painting(8))
    (root / "klee" / "fish.webp").unlink()
    museum, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert sorted(paths) == ["cat.png", "scream.jpg"]
    assert names(museum) == {"munch/scream", "munch/sick/child", "klee/cat"}
    new = next(i for i, entry in enumerate(museum.entries) if entry.name == "munch/scream")
    assert museum.picture(new).shape == (96, 120, 3)


def test_a_file_of_another_time_has_changed(root, tmp_path, monkeypatch):
    prepare(root, out=tmp_path / "out")
    os.utime(root / "klee" / "fish.webp", (1, 1))
    _, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert paths == ["fish.webp"]


def test_what_is_added_to_a_log_that_was_torn_is_there_after_the_next_kill(
    root, tmp_path, monkeypatch
):
    prepare(root, out=tmp_path / "out")
    with open(tmp_path / "out" / ledger.LOG, "a") as log:
        log.write('{"path": "a", "size"')
    (root / "klee" / "broken.jpg").write_bytes(b"x")
    put(root / "klee" / "cat.png", painting(8))
    with monkeypatch.context() as patched:
        patched.setattr(crew, "look", Looks(1))
        with pytest.raises(KeyboardInterrupt):
            prepare(root, out=tmp_path / "out")
    _, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert paths == ["cat.png"]


@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_nothing_is_in_any_more_goes(tmp_path):
    folder = many(tmp_path / "root")
    museum = prepare(folder, out=tmp_path / "out")
    for entry in museum.entries:
        if entry.shard == shards.shard_name(0):
            next(folder.rglob(f"{entry.name.rpartition('/')[2]}.png")).unlink()
    prepare(folder, out=tmp_path / "out")
    assert not (tmp_path / "out" / shards.shard_name(0)).exists()


@pytest.mark.usefixtures("small_shards")
def test_what_was_in_a_shard_that_is_lost_is_looked_at_again(tmp_path, monkeypatch):
    folder = many(tmp_path / "root")
    museum = prepare(folder, out=tmp_path / "out")
    lost = [entry for entry in museum.entries if entry.shard == shards.shard_name(1)]
    (tmp_path / "out" / shards.shard_name(1)).write_bytes(b"")
    museum, paths = looked_at_again(monkeypatch, folder, out=tmp_path / "out")
    assert len(paths) == len(lost)
    assert len(museum) == 9


@pytest.mark.parametrize("told", [{"anew": True}, {"side": 64}])
def test_anew_or_for_another_side_all_is_looked_at_again(root, tmp_path, monkeypatch, told):
    prepare(root, out=tmp_path / "out")
    museum, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out", **told)
    assert len(paths) == 3
    assert min(museum.picture(0).shape[:2]) == told.get("side", SIDE)


@pytest.mark.parametrize("torn", ["{", '{"path": "a", "size"', '{"path": 3}\n', "[]\n", '"a"'])
def test_a_log_that_was_torn_is_gone_on_with(root, tmp_path, monkeypatch, torn):
    prepare(root, out=tmp_path / "out")
    with open(tmp_path / "out" / ledger.LOG, "a") as log:
        log.write(torn)
    put(root / "klee" / "cat.png", painting(8))
    museum, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert paths == ["cat.png"]
    assert len(museum) == 4
    _, paths = looked_at_again(monkeypatch, root, out=tmp_path / "out")
    assert paths == []


def test_other_options_choose_anew_without_looking(root, tmp_path, monkeypatch):
    prepare(root, out=tmp_path / "out")
    museum, paths = looked_at_again(
        monkeypatch, root, out=tmp_path / "out", tau=0.0, hold=["munch/scream"]
    )
    assert paths == []
    assert [entry.name for entry in museum.entries if entry.held] == ["munch/scream"]
    assert museum.card["collections"][0]["share"] == 0.5


# Many at once


def test_in_processes_of_their_own_they_come_in_order_and_one_that_dies_takes_only_itself(
    monkeypatch,
):
    monkeypatch.setattr(crew, "look", deadly.look)
    monkeypatch.setattr(crew, "FEW", 1)
    monkeypatch.setattr(crew, "AHEAD", 1)
    found = list(crew.looks(["0", "1", "2", "deadly", "4", "5"], SIDE, 2))
    assert found == ["0", "1", "2", "whoever decodes it dies of it", "4", "5"]


def test_whoever_looks_ends_with_the_one_that_is_killed(tmp_path):
    """Its output ends once all that hold it have ended."""
    script = tmp_path / "museum.py"
    script.write_text(
        "from bridge.museum import crew\n"
        "from fakes import deadly\n"
        "if __name__ == '__main__':\n"
        "    crew.look = deadly.look\n"
        "    list(crew.looks(['endless'] * 99, 96, 2))\n"
    )
    path = os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": path}
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout.readline().strip() == b"here"
        parent.kill()
        told, _ = parent.communicate(timeout=60)
    assert told.strip() in (b"", b"here")


def test_without_pillow_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "bridge.museum.look")
    with pytest.raises(ImportError, match=r"read with Pillow.* pip install '.\[museum\]'"):
        importlib.import_module("bridge.museum.look")
