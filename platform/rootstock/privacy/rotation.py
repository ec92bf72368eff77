"""Rotation of the master key: wrap every key of persons and of indexes anew, while everything goes on.

Nothing is decrypted but the keys themselves. A key carries the id of its master key in its own row, so a reader
always finds the two that belong together. Stopped anywhere, the next run goes on with what is left.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.privacy import keyring
from rootstock.privacy.models import IndexKey, SubjectKey

BATCH = 500


@dataclass(slots=True, frozen=True)
class MasterKeyStatus:
    """A master key: whether it is among this process's, whether it wraps, and how many keys it still wraps."""

    id: str
    present: bool
    active: bool
    in_use: int


def status(organisation: Organisation | None = None) -> list[MasterKeyStatus]:
    """Of every master key that is configured or in use, in one organisation or in all."""
    counts: Counter[str] = Counter()
    for one in [organisation] if organisation else Organisation.objects.all():
        counts += _in_use(one.pk)
    ring = keyring.ring()
    names = [key.id for key in ring.keys] + sorted(counts.keys() - {key.id for key in ring.keys})
    return [
        MasterKeyStatus(name, ring.get(name) is not None, name == ring.active.id, counts[name])
        for name in names
    ]


def rewrap_all(say: Callable[[str], object] = lambda line: None) -> int:
    """Wrap whatever another master key wraps under the active one, in every organisation."""
    total = 0
    for organisation in Organisation.objects.order_by("pk"):
        done = rewrap(organisation)
        total += done
        if done:
            say(f"{organisation.slug}: {done:,} keys")
    return total


def rewrap(organisation: Organisation) -> int:
    """The same for one organisation."""
    done = 0
    while count := _rewrap_batch(organisation.pk):
        done += count
    if done:
        audit_record(
            organisation=organisation,
            action="master_key.rotated",
            object_type="master_key",
            object_id=keyring.ring().active.id,
            data={"keys": done},
        )
    return done


def _rewrap_batch(organisation: UUID) -> int:
    active = keyring.ring().active.id
    with tenant(organisation):
        indexes = list(IndexKey.objects.select_for_update().exclude(master_key=active))
        waiting = SubjectKey.objects.select_for_update().filter(destroyed_at=None).exclude(master_key=active)
        subjects = list(waiting.order_by("pk")[:BATCH])
        rows: list[IndexKey | SubjectKey] = [*indexes, *subjects]
        for row in rows:
            secret = keyring.unwrap(bytes(row.wrapped), row.master_key, row.binding())
            row.wrapped, row.master_key = keyring.wrap(secret, row.binding())
        IndexKey.objects.bulk_update(indexes, ["wrapped", "master_key"])
        SubjectKey.objects.bulk_update(subjects, ["wrapped", "master_key"])
    return len(indexes) + len(subjects)


def _in_use(organisation: UUID) -> Counter[str]:
    found: Counter[str] = Counter()
    with tenant(organisation):
        live: tuple[QuerySet[Any], ...] = (
            IndexKey.objects.all(),
            SubjectKey.objects.filter(destroyed_at=None),
        )
        for rows in live:
            counted = rows.order_by().values_list("master_key").annotate(count=Count("pk"))
            found.update(dict(counted))
    return found
