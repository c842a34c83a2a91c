"""The dataset card: what a museum is of, in numbers, as JSON and as a table to read.

Nobody may say more of a network's schooling than its card does.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.learn.shards import Entry
from bridge.museum import balance

UNTOLD = "not told"  # a licence


def card_of(
    entries: Sequence[Entry], tau: float, shares: Mapping[str, float], skipped: int, duplicates: int
) -> dict[str, Any]:
    """The card of a museum; `shares` are the collections'."""
    taught = sum(not entry.held for entry in entries)
    rows = [
        _row(name, [entry for entry in entries if entry.collection == name], shares[name], taught)
        for name in sorted(shares)
    ]
    whole = [row["name"] for row in rows if row["held_out"] and not row["pictures"]]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tau": tau,
        "pictures": taught,
        "held_out": len(entries) - taught,
        "held_out_collection": ", ".join(whole),
        "collections": rows,
        "skipped": skipped,
        "duplicates": duplicates,
    }


def _row(name: str, entries: Sequence[Entry], share: float, taught: int) -> dict[str, Any]:
    here = sum(not entry.held for entry in entries)
    return {
        "name": name,
        "pictures": here,
        "held_out": len(entries) - here,
        "share": round(share, 6),
        "repeats": round(share * taught / here, 4) if here else 0.0,
        "licenses": dict(sorted(Counter(entry.license for entry in entries).items())),
    }


def tell(console: Console, card: Mapping[str, Any], reasons: Mapping[str, int]) -> None:
    """Print a card, and how many pictures were not taken for which reason."""
    table = Table(title=f"dataset card, tau {card['tau']:g}")
    table.add_column("collection")
    for heading in ("pictures", "held out", "share", "repeats"):
        table.add_column(heading, justify="right")
    table.add_column("licences")
    for row in card["collections"]:
        licences = ", ".join(f"{n} {name or UNTOLD}" for name, n in row["licenses"].items())
        numbers = (row["pictures"], row["held_out"], f"{row['share']:.1%}", f"{row['repeats']:.2f}")
        # Text, not str: rich reads brackets in a str as markup, and names come from outside.
        table.add_row(Text(row["name"]), *map(str, numbers), Text(licences))
    table.add_section()
    everything = (str(card["pictures"]), str(card["held_out"]), "100.0%", "1.00")
    table.add_row(f"{len(card['collections'])} collections", *everything, "")
    console.print(table)
    console.print(_sentence(card), markup=False, highlight=False)
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        console.print(f"  {count} skipped: {reason}", markup=False, highlight=False)


def _sentence(card: Mapping[str, Any]) -> str:
    duplicates = f"{card['duplicates']} duplicates dropped, {card['skipped']} skipped"
    if not card["held_out"]:
        return f"{duplicates}; nothing is held out, so nothing will tell what is merely learnt by \
heart (a collection needs {balance.LEAST_TO_SPLIT} pictures to be split)."
    whole = card["held_out_collection"]
    return f"{duplicates}; held out as a whole: {whole}." if whole else f"{duplicates}."
