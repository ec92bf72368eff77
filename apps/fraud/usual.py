"""Surprises of payments that were never decided on, from PostgreSQL: their amounts over what was usual for the payer.

A payer's events are read once for all of its payments, not a window for each of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from apps.fraud.models import Transaction
from apps.fraud.payload import worth
from models_zoo.fraud.events import WINDOW, Floats, Integers, Records
from models_zoo.fraud.history import relative_amounts
from rootstock.accounts.tenancy import tenant

PAYERS = 250
"""Payers at a time."""
MOST = 1024
"""Events of a payer at a time."""
_AMOUNT = np.dtype([("sequence", np.int64), ("amount", np.float32), ("outgoing", np.uint8)])
# As in `records`: row comparisons, so that only the index of the account's own payments gives this order.
_SIDE = """
    (SELECT sequence, amount, currency, {outgoing} AS outgoing FROM {payment}
     WHERE organisation_id = %(organisation)s AND {where}
       AND ({side}_key, sequence) < (wanted.payer, wanted.before) AND {side}_key >= wanted.payer
     ORDER BY {side}_key DESC, sequence DESC LIMIT %(most)s)
"""
_EVENTS = """
SELECT wanted.place, event.sequence, event.amount, event.currency, event.outgoing
FROM unnest(%(payers)s::bigint[], %(before)s::bigint[]) WITH ORDINALITY AS wanted(payer, before, place)
CROSS JOIN LATERAL (SELECT * FROM ({sides}) AS own ORDER BY sequence DESC LIMIT %(most)s) AS event
ORDER BY wanted.place, event.sequence
"""


def surprises_of(organisation: UUID, payments: Records) -> Floats:
    """The surprise float32 [N] of each of PAYMENT [N], as of its arrival."""
    found = np.ones(len(payments), np.float32)
    left = _by_payer(payments)
    while left:
        further: list[Integers] = []
        for some in (left[at : at + PAYERS] for at in range(0, len(left), PAYERS)):
            most = min(WINDOW + 2 * max(len(rows) for rows in some), MOST)
            newest = payments[[rows[-1] for rows in some]]
            events = _events(organisation, newest["payer"].tolist(), newest["sequence"].tolist(), most)
            for rows, own in zip(some, events, strict=True):
                places = np.searchsorted(own["sequence"], payments["sequence"][rows])
                known = places >= (WINDOW if len(own) == most else 0)
                found[rows[known]] = relative_amounts(payments[rows[known]], _windows(own, places[known]))
                further += [rows[~known]] if not known.all() else []
        left = further
    return found


def _by_payer(payments: Records) -> list[Integers]:
    """Rows of each payer in the order of their numbers; payers with about as many payments stand together."""
    order = np.lexsort((payments["sequence"], payments["payer"]))
    _, first = np.unique(payments["payer"][order], return_index=True)
    return sorted(np.split(order, first[1:]), key=len) if len(order) else []


def _windows(events: Records, ends: Integers) -> Records:
    """The last events [B, WINDOW] before each of `ends` [B], right-aligned, from zeros on."""
    padded = np.concatenate([np.zeros(WINDOW, events.dtype), events])
    return np.asarray(padded[ends[:, None] + np.arange(WINDOW)])


def _events(organisation: UUID, payers: Sequence[int], before: Sequence[int], most: int) -> Iterator[Records]:
    """The last `most` events of each payer before a number, oldest first."""
    rows: list[list[tuple[int, float, int]]] = [[] for _ in payers]
    wanted: dict[str, Any] = {
        "payers": list(payers), "before": list(before), "organisation": organisation, "most": most
    }  # fmt: skip
    with tenant(organisation), connection.cursor() as cursor:
        cursor.execute(_sql(), wanted)
        for place, sequence, amount, currency, outgoing in cursor:
            rows[place - 1].append((sequence, worth(amount, currency), outgoing))
    return (np.array(own, _AMOUNT) for own in rows)


def _sql() -> str:
    payment = Transaction._meta.db_table
    sides = (("payer", 1, "true"), ("payee", 0, "payer_key <> payee_key"))  # one to oneself goes out
    return _EVENTS.format(
        sides=" UNION ALL ".join(
            _SIDE.format(side=side, outgoing=outgoing, where=where, payment=payment)
            for side, outgoing, where in sides
        )
    )
