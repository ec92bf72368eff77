"""REST: versions that organisations let each other use."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.tenancy import tenant
from rootstock.paging import Page, page_of, take_page
from rootstock.registry import grants
from rootstock.registry.models import AdapterGrant
from rootstock.registry.schemas import AdapterOut, adapter_out
from rootstock.registry.selectors import version_named
from rootstock.registry.version_selectors import version_get

router = Router(tags=["adapters"])
READ, DECIDE = "adapters:read", "adapters:approve"


class GrantIn(Schema):
    """The organisation that may use it, by its short name."""

    to: str = Field(examples=["other-bank"])


class GrantOut(Schema):
    """An organisation may use a version. `revoked_at`: until then."""

    id: UUID
    adapter: str = Field(alias="reference")
    to: str = Field(alias="to.slug")
    granted_by: str
    created_at: datetime
    revoked_at: datetime | None


class OfferOut(Schema):
    """What another organisation lets yours use."""

    id: UUID
    adapter: str = Field(alias="reference")
    digest: str
    from_organisation: str = Field(alias="organisation.slug")
    base_fingerprint: str = Field(alias="base.fingerprint")
    card: dict[str, Any]
    bytes: int
    created_at: datetime


@router.get("/adapters/offered", response=Page[OfferOut], auth=scope(READ))
def list_offers(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """What other organisations let yours use, the newest first."""
    with tenant(request.auth.organisation) as owner:
        rows = AdapterGrant.objects.select_related("organisation", "base").filter(
            to_id=owner, revoked_at=None
        )
        found, following = take_page(rows, cursor=cursor, limit=limit, own=False)
    return page_of(found, following, OfferOut.from_orm)


@router.post("/adapters/offered/{uuid:grant_id}/take", response={201: AdapterOut}, auth=scope(DECIDE))
def take_offer(request: ApiRequest, grant_id: UUID) -> Status[AdapterOut]:
    """Register what another organisation offers. It is served for as long as that lets you."""
    organisation = request.auth.organisation
    taken = grants.grant_take(organisation=organisation, grant_id=grant_id)
    return Status(201, adapter_out(version_get(organisation=organisation, version_id=taken.pk)))


@router.get("/adapters/{reference}/grants", response=Page[GrantOut], auth=scope(READ))
def list_grants(
    request: ApiRequest, reference: str, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Who may use an adapter of yours, and who could."""
    with tenant(request.auth.organisation):
        version = version_named(reference, "reference")
        rows = AdapterGrant.objects.select_related("to").filter(version=version)
        found, following = take_page(rows, cursor=cursor, limit=limit)
    return page_of(found, following, GrantOut.from_orm)


@router.post("/adapters/{reference}/grants", response={201: GrantOut}, auth=scope(DECIDE))
def give(request: ApiRequest, reference: str, payload: GrantIn) -> Status[AdapterGrant]:
    """Let another organisation use an adapter of yours."""
    grant = grants.grant_create(organisation=request.auth.organisation, reference=reference, to=payload.to)
    return Status(201, grant)


@router.post("/adapters/grants/{uuid:grant_id}/revoke", response=GrantOut, auth=scope(DECIDE))
def revoke(request: ApiRequest, grant_id: UUID) -> AdapterGrant:
    """Take it back: the other organisation is not served it from now on."""
    return grants.grant_revoke(organisation=request.auth.organisation, grant_id=grant_id)
