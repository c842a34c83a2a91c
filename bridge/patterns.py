"""OSC 1.0 address patterns, matched in linear time.

`?` is any one character, `*` any run of them, `[a-z]` and `[!a-z]` a class, `{one,two}` one of
several words; none crosses a `/`. The set of positions that a pattern can have reached is the
bits of one integer, so that no input makes it back-track (a regular expression made of 14
stars held a whole process for four seconds). Reference: the OSC 1.0 specification.
"""

from collections.abc import Callable, Iterator
from functools import reduce

LONGEST = 96  # characters of a pattern; the longest address here has 20

# A token moves the reachable positions (bit i: the first i characters are matched) along a segment.
Token = Callable[[str, int], int]


def compile(pattern: str) -> Callable[[str], bool] | None:
    """A matcher for `pattern`, or None if it is not a pattern at all (or is malformed)."""
    if not any(c in pattern for c in "?*[{") or len(pattern) > LONGEST:
        return None
    if not pattern.isascii():  # as addresses are; beyond it one class can hold a million characters
        return None
    try:
        segments = [list(_tokens(part)) for part in pattern.split("/")]
    except ValueError:
        return None

    def matches(address: str) -> bool:
        parts = address.split("/")
        return len(parts) == len(segments) and all(map(_matches, segments, parts))

    return matches


def _matches(tokens: list[Token], text: str) -> bool:
    reached = reduce(lambda bits, token: token(text, bits) if bits else 0, tokens, 1)
    return bool(reached >> len(text) & 1)


def _tokens(part: str) -> Iterator[Token]:
    at = 0
    while at < len(part):
        sign, at = part[at], at + 1
        if sign == "*":
            yield _any_run
        elif sign == "?":
            yield _one(bool)
        elif sign == "[":
            end = part.index("]", at)
            yield _one(_char_class(part[at:end]))
            at = end + 1
        elif sign == "{":
            end = part.index("}", at)
            yield _words(part[at:end].split(","))
            at = end + 1
        else:
            yield _words([sign])


def _any_run(text: str, reached: int) -> int:
    lowest = reached & -reached
    return (1 << len(text) + 1) - lowest


def _one(accepts: Callable[[str], object]) -> Token:
    def step(text: str, reached: int) -> int:
        return sum(2 << i for i, c in enumerate(text) if reached >> i & 1 and accepts(c))

    return step


def _words(words: list[str]) -> Token:
    def step(text: str, reached: int) -> int:
        starts = [i for i in range(len(text) + 1) if reached >> i & 1]
        ends = {i + len(w) for w in words for i in starts if text.startswith(w, i)}
        return sum(1 << i for i in ends)

    return step


def _char_class(body: str) -> Callable[[str], bool]:
    negated = body.startswith("!")
    body = body[negated:]
    accepted: set[str] = set()
    at = 0
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            accepted.update(map(chr, range(ord(body[at]), ord(body[at + 2]) + 1)))
            at += 3
        else:
            accepted.add(body[at])
            at += 1
    return lambda c: (c in accepted) != negated
