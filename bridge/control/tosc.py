"""TouchOSC's file format: zlib over XML, as layouts that its editor wrote have it.

A node is a control: properties, values, the messages it sends and hears, and what it holds. The
same nodes give the same bytes.
"""

import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

Colour = tuple[float, float, float, float]
Property = tuple[Literal["s", "b", "i", "f", "r", "c"], str, object]


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in whole pixels, relative to what holds it."""

    x: int
    y: int
    w: int
    h: int

    def column(self, index: int, count: int, gap: int = 0) -> "Frame":
        """One of `count` equal columns."""
        width = (self.w - gap * (count - 1)) / count
        left, right = round(index * (width + gap)), round(index * (width + gap) + width)
        return Frame(self.x + left, self.y, right - left, self.h)


def document(root: str) -> bytes:
    """A `.tosc` file of a node. Another zlib may pack the same words into other bytes."""
    # Version 3 is what every TouchOSC opens; the editor of today writes 6.
    words = f"<?xml version='1.0' encoding='UTF-8'?><lexml version='3'>{root}</lexml>"
    return zlib.compress(words.encode(), 9)


def node(
    kind: str,
    key: str,
    frame: Frame,
    properties: Iterable[Property],
    values: dict[str, str] | None = None,
    messages: Iterable[str] = (),
    children: Iterable[str] = (),
) -> str:
    """A control. Its ID follows from its name, which is unlike every other."""
    place = (frame.x, frame.y, frame.w, frame.h)
    written: list[Property] = [("s", "name", key), ("r", "frame", place), *properties]
    values = values or {"touch": "false"}
    return (
        f"<node ID='{uuid.uuid5(uuid.NAMESPACE_URL, 'first-light:' + key)}' type='{kind}'>"
        + _held("properties", [_property(*one) for one in sorted(written, key=itemgetter(1))])
        + _held("values", [_value(*one) for one in values.items()])
        + _held("messages", messages)
        + _held("children", children)
        + "</node>"
    )


def _held(tag: str, parts: Iterable[str]) -> str:
    """What is empty is left out, as the editor leaves it out."""
    inside = "".join(parts)
    return f"<{tag}>{inside}</{tag}>" if inside else ""


def _property(kind: str, key: str, value: object) -> str:
    if isinstance(value, tuple):
        parts = zip("xywh" if kind == "r" else "rgba", value, strict=True)
        written = "".join(f"<{name}>{part:g}</{name}>" for name, part in parts)
    elif kind == "s":
        written = _quoted(str(value))
    else:
        written = str(int(value)) if isinstance(value, bool) else str(value)
    return f"<property type='{kind}'><key>{_quoted(key)}</key><value>{written}</value></property>"


def _value(key: str, default: str) -> str:
    return (
        f"<value><key>{_quoted(key)}</key><locked>0</locked>"
        "<lockedDefaultCurrent>0</lockedDefaultCurrent>"
        f"<default>{_quoted(default)}</default><defaultPull>0</defaultPull></value>"
    )


def osc(
    address: str,
    arguments: Sequence[str],
    *,
    condition: str | None = "ANY",
    send: bool = True,
    receive: bool = True,
) -> str:
    """A message over every connection, on x; what was received is not sent back."""
    fires = f"<trigger><var>{_quoted('x')}</var><condition>{condition}</condition></trigger>"
    return (
        f"<osc><enabled>1</enabled><send>{send:d}</send><receive>{receive:d}</receive>"
        "<feedback>0</feedback><connections>11111</connections>"
        + _held("triggers", [fires] if condition else [])
        + _held("path", [partial("CONSTANT", "STRING", address)])
        + _held("arguments", arguments)
        + "</osc>"
    )


def partial(kind: str, conversion: str, value: str, low: float = 0, high: float = 1) -> str:
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion>"
        f"<value>{_quoted(value)}</value>"
        f"<scaleMin>{low:.9g}</scaleMin><scaleMax>{high:.9g}</scaleMax></partial>"
    )


def _quoted(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
