"""The state of an organisation's payments, filled from PostgreSQL: after Valkey was wiped, or moved."""

from collections.abc import Callable, Iterator

from django.db import connection

from apps.fraud.models import IngestCounter, Transaction
from apps.fraud.state import ValkeyHistory
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.lanes import client, wire

AT_ONCE = 500
_ENTITIES = """
SELECT DISTINCT {side}_key FROM {table}
WHERE organisation_id = %s AND {side}_key <> 0 AND {side}_key > %s ORDER BY {side}_key LIMIT %s
"""
SIDES = ("payer", "payee", "device", "merchant")
Told = Callable[[str, int], object]


def state_rebuild(organisation: Organisation, told: Told) -> int:
    """Begin the state anew and put every ring back; returns how many.

    Payments are scored meanwhile: whose ring is not there yet is read from PostgreSQL. `told(side, rings)` hears of
    the progress. Raises Unavailable when Valkey does not answer.
    """
    with tenant(organisation):
        counter = IngestCounter.objects.first()
    if counter is None:
        return 0
    history, count = ValkeyHistory(client.connection(), organisation.pk), 0
    with wire.reachable():
        history.begin(counter.last)
        for side in SIDES:
            for entities in _entities(organisation, side):
                history.restore(entities)
                count += len(entities)
                told(side, count)
    return count


def _entities(organisation: Organisation, side: str) -> Iterator[list[int]]:
    """The keys of one side, some at a time. An account that pays and is paid comes twice, which costs a little."""
    after = -(2**63)
    sql = _ENTITIES.format(side=side, table=Transaction._meta.db_table)
    while True:
        with tenant(organisation), connection.cursor() as cursor:
            cursor.execute(sql, [organisation.pk, after, AT_ONCE])
            found = [row[0] for row in cursor]
        if found:
            yield found
        if len(found) < AT_ONCE:
            return
        after = found[-1]
