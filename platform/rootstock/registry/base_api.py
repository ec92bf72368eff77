"""REST: bases."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.registry import trained_bases
from rootstock.registry.models import BaseModel

router = Router(tags=["bases"])


class LineageOut(Schema):
    """How the organisation trained a base. `reference` is what an operator serves it by; `data` are name, SHA-256 and
    examples of each data set; of `metrics`, `lost_by_quantization` is in nats a token."""

    reference: str
    recipe: str
    parent_fingerprint: str = Field(alias="parent.fingerprint")
    job_id: UUID | None
    dataset_id: UUID | None
    data: dict[str, Any]
    settings: dict[str, Any]
    metrics: dict[str, float]
    created_at: datetime


class BaseOut(Schema):
    """A base model. `lineage` has one entry if your organisation trained it."""

    id: UUID
    name: str
    fingerprint: str
    bytes: int
    licence: str
    source: str
    served_at: datetime | None
    lineage: list[LineageOut]


@router.get("/bases", response=list[BaseOut], auth=scope("adapters:read"))
def list_bases(request: ApiRequest) -> list[BaseModel]:
    """Bases that were served here, and those that your organisation trained, newest first."""
    return trained_bases.bases(organisation=request.auth.organisation)


@router.get("/bases/{uuid:base_id}", response=BaseOut, auth=scope("adapters:read"))
def get_base(request: ApiRequest, base_id: UUID) -> BaseModel:
    """One of them."""
    return trained_bases.base_get(organisation=request.auth.organisation, base_id=base_id)


@router.get("/models", response=list[BaseOut], auth=scope("adapters:read"))
def list_models(request: ApiRequest) -> list[BaseModel]:
    """`/bases` under its first name."""
    return trained_bases.bases(organisation=request.auth.organisation)
