"""A museum of made-up pictures, small enough to be made in a moment."""

from pathlib import Path

import torch

from bridge.learn import shards
from bridge.learn.shards import Entry, Shards

HELD = ("b/1", "c/0")


def picture(number, height=72, width=88):
    """(H, W, 3) uint8: soft shapes in a colour of its own."""
    chance = torch.Generator().manual_seed(number)
    coarse = torch.rand((1, 3, 6, 7), generator=chance)
    planes = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    tint = torch.rand((3, 1, 1), generator=chance) * 120
    return (planes[0] * 120 + tint).clamp(0, 255).permute(1, 2, 0).to(torch.uint8).contiguous()


def made(folder: Path, counts=(("a", 3), ("b", 2), ("c", 1))) -> Shards:
    """A prepared museum of `counts` pictures, of which HELD are held out."""
    names = [f"{collection}/{n}" for collection, count in counts for n in range(count)]
    taught = [name for name in names if name not in HELD]
    pictures = {number: picture(number) for number in range(len(names))}
    shards.write_shard(folder, 0, pictures)
    entries = []
    for number, name in enumerate(names):
        levels = pictures[number].flatten(0, 1).float() / 255
        palette = (*levels.mean(0).tolist(), *levels.std(0).tolist())
        share = 0.0 if name in HELD else 1 / len(taught)
        collection = name.split("/")[0]
        held = name in HELD
        entries.append(
            Entry(
                name, collection, held, share, palette, "", "CC0", "", shards.shard_name(0), number
            )
        )
    shards.write_list(folder, entries)
    collections = [
        {
            "name": collection,
            "pictures": sum(e.collection == collection and not e.held for e in entries),
            "held_out": sum(e.collection == collection and e.held for e in entries),
            "share": sum(e.share for e in entries if e.collection == collection), "repeats": 1.0,
            "licenses": {"CC0": count},
        }
        for collection, count in counts
    ]  # fmt: skip
    shards.write_card(
        folder,
        {
            "format": shards.FORMAT, "date": "2026-11-26", "tau": 0.5, "pictures": len(taught),
            "held_out": len(names) - len(taught), "held_out_collection": "c",
            "collections": collections, "skipped": 0, "duplicates": 0,
        },
    )  # fmt: skip
    return Shards(folder)
