"""Who is drawn how often, and who is held out to be met only when all is taught.

One museum has thousands of pictures and another eight: a collection of n is drawn as n to the
power of tau (0: all collections alike, 1: all pictures alike), but no picture of it more than
MOST_REPEATS times in as many draws as there are pictures; the others get what is over. What is
held out is chosen by the seed and the names alone, so that a picture more changes little.
"""

import difflib
import hashlib
from collections.abc import Mapping, Sequence

from bridge import Refusal

MOST_REPEATS = 20.0  # of a picture, in as many draws as pictures are taught
HELD_SHARE = 0.1  # of a collection
LEAST_TO_SPLIT = 5  # pictures of a collection that some are held out of
LEAST_TO_HOLD_ONE = 3  # collections of which a whole one is held out
NOTHING = "none"


def shares(counts: Mapping[str, int], tau: float) -> dict[str, float]:
    """Each collection's share of the draws, 0 to 1, by how many pictures it teaches. Together 1,
    unless all are empty."""
    total = sum(counts.values())
    found = dict.fromkeys(counts, 0.0)
    free = [name for name, count in counts.items() if count > 0]
    left = 1.0
    while free:
        weight = sum(counts[name] ** tau for name in free)
        wanted = {name: left * counts[name] ** tau / weight for name in free}
        bounds = {name: MOST_REPEATS * counts[name] / total for name in free}
        over = [name for name in free if wanted[name] > bounds[name]]
        # Who is bounded is settled; their excess may lift others over their own bound.
        found.update({name: bounds[name] if over else wanted[name] for name in over or free})
        left -= sum(bounds[name] for name in over)
        free = [name for name in free if name not in over] if over else []
    return found


def held_out(pictures: Mapping[str, str], seed: int) -> set[str]:
    """The names held out, of pictures (name → collection): a tenth of every collection of 5 or
    more, and a whole one, of the smallest, where there are 3 or more."""
    collections = _by_collection(pictures)
    held = set()
    for names in collections.values():
        if len(names) >= LEAST_TO_SPLIT:
            count = max(1, round(len(names) * HELD_SHARE))
            held |= set(_by_lot(names, seed)[:count])
    if len(collections) >= LEAST_TO_HOLD_ONE:
        fewest = min(map(len, collections.values()))
        smallest = [name for name, names in collections.items() if len(names) == fewest]
        held |= set(collections[_by_lot(smallest, seed)[0]])
    return held


def named(pictures: Mapping[str, str], wanted: Sequence[str]) -> set[str]:
    """The names held out because they were asked for: collections, or pictures as
    collection/picture. Raises Refusal for one that is not there."""
    collections = _by_collection(pictures)
    held = set()
    for word in wanted:
        asked = word.strip().strip("/").casefold()
        of = {name for name, collection in pictures.items() if collection.casefold() == asked}
        of = of or {name for name in pictures if name.casefold() == asked}
        of = of or {name for name, where in pictures.items() if _short(name, where) == asked}
        if not of and asked != NOTHING:
            known = {name.casefold(): name for name in (*collections, *pictures)}
            near = difflib.get_close_matches(asked, known, 1, 0.0)
            raise Refusal(
                f"--hold {word}: there is no such collection or picture; "
                f"did you mean {known[near[0]] if near else NOTHING}?"
            )
        held |= of
    return held


def _short(name: str, collection: str) -> str:
    """A picture's name without the folders inside of its collection."""
    return f"{collection}/{name.rpartition('/')[2]}".casefold()


def _by_collection(pictures: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, collection in pictures.items():
        found.setdefault(collection, []).append(name)
    return found


def _by_lot(names: Sequence[str], seed: int) -> list[str]:
    """In an order that the seed gives, whatever the order they come in."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
