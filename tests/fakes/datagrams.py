"""OSC datagrams written by hand, sound and not, for tests that must not trust a library."""

import random
import struct

IMMEDIATELY = bytes(7) + b"\1"


def padded(text: bytes) -> bytes:
    return text + bytes(4 - len(text) % 4)


def message(address: str, tags: str = "", data: bytes = b"") -> bytes:
    return padded(address.encode()) + padded(b"," + tags.encode()) + data


def bundle(*elements: bytes, time_tag: bytes = IMMEDIATELY) -> bytes:
    sized = (struct.pack(">i", len(element)) + element for element in elements)
    return b"#bundle\0" + time_tag + b"".join(sized)


def floating(address: str, value: float) -> bytes:
    return message(address, "f", struct.pack(">f", value))


SOUND = [
    floating("/learn/rate", 0.5),
    message("/learn/rule", "s", padded(b"momentum")),
    message("/a", "ifsbhdtrmcSTFNI[i]", bytes(64)),
    bundle(
        message("/learn/on", "T"), bundle(message("/learn/blank"), message("/b", "S", b"a\0\0\0"))
    ),
    bundle(*[floating(f"/k/{number}", number) for number in range(20)]),
]


def mutated(chance: random.Random) -> bytes:
    """A sound datagram with some bytes changed, cut out, doubled or added."""
    data = bytearray(chance.choice(SOUND))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(data):
            data[at] = chance.choice([0, 1, 4, 255, 0x2F, 0x2C, chance.randrange(256)])
        elif kind == 1:
            del data[at : at + chance.randint(1, 8)]
        elif kind == 2:
            data[at:at] = data[at : at + 16]
        else:
            data[at:at] = chance.choice([bytes(4), b"#bundle\0", b"\xff\xff\xff\xfc", b","])
    return bytes(data)
