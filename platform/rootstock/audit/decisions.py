"""Records of what models and rules decide, written by the verticals in the transaction of the decision itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.canonical import canonical, plain, text_of
from rootstock.audit.keys import hash_under, keyed_hash, organisation_key
from rootstock.audit.models import DecisionRecord
from rootstock.ids import uuid7
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
) -> list[UUID]:
    """Write the records of several decisions at once; returns their ids. Call it in the decisions' transaction."""
    if not records:
        return []
    with tenant(organisation) as owner:
        key, now, asked = organisation_key(owner), timezone.now(), request_id.get()
        rows = [_row(owner, key, facts, now, job_id, asked) for facts in records]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [b"\n".join(canonical(row) for row in rows).decode()])
        return [UUID(row["id"]) for row in rows]


# One statement, and no model instances: bulk scoring writes hundreds of these a second. What is hashed is the very
# text that is stored, a line each (JSON escapes line ends); `canonical.leaf_digest` makes the same of the row when
# it is read (a test compares them).
_COLUMNS = {
    "id": "uuid",
    "organisation_id": "uuid",
    "kind": "text",
    "subject_type": "text",
    "subject_id": "text",
    "input_hash": "text",
    "model": "text",
    "model_digest": "text",
    "adapter": "text",
    "adapter_digest": "text",
    "base": "text",
    "output": "jsonb",
    "latency_ms": "float8",
    "decided_at": "timestamptz",
    "job_id": "uuid",
    "request_id": "text",
}
_INSERT = f"""
INSERT INTO audit_decisionrecord ({", ".join(_COLUMNS)}, digest)
SELECT {", ".join("decode(input_hash, 'hex')" if name == "input_hash" else name for name in _COLUMNS)},
       sha256(convert_to(line, 'UTF8'))
FROM string_to_table(%s, E'\\n') AS line,
     jsonb_to_record(line::jsonb) AS given ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
"""


def _row(
    organisation: UUID, key: bytes, facts: DecisionFacts, now: datetime, job_id: UUID | None, asked: str
) -> dict[str, Any]:
    given = facts.input if isinstance(facts.input, bytes) else hash_under(key, canonical(facts.input))
    return {
        "leaf": DecisionRecord.LEAF,
        "id": str(uuid7()),
        "organisation_id": str(organisation),
        "kind": facts.kind,
        "subject_type": facts.subject_type,
        "subject_id": str(facts.subject_id),
        "input_hash": given.hex(),
        "model": facts.model,
        "model_digest": facts.model_digest,
        "adapter": facts.adapter,
        "adapter_digest": facts.adapter_digest or facts.adapter.partition("@")[2],
        "base": facts.base,
        "output": _output(key, facts),
        "latency_ms": round(float(facts.latency_ms), 2),
        "decided_at": text_of(facts.decided_at or now),
        "job_id": str(job_id) if job_id else None,
        "request_id": asked,
    }


def _output(key: bytes, facts: DecisionFacts) -> dict[str, Any]:
    output: dict[str, Any] = plain(dict(facts.output))
    if facts.text is not None:
        output["text_hash"] = hash_under(key, facts.text.encode()).hex()
        output["text_length"] = len(facts.text)
    return output
