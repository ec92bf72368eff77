"""REST: the caller's organisation, its settings, and who the caller is."""

from typing import Any
from uuid import UUID

from ninja import Router, Schema
from pydantic import ConfigDict

from rootstock.accounts import services
from rootstock.accounts.auth import ApiRequest, Principal, principal_of, scope
from rootstock.accounts.models import Organisation

organisation_router = Router(tags=["organisation"])


class OrganisationOut(Schema):
    """The organisation and its settings."""

    id: UUID
    name: str
    slug: str
    session_hours: int | None
    mfa_required: bool


class OrganisationIn(Schema):
    """Settings to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    session_hours: int | None = None
    mfa_required: bool | None = None


class CallerOut(Schema):
    """Who calls, where, and with which scopes."""

    kind: str
    id: str
    organisation: OrganisationOut
    scopes: list[str]


@organisation_router.get("/caller", response=CallerOut, auth=[principal_of])
def get_caller(request: ApiRequest) -> dict[str, Any]:
    """Who the credentials of this request belong to: any of them may ask."""
    caller: Principal = request.auth
    return {
        "kind": caller.actor.kind,
        "id": caller.actor.id,
        "organisation": caller.organisation,
        "scopes": sorted(caller.scopes),
    }


@organisation_router.get("", response=OrganisationOut, auth=scope("settings:write"))
def get_organisation(request: ApiRequest) -> Organisation:
    """The organisation's settings."""
    return request.auth.organisation


@organisation_router.patch("", response=OrganisationOut, auth=scope("settings:write"))
def change_organisation(request: ApiRequest, body: OrganisationIn) -> Organisation:
    """Change settings. `session_hours: null` follows the installation's."""
    current = Organisation.objects.get(pk=request.auth.organisation.pk)
    given = body.dict(exclude_unset=True)
    kept = {field: getattr(current, field) for field in ("name", "session_hours", "mfa_required")}
    wanted = kept | {
        field: value for field, value in given.items() if value is not None or field == "session_hours"
    }
    return services.organisation_update(organisation=current, **wanted)
