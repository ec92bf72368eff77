"""An adapter as it is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from rootstock.accounts.models import Organisation
from rootstock.registry.models import AdapterVersion
from rootstock.registry.version_selectors import approvals_of


class ApprovalOut(Schema):
    """The last promotion of a version that a second person agreed to. Who, as kind and id: `person:7`, `key:…`."""

    alias: str
    requested_by: str
    approved_by: str = Field(alias="decided_by")
    approved_at: datetime = Field(alias="decided_at")
    because: str


class AdapterOut(Schema):
    """An adapter version, where it comes from, and who agreed to it. `dataset_erased_at`: it was trained on a data set
    that held a person erased since."""

    id: UUID
    reference: str
    name: str
    digest: str
    base_fingerprint: str = Field(alias="base.fingerprint")
    card: dict[str, Any]
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
    created_by: str = Field(description="person:, key:, client: or system:, and its id")
    created_at: datetime
    approval: ApprovalOut | None = None
    retired_at: datetime | None
    retired_because: str


def adapters_out(
    organisation: Organisation | UUID, versions: Sequence[AdapterVersion]
) -> dict[UUID, AdapterOut]:
    """Versions as they are told, by their keys."""
    approvals = approvals_of(organisation=organisation, versions=versions)
    found = {version.pk: AdapterOut.from_orm(version) for version in versions}
    for key, promotion in approvals.items():
        found[key].approval = ApprovalOut.from_orm(promotion)
    return found


def adapter_out(version: AdapterVersion) -> AdapterOut:
    """One of them."""
    return adapters_out(version.organisation_id, [version])[version.pk]
