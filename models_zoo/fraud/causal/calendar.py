"""Hour and day, and whether this payer pays at such an hour."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR, Columns, View
from models_zoo.fraud.events import Records

NAMES = ("hour", "night", "weekend", "hour_distance")


def columns(batch: Records, payer: View) -> Columns:
    """UTC. hour_distance: hours to the third nearest of the payer's hours of paying."""
    hour = ((batch["time"] % DAY) / HOUR).astype(np.float32)
    apart = np.where(payer.outgoing, payer.age, 0) % DAY / HOUR
    apart = np.where(payer.outgoing, np.minimum(apart, 24 - apart), np.float32(np.inf))
    return {
        "hour": hour,
        "night": (hour < 6).astype(np.float32),
        "weekend": ((batch["time"] // DAY + 3) % 7 >= 5).astype(np.float32),
        "hour_distance": np.partition(apart, 2, axis=1)[:, 2],
    }
