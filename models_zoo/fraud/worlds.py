"""Streams of generated worlds, with the reports of fraud that came among their payments."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.events import Records
from models_zoo.fraud.generator import START, Generated, as_payments, generate
from models_zoo.fraud.streams import Stream, replay, with_labels

WARM_UP = 7
"""Days at the start of a world that fill histories and are neither trained on nor measured."""


def labelled(made: list[Generated], ahead: float = 0.0) -> tuple[Records, Records]:
    """PAYMENT [N] and LABEL [M] of one ingest sequence: a report takes its place when it becomes known.

    What becomes known after the last payment, or never, has no label. All of it happens so many seconds `ahead`.
    """
    batch = as_payments(made)
    batch["time"] += ahead
    delay = np.array([one.known - one.time for one in made])
    told = batch["time"] + delay <= batch["time"].max(initial=0)
    return with_labels(batch, told, delay[told])


def stream(seed: int, customers: int, days: int, fraud: float = 1.0, without: tuple[str, ...] = ()) -> Stream:
    """The stream of a generated world: histories hold what was reported by then, `labels` the whole truth.

    `without` "device" or "merchant" it is the stream of a bank that does not send them. Each world has its own time
    zone: the hour in UTC is no sign, the hour beside a payer's usual ones is.
    """
    made, ahead = generate(seed, customers, days, fraud), zone(seed)
    batch, known = labelled(made, ahead)
    for side in without:
        batch[side] = 0
    labels = np.array([bool(one.typology) for one in made])
    return Stream(replay(batch, known), labels, (batch["time"] - ahead - START) / DAY)


def zone(seed: int) -> float:
    """Seconds by which a world's clock differs from UTC, at most twelve hours."""
    return float(np.random.default_rng(seed).uniform(-12, 12)) * HOUR
