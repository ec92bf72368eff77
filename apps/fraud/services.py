"""Writes: store payments in the order of their arrival, score them, and write each decision once."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.fraud.evidence import decision_facts
from apps.fraud.ingest import Field, NewTransaction, Stored, counter_lock, listed, payments_store
from apps.fraud.models import Decision, Transaction
from apps.fraud.payload import payloads_of
from apps.fraud.selectors import shown
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.decisions import decisions_record
from rootstock.audit.services import audit_record
from rootstock.bulk import rows_insert
from rootstock.errors import DomainError
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.lanes import client
from rootstock.webhooks.services import events_emit

LANE = "fraud.score"
BATCH_KIND = "fraud.score_batch"
_EVENTS = {"review": "fraud.payment_review", "decline": "fraud.payment_declined"}
_DECIDED = (
    "score", "probability", "outcome", "by", "reasons", "contributions", "surprise", "model",
    "model_digest", "rules", "rule_score", "shadow",
)  # fmt: skip
SECONDS_EACH = 0.03
"""Added to the lane's deadline for each payment of a list: in a flood, late decisions are worth more than a 504."""


@dataclass(slots=True, frozen=True)
class Batch:
    """What became of a batch: its job, and how many payments were new and how many known."""

    job: Job
    accepted: int
    known: int


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
        stored = payments_store(counter_lock(organisation), given, field)
    return stored_score(organisation=organisation, stored=stored)


def stored_score(
    *, organisation: Organisation, stored: Stored, labelled: Collection[UUID] = ()
) -> list[Transaction]:
    """Score what is stored and was not decided; `labelled` were given a label since they were stored."""
    waiting = sorted(stored.waiting, key=lambda row: row.sequence)
    if waiting:
        started = time.monotonic()
        deadline = settings.LANES[LANE].deadline_s + SECONDS_EACH * len(waiting)
        results = client.call(LANE, payloads_of(waiting), organisation=organisation, deadline_s=deadline)
        latency = (time.monotonic() - started) * 1000
        ours = decisions_write(
            organisation=organisation.pk, rows=waiting, results=results, latency_ms=latency
        )
        whole = {row.pk: row for row in stored.made if row.decision.pk in ours and row.pk not in labelled}
    else:
        whole = {}
    return _completed(organisation, stored.rows, whole)


def batch_submit(
    *,
    organisation: Organisation,
    given: Sequence[NewTransaction],
    created_by: User | None = None,
) -> Batch:
    """Store payments and start the job that scores those without a decision."""
    with tenant(organisation):
        counter = counter_lock(organisation)
        stored = payments_store(counter, given, listed)
        known = len(stored.rows) - stored.new
        waiting = sorted(row.sequence for row in stored.waiting)
        params = {"ranges": ranges_of(waiting)}
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
) -> set[UUID]:
    """Write the decisions of payments that have none yet, and their records; a second writer changes nothing.

    `latency_ms` is what deciding on all of `rows` together took. Returns the keys of those that were written.
    """
    decisions = [
        Decision(
            organisation_id=organisation,
            transaction=row,
            sequence=row.sequence,
            latency_ms=round(latency_ms, 2),
            batch_size=len(rows),
            **{name: result[name] for name in _DECIDED},
        )
        for row, result in zip(rows, results, strict=True)
    ]
    with tenant(organisation):
        written: set[UUID] = rows_insert(decisions, ignore_conflicts=True)
        records = [decision_facts(one) for one in decisions if one.pk in written]
        decisions_record(organisation=organisation, records=records, job_id=job_id)
        _tell(organisation, [one for one in decisions if one.pk in written])
    return written


def _tell(organisation: UUID, decisions: Sequence[Decision]) -> None:
    """Webhooks for decisions that somebody may have to act on."""
    for outcome, type in _EVENTS.items():
        data = [alert(one) for one in decisions if one.outcome == outcome]
        events_emit(organisation=organisation, type=type, data=data)


def alert(decision: Decision) -> dict[str, Any]:
    """What a webhook says of a decision that asks for attention: ids, and by whom and by which codes."""
    rules = [one for one in decision.reasons if one["source"] == "rule"]
    return {
        "transaction": str(decision.transaction_id),
        "decision": str(decision.pk),
        "sequence": decision.sequence,
        "outcome": decision.outcome,
        "by": decision.by,
        "reasons": [one["code"] for one in decision.reasons],
        "typologies": sorted({one["typology"] for one in rules}),
        "model": decision.model,
        "rules": decision.rules,
    }


def ranges_of(sequences: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as [first, last] runs."""
    runs: list[list[int]] = []
    for number in sequences:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _completed(
    organisation: Organisation, rows: Sequence[Transaction], whole: dict[UUID, Transaction]
) -> list[Transaction]:
    """The payments with what is told of them. What came and was decided just now is known here, without a label."""
    for row in whole.values():
        row._prefetched_objects_cache = {"labels": []}  # type: ignore[attr-defined]
    missing = [row.pk for row in rows if row.pk not in whole]
    if missing:
        with tenant(organisation):
            whole = whole | shown(Transaction.objects.all()).in_bulk(missing)
    return [whole[row.pk] for row in rows]


def first_error(results: Sequence[dict[str, Any] | DomainError]) -> DomainError | None:
    """The first error among lane results."""
    return next((result for result in results if isinstance(result, DomainError)), None)
