"""OSC 1.0 address patterns: what each construct names, and that none of them can hold us up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.dispatcher import Dispatcher

from bridge.patterns import LONGEST, Addresses, is_pattern


def names(pattern: str, address: str) -> bool:
    """Whether it does, and as surely between two others."""
    alone = Addresses([address]).match(pattern)
    among = Addresses(["/x", address, "/learn/y", "/"]).match(pattern)
    assert (address in among) == (alone == [address])
    return alone == [address]


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/learn/*", "/learn/rate"),
        ("/*/rate", "/learn/rate"),
        ("/learn/r*e", "/learn/rate"),
        ("/learn/*rate", "/learn/rate"),
        ("/learn/rate*", "/learn/rate"),
        ("/learn/**", "/learn/rate"),
        ("/learn/*a*e*", "/learn/rate"),
        ("/learn/ra?e", "/learn/rate"),
        ("/learn/????", "/learn/rate"),
        ("/learn/l[12]", "/learn/l2"),
        ("/learn/l[0-9]", "/learn/l2"),
        ("/learn/[a-cx-zr]ate", "/learn/rate"),
        ("/learn/[!a-q]ate", "/learn/rate"),
        ("/learn/l[2-]", "/learn/l-"),
        ("/learn/l[!]", "/learn/l2"),
        ("/learn/{rate,momentum}", "/learn/momentum"),
        ("/learn/{r,ra,rat}e", "/learn/rate"),
        ("/learn/{ra,rat}te", "/learn/rate"),
        ("/learn/{,half_}life", "/learn/life"),
        ("/{learn,see}/{on,rate}", "/see/on"),
        ("/learn/*{on,rate}", "/learn/rate"),
    ],
)
def test_a_pattern_names(pattern, address):
    assert names(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/*", "/learn/rate"),
        ("/learn*", "/learn/rate"),
        ("/learn?rate", "/learn/rate"),
        ("/learn[!x]rate", "/learn/rate"),
        ("*", "/learn/rate"),
        ("/learn/*", "/learn"),
        ("/learn/*", "/learn/a/b"),
        ("/learn/rat?", "/learn/rat"),
        ("/learn/?", "/learn/on"),
        ("/learn/*x", "/learn/rate"),
        ("/learn/l[12]", "/learn/l3"),
        ("/learn/l[12]", "/learn/l12"),
        ("/learn/l[!12]", "/learn/l1"),
        ("/learn/l[]", "/learn/l1"),
        ("/learn/l[9-0]", "/learn/l5"),
        ("/learn/{rate,on}", "/learn/rateon"),
        ("/learn/{}x", "/learn/rate"),
        ("/learn/{r*,on}", "/learn/rate"),
        ("/LEARN/*", "/learn/rate"),
    ],
)
def test_a_pattern_does_not_name(pattern, address):
    assert not names(pattern, address)


@pytest.mark.parametrize(
    "pattern", ["/learn/[a-z", "/learn/{rate", "/learn/{on/off}", "/learn/[a/b]", "/learn/*[{", ""]
)
def test_a_malformed_pattern_names_nothing(pattern):
    assert Addresses(["/learn/rate", "/learn/on", ""]).match(pattern) == []


def test_a_plain_address_is_not_a_pattern():
    assert not is_pattern("/learn/rate")
    assert Addresses(["/learn/rate"]).match("/learn/rate") == []


def test_a_pattern_longer_than_any_address_is_refused():
    assert Addresses(["/a"]).match("/" + "*" * (LONGEST - 1)) == ["/a"]
    assert Addresses(["/a"]).match("/" + "*" * LONGEST) == []


def test_a_pattern_that_is_not_ascii_is_refused():
    assert Addresses(["/a"]).match("/[ -\U0010ffff]") == []


def test_what_is_named_comes_in_its_order():
    assert Addresses(["/b", "/c/d", "/a"]).match("/*") == ["/b", "/a"]


def test_of_no_addresses_none_is_named():
    assert Addresses([]).match("/*") == []


@pytest.mark.parametrize(
    "pattern",
    ["*" * 200 + "Q", "*?" * 60 + "Q", "{,a,e}" * 40, "*{,e}" * 48 + "Q", "*[!x]" * 48],
    ids=["stars", "stars and marks", "empty words", "stars and words", "stars and classes"],
)
def test_no_pattern_is_slow_enough_to_notice(pattern):
    assert not names(f"/learn/{pattern}", "/learn/perturbation_scale")


@settings(deadline=None)
@given(st.text("/?*[]{}!-,ab", max_size=40), st.text("/ab-", max_size=20))
def test_no_pattern_raises(pattern, address):
    assert names(pattern, address) in (True, False)


ADDRESSES = ["/a", "/b", "/ab", "/abc", "/a/b", "/a/bc", "/ab/c", "/b/a/c", "/cab/bac", "/aa/bb"]


def random_pattern(chance: random.Random) -> str:
    """Constructs that the specification defines, well-formed."""
    pieces = ["a", "b", "c", "?", "*", "[ab]", "[!a]", "[a-b]", "{a,bc}", "{ab,b}", "/"]
    return "/" + "".join(chance.choices(pieces, k=chance.randint(1, 5)))


def test_random_patterns_agree_with_python_oscs_dispatcher():
    chance = random.Random(9137)
    dispatcher = Dispatcher()
    for address in ADDRESSES:
        dispatcher.map(address, print, address)
    for _ in range(2000):
        pattern = random_pattern(chance)
        theirs = {handler.args[0] for handler in dispatcher.handlers_for_address(pattern)}
        # python-osc lets [!a] be a "/"; with as many slashes as the address has, it cannot
        theirs = {a for a in theirs if a.count("/") == pattern.count("/")}
        ours = Addresses(ADDRESSES).match(pattern) or [a for a in ADDRESSES if a == pattern]
        assert set(ours) == theirs, pattern
