"""Payments, labels and the events of an entity as numpy records.

A payment is one row of `PAYMENT`; in the histories of its entities (payer, payee, device, merchant) it is one
`EVENT` each. Entities are opaque 64-bit keys of one key space: the model compares them and never reads them.
Order is the ingest sequence, which payments and labels share, never the clock: what is booked late counts from
its arrival.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = ("card", "online", "transfer", "instant", "debit", "cash")
WINDOW = 64
"""Events of an entity's history that are read (K)."""
UNKNOWN, FRAUD, GENUINE = 0, 1, 2
"""Values of an event's `fraud`."""

PAYMENT = np.dtype(
    [
        ("sequence", "<i8"),
        ("time", "<f8"),
        ("payer", "<i8"),
        ("payee", "<i8"),
        ("device", "<i8"),
        ("merchant", "<i8"),
        ("amount", "<f4"),
        ("channel", "u1"),
    ]
)
"""sequence > 0, time in unix seconds, device and merchant 0 if there is none, amount in euros (or brought to their
scale), channel an index of CHANNELS."""

LABEL = np.dtype([("sequence", "<i8"), ("time", "<f8"), ("payment", "<i8"), ("fraud", "u1")])
"""What became known of a payment (its sequence) by a label that arrived with a sequence and time of its own."""

EVENT = np.dtype(
    [
        ("sequence", "<i8"),
        ("time", "<f8"),
        ("other", "<i8"),
        ("amount", "<f4"),
        ("surprise", "<f4"),
        ("outgoing", "u1"),
        ("channel", "u1"),
        ("fraud", "u1"),
        ("labelled", "<i8"),
    ]
)
"""One payment as seen from one of its entities, packed in 43 bytes; sequence 0 marks an empty place.

other is the counterparty (the payer sees the payee, all others see the payer), outgoing is 1 for the payer alone,
surprise is the amount over the payer's median before it, labelled the sequence of the label (0: none).
"""

Records = NDArray[np.void]
"""An array of PAYMENT, LABEL or EVENT records."""
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def payments(rows: list[tuple[Any, ...]]) -> Records:
    """PAYMENT array [N] from tuples in the order of its fields."""
    return np.array(rows, dtype=PAYMENT)


def labels(rows: list[tuple[Any, ...]]) -> Records:
    """LABEL array [N] from tuples in the order of its fields."""
    return np.array(rows, dtype=LABEL)


def channel_index(name: str) -> int:
    """Index of a channel name. Raises ValueError for an unknown one."""
    return CHANNELS.index(name)


def events_of(batch: Records, surprise: Floats) -> tuple[Integers, Records]:
    """The events of every payment: (entities int64 [M], EVENT [M]), payers first, then payees, devices, merchants.

    A payment to oneself is one event of that account, as outgoing; what a payment does not name has none.
    """
    apart = np.nonzero(batch["payer"] != batch["payee"])[0]
    device, merchant = (np.nonzero(batch[side])[0] for side in ("device", "merchant"))
    row = np.concatenate([np.arange(len(batch)), apart, device, merchant])
    named = zip(("payee", "device", "merchant"), (apart, device, merchant), strict=True)
    entities = np.concatenate([batch["payer"], *(batch[side][index] for side, index in named)])
    events = np.zeros(len(row), EVENT)
    for name in ("sequence", "time", "amount", "channel"):
        events[name] = batch[name][row]
    events["surprise"] = surprise[row]
    events["other"] = batch["payer"][row]
    events["other"][: len(batch)] = batch["payee"]
    events["outgoing"][: len(batch)] = 1
    return entities, events


def window_of(events: Records, size: int = WINDOW) -> Records:
    """The newest `size` of EVENT [n] (oldest first) as EVENT [size], right-aligned, empty places first."""
    window = np.zeros(size, EVENT)
    kept = events[-size:]
    if len(kept):
        window[-len(kept) :] = kept
    return window
