"""OSC 1.0 address patterns, matched against every address at once.

`?` is any one character, `*` any run of them, `[a-z]` and `[!a-z]` a class, `{one,two}` one of
several words; none crosses a `/`. All addresses stand in one text, and the places in it that a
pattern can have reached are the bits of one integer: a character moves them all by one. So a
pattern costs its own length and not the number of knobs, and no input makes it back-track (a
regular expression of 14 stars held a process for four seconds). References: the OSC 1.0
specification; Navarro and Raffinot, "Flexible Pattern Matching in Strings", 2002 (bit-parallelism).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

LONGEST = 96  # characters of a pattern; the longest address here has 20
# A token moves the reachable places (bit i: what comes next is character i of the text).
Token = Callable[[int], int]


SIGNS = re.compile(r"[?*\[{]")


def is_pattern(address: str) -> bool:
    return SIGNS.search(address) is not None


class Addresses:
    """A list of addresses, asked which of them a pattern names."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self._places: defaultdict[str, int] = defaultdict(int)  # of each character
        self._ends: dict[int, str] = {}  # place: the address that ends there
        self._starts = 0
        at = 0
        for address in self.addresses:
            self._starts |= 1 << at
            for character in address:
                self._places[character] |= 1 << at
                at += 1
            self._ends[at] = address
            at += 1
        self._end = sum(1 << end for end in self._ends)
        # Where the next 1, 2, 4 … characters are inside one segment.
        inside = (1 << at) - 1 & ~self._end & ~self._places["/"]
        self._runs = [(1, inside)]
        while inside:
            length = self._runs[-1][0]
            inside &= inside >> length
            self._runs.append((2 * length, inside))

    def match(self, pattern: str) -> list[str]:
        """The addresses that a pattern names, in their order; none where it is no pattern, or is
        malformed."""
        if not is_pattern(pattern) or len(pattern) > LONGEST or not pattern.isascii():
            return []
        try:
            tokens = list(self._tokens(pattern))
        except ValueError:
            return []
        reached = reduce(lambda places, token: token(places), tokens, self._starts) & self._end
        return [address for place, address in self._ends.items() if reached >> place & 1]

    def _tokens(self, pattern: str) -> Iterator[Token]:
        first, *parts = pattern.split("/")
        yield from self._segment(first)
        for part in parts:
            yield self._word("/")
            yield from self._segment(part)

    def _segment(self, part: str) -> Iterator[Token]:
        at = 0
        while at < len(part):
            sign, at = part[at], at + 1
            if sign == "*":
                yield self._any_run
            elif sign == "?":
                yield self._one(self._runs[0][1])
            elif sign == "[":
                end = part.index("]", at)
                yield self._one(self._class(part[at:end]))
                at = end + 1
            elif sign == "{":
                end = part.index("}", at)
                yield self._words(part[at:end].split(","))
                at = end + 1
            else:
                yield self._word(sign)

    def _any_run(self, reached: int) -> int:
        for length, inside in self._runs:  # 1, then 2, then 4 …: all distances
            reached |= (reached & inside) << length
        return reached

    def _one(self, accepted: int) -> Token:
        return lambda reached: (reached & accepted) << 1

    def _word(self, word: str) -> Token:
        masks = [self._places.get(character, 0) for character in word]
        return lambda reached: reduce(lambda places, mask: (places & mask) << 1, masks, reached)

    def _words(self, words: list[str]) -> Token:
        each = [self._word(word) for word in dict.fromkeys(words)]
        return lambda reached: reduce(lambda found, word: found | word(reached), each, 0)

    def _class(self, body: str) -> int:
        """Where a character of a class stands; like everything else it is no `/`."""
        inside = self._runs[0][1]
        negated = body.startswith("!")
        body = body[negated:]
        found, at = 0, 0
        while at < len(body):
            if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
                first, last = ord(body[at]), ord(body[at + 2])
                wide = (mask for c, mask in self._places.items() if first <= ord(c) <= last)
                found |= reduce(int.__or__, wide, 0)
                at += 3
            else:
                found |= self._places.get(body[at], 0)
                at += 1
        return inside & ~found if negated else inside & found
