"""OSC datagrams: bytes from anywhere into messages, and values into datagrams. No sockets.

Nothing that arrives may raise, hang or be slow. python-osc is the codec of single messages
only, and only of those found whole here first: one negative element size (44 bytes) makes its
bundle parser loop for ever, a short float becomes 0.0, a bad string raises. Time tags are
ignored by policy: what arrives is applied at the next frame (TouchDesigner stamps every bundle
with a clock of its own, and a message held back is a dead fader). References: the OSC 1.0
specification; Freed and Schmeder, "Features and Future of Open Sound Control 1.1", NIME 2009.
"""

import contextlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.patterns import is_pattern

DEEPEST = 4  # bundles inside each other; real senders use one
MOST_ELEMENTS = 256  # of one datagram; a whole surface is about a hundred
MOST_PATTERNS = 8  # addresses of one datagram that are patterns: each may name every knob
MOST_ARGUMENTS = (
    64  # python-osc copies the rest of the message for each: 16,000 take a tenth of a second
)
LONGEST_ADDRESS = 255  # characters
LONGEST_NUMBER = LONGEST_ADDRESS + 1 + 4 + 4  # bytes of a message: address, tags, number
LONGEST_TEXT = 1024  # bytes of a text that is sent: with its address it still fits one datagram
LARGEST_FLOAT = 3.4028234663852886e38  # of 32 bits

BUNDLE = b"#bundle\0"
BUNDLE_HEADER = 16  # bytes: the word, then a time tag
FIXED = {ord(tag): size for tags, size in (("ifrmc", 4), ("hdt", 8), ("TFNI[]", 0)) for tag in tags}
NUMBERS = {b",f\0\0": struct.Struct(">f"), b",i\0\0": struct.Struct(">i")}
TEXTS = b"sS"
(BLOB,) = b"b"

# Tags of OSC 1.0 and 1.1 that python-osc skips with a warning, without skipping their bytes, so
# that every later argument is garbage. Each becomes one of the same size that it reads rightly:
# an impulse arrives as None, which presses a trigger; a symbol as text; a character as its code.
REWRITTEN = bytes.maketrans(b"ISc", b"Nsi")


@dataclass(slots=True)
class Message:
    """An address, possibly a pattern, and what came with it. An impulse or nil is None."""

    address: str
    arguments: list[Any]


@dataclass(slots=True)
class Packet:
    """What one datagram held, in its order, and why parts of it could not be read."""

    messages: list[Message] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)


class _Malformed(ValueError):
    """This element is not OSC; the text is the reason."""


def decode(datagram: bytes) -> Packet:
    """The messages of a datagram, whatever its bytes are. Never raises.

    A malformed message in a sound bundle loses only itself; a broken element size loses the rest
    of its bundle. Floats may be NaN or infinite: it is the knob that refuses them.
    """
    number = _number(datagram)
    if number is not None:  # what faders send, a thousand times: a fifth of the time
        return Packet([number])
    packet = Packet()
    patterns = 0
    for element in _elements(datagram, packet.malformed):
        try:
            message = _message(element)
            if is_pattern(message.address):
                patterns += 1
                if patterns > MOST_PATTERNS:
                    raise _Malformed(f"more than {MOST_PATTERNS} address patterns in one datagram")
            packet.messages.append(message)
        except _Malformed as problem:
            packet.malformed.append(str(problem))
    return packet


def _elements(datagram: bytes, malformed: list[str]) -> Iterator[bytes]:
    """The bytes of each message, in order. A stack: who nests 3000 bundles gets no recursion."""
    if not datagram.startswith(BUNDLE):
        yield datagram
        return
    if len(datagram) < BUNDLE_HEADER:
        malformed.append("a bundle without its time tag")
        return
    seen = 0
    open_bundles = [(BUNDLE_HEADER, len(datagram))]  # where the next element begins, where all ends
    while open_bundles:
        at, end = open_bundles.pop()
        if at == end:
            continue
        begin, after = _element(datagram, at, end)
        if not after:
            malformed.append("an element size that does not fit its bundle")
            continue
        seen += 1
        if seen > MOST_ELEMENTS:
            malformed.append(f"more than {MOST_ELEMENTS} elements in one datagram")
            return
        open_bundles.append((after, end))
        if not datagram.startswith(BUNDLE, begin):
            yield datagram[begin:after]
        elif after - begin < BUNDLE_HEADER:
            malformed.append("a bundle without its time tag")
        elif len(open_bundles) >= DEEPEST:
            malformed.append(f"bundles more than {DEEPEST} deep")
        else:
            open_bundles.append((begin + BUNDLE_HEADER, after))


