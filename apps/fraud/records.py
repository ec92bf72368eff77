"""PostgreSQL's side of the account histories: the truth that the rings in Valkey are rebuilt from."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from apps.fraud.models import Transaction
from apps.fraud.payload import CHANNELS, payloads_of, worth
from models_zoo.fraud.events import EVENT, PAYMENT, Records
from rootstock.accounts.tenancy import tenant

_COLUMNS = "sequence, extract(epoch FROM occurred_at)::float8 AS time, amount, currency, channel"
# Row comparisons, so that only the index of that account's own payments gives this order: with young statistics
# the planner would else walk the organisation's payments backwards until it has found enough of the account's.
# A payment to oneself is one event, as outgoing: the second half leaves it out.
_EVENTS = f"""
SELECT wanted.place, event.* FROM unnest(%(accounts)s::bigint[], %(before)s::bigint[])
    WITH ORDINALITY AS wanted(account, before, place)
CROSS JOIN LATERAL (
    (SELECT {_COLUMNS}, payee_key AS other, 1 AS outgoing FROM "{{table}}"
     WHERE organisation_id = %(organisation)s
       AND (payer_key, sequence) < (wanted.account, wanted.before) AND payer_key >= wanted.account
     ORDER BY payer_key DESC, sequence DESC LIMIT %(most)s)
    UNION ALL
    (SELECT {_COLUMNS}, payer_key AS other, 0 AS outgoing FROM "{{table}}"
     WHERE organisation_id = %(organisation)s AND payer_key <> payee_key
       AND (payee_key, sequence) < (wanted.account, wanted.before) AND payee_key >= wanted.account
     ORDER BY payee_key DESC, sequence DESC LIMIT %(most)s)
) AS event
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


def events_before(
    organisation: UUID, accounts: Iterable[int], before: Iterable[int], most: int
) -> list[Records]:
    """For each account its last `most` events with sequence < before, oldest first: EVENT [n] each."""
    keys = list(accounts)
    wanted: dict[str, Any] = {
        "accounts": keys,
        "before": list(before),
        "organisation": organisation,
        "most": most,
    }
    found: list[list[tuple[Any, ...]]] = [[] for _ in keys]
    with tenant(organisation), connection.cursor() as cursor:
        cursor.execute(_EVENTS.format(table=Transaction._meta.db_table), wanted)
        for place, sequence, time, amount, currency, channel, other, outgoing in cursor:
            event = (
                sequence,
                time,
                other,
                worth(amount, currency),
                1.0,
                outgoing,
                CHANNELS.index(channel),
                0,
                0,
            )
            found[place - 1].append(event)
    return [np.array(rows[-most:], dtype=EVENT) for rows in found]
