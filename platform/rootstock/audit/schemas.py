"""What the REST API of the audit trail takes and answers with."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord, HumanAction
from rootstock.audit.selectors import Chain, Proof, reason_of
from rootstock.audit.verify import Verdict
from rootstock.audit.words import Who, action_words
from rootstock.jobs.schemas import JobOut


class ActorOut(Schema):
    """Who acted. `name` is looked up now; it is no part of the trail."""

    kind: str
    id: str
    name: str


class EntryOut(Schema):
    """One thing that was done."""

    id: UUID
    at: datetime
    actor: ActorOut
    action: str
    words: str
    object_type: str
    object_id: str
    data: dict[str, Any]
    request_id: str
    digest: str


class ProofOut(Schema):
    """An inclusion proof (RFC 9162): `path` leads from the digest at `index` of `count` to `merkle`."""

    digest: str
    sequence: int
    root_hash: str
    merkle: str
    index: int
    count: int
    path: list[str]
    holds: bool
    sealed_at: datetime


class EntryDetailOut(EntryOut):
    """An entry with its proof; null while it waits for its root."""

    proof: ProofOut | None


class ActionOut(Schema):
    """What a person did with a decision. `reason` is null where its words were erased."""

    id: UUID
    action: str
    actor: ActorOut
    reason: str | None
    at: datetime


class DecisionRecordOut(Schema):
    """One decision of a model or a rule. Input and text appear as keyed hashes only."""

    id: UUID
    kind: str
    vertical: str
    subject_type: str
    subject_id: str
    input_hash: str
    model: str
    model_digest: str
    adapter: str
    adapter_digest: str
    base: str
    output: dict[str, Any]
    latency_ms: float
    decided_at: datetime
    job_id: UUID | None
    request_id: str
    digest: str


class DecisionDetailOut(DecisionRecordOut):
    """A decision with what people did with it and its proof."""

    actions: list[ActionOut]
    proof: ProofOut | None


class ActionIn(Schema):
    """What you do with a decision. A reason is needed unless you confirm; name nobody in it."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["confirmed", "overridden", "released"]
    reason: str = Field("", max_length=1000, examples=["The customer called and confirmed the payment"])


class RootOut(Schema):
    """A seal over a batch of rows and over the root before it."""

    sequence: int
    count: int
    merkle: str
    previous: str
    hash: str
    at: datetime


class WitnessOut(Schema):
    """How far the witness outside has been told; `failures` and `error` since it last listened."""

    told: int
    told_at: datetime | None
    untold: int
    failures: int
    error: str
    next_try_at: datetime | None


class ChainOut(Schema):
    """How far the chain has come, and how the last verification ended."""

    last: RootOut | None
    leaves: int
    waiting: int
    oldest_waiting: datetime | None
    verified_at: datetime | None
    verified: dict[str, Any] | None
    witness: WitnessOut | None


class BrokenOut(Schema):
    """The first place where the chain does not hold."""

    fault: str
    what: str
    id: str
    sequence: int | None
    says: str


class VerdictOut(Schema):
    """What a verification found."""

    ok: bool
    roots: int
    leaves: int
    waiting: int
    pruned: int
    last_hash: str
    broken: BrokenOut | None


class VerifyingOut(Schema):
    """A long chain is verified by a job; its result is the verdict."""

    job: JobOut


def entry_out(row: AuditEntry, names: dict[Who, str]) -> EntryOut:
    """An entry."""
    return EntryOut(**_entry(row, names))


def entry_detail(row: AuditEntry, names: dict[Who, str], proof: Proof | None) -> EntryDetailOut:
    """An entry with its proof."""
    return EntryDetailOut(**_entry(row, names), proof=proof_out(proof))


def decision_out(row: DecisionRecord) -> DecisionRecordOut:
    """A decision."""
    return DecisionRecordOut(**_decision(row))


def decision_detail(row: DecisionRecord, names: dict[Who, str], proof: Proof | None) -> DecisionDetailOut:
    """A decision with its actions and its proof."""
    actions = [action_out(one, names) for one in row.actions.all()]
    return DecisionDetailOut(**_decision(row), actions=actions, proof=proof_out(proof))


def action_out(row: HumanAction, names: dict[Who, str]) -> ActionOut:
    """A human action."""
    return ActionOut(
        id=row.pk,
        action=row.action,
        actor=_actor(row, names),
        reason=reason_of(row),
        at=row.at,
    )


def proof_out(proof: Proof | None) -> ProofOut | None:
    """A proof."""
    if proof is None:
        return None
    return ProofOut(
        digest=proof.digest.hex(),
        sequence=proof.sequence,
        root_hash=proof.root_hash.hex(),
        merkle=proof.merkle.hex(),
        index=proof.index,
        count=proof.count,
        path=[one.hex() for one in proof.path],
        holds=proof.holds,
        sealed_at=proof.sealed_at,
    )


def root_out(row: AuditRoot) -> RootOut:
    """A root."""
    hashes = {name: bytes(getattr(row, name)).hex() for name in ("merkle", "previous", "hash")}
    return RootOut(sequence=row.sequence, count=row.count, at=row.at, **hashes)


def chain_out(chain: Chain) -> ChainOut:
    """The chain."""
    return ChainOut(
        last=root_out(chain.last) if chain.last else None,
        leaves=chain.leaves,
        waiting=chain.waiting,
        oldest_waiting=chain.oldest_waiting,
        verified_at=chain.verified.at if chain.verified else None,
        verified=chain.verified.data if chain.verified else None,
        witness=_witness(chain),
    )


def _witness(chain: Chain) -> WitnessOut | None:
    if (state := chain.witness) is None:
        return None
    plain = {name: getattr(state, name) for name in ("told", "told_at", "failures", "error")}
    return WitnessOut(untold=chain.untold, next_try_at=state.due_at, **plain)


def verdict_out(verdict: Verdict) -> VerdictOut:
    """A verdict."""
    return VerdictOut.model_validate(verdict.as_dict())


def _entry(row: AuditEntry, names: dict[Who, str]) -> dict[str, Any]:
    plain = ("at", "action", "object_type", "object_id", "data", "request_id")
    return {name: getattr(row, name) for name in plain} | {
        "id": row.pk,
        "actor": _actor(row, names),
        "words": action_words(row.action),
        "digest": bytes(row.digest).hex(),
    }


def _decision(row: DecisionRecord) -> dict[str, Any]:
    hashed = {"input_hash", "digest"}
    plain = {name: getattr(row, name) for name in DecisionRecordOut.model_fields if name not in hashed}
    return plain | {name: bytes(getattr(row, name)).hex() for name in hashed}


def _actor(row: AuditEntry | HumanAction, names: dict[Who, str]) -> ActorOut:
    return ActorOut(kind=row.actor_kind, id=row.actor_id, name=names[row.actor_kind, row.actor_id])
