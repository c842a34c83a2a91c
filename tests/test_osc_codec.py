"""Datagrams: what is read from them, what is refused, and that no bytes at all can hurt."""

import math
import random

import numpy as np
import pytest
from fakes.datagrams import bundle, message, mutated, padded
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from bridge.control import osc
from bridge.control.osc import (
    MOST_ELEMENTS,
    MOST_PATTERNS,
    Message,
    bundles,
    decode,
    encode,
    messages,
)

calm = settings(deadline=None)  # others may be using this processor


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def only(datagram: bytes) -> Message:
    packet = decode(datagram)
    assert packet.malformed == []
    (found,) = packet.messages
    return found


def addresses(datagram: bytes) -> list[str]:
    return [m.address for m in decode(datagram).messages]


# Golden bytes, from the OSC 1.0 specification's examples and from real senders


def test_the_specifications_first_example_is_read():
    given_there = "2f6f7363696c6c61746f722f342f6672657175656e637900 2c660000 43dc0000"
    assert only(hexed(given_there)) == Message("/oscillator/4/frequency", [440.0])


def test_the_specifications_second_example_is_read():
    found = only(
        hexed(
            "2f666f6f00000000 2c69697366660000 000003e8 ffffffff 68656c6c6f000000 3f9df3b6 40b5b22d"
        )
    )
    assert found == Message("/foo", [1000, -1, "hello", pytest.approx(1.234), pytest.approx(5.678)])


def test_a_bundle_as_touchdesigner_sends_it_is_read():
    stamped = (
        "2362756e646c6500 00000000 5a3d70a4"  # its own clock: seconds since its first message
        " 00000014 2f6c6561726e2f72617465 00 2c660000 3f000000"
    )
    assert only(hexed(stamped)) == Message("/learn/rate", [0.5])


def test_a_float_is_encoded_to_these_bytes():
    assert encode("/learn/rate", 0.5) == hexed("2f6c6561726e2f7261746500 2c660000 3f000000")


def test_a_bundle_is_encoded_to_these_bytes_and_asks_to_be_done_at_once():
    (datagram,) = bundles([("/a", 1), ("/b", "x")])
    assert datagram == hexed(
        "2362756e646c6500 0000000000000001"
        "0000000c 2f610000 2c690000 00000001 0000000c 2f620000 2c730000 78000000"
    )


# What is taken


@pytest.mark.parametrize(
    ("tags", "data", "arguments"),
    [
        ("", b"", []),
        ("i", hexed("ffffffff"), [-1]),
        ("f", hexed("3f800000"), [1.0]),
        ("h", hexed("0000000100000000"), [1 << 32]),
        ("d", hexed("3ff8000000000000"), [1.5]),
        ("s", padded("Füße".encode()), ["Füße"]),
        ("s", padded(b""), [""]),
        ("b", hexed("00000003 01020300"), [b"\1\2\3"]),
        ("b", hexed("00000000"), [b""]),
        ("r", hexed("ff8000ff"), [0xFF8000FF]),
        ("m", hexed("00903c7f"), [(0, 0x90, 0x3C, 0x7F)]),
        ("T", b"", [True]),
        ("F", b"", [False]),
        ("N", b"", [None]),
        ("I", b"", [None]),
        ("S", padded(b"symbol"), ["symbol"]),
        ("c", hexed("00000041"), [65]),
        ("[ff]i", hexed("3f800000 00000000 00000007"), [[1.0, 0.0], 7]),
        ("[[]]", b"", [[[]]]),
    ],
)
def test_every_type_of_osc_is_read(tags, data, arguments):
    assert only(message("/a", tags, data)).arguments == arguments


@pytest.mark.parametrize("tags", ["Sf", "cf", "If"])
def test_what_follows_a_type_python_osc_cannot_skip_is_read_rightly(tags):
    data = {"S": padded(b"word"), "c": hexed("00000041"), "I": b""}[tags[0]]
    assert only(message("/a", tags, data + hexed("3e800000"))).arguments[1] == 0.25


