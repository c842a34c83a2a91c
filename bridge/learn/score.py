"""The score: how like what was wanted a picture is, and what the learner publishes of that."""

import math

import torch
from torch import Tensor

from bridge.params import Reading

MOST_DB = 99.0  # what a perfect picture reads as
FULL = 2.0  # the range of a pixel, -1 to 1: the peak that dB are measured from


class Score:
    """What the learner publishes under /stats."""

    loss = Reading(0.0, doc="loss of the frame just seen, before it was learnt from")
    psnr = Reading(0.0, unit="dB", doc="likeness of the picture to the frame; 20 is recognisable")
    gradient = Reading(0.0, doc="length of the last gradient, before clipping")
    learnt = Reading(0, doc="steps since this network began")
    rollbacks = Reading(0, doc="times that the network fell back to a past self")
    rollback = Reading("", doc="why it last did")
    nonfinite = Reading(0, doc="times that numbers were no longer finite and were thrown away")
    seed = Reading(0, doc="seed of this network's random beginning")
    hash = Reading("", doc="SHA-256 of the weights at this network's beginning")


def mean_square(values: Tensor) -> Tensor:
    """() float32, whatever the precision of `values`."""
    norm: Tensor = torch.linalg.vector_norm(values, dtype=torch.float32)
    return norm.square() / values.numel()


def decibels(mean_square: float) -> float:
    """Likeness by the mean square error in [-1, 1]: at most `MOST_DB`, -inf where not finite."""
    if not math.isfinite(mean_square):
        return -math.inf
    if mean_square <= 0:
        return MOST_DB
    return min(MOST_DB, 10 * math.log10(FULL**2 / mean_square))
