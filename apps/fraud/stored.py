"""PostgreSQL's side of what came before the events that are read: counters of all older payments, by an aggregate.

It goes over all payments of an entity that are older than its newest, so it is asked only for those that have as many,
and once for all places in the history of one entity.
"""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db import connection

from apps.fraud import records
from apps.fraud.models import Transaction
from apps.fraud.payload import MODEL_TIME, SCALES
from apps.fraud.ring_scripts import CAPACITY
from apps.fraud.rings import Found
from models_zoo.fraud.counters import COUNTER, SPANS, joined, nothing
from models_zoo.fraud.events import EVENT, WINDOW, Integers, Records, window_of
from models_zoo.fraud.history import Before
from rootstock.accounts.tenancy import tenant

# Weights begin with 1 at the latest of the payments, and those that PostgreSQL would call an underflow count nothing.
_SIDE = """
SELECT wanted.place, {outgoing}, whole.count, date_part('epoch', whole.first), date_part('epoch', whole.last), decayed.*
FROM wanted
CROSS JOIN LATERAL (
    SELECT count(*) AS count, min({time}) AS first, max({time}) AS last FROM {payment} WHERE {own}
) AS whole
CROSS JOIN LATERAL (
    SELECT {sums} FROM (
        SELECT (amount::float8 * CASE currency {scales} END)::real::float8 AS worth,
            date_part('epoch', {time} - whole.last) AS apart
        FROM {payment} WHERE {own}
    ) AS one
) AS decayed
WHERE whole.count > 0
"""
# Row comparisons, so that only the index of that entity's own payments serves: with young statistics the planner would
# else walk all of the organisation's payments.
_OWN = """organisation_id = %(organisation)s AND {where} AND ({side}_key, sequence) >= (wanted.entity, wanted.since)
            AND ({side}_key, sequence) < (wanted.entity, wanted.before)"""
_WANTED = """WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(%(entities)s::bigint[], %(since)s::bigint[], %(before)s::bigint[])
    WITH ORDINALITY AS wanted(entity, since, before, place)
)"""


def stored_before(organisation: UUID, entities: Integers, sequences: Integers) -> Before:
    """What `models_zoo.fraud.history.Reading` gives of entities [B] before each sequence [B]."""
    found = records.events_before(organisation, entities.tolist(), sequences.tolist(), WINDOW)
    windows = np.stack([np.zeros(WINDOW, EVENT), *map(window_of, found)])[1:]
    return Before(windows, _older(organisation, entities, windows["sequence"][:, 0]))


def stored_rings(organisation: UUID, names: Integers, applied: int) -> Found:
    """The rings of entities [R] with all that came up to `applied`."""
    contents = records.events_before(organisation, names.tolist(), [applied + 1] * len(names), CAPACITY)
    first = np.array([one["sequence"][0] if len(one) >= CAPACITY else 0 for one in contents], np.int64)
    count = np.array([len(one) for one in contents], np.int64)
    events = np.concatenate([np.zeros(0, EVENT), *contents])
    return Found(np.maximum(first - 1, 0), _older(organisation, names, first), count, events)


def _older(organisation: UUID, entities: Integers, first: Integers) -> Records:
    """COUNTER [B, 2] of the payments of entities [B] before each `first` [B]; of none where that is 0."""
    found, asked = nothing(len(entities), 2), np.nonzero(first > 1)[0]
    if len(asked):
        found[asked] = counters_before(organisation, entities[asked], first[asked])
    return found


def counters_before(organisation: UUID, entities: Integers, before: Integers) -> Records:
    """COUNTER [B, 2] of all payments of entities [B] with a sequence below each `before` [B]."""
    order = np.lexsort((before, entities))
    names, cuts = entities[order], before[order]
    again = np.concatenate([[False], names[1:] == names[:-1]])
    since = np.where(again, np.concatenate([[0], cuts[:-1]]), 0)
    parts = _between(organisation, names, since, cuts)
    for place in np.nonzero(again)[0]:
        parts[place] = joined(parts[place], parts[place - 1])
    found = np.empty_like(parts)
    found[order] = parts
    return found


def _between(organisation: UUID, entities: Integers, since: Integers, before: Integers) -> Records:
    """COUNTER [B, 2] of payments with since <= sequence < before."""
    wanted = {
        "organisation": organisation, "entities": entities.tolist(), "since": since.tolist(), "before": before.tolist(),
    }  # fmt: skip
    found = nothing(len(entities), 2)
    for side, _, outgoing, where in records.OWN:
        with tenant(organisation), connection.cursor() as cursor:
            cursor.execute(_sql(side, outgoing, where), wanted)
            rows = cursor.fetchall()
        places = np.array([row[0] - 1 for row in rows], np.int64)
        found[places, outgoing] = joined(found[places, outgoing], _counters(rows))
    return found


def _counters(rows: Sequence[tuple[float, ...]]) -> Records:
    """COUNTER [N] of rows (place, outgoing, count, first, last, numbers by span, sums by span)."""
    found, size = np.empty(len(rows), COUNTER), len(SPANS)
    table = np.array([row[2:] for row in rows], np.float64).reshape(-1, 3 + 2 * size)
    found["count"], found["first"], found["last"] = table[:, :3].T
    start = table[:, 2, None] / SPANS
    with np.errstate(divide="ignore"):
        found["counts"] = np.log(table[:, 3 : 3 + size]) + start
        found["sums"] = np.log(table[:, 3 + size :]) + start
    return found


def _sql(side: str, outgoing: int, where: str) -> str:
    weights = [f"exp(greatest(one.apart / {span:.0f}, -700))" for span in SPANS]
    sums = [f"sum({weight})" for weight in weights] + [f"sum({weight} * one.worth)" for weight in weights]
    return _WANTED + _SIDE.format(
        outgoing=outgoing,
        sums=", ".join(sums),
        time=MODEL_TIME,
        payment=Transaction._meta.db_table,
        own=_OWN.format(side=side, where=where),
        scales=" ".join(f"WHEN '{currency}' THEN {scale}::float8" for currency, scale in SCALES.items()),
    )
