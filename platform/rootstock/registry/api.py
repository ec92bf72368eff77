"""REST: base models and adapters."""

from typing import Any, Literal

from ninja import Router, Schema
from pydantic import ConfigDict

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.paging import Page, page_of
from rootstock.registry import keeping, selectors, versions
from rootstock.registry.alias_schemas import BecauseIn
from rootstock.registry.schemas import AdapterOut, adapter_out, adapters_out

router = Router(tags=["adapters"])


class KeepIn(Schema):
    """Where workers keep the weights whatever else is asked for: nowhere, in memory, or on the device."""

    keep: Literal["", "warm", "pinned"]


class CardIn(Schema):
    """What a version is for, where it should not be used, and its licence; in place of what the card says now."""

    model_config = ConfigDict(extra="forbid")
    purpose: str
    limits: str
    licence: str


@router.get("/adapters", response=Page[AdapterOut], auth=scope("adapters:read"))
def list_adapters(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Adapters, newest first."""
    rows, following = selectors.adapters_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    told = adapters_out(request.auth.organisation, rows)
    return page_of(rows, following, lambda row: told[row.pk])


@router.get("/adapters/{reference}", response=AdapterOut, auth=scope("adapters:read"))
def get_adapter(request: ApiRequest, reference: str) -> AdapterOut:
    """One adapter, by name@digest."""
    found = selectors.adapter_by_reference(
        organisation=request.auth.organisation, reference=reference, field="reference"
    )
    return adapter_out(found)


@router.put("/adapters/{reference}/keep", response=AdapterOut, auth=scope("adapters:write"))
def keep_adapter(request: ApiRequest, reference: str, payload: KeepIn) -> AdapterOut:
    """Say where workers keep an adapter's weights."""
    organisation = request.auth.organisation
    return adapter_out(
        keeping.version_keep(organisation=organisation, reference=reference, keep=payload.keep)
    )


@router.put("/adapters/{reference}/card", response=AdapterOut, auth=scope("adapters:write"))
def describe_adapter(request: ApiRequest, reference: str, payload: CardIn) -> AdapterOut:
    """Say what an adapter is for, where it should not be used, and its licence."""
    organisation = request.auth.organisation
    return adapter_out(
        versions.version_describe(organisation=organisation, reference=reference, **payload.dict())
    )


@router.post("/adapters/{reference}/retire", response=AdapterOut, auth=scope("adapters:approve"))
def retire_adapter(request: ApiRequest, reference: str, payload: BecauseIn) -> AdapterOut:
    """Serve an adapter no longer. 409 while an alias names it or a promotion of it is open."""
    organisation = request.auth.organisation
    return adapter_out(
        versions.version_retire(organisation=organisation, reference=reference, reason=payload.reason)
    )


@router.post("/adapters/{reference}/restore", response=AdapterOut, auth=scope("adapters:approve"))
def restore_adapter(request: ApiRequest, reference: str, payload: BecauseIn) -> AdapterOut:
    """Let a retired adapter be served again."""
    organisation = request.auth.organisation
    return adapter_out(
        versions.version_restore(organisation=organisation, reference=reference, reason=payload.reason)
    )
