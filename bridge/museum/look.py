"""One picture is looked at: does it decode wholly, and what is it on the school's desk?

Turned as its EXIF says, laid on white where it is transparent, 8 bits of sRGB whatever it was
scanned in, without a scan's margins, bars and rulers, its short side at most `side`. A huge JPEG is
decoded small. Runs in processes of its own, which therefore never load torch; what comes back is
an array, or the reason why not.
"""

import functools
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bridge.install import pip
from bridge.museum import alike, bars, edges

try:
    from PIL import Image, ImageCms, UnidentifiedImageError
except ImportError as problem:
    command = pip("install '.[museum]'")
    raise ImportError(f"pictures are read with Pillow, on every system; run {command}") from problem

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
MOST_PIXELS = 178_000_000  # a bomb, or a scan that wants a gigabyte: Pillow's own last line
LEAST_SIDE = 96
MOST_ASPECT = 8.0
ROOM = 2  # times `side` is what a picture is decoded to, so that margins can go
COARSE = 200  # pixels on the longest side of what bars are looked for in
LEAST_DEVIATION = 4.0  # levels: a picture of less is all one colour
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SRGB, LAB = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
# What Pillow raises on files that are damaged is not bounded by its documentation.
DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
    EOFError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A picture as it is kept: `pixels` (H, W, 3) uint8, blue first; `area` of the file's picture,
    in pixels; `print` by which its like is known; `palette`: mean and deviation of blue, green and
    red, 0 to 1."""

    pixels: np.ndarray
    area: int
    print: int
    palette: list[float]


class Unfit(Exception):
    """A picture that is not kept. The text is the reason."""


def look(path: str, side: int) -> Found | str:
    """The picture in a file, its short side at most `side`; or in some words why it is none."""
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is checked here
            if not file.read(1):
                raise Unfit("the file is empty")
            file.seek(0)
            with Image.open(file, formats=FORMATS) as picture:
                return _found(picture, side)
    except Unfit as problem:
        return str(problem)
    except Image.DecompressionBombError:
        return f"more than {MOST_PIXELS // 1_000_000} million pixels"
    except FileNotFoundError:
        return "there is no such file"
    except UnidentifiedImageError:
        return f"no picture of a kind that is read ({', '.join(ENDINGS)})"
    except DAMAGED as problem:
        return f"damaged or cut short ({_first_words(problem, path)})"


def _first_words(problem: Exception, path: str) -> str:
    told = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return " ".join(told.replace(path, Path(path).name).split())[:120] or type(problem).__name__


def _found(picture: Image.Image, side: int) -> Found:
    area, short = picture.width * picture.height, min(picture.size)
    if area > MOST_PIXELS:
        raise Unfit(f"more than {MOST_PIXELS // 1_000_000} million pixels")
    _check_size(*picture.size)
    upright = _upright(picture, side)
    shrunk = short / min(upright.size)
    coarse = upright.reduce(max(1, round(max(upright.size) / COARSE)))
    if max(palette_of(coarse)[3:]) * 255 < LEAST_DEVIATION:
        raise Unfit("all of one colour")
    if bars.is_card(np.asarray(coarse)):
        raise Unfit("a test card of colour bars")
    top, bottom, left, right = edges.within(np.asarray(upright), np.asarray(coarse))
    _check_size(round((right - left) * shrunk), round((bottom - top) * shrunk))
    small = _shrunk(upright.crop((left, top, right, bottom)), side)
    kept = np.ascontiguousarray(np.asarray(small)[..., ::-1])
    return Found(kept, area, _print(small), palette_of(small))


def _print(picture: Image.Image) -> int:
    grey = picture.convert("L").resize((alike.FINE, alike.FINE), Image.Resampling.BOX)
    return alike.print_of(np.asarray(grey))


def _check_size(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < LEAST_SIDE:
        raise Unfit(f"too small ({width}x{height}; its short side must be {LEAST_SIDE} or more)")
    if long > MOST_ASPECT * short:
        raise Unfit(f"too narrow ({width}x{height}; at most {MOST_ASPECT:.0f} to 1)")


def palette_of(picture: Image.Image) -> list[float]:
    """Mean, then deviation, of the blue, green and red of an RGB picture, 0 to 1."""
    counts = np.array(picture.histogram(), np.float64).reshape(3, 256)[::-1]
    levels, pixels = np.arange(256) / 255, picture.width * picture.height
    mean = counts @ levels / pixels
    square = np.einsum("cl,cl->c", counts, (levels - mean[:, None]) ** 2) / pixels
    return [round(float(number), 6) for number in (*mean, *np.sqrt(square))]


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a short side of `side`; never a larger one."""
    scale = side / min(picture.size)
    if scale >= 1:
        return picture
    size = [max(1, round(length * scale)) for length in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _upright(picture: Image.Image, side: int) -> Image.Image:
    """The whole picture, decoded, as RGB, turned, at least ROOM times `side` if it was."""
    wanted = ROOM * side / min(picture.size)
    if wanted < 1:  # only a JPEG can, and only by 2, 4 or 8
        picture.draft(None, (int(picture.width * wanted), int(picture.height * wanted)))
    picture.load()
    plain = _eight_bits(picture)
    if (factor := min(plain.size) // (ROOM * side)) > 1:
        plain = plain.reduce(factor)
    coloured = _in_srgb(_on_white(plain), picture.info.get("icc_profile"))
    turn = TURNS.get(_orientation(picture))
    return coloured if turn is None else coloured.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    """How the camera was held; 1 where that is not told, or told in a way nobody can read."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except DAMAGED:
        return 1


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The picture in a mode that can be shrunk: no palette, and no more than 8 bits."""
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_levels(np.asarray(picture)))
    if picture.mode in ("P", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L") if picture.mode == "1" else picture


def _levels(numbers: np.ndarray) -> np.ndarray:
    """One channel of 16 bits, 32 or floating point as 8 bits; a float is taken to be 0 to 1 or 0
    to 255 where it can be, and else is stretched."""
    if not np.isfinite(numbers).all():
        raise Unfit("its numbers are not finite")
    low, high = float(numbers.min()), float(numbers.max())
    floats = numbers.dtype.kind == "f"
    if low < 0 or high > (255 if floats else 65535):
        numbers, top = (numbers - low).astype(np.float64), high - low
    elif floats:
        top = 1.0 if high <= 1 else 255.0
    else:
        top = 65535.0 if high > 255 or numbers.dtype.itemsize == 2 else 255.0
    return np.rint(numbers * (255.0 / top)).astype(np.uint8)


def _on_white(picture: Image.Image) -> Image.Image:
    """What shows of a transparent picture on a white wall."""
    if picture.mode not in ("RGBA", "RGBa", "LA", "La"):
        return picture
    wall = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(wall, _rgba(picture)).convert("RGB")


def _rgba(picture: Image.Image) -> Image.Image:
    return (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")


def _in_srgb(picture: Image.Image, profile: object) -> Image.Image:
    """The picture as RGB, by its profile where it has one that can be used."""
    if picture.mode == "LAB":  # has no other way
        return _applied(picture, ImageCms.buildTransform(LAB, SRGB, "LAB", "RGB"))
    if isinstance(profile, bytes) and picture.mode in ("RGB", "CMYK", "L"):
        transform = _transform(profile, picture.mode)
        if transform is not None:
            return _applied(picture, transform)
    return picture.convert("RGB")


@functools.lru_cache(32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None where it is that, or cannot be used for such a picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return ImageCms.buildTransform(source, SRGB, mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _applied(picture: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    shown = ImageCms.applyTransform(picture, transform)
    return picture.convert("RGB") if shown is None else shown
