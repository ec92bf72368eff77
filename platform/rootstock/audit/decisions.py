"""Records of what models and rules decide, written by the verticals in the transaction of the decision itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import canonical, leaf_digest, plain
from rootstock.audit.keys import keyed_hash
from rootstock.audit.models import DecisionRecord
from rootstock.middleware import request_id


@dataclass(slots=True, frozen=True)
class DecisionFacts:
    """One decision.

    `input` is what the model was given (hashed under the organisation's key; not stored) or, where another process
    saw it, that hash already made by `input_hash`. `output` holds labels, scores and outcomes; text that was
    written goes into `text` and is stored as its keyed hash and length.
    """

    kind: str  # "fraud.score"
    subject_type: str
    subject_id: object
    input: Mapping[str, Any] | Sequence[Any] | bytes
    model: str
    latency_ms: float
    output: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    model_digest: str = ""
    adapter: str = ""  # `name@digest`
    adapter_digest: str = ""
    base: str = ""  # the base model's fingerprint
    decided_at: datetime | None = None


def input_hash(organisation: Organisation | UUID, given: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """The keyed hash of a model's input, as a decision record holds it."""
    owner = organisation if isinstance(organisation, UUID) else organisation.pk
    return keyed_hash(owner, canonical(given))


def decisions_record(
    *,
    organisation: Organisation | UUID,
    records: Sequence[DecisionFacts],
    job_id: UUID | None = None,
) -> list[DecisionRecord]:
    """Write the records of several decisions at once. Call it in the transaction that writes the decisions."""
    with tenant(organisation) as owner:
        now, asked = timezone.now(), request_id.get()
        rows = [_row(owner, facts, now, job_id, asked) for facts in records]
        for row in rows:
            row.digest = leaf_digest(row)
        return DecisionRecord.objects.bulk_create(rows, batch_size=1000)


def _row(
    organisation: UUID, facts: DecisionFacts, now: datetime, job_id: UUID | None, asked: str
) -> DecisionRecord:
    given = facts.input if isinstance(facts.input, bytes) else input_hash(organisation, facts.input)
    return DecisionRecord(
        organisation_id=organisation,
        kind=facts.kind,
        subject_type=facts.subject_type,
        subject_id=str(facts.subject_id),
        input_hash=given,
        model=facts.model,
        model_digest=facts.model_digest,
        adapter=facts.adapter,
        adapter_digest=facts.adapter_digest or facts.adapter.partition("@")[2],
        base=facts.base,
        output=_output(organisation, facts),
        latency_ms=round(facts.latency_ms, 2),
        decided_at=facts.decided_at or now,
        job_id=job_id,
        request_id=asked,
    )


def _output(organisation: UUID, facts: DecisionFacts) -> dict[str, Any]:
    output: dict[str, Any] = plain(dict(facts.output))
    if facts.text is not None:
        output["text_hash"] = keyed_hash(organisation, facts.text.encode()).hex()
        output["text_length"] = len(facts.text)
    return output