def test_python_osc_is_not_made_to_complain(caplog):
    decode(message("/a", "ISc", padded(b"x") + hexed("00000041")))
    assert caplog.records == []


def test_nan_is_read_for_the_knob_to_refuse():
    assert math.isnan(only(message("/a", "f", hexed("7fc00000"))).arguments[0])


def test_a_time_tag_as_an_argument_is_read():
    assert len(only(message("/a", "t", b"\xff" * 8)).arguments) == 1


def test_an_old_message_without_type_tags_is_a_message_without_arguments():
    assert only(padded(b"/learn/blank")) == Message("/learn/blank", [])


def test_bytes_after_the_last_argument_are_ignored():
    assert only(message("/a", "i", hexed("00000007 deadbeef 00"))).arguments == [7]


def test_a_pattern_is_an_address_too():
    assert only(message("/learn/{rate,l[12]}*?", "T")).address == "/learn/{rate,l[12]}*?"


def test_a_bundle_keeps_its_order_through_nesting():
    inner = bundle(message("/b"), bundle(message("/c")), message("/d"))
    assert addresses(bundle(message("/a"), inner, message("/e"))) == ["/a", "/b", "/c", "/d", "/e"]


def test_an_empty_bundle_is_nothing_and_not_malformed():
    assert decode(bundle()) == osc.Packet([], [])


@pytest.mark.parametrize("time_tag", ["ffffffffffffffff", "0000000000000000", "ee00000000000000"])
def test_a_time_tag_holds_nothing_back(time_tag):
    assert addresses(bundle(message("/a"), time_tag=hexed(time_tag))) == ["/a"]


def test_a_text_of_the_largest_datagram_is_read():
    text = "x" * 65_400
    assert only(message("/a", "s", padded(text.encode()))).arguments == [text]


# What is refused, each with a reason


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "a string without its end"),
        (b"\0\0\0\0", "an address that is not"),
        (b"GET / HTTP/1.1\r\n\r\n\0\0", "an address that is not"),
        (padded(b"name"), "an address that is not"),
        (padded(b"/" + b"x" * 255), "an address that is not"),
        (padded("/größe".encode()), "not printable ASCII"),
        (padded(b"/\xff\xfe"), "not printable ASCII"),
        (padded(b"/a\x1b[2J"), "not printable ASCII"),
        (b"/learn/rate", "a string without its end"),
        (b"/a\0", "a string without its end"),
        (padded(b"/a") + hexed("3f800000"), "without type tags"),
        (padded(b"/a") + b",f", "a string without its end"),
        (message("/a", "f"), "cut short"),
        (message("/a", "f", b"\x3f\x80"), "cut short"),
        (message("/a", "d", b"\0" * 4), "cut short"),
        (message("/a", "ii", b"\0" * 4), "cut short"),
        (message("/a", "s"), "a string without its end"),
        (message("/a", "s", b"abcd"), "a string without its end"),
        (message("/a", "s", b"abc\xff\0\0\0\0"), "not UTF-8"),
        (message("/a", "b", b"\0\0"), "cut short"),
        (message("/a", "b", hexed("00000008 01020304")), "cut short"),
        (message("/a", "b", hexed("fffffffc 01020304")), "negative"),
        (message("/a", "bi", hexed("7fffffff 01020304")), "cut short"),
        (message("/a", "q"), "unknown type 'q'"),
        (message("/a", "["), "array"),
        (message("/a", "]["), "array"),
        (message("/a", "T" * 65), "more than 64 arguments"),
        (b"#bundle\0", "without its time tag"),
        (b"#bundle\0\0\0\0\0", "without its time tag"),
        (bundle() + b"\0\0", "element size"),
        (bundle() + hexed("00000000"), "element size"),
        (bundle() + hexed("00000003 2f610000"), "element size"),
        (bundle() + hexed("00000010 2f610000"), "element size"),
        (bundle() + hexed("7ffffffc 2f610000"), "element size"),
        (bundle(b"#bundle\0"), "without its time tag"),
        (bundle(bundle(bundle(bundle(bundle())))), "4 deep"),
    ],
)
def test_what_is_not_osc_is_refused_with_its_reason(datagram, reason):
    packet = decode(datagram)
    assert packet.messages == []
    assert len(packet.malformed) == 1
    assert reason in packet.malformed[0]


