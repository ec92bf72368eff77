"""Writes: store payments in the order of their arrival, score them, and write each decision once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.fraud.evidence import decision_facts
from apps.fraud.models import ACCOUNT, Decision, IngestCounter, Transaction
from apps.fraud.payload import key_of, payloads_of
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, DomainError, FieldProblem, InvalidInput
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.lanes import client
from rootstock.privacy.subjects import subjects_ensure
from rootstock.webhooks.services import events_emit

LANE = "fraud.score"
BATCH_KIND = "fraud.score_batch"
_EVENTS = {"review": "fraud.payment_review", "decline": "fraud.payment_declined"}
SECONDS_EACH = 0.01
"""Added to the lane's deadline for each payment of a list."""
_CONTENT = ("payer", "payee", "amount", "currency", "channel", "occurred_at")


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


@dataclass(slots=True, frozen=True)
class Batch:
    """What became of a batch: its job, and how many payments were new and how many known."""

    job: Job
    accepted: int
    known: int


@dataclass(slots=True, frozen=True)
class Stored:
    """Rows in the order given, those of them without a decision, and how many are new."""

    rows: list[Transaction]
    waiting: list[Transaction]
    new: int


Field = Callable[[int, str], str]


def listed(index: int, name: str) -> str:
    """Path of a field in a list of transactions."""
    return f"transactions.{index}.{name}"


def alone(index: int, name: str) -> str:
    """Path of a field of a single transaction."""
    return name


def transactions_score(
    *,
    organisation: Organisation,
    given: Sequence[NewTransaction],
    field: Field = listed,
) -> list[Transaction]:
    """Store and score payments; sent again, they come back with the decision they have.

    Raises Conflict for a known external id with other content. When no worker answers, the payments stay stored, and
    sending them again scores them in their old place.
    """
    with tenant(organisation):
        counter = _counter_lock(organisation)
        stored = _store(counter, given, field)
    waiting = sorted(stored.waiting, key=lambda row: row.sequence)
    if waiting:
        started = time.monotonic()
        deadline = settings.LANES[LANE].deadline_s + SECONDS_EACH * len(waiting)
        results = client.call(LANE, payloads_of(waiting), organisation=organisation, deadline_s=deadline)
        latency = (time.monotonic() - started) * 1000
        decisions_write(organisation=organisation.pk, rows=waiting, results=results, latency_ms=latency)
    return _in_order(organisation, [row.pk for row in stored.rows])


def batch_submit(
    *,
    organisation: Organisation,
    given: Sequence[NewTransaction],
    created_by: User | None = None,
) -> Batch:
    """Store payments and start the job that scores those without a decision."""
    with tenant(organisation):
        counter = _counter_lock(organisation)
        stored = _store(counter, given, listed)
        known = len(stored.rows) - stored.new
        waiting = sorted(row.sequence for row in stored.waiting)
        params = {"ranges": _ranges(waiting)}
        job = job_create(
            organisation=organisation,
            kind=BATCH_KIND,
            params=params,
            total=len(waiting),
            created_by=created_by,
        )
        audit_record(
            organisation=organisation,
            action="payments.submitted",
            object_type="job",
            object_id=job.pk,
            data={"new": stored.new, "known": known},
        )
    return Batch(job, stored.new, known)


def decisions_write(
    *,
    organisation: UUID,
    rows: Sequence[Transaction],
    results: Sequence[dict[str, Any]],
    latency_ms: float,
    job_id: UUID | None = None,
) -> None:
    """Write the decisions of payments that have none yet, and their records; a second writer changes nothing."""
    decisions = [
        Decision(
            organisation_id=organisation,
            transaction=row,
            sequence=row.sequence,
            latency_ms=round(latency_ms, 2),
            **{name: result[name] for name in ("score", "outcome", "reasons", "contributions", "model")},
        )
        for row, result in zip(rows, results, strict=True)
    ]
    with tenant(organisation):
        Decision.objects.bulk_create(decisions, ignore_conflicts=True)
        ours = Decision.objects.filter(pk__in=[one.pk for one in decisions]).values_list("pk", flat=True)
        written = set(ours)
        records = [
            decision_facts(one, result)
            for one, result in zip(decisions, results, strict=True)
            if one.pk in written
        ]
        decisions_record(organisation=organisation, records=records, job_id=job_id)
        _tell(organisation, [one for one in decisions if one.pk in written])


