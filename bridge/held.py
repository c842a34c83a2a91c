"""Messages that come before their knobs: what is kept while the address tree still grows.

The OSC thread puts them in, under the space's own lock, from before torch is loaded; they are lined
up once the tree is complete.
"""

from collections.abc import Sequence
from typing import Any

MOST_HELD = 512  # messages; the oldest go first


class Held:
    """Messages that came while the tree was growing: the newest of each address, between presses.

    What an address takes is not known yet, so what could be a press keeps its place and closes
    what came before it, as a press does; the same again at once is the same.
    """

    def __init__(self) -> None:
        self._messages: dict[object, tuple[str, Sequence[object], Any]] = {}
        self._presses = 0

    def keep(self, address: str, arguments: Sequence[object], sender: Any) -> None:
        press = not arguments or (len(arguments) == 1 and arguments[0] in (None, 1))
        message = (address, arguments, sender)
        if press and arguments and message == next(reversed(self._messages.values()), None):
            return
        self._presses += press
        place = (address, self._presses, press)
        self._messages.pop(place, None)
        self._messages[place] = message
        if len(self._messages) > MOST_HELD:
            del self._messages[next(iter(self._messages))]

    def take(self) -> list[tuple[str, Sequence[object], Any]]:
        taken, self._messages = list(self._messages.values()), {}
        return taken