def _element(datagram: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the element whose size stands at `at` begins and ends; (0, 0) if it cannot be."""
    if end - at < 4:
        return 0, 0
    (size,) = struct.unpack_from(">i", datagram, at)
    begin = at + 4
    return (0, 0) if size <= 0 or size % 4 or begin + size > end else (begin, begin + size)


def _message(element: bytes) -> Message:
    """One message. Bytes after the last argument are ignored: small senders send whole buffers."""
    return _number(element) or _any_message(element)


def _number(element: bytes) -> Message | None:
    """The message of an element that is a plain address with one float or int; None for others."""
    if len(element) > LONGEST_NUMBER:  # else a flood could fill the cache with whole datagrams
        return None
    head = _head_of_number(element[:-4])
    if head is None:
        return None
    address, number = head
    return Message(address, [*number.unpack_from(element, len(element) - 4)])


@lru_cache(1024)  # a hand plays few addresses, again and again
def _head_of_number(head: bytes) -> tuple[str, struct.Struct] | None:
    """The address, and how to read the four bytes behind it, of what is a whole message with one
    float or int but for these; None for whatever else it is, and for a pattern."""
    if head[-4:] not in NUMBERS or not head.startswith(b"/"):
        return None
    try:
        message = _any_message(head + bytes(4))
    except _Malformed:
        return None
    if is_pattern(message.address) or _string(head, 0)[1] != len(head) - 4:
        return None
    return message.address, NUMBERS[head[-4:]]


def _any_message(element: bytes) -> Message:
    address, at = _string(element, 0)
    if not address.startswith(b"/") or len(address) > LONGEST_ADDRESS:
        raise _Malformed(f"an address that is not / and up to {LONGEST_ADDRESS - 1} characters")
    name = _name(address)
    if at == len(element):
        return Message(name, [])  # older senders leave out the type tags when nothing follows
    begin = at
    tags, at = _string(element, at)
    if not tags.startswith(b","):
        raise _Malformed("arguments without type tags")
    _check_arguments(element, tags[1:], at)
    plain = tags.translate(REWRITTEN)
    if plain != tags:
        element = element[:begin] + plain + element[begin + len(plain) :]
    return Message(name, OscMessage(element).params)


@lru_cache(1024)  # a hand plays few addresses, again and again
def _name(address: bytes) -> str:
    name = address.decode("latin-1")
    if not (name.isascii() and name.isprintable()):  # it reaches a terminal through the log
        raise _Malformed("an address that is not printable ASCII")
    return name


def _check_arguments(element: bytes, tags: bytes, at: int) -> None:
    """Raise unless every argument from `at` on is known and complete."""
    if len(tags) > MOST_ARGUMENTS:
        raise _Malformed(f"more than {MOST_ARGUMENTS} arguments")
    for tag in tags:
        if tag in FIXED:
            at += FIXED[tag]
        elif tag in TEXTS:
            at = _after_text(element, at)
        elif tag == BLOB:
            at = _after_blob(element, at)
        else:
            raise _Malformed(f"an argument of the unknown type {chr(tag)!r}")
        if at > len(element):
            raise _Malformed("an argument cut short")
    if b"[" in tags or b"]" in tags:
        _check_arrays(tags)


def _check_arrays(tags: bytes) -> None:
    depth = 0
    for tag in tags:
        depth += (tag == ord("[")) - (tag == ord("]"))
        if depth < 0:
            break
    if depth:
        raise _Malformed("an array that is not closed, or not opened")


def _string(element: bytes, at: int) -> tuple[bytes, int]:
    """The string at `at`, and where the next thing begins: a multiple of 4, inside the element."""
    nul = element.find(0, at)
    after = nul // 4 * 4 + 4
    if nul < 0 or after > len(element):
        raise _Malformed("a string without its end")
    return element[at:nul], after


def _after_text(element: bytes, at: int) -> int:
    text, after = _string(element, at)
    try:
        text.decode()
    except UnicodeDecodeError:
        raise _Malformed("a text that is not UTF-8") from None
    return after


def _after_blob(element: bytes, at: int) -> int:
    if at + 4 > len(element):
        raise _Malformed("an argument cut short")
    (size,) = struct.unpack_from(">i", element, at)
    if size < 0:
        raise _Malformed("a blob of negative size")
    return int(at + 4 + size + -size % 4)


def encode(address: str, value: object) -> bytes:
    """One message with one argument: a float as f, an int as i (or h), a bool as T or F, text as s.

    Anything else is sent as float(value). Text is cut at a NUL and at LONGEST_TEXT bytes. Raises
    ValueError for a number that its type cannot carry: NaN, Inf, beyond 32 or 64 bits.
    """
    return _built(address, value).dgram


def bundles(pairs: Iterable[tuple[str, object]], limit: int = 1400) -> Iterator[bytes]:
    """All `pairs` of address and value as bundles of at most `limit` bytes, to be done at once.

    1400 bytes cross a network unfragmented. A number that is not finite is left out: what clients
    compute from a NaN is NaN too. They keep the last value they were sent. A bool goes as 0 or 1:
    Pure Data's oscparse (0.53) loses a T or F.
    """
    waiting: list[OscMessage] = []
    size = BUNDLE_HEADER
    for message in _told(pairs):
        if waiting and size + 4 + message.size > limit:
            yield _bundled(waiting)
            waiting, size = [], BUNDLE_HEADER
        waiting.append(message)
        size += 4 + message.size
    if waiting:
        yield _bundled(waiting)


def messages(pairs: Iterable[tuple[str, object]]) -> Iterator[bytes]:
    """`pairs` of address and value as one message each; as `bundles` has them."""
    return (message.dgram for message in _told(pairs))


def _told(pairs: Iterable[tuple[str, object]]) -> Iterator[OscMessage]:
    for address, value in pairs:
        with contextlib.suppress(ValueError):
            yield _built(address, int(value) if isinstance(value, bool) else value)


def _built(address: str, value: object) -> OscMessage:
    builder = OscMessageBuilder(address)
    builder.add_arg(_argument(value))
    return builder.build()


def _bundled(messages: list[OscMessage]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for message in messages:
        builder.add_content(message)
    return builder.build().dgram


def _argument(value: Any) -> str | int | float:
    """`value` as a type that python-osc knows: it refuses NumPy's, and overflows on 1e39."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.partition("\0")[0].encode("utf-8", "replace")
        return text[:LONGEST_TEXT].decode("utf-8", "ignore")
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{value} does not fit 64 bits")
        return value
    number = float(value)
    if not abs(number) <= LARGEST_FLOAT:
        raise ValueError(f"{number} is not a finite number of 32 bits")
    return number
