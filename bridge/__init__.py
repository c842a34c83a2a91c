"""First Light: a network that opens its eyes inside a live show.

One frame    frame thread:   apply knobs ► receive ► see ► look ► send ► learn, learn …
One message  OSC thread:     datagram ► decode ► AddressSpace.set ─┐
             frame thread:   AddressSpace.apply at the next frame ◄┘ stamps what changed
             feedback:       at most thirty times a second, the changes to who listens

The picture leaves before the gradient steps, and nothing happens to it after
the network. `docs/decisions.md` says why things are as they are; `tests/test_layers.py`
holds which room may import which.
"""

import os

__version__ = "0.1.0"

# libgomp spins 300,000 times before a waiting thread sleeps, and reads this once, when torch
# loads it. At 20,000 two pinned threads still meet without a system call, and an idle network
# no longer eats the show's other core (measured: docs/performance.md). The user's own value wins.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


class Refusal(Exception):
    """What was asked for cannot be done. The text is one sentence that says what to do next."""
