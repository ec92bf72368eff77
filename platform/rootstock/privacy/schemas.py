"""Bodies of the privacy API."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from rootstock.privacy.holdings import Expiring
from rootstock.privacy.models import PrivacyRequest, RetentionRule
from rootstock.privacy.selectors import Subject

Grounds = Literal["person_asked", "consent_withdrawn", "no_longer_needed", "unlawful", "authority"]


class SearchIn(Schema):
    """Whom to look for. It travels in the body, because addresses are logged."""

    model_config = ConfigDict(extra="forbid")
    reference: str = Field(min_length=1, max_length=400, examples=["DE89370400440532013000"])
    type: str = Field("", examples=["fraud.account"])


class HeldOut(Schema):
    """How many rows of one kind are held."""

    kind: str
    label: str
    count: int


class SubjectOut(Schema):
    """A person: `kept`, under a legal hold (`held`) or `erased`."""

    id: UUID
    type: str
    label: str
    state: Literal["kept", "held", "erased"]
    created_at: datetime
    erased_at: datetime | None
    held: list[HeldOut]


class ReasonIn(Schema):
    """Why; stored encrypted under the person's key."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class RequestIn(Schema):
    """A request about one person."""

    model_config = ConfigDict(extra="forbid")
    subject_id: UUID
    action: Literal["export", "erase"]
    ground: Grounds
    note: str = Field("", max_length=1000, description="Stored encrypted under the person's key")


class RequestOut(Schema):
    """A request and how far it has come."""

    id: UUID
    subject_id: UUID
    subject_type: str
    action: str
    ground: str
    state: str
    requested_by: str
    decided_by: str
    created_at: datetime
    decided_at: datetime | None
    finished_at: datetime | None
    job_id: UUID | None
    certificate_id: UUID | None
    archive_bytes: int | None
    archive_sha256: str
    expires_at: datetime | None


class RuleIn(Schema):
    """For how many days a kind of data is kept; null keeps it for good."""

    model_config = ConfigDict(extra="forbid")
    days: int | None = Field(examples=[730])


class RuleOut(Schema):
    """A kind of data with its rule. `in_use`: there is a rule, or data of the kind."""

    kind: str
    label: str
    counted_from: str
    in_use: bool
    days: int | None
    enforced_at: datetime | None
    deleted: int


class SettingsIn(Schema):
    """How requests are handled."""

    model_config = ConfigDict(extra="forbid")
    four_eyes: bool
    archive_days: int = Field(ge=1, le=90)


class SettingsOut(Schema):
    """How requests are handled."""

    four_eyes: bool
    archive_days: int


class MasterKeyOut(Schema):
    """A master key and how many of the organisation's keys it wraps."""

    id: str
    present: bool
    active: bool
    in_use: int


class CertificateOut(Schema):
    """A certificate as it is handed out."""

    document: dict[str, Any]
    signature: str
    public_key: str
    algorithm: str


def subject_out(found: Subject) -> SubjectOut:
    """A person for the wire."""
    return SubjectOut(
        id=found.key.pk,
        type=found.key.type,
        label=found.type.label,
        state=found.state,  # type: ignore[arg-type]
        created_at=found.key.created_at,
        erased_at=found.key.destroyed_at,
        held=[HeldOut(kind=one.kind, label=one.label, count=one.count) for one in found.held],
    )


def request_out(row: PrivacyRequest) -> RequestOut:
    """A request for the wire."""
    shown = {name: getattr(row, name) for name in RequestOut.model_fields if hasattr(row, name)}
    certificate = getattr(row, "certificate", None)
    return RequestOut(
        **shown, subject_type=row.subject.type, certificate_id=certificate.pk if certificate else None
    )


def rule_out(kind: Expiring, rule: RetentionRule | None, in_use: set[str]) -> RuleOut:
    """A rule for the wire."""
    return RuleOut(
        kind=kind.name,
        label=kind.label,
        counted_from=kind.counted_from,
        in_use=kind.name in in_use,
        days=rule.days if rule else None,
        enforced_at=rule.enforced_at if rule else None,
        deleted=rule.deleted if rule else 0,
    )
