"""Streams of generated worlds."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.features import DAY
from models_zoo.fraud.generator import START, as_payments, generate
from models_zoo.fraud.streams import Stream, replay

WARM_UP = 7
"""Days at the start of a world that fill histories and are neither trained on nor measured."""


def stream(seed: int, customers: int, days: int) -> Stream:
    """The stream of a generated world."""
    made = generate(seed, customers, days)
    batch = as_payments(made)
    labels = np.array([bool(one.typology) for one in made])
    return Stream(replay(batch), labels, (batch["time"] - START) / DAY)
