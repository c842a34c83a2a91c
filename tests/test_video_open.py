"""Addresses, and nowhere."""

import numpy as np
import pytest

from bridge import Refusal, play
from bridge.config import Config
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


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [("ndi:", "ndi:Deck"), ("spout:", "spout:Deck"), ("auto:", "auto:Deck"), ("ndi:Own", "ndi:Own"),
     ("none:", "none:"), ("file:a.mp4", "file:a.mp4")],
)  # fmt: skip
def test_what_is_seen_by_others_has_the_name_it_was_given(address, sent_to):
    assert play._named(address, Config(name="Deck")) == sent_to


def test_nowhere_counts_what_it_was_sent():
    sender = open_sender("none:", live=True, rate=30.0)
    for _ in range(3):
        sender.send(Frame(np.zeros((1, 1, 4), np.uint8), "bgra", 0.0))
    sender.close()
    assert sender.count == 3
