"""Schooling: what a brain was taught on, as it carries it: the museum's card, and palettes.

Both are JSON texts in the brain's file, and stay texts: whatever wrote them, they come out as they
went in. A file may be a stranger's, so that both are looked at once, when it is opened.
"""

import json
from collections.abc import Mapping
from typing import Any

from bridge.learn.shards import FORMAT, PALETTE
from bridge.params import LONGEST_TEXT

CARD, PALETTES = "card", "palettes"
MOST = 4096  # palettes that a menu may hold


def of(told: Mapping[str, str]) -> dict[str, str]:
    """What a brain says of its schooling, among all that it tells; empty where it had none."""
    return {key: told[key] for key in (CARD, PALETTES) if told.get(key)}


def check(schooling: Mapping[str, str]) -> None:
    """Raise ValueError, saying what is wrong, for a schooling that could not be used."""
    if CARD in schooling:
        _check_card(_table(schooling[CARD], CARD))
    if PALETTES in schooling:
        _check_palettes(_table(schooling[PALETTES], PALETTES))


def words(schooling: Mapping[str, str]) -> str:
    """ "10 pictures of 6 collections", as the card counts them; "" where there is no card."""
    if CARD not in schooling:
        return ""
    card = json.loads(schooling[CARD])
    taught = sum(1 for collection in card["collections"] if collection["pictures"] > 0)
    return f"{_count(card['pictures'], 'picture')} of {_count(taught, 'collection')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _table(text: str, key: str) -> dict[str, Any]:
    try:
        table = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"its {key} cannot be read ({problem})") from problem
    if not isinstance(table, dict):
        raise ValueError(f"its {key} is no table")
    return table


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _check_card(card: Mapping[str, Any]) -> None:
    collections = card.get("collections")
    if card.get("format") != FORMAT or not isinstance(collections, list):
        raise ValueError("its card is of another kind")
    for counted in (card, *collections):
        count = counted.get("pictures") if isinstance(counted, dict) else None
        if type(count) is not int or count < 0:
            raise ValueError("its card does not count its pictures")


def _check_palettes(palettes: Mapping[str, Any]) -> None:
    if len(palettes) > MOST or any(len(name) > LONGEST_TEXT for name in palettes):
        raise ValueError("its palettes are too many, or a name is too long")
    for name, numbers in palettes.items():
        if not (isinstance(numbers, list) and len(numbers) == PALETTE and all(map(_fits, numbers))):
            raise ValueError(f"its palette {name} is not {PALETTE} numbers from 0 to 1")


def _fits(number: object) -> bool:
    return type(number) in (int, float) and 0 <= number <= 1  # type: ignore[operator]
