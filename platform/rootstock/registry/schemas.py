"""An adapter as it is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from rootstock.accounts.models import Organisation
from rootstock.registry.approvals import Approval, approvals_of
from rootstock.registry.models import AdapterVersion


class ApprovalOut(Schema):
    """The last promotion of a version that a second person agreed to: who, as kind and id (`person:7`, `key:…`) and by
    name, of a key with whoever made it."""

    alias: str
    requested_by: str
    requester: str
    approved_by: str
    approver: str
    approved_at: datetime
    because: str


class AdapterOut(Schema):
    """An adapter version, where it comes from, and who agreed to it. `dataset_erased_at`: it was trained on a data set
    that held a person erased since."""

    id: UUID
    reference: str
    name: str
    digest: str
    base_fingerprint: str = Field(alias="base.fingerprint")
    card: dict[str, Any] = Field(
        description="What its files say, and what people add: `purpose`, `limits`, `licence`, and by their agreement "
        "`approver` and `approved_at`, empty until then"
    )
    bytes: int
    parent: str | None = Field(
        None, alias="parent.reference", description="The version it was trained on from"
    )
    job_id: UUID | None
    dataset_id: UUID | None
    dataset_sha256: str | None = Field(None, alias="dataset.sha256")
    dataset_erased_at: datetime | None = Field(None, alias="dataset.erased_at")
    origin: str
    keep: str
    created_by: str = Field(description="person:, key:, client:, schedule: or system:, and its id")
    created_at: datetime
    approval: ApprovalOut | None = None
    retired_at: datetime | None
    retired_because: str


def adapters_out(
    organisation: Organisation | UUID, versions: Sequence[AdapterVersion]
) -> dict[UUID, AdapterOut]:
    """Versions as they are told, by their keys."""
    approvals = approvals_of(organisation=organisation, versions=versions)
    return {version.pk: _told(version, approvals.get(version.pk)) for version in versions}


def adapter_out(version: AdapterVersion) -> AdapterOut:
    """One of them."""
    return adapters_out(version.organisation_id, [version])[version.pk]


def _told(version: AdapterVersion, approval: Approval | None) -> AdapterOut:
    told = AdapterOut.from_orm(version)
    told.approval = ApprovalOut.from_orm(approval) if approval else None
    agreed = {
        "approver": approval.approver if approval else "",
        "approved_at": approval.approved_at if approval else None,
    }
    told.card = version.card | agreed
    return told
