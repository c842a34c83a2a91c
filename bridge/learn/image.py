"""Frame to tensor and back: layout, fit, range, patches. The only place that does this.

A patch is a p×p square of pixels as 3·p·p channels, blue green red, row by row: (B, 3·p·p, H/p,
W/p). It is the same numbers as the picture in another order, so that a network of cheap
convolutions sees eight pixels a side at each place, and no layer spends time on unshuffling.
"""

import functools
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from bridge import Refusal
from bridge.frame import Frame

Fit = Literal["stretch", "crop"]


# BT.709 from 16..235: blue, green, red of luma, then of Cb and Cr about their middle.
LUMA, COLOUR = 255 / 219, ((2.112402, 0.0), (-0.213249, -0.532909), (0.0, 1.792741))


def upload(frame: Frame, device: torch.device) -> Tensor:
    """The frame's pixels on `device` as (H, W, 4) uint8, blue first. A host frame is copied once
    to a GPU, and not at all on the CPU."""
    pixels = frame.pixels
    tensor = pixels if isinstance(pixels, Tensor) else torch.from_numpy(pixels)
    tensor = tensor.to(device, non_blocking=True)
    if frame.layout == "uyvy":
        return _from_uyvy(tensor)
    return tensor.index_select(2, _blue_first(device)) if frame.layout == "rgba" else tensor


@functools.cache
def _blue_first(device: torch.device) -> Tensor:
    """Kept on the device: made anew, it would be brought there with each frame."""
    return torch.tensor((2, 1, 0, 3), device=device)


@functools.cache
def _matrix(device: torch.device) -> Tensor:
    return torch.tensor(COLOUR, device=device).T.contiguous()


