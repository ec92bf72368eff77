"""Writes and reads of list entries: sealed for people, keyed hashes for the decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from apps.fraud import iban
from apps.fraud.models import ACCOUNT
from apps.fraud.payload import DEVICE, MERCHANT, account_key, keys_of
from apps.fraud.rules.lists import ALLOW, PAIR, WATCH
from apps.fraud.rules.models import LISTED, ListEntry
from apps.fraud.rules.versions import in_force_locked
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.ids import uuid7
from rootstock.paging import take_page
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.persons import name_of
from rootstock.privacy.subjects import subject_ensure, subjects_ensure
from rootstock.webhooks.services import event_emit

CHANGED = "fraud.list_changed"
MOST = 20_000
LONGEST_ALLOWED = timedelta(days=366)
"""Entries that an organisation may have at a time: workers hold their keys in memory."""


@dataclass(slots=True, frozen=True)
class NewEntry:
    """An entry as a caller sent it, valid in itself; `other` is the payee of a pair."""

    effect: str
    kind: str
    value: str
    reason: str
    other: str | None = None
    channel: str = ""
    expires_at: datetime | None = None


def entry_add(*, organisation: Organisation, given: NewEntry) -> ListEntry:
    """Put somebody or something on a list. Raises InvalidInput, and Conflict where it stands there already, or the
    lists are full."""
    _refuse_unfit(given)
    key, other_key = _keys(organisation, given.kind, given.value, given.other)
    with tenant(organisation) as owner:
        row = in_force_locked(organisation)
        _end_expired(row.lists + 1)
        if ListEntry.objects.filter(ended_in=None)[:MOST].count() >= MOST:
            raise Conflict(f"the lists hold {MOST:,} entries, which is the limit: end some first")
        subject, other_subject = _subjects(owner, given)
        entry = ListEntry(
            organisation_id=owner, effect=given.effect, kind=given.kind, subject=subject, value=given.value,
            other_subject=other_subject, other=given.other, reason=given.reason, key=key, other_key=other_key,
            channel=given.channel, expires_at=given.expires_at, added_in=row.lists + 1, added_by=name_of(),
        )  # fmt: skip
        try:
            with transaction.atomic():
                entry.save(force_insert=True)
        except IntegrityError:
            raise Conflict("that is on this list already; end that entry first") from None
        row.lists += 1
        row.save(update_fields=["lists"])
        _tell(entry, "added", row.lists)
    return entry


def entry_end(*, organisation: Organisation, entry_id: UUID) -> ListEntry:
    """Take an entry off its list; it stays to be read. Raises NotFound, and Conflict where it has ended."""
    with tenant(organisation):
        row = in_force_locked(organisation)
        entry = _entry(entry_id)
        if entry.ended_in is not None:
            raise Conflict("the entry has ended already")
        row.lists += 1
        row.save(update_fields=["lists"])
        entry.ended_in, entry.ended_by, entry.ended_at = row.lists, name_of(), timezone.now()
        entry.save(update_fields=["ended_in", "ended_by", "ended_at"])
        _tell(entry, "ended", row.lists)
    return entry


def entry_get(*, organisation: Organisation, entry_id: UUID) -> ListEntry:
    """An entry, ended or not. Raises NotFound."""
    with tenant(organisation):
        return _entry(entry_id)


def entries_page(
    *,
    organisation: Organisation,
    effect: str = "",
    kind: str = "",
    value: str = "",
    ended: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[ListEntry], str | None]:
    """Entries, newest first; `value` finds whom or what it names exactly. What has expired counts as ended."""
    over = Q(ended_in__isnull=False) | Q(expires_at__lte=timezone.now())
    wanted = over if ended else ~over
    wanted &= Q(effect=effect) if effect else Q()
    wanted &= Q(kind=kind) if kind else Q()
    if value:
        known = {_key(organisation, one, value) for one in ("payer", "device", "merchant")}
        wanted &= Q(key__in=known) | Q(other_key__in=known)
    with tenant(organisation):
        return take_page(ListEntry.objects.filter(wanted), cursor=cursor, limit=limit)


def _refuse_unfit(given: NewEntry) -> None:
    """What each field allows by itself has been looked at: this is how they go together."""
    if (given.kind == PAIR) != (given.other is not None):
        raise InvalidInput.field("other", "a pair needs it, and nothing else has it")
    if given.kind == PAIR and given.effect == WATCH:
        raise InvalidInput.field("kind", "a pair cannot be watched")
    if given.kind in ("payer", "payee", PAIR):
        for field, account in (("value", given.value), ("other", given.other or "")):
            _refuse_wrong(field, account)
    if given.expires_at and given.expires_at <= timezone.now():
        raise InvalidInput.field("expires_at", "must lie in the future")
    if given.effect != ALLOW:
        return
    if given.expires_at is None:
        raise InvalidInput.field("expires_at", "an entry to allow has to end")
    if given.expires_at > timezone.now() + LONGEST_ALLOWED:
        raise InvalidInput.field("expires_at", f"an entry to allow ends within {LONGEST_ALLOWED.days} days")


def _refuse_wrong(field: str, account: str) -> None:
    """No payment can name it, so it would stand there in vain."""
    try:
        iban.checked(account)
    except ValueError as error:
        raise InvalidInput.field(field, str(error)) from None


def _entry(entry_id: UUID) -> ListEntry:
    entry = ListEntry.objects.filter(pk=entry_id).first()
    if entry is None:
        raise NotFound("no such entry")
    return entry


def _end_expired(change: int) -> None:
    """What has expired gives its place free; it decided nothing any more."""
    over = ListEntry.objects.filter(ended_in=None, expires_at__lt=timezone.now())
    over.update(ended_in=change, ended_by="system:expiry", ended_at=timezone.now())


def _keys(organisation: Organisation, kind: str, value: str, other: str | None) -> tuple[int, int]:
    if kind != PAIR:
        return _key(organisation, kind, value), 0
    return _key(organisation, "payer", value), _key(organisation, "payee", other or "")


def _key(organisation: Organisation, kind: str, value: str) -> int:
    if kind in ("payer", "payee"):
        return account_key(organisation.pk, value)
    return keys_of(organisation.pk, DEVICE if kind == "device" else MERCHANT, [value])[0]


def _subjects(organisation: UUID, given: NewEntry) -> tuple[SubjectKey, SubjectKey | None]:
    """Whose keys seal it: the accounts' own; that of a device or merchant is the entry's."""
    if given.kind in ("device", "merchant"):
        return subject_ensure(organisation, LISTED, str(uuid7())), None
    accounts: Sequence[str] = [given.value, given.other] if given.other else [given.value]
    keys = subjects_ensure(organisation, ACCOUNT, accounts)
    return keys[given.value], keys[given.other] if given.other else None


def _tell(entry: ListEntry, done: str, change: int) -> None:
    """Into the trail, and to whoever subscribed; of whom it is, nothing."""
    data = {"effect": entry.effect, "kind": entry.kind, "lists": change}
    audit_record(
        organisation=entry.organisation_id,
        action=f"list_entry.{done}",
        object_type="list_entry",
        object_id=entry.pk,
        data=data,
    )
    event_emit(
        organisation=entry.organisation_id, type=CHANGED, data=data | {"entry": str(entry.pk), "change": done}
    )
