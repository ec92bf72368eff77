"""Rotation of the master key: wrap whatever it wraps anew, while everything goes on.

What that is stands in `settings.MASTER_KEY_WRAPPERS`: keys of persons and of indexes, and the secrets that other
parts keep. No person's data is decrypted. A key carries the id of its master key in its own row, so a reader
always finds the two that belong together. Stopped anywhere, the next run goes on with what is left.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.privacy import keyring
from rootstock.privacy.models import IndexKey, SubjectKey
from rootstock.privacy.wrapping import Wrapper, counted

BATCH = 500
Key = TypeVar("Key", IndexKey, SubjectKey)


@dataclass(slots=True, frozen=True)
class MasterKeyStatus:
    """A master key: whether it is among this process's, whether it wraps, and how much it still wraps."""

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


def missing(organisation: Organisation | None = None) -> list[MasterKeyStatus]:
    """Master keys that wrap something and are not among this process's."""
    return [key for key in status(organisation) if key.in_use and not key.present]


def rewrap_all(say: Callable[[str], object] = lambda line: None) -> int:
    """Wrap whatever another master key wraps under the active one, in every organisation.

    What a key wraps that is not here (`missing`) stays as it is: it holds up nothing else, and the key may come back.
    """
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
    with tenant(organisation):
        return sum(wrapper.rewrap(BATCH) for wrapper in _wrappers())


def _in_use(organisation: UUID) -> Counter[str]:
    with tenant(organisation):
        return sum((wrapper.in_use() for wrapper in _wrappers()), Counter())


def _wrappers() -> list[Wrapper]:
    return [import_string(path) for path in settings.MASTER_KEY_WRAPPERS]


def _subjects() -> QuerySet[SubjectKey]:
    return SubjectKey.objects.filter(destroyed_at=None)


def _index_keys_rewrap(most: int) -> int:
    return _keys_rewrap(IndexKey, IndexKey.objects.all(), most)


def _subject_keys_rewrap(most: int) -> int:
    return _keys_rewrap(SubjectKey, _subjects(), most)


def _keys_rewrap(kind: type[Key], keys: QuerySet[Key], most: int) -> int:
    waiting = keys.select_for_update(no_key=True).filter(master_key__in=keyring.retired())
    rows = list(waiting.order_by("pk")[:most])
    for row in rows:
        secret = keyring.unwrap(bytes(row.wrapped), row.master_key, row.binding())
        row.wrapped, row.master_key = keyring.wrap(secret, row.binding())
    kind._default_manager.bulk_update(rows, ["wrapped", "master_key"])
    return len(rows)


INDEX_KEYS = Wrapper(lambda: counted(IndexKey.objects.all(), "master_key"), _index_keys_rewrap)
SUBJECT_KEYS = Wrapper(lambda: counted(_subjects(), "master_key"), _subject_keys_rewrap)
