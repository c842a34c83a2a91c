"""Addresses, and nowhere."""

import numpy as np
import pytest

from bridge import Refusal
from bridge.frame import Frame
from bridge.video import open_receiver, open_sender


@pytest.mark.parametrize("address", ["pattern:", "pattern:64x36"])
def test_an_address_opens_its_transport(address):
    receiver = open_receiver(address, live=False)
    assert receiver.status().connected
    receiver.close()


def test_a_misspelt_transport_is_told_the_nearest():
    with pytest.raises(Refusal, match="did you mean pattern:"):
        open_receiver("patern:", live=True)


def test_an_address_without_a_colon_is_refused():
    with pytest.raises(Refusal, match="no such transport"):
        open_sender("clip.mp4", live=True, rate=30.0)


def test_nowhere_counts_what_it_was_sent():
    sender = open_sender("none:", live=True, rate=30.0)
    for _ in range(3):
        sender.send(Frame(np.zeros((1, 1, 4), np.uint8), "bgra", 0.0))
    sender.close()
    assert sender.count == 3
