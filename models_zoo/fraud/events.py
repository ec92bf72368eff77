"""Payments and account events as numpy records.

A payment is one row of `PAYMENT`; in the histories of its two accounts it is one `EVENT` each. Accounts are
opaque 64-bit keys: the model compares them and never reads them, so a caller may hash what it likes.
Order is the ingest sequence, never the clock: a payment that is booked late counts from its arrival.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = ("card", "online", "transfer", "instant", "debit", "cash")
WINDOW = 32
"""Events of an account's history that the model reads (K)."""

PAYMENT = np.dtype(
    [
        ("sequence", "<i8"),
        ("time", "<f8"),
        ("payer", "<i8"),
        ("payee", "<i8"),
        ("amount", "<f4"),
        ("channel", "u1"),
    ]
)
"""sequence > 0, time in unix seconds, amount in euros (or brought to their scale), channel an index of CHANNELS."""

EVENT = np.dtype(
    [
        ("sequence", "<i8"),
        ("time", "<f8"),
        ("other", "<i8"),
        ("amount", "<f4"),
        ("outgoing", "u1"),
        ("channel", "u1"),
    ]
)
"""One payment as seen from one of its accounts, packed in 30 bytes; sequence 0 marks an empty place."""

Records = NDArray[np.void]
"""An array of PAYMENT or EVENT records."""
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def payments(rows: list[tuple[Any, ...]]) -> Records:
    """PAYMENT array [N] from tuples in the order of its fields."""
    return np.array(rows, dtype=PAYMENT)


def channel_index(name: str) -> int:
    """Index of a channel name. Raises ValueError for an unknown one."""
    return CHANNELS.index(name)


def events_of(batch: Records) -> tuple[Integers, Records]:
    """The two events of every payment: (accounts int64 [2N], EVENT [2N]), payers first.

    A payment to oneself is one event of that account, as outgoing.
    """
    other = batch["payer"] != batch["payee"]
    accounts = np.concatenate([batch["payer"], batch["payee"][other]])
    events = np.zeros(len(accounts), EVENT)
    for name in ("sequence", "time", "amount", "channel"):
        events[name] = np.concatenate([batch[name], batch[name][other]])
    events["other"] = np.concatenate([batch["payee"], batch["payer"][other]])
    events["outgoing"][: len(batch)] = 1
    return accounts, events


def window_of(events: Records, size: int = WINDOW) -> Records:
    """The newest `size` of EVENT [n] (oldest first) as EVENT [size], right-aligned, empty places first."""
    window = np.zeros(size, EVENT)
    kept = events[-size:]
    if len(kept):
        window[-len(kept) :] = kept
    return window