def _from_uyvy(pairs: Tensor) -> Tensor:
    """(H, W, 2) uint8, Cb Y Cr Y for two neighbours → (H, W, 4), blue first, alpha 255.

    ITU-R BT.709-6, section 3. Both neighbours get their pair's colour as it is.
    """
    height, width, _ = pairs.shape
    quads = pairs.reshape(height, width // 2, 4).float()
    luma = quads[..., 1::2].sub_(16).mul_(LUMA)  # (H, W/2, 2)
    colour = quads[..., 0::2] - 128  # Cb, Cr
    pixels = luma[..., None] + (colour @ _matrix(pairs.device))[..., None, :]  # (H, W/2, 2, 3)
    levels = pixels.round_().clamp_(0, 255).to(torch.uint8).reshape(height, width, 3)
    return pad(levels, (0, 1), value=255)


def fit(pixels: Tensor, size: tuple[int, int], how: Fit) -> Tensor:
    """(H, W, 4) uint8 brought to `size` = (width, height).

    "stretch" changes the aspect, "crop" cuts the longer side's ends off. The filter is torch's
    antialiased bilinear, which on uint8 takes a tenth of the time of its area filter and differs
    from it by less than a level on film (docs/decisions.md 9).
    """
    if how == "crop":
        pixels = _cropped(pixels, size)
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    planes = pixels.permute(2, 0, 1)[None]
    if pixels.device.type != "cpu":
        planes = planes.float()  # only the CPU filters uint8 itself
    fitted = interpolate(planes, size=(size[1], size[0]), mode="bilinear", antialias=True)
    if fitted.dtype != torch.uint8:
        fitted = fitted.round_().clamp_(0, 255).to(torch.uint8)
    return fitted[0].permute(1, 2, 0)


def _cropped(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = pixels.shape[:2]
    keep_w = min(width, max(1, round(height * size[0] / size[1])))
    keep_h = min(height, max(1, round(width * size[1] / size[0])))
    top, left = (height - keep_h) // 2, (width - keep_w) // 2
    return pixels[top : top + keep_h, left : left + keep_w]


def to_patches(pixels: Tensor, patch: int, dtype: torch.dtype) -> Tensor:
    """(H, W, 4) uint8 → (1, 3·p·p, H/p, W/p) in [-1, 1], channels last."""
    height, width = pixels.shape[:2]
    rows, columns = height // patch, width // patch
    # Two small copies of bytes, alpha away and then rows of patches, beat one of three at a time.
    strips = pixels[..., :3].reshape(rows, patch, columns, 3 * patch)
    levels = strips.permute(0, 2, 1, 3).reshape(1, rows, columns, 3 * patch * patch)
    # Exact up to the last step in bfloat16 too: 0..255 and their halves have eight digits.
    return levels.to(dtype).sub_(127.5).mul_(1 / 127.5).permute(0, 3, 1, 2)


def to_planes(pixels: Tensor) -> Tensor:
    """(H, W, 4) uint8 → (1, 3, H, W) float32 in [-1, 1]: for what works on pixels."""
    levels = pixels[..., :3].permute(2, 0, 1)[None].contiguous()
    return levels.float().sub_(127.5).mul_(1 / 127.5)


def planes(patches: Tensor, patch: int) -> Tensor:
    """(B, 3·p·p, H/p, W/p) → (B, 3, H, W) float32."""
    batch, _, rows, columns = patches.shape
    pixels = patches.float().permute(0, 2, 3, 1).reshape(batch, rows, columns, patch, patch, 3)
    return pixels.permute(0, 5, 1, 3, 2, 4).reshape(batch, 3, rows * patch, columns * patch)


def patches(planes: Tensor, patch: int, dtype: torch.dtype) -> Tensor:
    """(B, 3, H, W) → (B, 3·p·p, H/p, W/p) of `dtype`, channels last."""
    batch, _, height, width = planes.shape
    rows, columns = height // patch, width // patch
    pixels = planes.to(dtype).reshape(batch, 3, rows, patch, columns, patch)
    folded = pixels.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows, columns, 3 * patch * patch)
    return folded.permute(0, 3, 1, 2)


def quantise(y: Tensor, patch: int) -> Tensor:
    """(1, 3·p·p, H/p, W/p) → (H, W, 4) uint8, blue first, alpha 255: the picture that is sent.

    -1 is 0 and 1 is 255, rounded to the nearest, clipped beyond. Nothing else happens to it.
    """
    return pad(levels(y, patch), (0, 1), value=255)


def levels(y: Tensor, patch: int) -> Tensor:
    """The same without alpha: (H, W, 3), in half the time."""
    _, _, rows, columns = y.shape
    values = y.permute(0, 2, 3, 1).float()
    whole = torch.add(values.new_tensor(128.0), values, alpha=127.5).clamp_(0, 255)
    strips = whole.to(torch.uint8).reshape(rows, columns, patch, 3 * patch).permute(0, 2, 1, 3)
    return strips.reshape(rows * patch, columns * patch, 3)


def small(pixels: Tensor, largest: int) -> Tensor:
    """(H, W, 4) uint8 → (h, w, 3), no side longer than `largest`: a copy, on the same device."""
    height, width = pixels.shape[:2]
    share = min(1.0, largest / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return fit(pixels, size, "stretch")[..., :3].contiguous()


def size_for(lines: int, multiple: int, source: tuple[int, int] | None) -> tuple[int, int]:
    """(width, height) of `lines` lines at the source's aspect (16:9 if unknown), each side
    rounded to the nearest multiple."""
    width, height = source or (16, 9)

    def rounded(side: float) -> int:
        return max(multiple, round(side / multiple) * multiple)

    return rounded(lines * width / height), rounded(lines)


def parse_size(text: str) -> tuple[int, int]:
    """ "320x192" → (320, 192). Raises Refusal."""
    parts = text.lower().split("x")
    if len(parts) == 2 and all(p.isdecimal() and 0 < int(p) <= 8192 for p in parts):
        return int(parts[0]), int(parts[1])
    raise Refusal(f"--size {text}: write width x height in pixels, such as --size 320x192.")


def size_name(size: tuple[int, int]) -> str:
    """(320, 192) → "320x192", as `parse_size` reads it."""
    return f"{size[0]}x{size[1]}"
