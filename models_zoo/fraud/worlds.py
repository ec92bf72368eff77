"""Streams of generated worlds."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.generator import START, as_payments, generate
from models_zoo.fraud.streams import Stream, replay, with_labels

WARM_UP = 7
"""Days at the start of a world that fill histories and are neither trained on nor measured."""


def stream(seed: int, customers: int, days: int, fraud: float = 1.0) -> Stream:
    """The stream of a generated world; each fraud is found out within the label delay, the first after half a day."""
    made = generate(seed, customers, days, fraud)
    batch = as_payments(made)
    frauds = np.array([bool(one.typology) for one in made])
    after = np.random.default_rng(seed).uniform(DAY / 2, DELAY, int(frauds.sum()))
    batch, labels = with_labels(batch, frauds, after)
    return Stream(replay(batch, labels), frauds, (batch["time"] - START) / DAY)
