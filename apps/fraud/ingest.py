"""Arrival: payments and labels take their numbers from one counter, locked until they are committed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.fraud.models import ACCOUNT, IngestCounter, Transaction
from apps.fraud.payload import DEVICE, MERCHANT, key_of, keys_of, model_time
from rootstock.accounts.models import Organisation
from rootstock.bulk import rows_insert
from rootstock.errors import Conflict, FieldProblem, InvalidInput
from rootstock.privacy.subjects import subjects_ensure

MOST_PROBLEMS = 50
OTHER_CONTENT = "differs from the payment stored under this external_id"
# In words of their own: every request asks these two, and to compose them takes longer than to answer them.
_LOCK = "SELECT * FROM fraud_ingestcounter WHERE organisation_id = %s FOR UPDATE"
_THERE = "SELECT id FROM fraud_transaction WHERE organisation_id = %s AND external_id = ANY(%s)"
_CONTENT = ("payer", "payee", "device", "merchant", "amount", "currency", "channel", "occurred_at")


@dataclass(slots=True, frozen=True)
class NewTransaction:
    """A payment as a caller sent it, valid in itself."""

    external_id: str
    payer: str
    payee: str
    amount: Decimal
    currency: str
    channel: str
    occurred_at: datetime
    device: str | None = None
    merchant: str | None = None


_FIELDS = [field.name for field in fields(NewTransaction)]


@dataclass(slots=True, frozen=True)
class Stored:
    """Rows in the order given, those of them without a decision, and those that are new."""

    rows: list[Transaction]
    waiting: list[Transaction]
    made: list[Transaction]

    @property
    def new(self) -> int:
        """How many are new."""
        return len(self.made)


Field = Callable[[int, str], str]


def listed(index: int, name: str) -> str:
    """Path of a field in a list of transactions."""
    return f"transactions.{index}.{name}"


def alone(index: int, name: str) -> str:
    """Path of a field of a single thing."""
    return name


def counter_lock(organisation: Organisation) -> IngestCounter:
    """One writer of an organisation at a time, until its transaction commits. Call it inside `tenant()`."""
    found = list(IngestCounter.objects.raw(_LOCK, [organisation.pk]))
    if not found:
        IngestCounter.objects.bulk_create([IngestCounter(organisation=organisation)], ignore_conflicts=True)
        found = list(IngestCounter.objects.raw(_LOCK, [organisation.pk]))
    return found[0]


def numbers_take(counter: IngestCounter, count: int) -> range:
    """The next numbers of the locked counter."""
    first = counter.last + 1
    counter.last += count
    counter.save(update_fields=["last", "latest_at"])
    return range(first, counter.last + 1)


def payments_store(counter: IngestCounter, given: Sequence[NewTransaction], field: Field) -> Stored:
    """Rows of the payments, known or new.

    Raises InvalidInput for an external id that appears twice, Conflict for a known one with other content.
    """
    refuse_repeats([one.external_id for one in given], field)
    ids = [one.external_id for one in given]
    known = _known(counter.organisation_id, ids)
    _refuse_changes(given, known, field)
    undecided = [row for row in known.values() if not hasattr(row, "decision")]
    fresh = [one for one in given if one.external_id not in known]
    made = _create(counter, fresh) if fresh else []
    known |= {row.external_id: row for row in made}
    return Stored([known[one] for one in ids], undecided + made, made)


def _known(organisation: UUID, ids: Sequence[str]) -> dict[str, Transaction]:
    """Payments by external id. Most have none of them: that is asked first, and whole rows only where it is so."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE, [organisation, list(ids)])
        there = [row[0] for row in cursor]
    rows = Transaction.objects.select_related("decision").filter(pk__in=there) if there else ()
    return {row.external_id: row for row in rows}


def _create(counter: IngestCounter, fresh: Sequence[NewTransaction]) -> list[Transaction]:
    organisation = counter.organisation_id
    accounts = [account for one in fresh for account in (one.payer, one.payee)]
    subjects = subjects_ensure(organisation, ACCOUNT, accounts)
    keys = {account: key_of(bytes(subject.reference_index or b"")) for account, subject in subjects.items()}
    devices = keys_of(organisation, DEVICE, (one.device for one in fresh))
    merchants = keys_of(organisation, MERCHANT, (one.merchant for one in fresh))
    now = timezone.now()
    late = list(_late_by(counter, fresh, now))
    rows = [
        Transaction(
            organisation_id=organisation,
            sequence=sequence,
            payer_subject=subjects[one.payer],
            payee_subject=subjects[one.payee],
            payer_key=keys[one.payer],
            payee_key=keys[one.payee],
            device_key=device,
            merchant_key=merchant,
            late_by_s=late_by_s,
            received_at=now,
            **{name: getattr(one, name) for name in _FIELDS},
        )
        for sequence, one, device, merchant, late_by_s in zip(
            numbers_take(counter, len(fresh)), fresh, devices, merchants, late, strict=True
        )
    ]
    rows_insert(rows)
    return rows


def _late_by(
    counter: IngestCounter, fresh: Iterable[NewTransaction], now: datetime
) -> Iterator[float | None]:
    """By how many seconds each lies behind the latest that arrived before it; moves the counter's clock on."""
    for one in fresh:
        latest = counter.latest_at
        behind = (latest - one.occurred_at).total_seconds() if latest else 0.0
        yield round(behind, 3) if behind > 0 else None
        if behind <= 0:
            seen = model_time(one.occurred_at, now)
            counter.latest_at = max(latest, seen) if latest else seen


def refuse_repeats(ids: Sequence[str], field: Field) -> None:
    """Raises InvalidInput naming every external id that had come earlier in the same request."""
    first: dict[str, int] = {}
    problems = [
        FieldProblem(field(index, "external_id"), "appears twice in this request")
        for index, one in enumerate(ids)
        if first.setdefault(one, index) != index
    ]
    if problems:
        raise InvalidInput(_told(problems), errors=problems[:MOST_PROBLEMS])


def differing(given: NewTransaction, known: NewTransaction | Transaction) -> list[str]:
    """The fields in which a payment is not the one known by its external id. Answers tell moments in milliseconds, and
    what we answered has to come back as known."""
    found = [name for name in _CONTENT if getattr(given, name) != getattr(known, name)]
    if "occurred_at" in found and _to_ms(given.occurred_at) == _to_ms(known.occurred_at):
        found.remove("occurred_at")
    return found


def _to_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _refuse_changes(given: Sequence[NewTransaction], known: dict[str, Transaction], field: Field) -> None:
    problems = [
        FieldProblem(field(index, name), OTHER_CONTENT)
        for index, one in enumerate(given)
        if one.external_id in known
        for name in differing(one, known[one.external_id])
    ]
    if problems:
        raise Conflict(_told(problems), errors=problems[:MOST_PROBLEMS])


def _told(problems: Sequence[FieldProblem]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0].field}: {problems[0].reason}{more}"