def test_the_few_bytes_that_hang_python_osc_are_refused():
    hanging = bundle() + hexed("fffffffc") + message("/learn/rate", "f", b"\0\0\0\0")
    assert decode(hanging) == osc.Packet([], ["an element size that does not fit its bundle"])


def test_three_thousand_nested_bundles_are_refused():
    nested = b""
    for _ in range(3000):
        nested = bundle(nested) if nested else bundle()
    assert decode(nested).messages == []


def test_a_bad_element_loses_only_itself():
    packet = decode(bundle(message("/a"), padded(b"rootless"), message("/b", "f"), message("/c")))
    assert ([m.address for m in packet.messages], len(packet.malformed)) == (["/a", "/c"], 2)


def test_a_broken_size_loses_the_rest_of_its_bundle_and_keeps_what_came_before():
    broken = bundle(message("/a"), message("/b"))[:-8] + hexed("7f000000")
    assert addresses(bundle(broken, message("/c"))) == ["/a", "/c"]


def test_a_bundle_nested_too_deep_loses_only_itself():
    deep = bundle(bundle(bundle(bundle(message("/deep")))))
    assert addresses(bundle(message("/a"), deep, message("/c"))) == ["/a", "/c"]


def test_a_datagram_gives_no_more_than_so_many_messages():
    packet = decode(bundle(*[message("/a")] * 600))
    assert (len(packet.messages), len(packet.malformed)) == (MOST_ELEMENTS, 1)


def test_a_datagram_gives_no_more_than_so_many_patterns():
    packet = decode(bundle(*[message("/*"), message("/a")] * 20))
    addresses = [message.address for message in packet.messages]
    assert (addresses.count("/*"), addresses.count("/a")) == (MOST_PATTERNS, 20)
    assert "8 address patterns" in packet.malformed[0]


def test_the_reasons_of_one_datagram_are_bounded():
    assert len(decode(bundle(*[b"\0\0\0\0"] * 8000)).malformed) <= MOST_ELEMENTS + 1


# No bytes hurt


@calm
@given(st.binary(max_size=300))
def test_no_bytes_raise(datagram):
    decode(datagram)


@calm
@given(st.binary(max_size=200), st.sampled_from("ifsbhdtrmcSTFNI[]"), st.integers(0, 4))
def test_no_bytes_behind_sound_tags_raise(data, tag, many):
    decode(bundle(message("/a", tag * many, data + b"\0" * (-len(data) % 4))))


def test_no_mutation_of_sound_datagrams_raises():
    chance = random.Random(1)
    for _ in range(20_000):
        decode(mutated(chance))


@calm
@given(
    st.text("abc/", min_size=1, max_size=30).map("/".__add__),
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(width=32, allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50),
    ),
)
def test_what_is_encoded_is_decoded_as_it_was(address, value):
    found = only(encode(address, value))
    assert (found.address, found.arguments) == (address, [value])
    assert type(found.arguments[0]) is type(value)


@calm
@given(st.binary(max_size=64))
def test_what_is_taken_is_what_python_osc_takes(data):
    datagram = message("/a", "ifs", data)
    packet = decode(datagram)
    if packet.messages:
        assert str(packet.messages[0].arguments) == str(OscMessage(datagram).params)


# Encoding


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (0.5, b",f"),
        (3, b",i"),
        (1 << 40, b",h"),
        (-(1 << 31), b",h"),
        (-(1 << 63), b",h"),
        (True, b",T"),
        (False, b",F"),
        ("word", b",s"),
        ("", b",s"),
        (np.float32(0.5), b",f"),
        (np.float64(0.5), b",f"),
    ],
)
def test_a_value_is_sent_as_its_own_type(value, tags):
    assert encode("/a", value)[4:8].rstrip(b"\0") == tags


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, np.float32("inf"), 1 << 64])
def test_a_number_that_osc_cannot_carry_is_not_encoded(value):
    with pytest.raises(ValueError, match="not"):
        encode("/a", value)


