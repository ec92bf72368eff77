"""PostgreSQL's side of the histories: the truth that the rings in Valkey are rebuilt from."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from apps.fraud.models import Decision, Label, Transaction
from apps.fraud.payload import CHANNELS, MODEL_TIME, payloads_of, worth
from apps.fraud.usual import surprises_of
from models_zoo.fraud.events import (
    EVENT,
    FRAUD,
    GENUINE,
    LABEL,
    PAYMENT,
    UNKNOWN,
    Integers,
    Records,
)  # fmt: skip
from rootstock.accounts.tenancy import tenant

SIDES = ("payer", "payee", "device", "merchant")
# Row comparisons, so that only the index of that entity's own payments gives this order: with young statistics
# the planner would else walk the organisation's payments backwards until it has found enough of the entity's.
_SIDE = """
    (SELECT id, sequence, {time} AS time, amount, currency, channel, {other}_key AS other,
        {outgoing} AS outgoing
     FROM {payment}
     WHERE organisation_id = %(organisation)s AND {where}
       AND ({side}_key, sequence) < (wanted.entity, wanted.before) AND {side}_key >= wanted.entity
     ORDER BY {side}_key DESC, sequence DESC LIMIT %(most)s)
"""
# A payment to oneself is one event, as outgoing: the payee's side leaves it out.
OWN: tuple[tuple[str, str, int, str], ...] = (
    ("payer", "payee", 1, "true"),
    ("payee", "payer", 0, "payer_key <> payee_key"),
    ("device", "payer", 0, "device_key <> 0"),
    ("merchant", "payer", 0, "merchant_key <> 0"),
)
_EVENTS = """
SELECT wanted.place, event.sequence, extract(epoch FROM event.time)::float8, event.other, event.amount,
    event.currency, decision.surprise, event.outgoing, event.channel, label.fraud, label.sequence
FROM unnest(%(entities)s::bigint[], %(before)s::bigint[]) WITH ORDINALITY AS wanted(entity, before, place)
CROSS JOIN LATERAL (
    SELECT * FROM ({sides}) AS own ORDER BY sequence DESC LIMIT %(most)s
) AS event
LEFT JOIN {decision} AS decision ON decision.transaction_id = event.id
LEFT JOIN LATERAL (
    SELECT fraud, sequence FROM {label}
    WHERE transaction_id = event.id AND sequence < wanted.before ORDER BY sequence DESC LIMIT 1
) AS label ON true
ORDER BY wanted.place, event.sequence
"""


def payments(payloads: Sequence[dict[str, Any]]) -> Records:
    """PAYMENT [N] of lane payloads."""
    return np.array(
        [tuple(payload[name] for name in PAYMENT.names or ()) for payload in payloads], dtype=PAYMENT
    )


def payments_between(organisation: UUID, after: int, last: int) -> Records:
    """PAYMENT [N] with after < sequence <= last, in order."""
    with tenant(organisation):
        between = Transaction.objects.filter(sequence__gt=after, sequence__lte=last)
        rows = list(between.defer("payer", "payee", "device", "merchant").order_by("sequence"))
    return payments(payloads_of(rows))


def labels_between(organisation: UUID, after: int, last: int) -> tuple[Records, Integers]:
    """LABEL [M] with after < sequence <= last, in order, and the entities [M, 4] of the labelled payments."""
    owners = [f"transaction__{side}_key" for side in SIDES]
    with tenant(organisation):
        found = Label.objects.filter(sequence__gt=after, sequence__lte=last).order_by("sequence")
        rows = list(found.values_list("sequence", "received_at", "transaction__sequence", "fraud", *owners))
    keys = np.array([row[4:] for row in rows], np.int64).reshape(-1, len(SIDES))
    return _labels(row[:4] for row in rows), keys


def labels_of(organisation: UUID, sequences: Sequence[int]) -> Records:
    """LABEL [M] of the payments with these sequences, in order."""
    with tenant(organisation):
        found = Label.objects.filter(transaction__sequence__in=sequences).order_by("sequence")
        return _labels(found.values_list("sequence", "received_at", "transaction__sequence", "fraud"))


def _labels(rows: Iterable[tuple[Any, ...]]) -> Records:
    return np.array([(number, at.timestamp(), *rest) for number, at, *rest in rows], dtype=LABEL)


def events_before(
    organisation: UUID, entities: Sequence[int], before: Sequence[int], most: int
) -> list[Records]:
    """For each entity its last `most` events with sequence < before, oldest first: EVENT [n] each.

    Labels are those that had come before it. A surprise is the one that its decision was made with; where there is
    no decision it is computed.
    """
    found, unsurprised = _events(organisation, entities, before, most)
    if unsurprised:  # of many rings the same payment is asked once
        asked = np.array(list({one[0]: one for _, _, one in unsurprised}.values()), dtype=PAYMENT)
        known = zip(asked["sequence"].tolist(), surprises_of(organisation, asked).tolist(), strict=True)
        surprises = dict(known)
        for place, row, payment in unsurprised:
            found[place]["surprise"][row] = surprises[payment[0]]
    return found


def _events(
    organisation: UUID, entities: Sequence[int], before: Sequence[int], most: int
) -> tuple[list[Records], list[tuple[int, int, tuple[Any, ...]]]]:
    """The events, and those without a surprise: which list, which row, and the payment as a PAYMENT row."""
    rows: list[list[tuple[Any, ...]]] = [[] for _ in entities]
    unsurprised = []
    wanted: dict[str, Any] = {
        "entities": list(entities),
        "before": list(before),
        "organisation": organisation,
        "most": most,
    }
    with tenant(organisation), connection.cursor() as cursor:
        cursor.execute(_sql(), wanted)
        for place, number, time, other, amount, currency, surprise, outgoing, channel, fraud, label in cursor:
            own, euros = rows[place - 1], worth(amount, currency)
            if surprise is None:
                payer = entities[place - 1] if outgoing else other
                unsurprised.append((place - 1, len(own), (number, time, payer, 0, 0, 0, euros, 0)))
            known = UNKNOWN if fraud is None else FRAUD if fraud else GENUINE
            usual = 1.0 if surprise is None else surprise
            kind = CHANNELS.index(channel)
            own.append((number, time, other, euros, usual, outgoing, kind, known, label or 0))
    return [np.array(events, dtype=EVENT) for events in rows], unsurprised


def _sql() -> str:
    tables = {
        "payment": Transaction._meta.db_table, "decision": Decision._meta.db_table, "label": Label._meta.db_table
    }  # fmt: skip
    sides = [
        _SIDE.format(side=side, other=other, outgoing=outgoing, where=where, time=MODEL_TIME, **tables)
        for side, other, outgoing, where in OWN
    ]
    return _EVENTS.format(sides=" UNION ALL ".join(sides), **tables)