def _tell(organisation: UUID, decisions: Sequence[Decision]) -> None:
    """Webhooks for decisions that somebody may have to act on."""
    for outcome, type in _EVENTS.items():
        flagged = [one for one in decisions if one.outcome == outcome]
        data = [{"transaction": str(one.transaction_id), "sequence": one.sequence} for one in flagged]
        events_emit(organisation=organisation, type=type, data=data)


def _counter_lock(organisation: Organisation) -> IngestCounter:
    """One writer of an organisation at a time, until its transaction commits."""
    locked = IngestCounter.objects.select_for_update().filter(organisation=organisation)
    if (counter := locked.first()) is None:
        IngestCounter.objects.bulk_create([IngestCounter(organisation=organisation)], ignore_conflicts=True)
        counter = locked.get()
    return counter


def _store(counter: IngestCounter, given: Sequence[NewTransaction], field: Field) -> Stored:
    """Rows of the payments, known or new."""
    _refuse_repeats(given, field)
    ids = [one.external_id for one in given]
    found = Transaction.objects.select_related("decision").filter(external_id__in=ids)
    known = {row.external_id: row for row in found}
    _refuse_changes(given, known, field)
    undecided = [row for row in known.values() if not hasattr(row, "decision")]
    fresh = [one for one in given if one.external_id not in known]
    made = _create(counter, fresh) if fresh else []
    known |= {row.external_id: row for row in made}
    return Stored([known[one] for one in ids], undecided + made, len(made))


def _create(counter: IngestCounter, fresh: Sequence[NewTransaction]) -> list[Transaction]:
    organisation = counter.organisation_id
    accounts = [account for one in fresh for account in (one.payer, one.payee)]
    subjects = subjects_ensure(organisation, ACCOUNT, accounts)
    keys = {account: key_of(bytes(subject.reference_index or b"")) for account, subject in subjects.items()}
    rows = [
        Transaction(
            organisation_id=organisation,
            sequence=counter.last + place,
            payer_subject=subjects[one.payer],
            payee_subject=subjects[one.payee],
            payer_key=keys[one.payer],
            payee_key=keys[one.payee],
            **asdict(one),
        )
        for place, one in enumerate(fresh, start=1)
    ]
    IngestCounter.objects.filter(pk=counter.pk).update(last=counter.last + len(rows))
    return Transaction.objects.bulk_create(rows, batch_size=2000)


def _refuse_repeats(given: Sequence[NewTransaction], field: Field) -> None:
    first: dict[str, int] = {}
    for index, one in enumerate(given):
        if first.setdefault(one.external_id, index) != index:
            raise InvalidInput.field(field(index, "external_id"), "appears twice in this request")


def _refuse_changes(given: Sequence[NewTransaction], known: dict[str, Transaction], field: Field) -> None:
    problems = [
        FieldProblem(field(index, name), "differs from the payment stored under this external_id")
        for index, one in enumerate(given)
        if one.external_id in known
        for name in _CONTENT
        if getattr(one, name) != getattr(known[one.external_id], name)
    ]
    if problems:
        raise Conflict(f"{problems[0].field}: {problems[0].reason}", errors=problems[:50])


def _ranges(sequences: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as [first, last] runs."""
    runs: list[list[int]] = []
    for number in sequences:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _in_order(organisation: Organisation, ids: Sequence[UUID]) -> list[Transaction]:
    with tenant(organisation):
        found = Transaction.objects.select_related("decision").in_bulk(ids)
    return [found[one] for one in ids]


def first_error(results: Sequence[dict[str, Any] | DomainError]) -> DomainError | None:
    """The first error among lane results."""
    return next((result for result in results if isinstance(result, DomainError)), None)