def test_a_number_that_osc_cannot_carry_is_left_out_of_a_bundle():
    (datagram,) = bundles([("/a", 1.0), ("/loss", math.nan), ("/psnr", math.inf), ("/b", 2.0)])
    assert addresses(datagram) == ["/a", "/b"]


def test_a_text_is_cut_at_a_nul_which_would_end_it_anyway():
    assert only(encode("/a", "one\0two")).arguments == ["one"]


def test_a_long_text_is_cut_between_characters():
    assert only(encode("/a", "ä" * 3000)).arguments == ["ä" * (osc.LONGEST_TEXT // 2)]


def test_a_text_that_is_not_unicode_is_still_sent():
    assert only(encode("/a", "a\ud800b")).arguments == ["a?b"]


def test_bundles_hold_every_pair_in_order():
    pairs = [(f"/group/{number}", number) for number in range(500)]
    found = [m for datagram in bundles(pairs) for m in decode(datagram).messages]
    assert [(m.address, m.arguments[0]) for m in found] == pairs


@calm
@given(st.lists(st.text(max_size=2000), max_size=20))
def test_no_bundle_is_longer_than_its_limit(texts):
    pairs = [("/" + "x" * 200, text) for text in texts]
    assert all(len(datagram) <= 1400 for datagram in bundles(pairs))


def test_bundles_are_as_full_as_their_limit_allows():
    assert len(list(bundles([("/learn/rate", 0.5)] * 114, limit=1400))) == 2


def test_python_osc_reads_our_bundles():
    (datagram,) = bundles([("/a", 0.5), ("/b", "word"), ("/c", 7)])
    assert [m.params for m in OscBundle(datagram)] == [[0.5], ["word"], [7]]


def test_a_bundle_tells_a_bool_as_a_number_which_pure_data_reads():
    (datagram,) = bundles([("/a", True), ("/b", False)])
    arguments = [m.arguments for m in decode(datagram).messages]
    assert [(type(value), value) for (value,) in arguments] == [(int, 1), (int, 0)]


def test_no_pairs_make_no_datagram():
    assert list(bundles([])) == []


def test_messages_are_one_datagram_each_and_leave_out_what_is_no_number():
    sent = list(messages([("/a", 0.5), ("/b", math.nan), ("/on", True), ("/name", "x")]))
    assert [decode(one).messages[0].arguments for one in sent] == [[0.5], [1], ["x"]]


def test_the_short_way_of_one_number_says_what_the_long_way_says():
    chance = random.Random(9137)
    sound = [encode(f"/a/{n}", value) for n in range(4) for value in (0.5, -7, math.pi, 1 << 20)]
    tricky = [message("/a", ",f"), message(",f", "f", bytes(4)), message("/a", "sf", bytes(8))]
    tricky += [message("/" + "x" * 300, "i", bytes(4)), message("/a", "f", bytes(12))]
    for _ in range(5000):
        element = bytearray(chance.choice(sound + tricky))
        for _ in range(chance.randint(0, 2)):
            element[chance.randrange(len(element))] = chance.choice([0, 0x2C, 0x66, 0x69, 0x2F])
        assert outcome(osc._message, bytes(element)) == outcome(osc._any_message, bytes(element))


def test_no_long_datagram_is_kept():
    osc._head_of_number.cache_clear()
    for length in range(400, 440, 4):
        decode(b"/" + b"x" * length + b",f\0\0" + bytes(4))
    assert osc._head_of_number.cache_info().currsize == 0


def test_the_longest_address_goes_the_short_way():
    whole = encode("/" + "x" * (osc.LONGEST_ADDRESS - 1), 0.5)
    assert len(whole) <= osc.LONGEST_NUMBER
    assert decode(whole).messages[0].arguments == [0.5]


def outcome(read, element: bytes) -> object:
    try:
        found = read(element)
    except osc._Malformed as problem:
        return str(problem)
    return found.address, [repr(value) for value in found.arguments]
