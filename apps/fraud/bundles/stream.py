"""An organisation's payments and labels as a stream to train on, in the order in which they could be known.

What came as it happened keeps the order of its arrival. What came long after (a file of historic payments) is put where
it would have come: the payment when it happened, its label when it was known, or the label delay later.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apps.fraud.models import Label, Transaction
from apps.fraud.payload import CHANNELS, TIMED, worth
from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.events import LABEL, PAYMENT, Records
from models_zoo.fraud.streams import Stream, replay
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput

HISTORIC = timedelta(days=1)
"""A payment that came longer after it happened is historic."""
AT_ONCE = 10_000
Clocks = NDArray[np.float64]
_PAYMENT = (
    "sequence", "time", "payer_key", "payee_key", "device_key", "merchant_key", "amount", "currency", "channel",
    "received_at",
)  # fmt: skip


def stream_of(organisation: UUID) -> Stream:
    """The whole stream. The labels are the newest ones; payments younger than the label delay are left out of it,
    since nobody could have said of them yet that they are fraud. Raises InvalidInput if none are older."""
    payments, received = _payments(organisation)
    if not len(payments):
        raise InvalidInput.field("payments", "there are none to train on")
    labels, known, arrived = _labels(organisation)
    clock = arrivals(payments, received)
    numbered, told = in_order(
        payments, clock, labels, label_clocks(payments, clock, received, labels, known, arrived)
    )
    frauds = _newest(payments, labels)
    order = np.argsort(numbered["sequence"], kind="stable")
    day = (clock[order] - clock.min()) / DAY
    whole = Stream(replay(numbered[order], told), frauds[order], day)
    settled = whole.between(0.0, float(day.max()) - DELAY / DAY)
    if not len(settled.labels):
        raise InvalidInput.field("payments", f"they must reach further back than {DELAY / DAY:.0f} days")
    return settled


def arrivals(payments: Records, received: Clocks) -> Clocks:
    """When each of PAYMENT [N] came or, of a historic one, would have come: float64 [N], seconds."""
    live = received - payments["time"] <= HISTORIC.total_seconds()
    clock = payments["time"].astype(np.float64)
    clock[live] = np.maximum.accumulate(received[live]) if live.any() else 0.0
    return clock


def label_clocks(
    payments: Records, clock: Clocks, received: Clocks, labels: Records, known: Clocks, arrived: Clocks
) -> Clocks:
    """When each of LABEL [M] came or, of a historic payment, would have come; never before its payment.

    known float64 [M] is NaN where nobody said since when.
    """
    place = np.searchsorted(payments["sequence"], labels["payment"])
    historic = received[place] - clock[place] > HISTORIC.total_seconds()
    would = np.where(np.isnan(known), clock[place] + DELAY, known)
    return np.maximum(np.where(historic, would, arrived), clock[place])


def in_order(
    payments: Records, clock: Clocks, labels: Records, label_clock: Clocks
) -> tuple[Records, Records]:
    """PAYMENT [N] and LABEL [M] numbered anew in one sequence, by clock and then as they arrived."""
    every = np.concatenate([clock, label_clock])
    before = np.concatenate([payments["sequence"], labels["sequence"]])
    number = np.empty(len(every), np.int64)
    number[np.lexsort((before, every))] = np.arange(1, len(every) + 1)
    numbered, told = payments.copy(), labels.copy()
    numbered["sequence"] = number[: len(payments)]
    told["sequence"], told["time"] = number[len(payments) :], label_clock
    told["payment"] = numbered["sequence"][np.searchsorted(payments["sequence"], labels["payment"])]
    return numbered, told


def _newest(payments: Records, labels: Records) -> NDArray[np.bool_]:
    """Whether the newest label of each payment says fraud, bool [N]."""
    frauds = np.zeros(len(payments), np.bool_)
    frauds[np.searchsorted(payments["sequence"], labels["payment"])] = labels["fraud"] == 1
    return frauds


def _payments(organisation: UUID) -> tuple[Records, Clocks]:
    """PAYMENT [N] by sequence, and when each arrived."""
    pieces = [(np.zeros(0, PAYMENT), np.zeros(0))]
    with tenant(organisation):
        rows = Transaction.objects.annotate(time=TIMED).order_by("sequence").values_list(*_PAYMENT)
        for piece in _chunks(rows.iterator(chunk_size=AT_ONCE)):
            made = [
                (row[0], row[1].timestamp(), *row[2:6], worth(row[6], row[7]), CHANNELS.index(row[8]))
                for row in piece
            ]
            pieces.append((np.array(made, PAYMENT), np.array([row[9].timestamp() for row in piece])))
    return np.concatenate([one for one, _ in pieces]), np.concatenate([one for _, one in pieces])


def _labels(organisation: UUID) -> tuple[Records, Clocks, Clocks]:
    """LABEL [M] by sequence, since when each was known (NaN: not said), and when each arrived."""
    with tenant(organisation):
        rows = list(
            Label.objects.order_by("sequence").values_list(
                "sequence", "received_at", "transaction__sequence", "fraud", "known_at"
            )
        )
    labels = np.array([(row[0], row[1].timestamp(), row[2], row[3]) for row in rows], LABEL)
    known = np.array([row[4].timestamp() if row[4] else np.nan for row in rows], np.float64)
    return labels, known, labels["time"].astype(np.float64)


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    piece: list[Any] = []
    for row in rows:
        piece.append(row)
        if len(piece) == AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece
