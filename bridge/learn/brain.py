"""A brain: a network's weights as one file that says what it is, and may show it.

safetensors, never pickle: opening a brain from a stranger runs nothing. Written beside its place
and renamed into it, so that a power cut leaves the old brain or the new one.
"""

import datetime
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bridge import Refusal, __version__, nets
from bridge.files import whole
from bridge.learn import image, schooling
from bridge.learn.life import Life

FORMAT = "first-light-brain-1"
PICTURE = "picture"  # the tensor that is no weight, but what the network made when it was saved
LARGEST = 160  # pixels on the longest side of it


def describe(life: Life) -> dict[str, str]:
    """What a brain says of itself."""
    return {
        "format": FORMAT,
        "version": __version__,
        "network": life.name,
        "size": image.size_name(life.size),
        "options": json.dumps(life.options()),
        "seed": str(life.seed),
        "steps": str(life.learnt),
        "hash": life.hash,
        "psnr": f"{life.psnr:.2f}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **life.schooling,
    }


def save(life: Life, path: str) -> None:
    """Write a network's weights to `path`. Raises Refusal when that cannot be."""
    try:
        write(Path(path).expanduser(), life.weights.state(), describe(life))
    except Refusal as problem:
        raise Refusal(f"--brain {problem} The brain that was there is untouched.") from problem


def write(place: Path, tensors: dict[str, torch.Tensor], told: dict[str, str]) -> None:
    """Write a file whole or not at all, also when the power is cut meanwhile. Raises
    Refusal when that cannot be."""
    try:
        with whole(place) as beside:
            save_file(tensors, beside, told)
    except (OSError, SafetensorError) as problem:
        raise Refusal(
            f"{place}: could not be written ({_reason(problem)});"
            " make room or choose another place."
        ) from problem


def read(place: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """What a file tells of itself, and its tensors. Raises Refusal where it cannot be read; a
    picture that is none of ours, which may be of any size, is left where it is."""
    try:
        with safe_open(place, "pt") as file:
            names = list(file.keys())
            if PICTURE in names and not _is_picture(file.get_slice(PICTURE)):
                names.remove(PICTURE)
            # Copies: a tensor may be the file itself in memory, which Windows does not let go of.
            return file.metadata() or {}, {name: file.get_tensor(name).clone() for name in names}
    except (OSError, SafetensorError) as problem:
        raise Refusal(
            f"{place}: cannot be read as a brain ({_reason(problem)});"
            " choose a file that First Light saved."
        ) from problem


def _is_picture(described: Any) -> bool:
    """Whether a tensor, by what the file says of it, is (h, w, 3) uint8 and small."""
    shape: list[int] = described.get_shape()
    if described.get_dtype() != "U8" or len(shape) != 3 or shape[2] != 3:
        return False
    return all(0 < side <= LARGEST for side in shape[:2])


def load(life: Life, path: str) -> None:
    """Let `life` go on with the weights in `path`, and be anchored to them; its beginning is
    theirs. Raises Refusal, changing nothing, for no brain or one of another network or shape."""
    try:
        told, flat, _ = opened(life, Path(path).expanduser())
    except Refusal as problem:
        raise Refusal(f"--brain {problem}") from problem
    life.become(flat, told)


def opened(life: Life, place: Path) -> tuple[dict[str, str], torch.Tensor, torch.Tensor | None]:
    """What a brain says of itself, its weights laid out as `life`'s, and its picture, if it has
    one: (h, w, 3) uint8, blue first. Raises Refusal for no brain or one of another network or
    shape."""
    told, state = read(place)
    picture = state.pop(PICTURE, None)
    _check(life, place, told, state)
    return told, life.weights.laid_out(state), picture


def head(place: Path) -> dict[str, str]:
    """What a file says of itself; nothing where it is none of ours."""
    try:
        with safe_open(place, "pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def _check(
    life: Life, place: Path, metadata: dict[str, str], state: dict[str, torch.Tensor]
) -> None:
    if metadata.get("format") != FORMAT:
        raise Refusal(f"{place}: is not one of ours; choose a file that First Light saved.")
    wanted = dict(zip(life.weights.names, life.weights.shapes, strict=True))
    network, size = metadata.get("network", "?"), metadata.get("size", "?")
    if network != life.name or {n: t.shape for n, t in state.items()} != wanted:
        hint = f"open it with --net {network} --size {size}."
        if network not in nets.NAMES:
            hint = "there is no such network in this version; choose another brain."
        raise Refusal(
            f"{place}: is a {network} of {size}, and this is a {life.name} of"
            f" {image.size_name(life.size)}; {hint}"
        )
    seed, steps = metadata.get("seed", ""), metadata.get("steps", "")
    counted = all(text.isdecimal() and int(text) < 1 << 63 for text in (seed, steps))
    if not (counted and metadata.get("hash")):
        raise Refusal(f"{place}: does not say what it grew from; choose another.")
    try:
        schooling.check(schooling.of(metadata))
    except ValueError as problem:
        told = f"does not say well what it was taught on ({problem})"
        raise Refusal(f"{place}: {told}; choose another.") from problem
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise Refusal(f"{place}: holds numbers that are not finite; choose another.")


def _reason(problem: Exception) -> str:
    return problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
