"""REST: rules, who agreed to them, and what is in force."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from apps.fraud.rules import checking, moving, versions
from apps.fraud.rules.models import RulesRequest
from apps.fraud.rules.moving import AGREEMENT
from apps.fraud.rules.names import NAMES
from apps.fraud.rules.schemas import (
    DefinitionIn,
    RuleFactOut,
    RulesAgreedIn,
    RulesBecauseIn,
    RulesCheckedOut,
    RulesIn,
    RulesInForceOut,
    RulesMoveOut,
    RulesRequestIn,
    RulesRequestOut,
    RulesRollBackIn,
    RulesVersionDetailOut,
    RulesVersionOut,
    in_force_out,
    move_out,
    request_out,
    version_out,
)
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.paging import Page, page_of, refuse_other

router = Router(tags=["fraud rules"])
READ, WRITE, DECIDE = "fraud:read", "fraud:rules", "fraud:approve"


@router.get("", response=RulesInForceOut, auth=scope(READ))
def get_rules(request: ApiRequest) -> RulesInForceOut:
    """The version in force, and the one that is tried in its shadow."""
    return in_force_out(versions.in_force(organisation=request.auth.organisation))


@router.get("/facts", response=list[RuleFactOut], auth=scope(READ))
def list_facts(request: ApiRequest) -> list[dict[str, str]]:
    """The names that a rule can read. All are as of the payment's arrival."""
    return [{"name": name, "kind": kind, "meaning": told} for name, (kind, told) in sorted(NAMES.items())]


@router.post("/check", response=RulesCheckedOut, auth=scope(READ))
def check_rules(request: ApiRequest, payload: DefinitionIn) -> RulesCheckedOut:
    """Whether a definition holds water, without storing it. 422 names each field that does not, with the reason and, in
    an expression, the `position`: the character, counted from 1."""
    definition = payload.model_dump()
    facts = checking.definition_check(definition)
    return RulesCheckedOut(rules=sum(len(one["rules"]) for one in definition["typologies"]), facts=facts)


@router.post("/versions", response={201: RulesVersionDetailOut}, auth=scope(WRITE))
def write_rules(request: ApiRequest, payload: RulesIn) -> Status[RulesVersionDetailOut]:
    """Store rules as a new version. It decides nothing before a second person has agreed to it.

    A rule holds or does not; while it holds, its points times its typology's weight count. From `review` points on a
    payment is reviewed, from `decline` on declined; the model's decision stands where it is graver. The same rules sent
    again are the version that they are.
    """
    row = versions.version_make(
        organisation=request.auth.organisation, definition=payload.definition(), note=payload.note
    )
    return Status(201, version_out(row))


@router.get("/versions", response=Page[RulesVersionOut], auth=scope(READ))
def list_versions(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Versions, newest first."""
    rows, following = versions.versions_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, RulesVersionOut.from_orm)


@router.get("/versions/{int:number}", response=RulesVersionDetailOut, auth=scope(READ))
def get_version(request: ApiRequest, number: int) -> RulesVersionDetailOut:
    """A version with its rules."""
    return version_out(versions.version_get(organisation=request.auth.organisation, number=number))


@router.get("/requests", response=Page[RulesRequestOut], auth=scope(READ))
def list_requests(
    request: ApiRequest, state: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Requests that a version comes into force, newest first."""
    refuse_other("state", state, RulesRequest.State.values)
    rows, following = AGREEMENT.requests_page(
        organisation=request.auth.organisation, state=state, cursor=cursor, limit=limit
    )
    return page_of(rows, following, request_out)


@router.post("/requests", response={201: RulesRequestOut}, auth=scope(WRITE))
def request_rules(request: ApiRequest, payload: RulesRequestIn) -> Status[RulesRequestOut]:
    """Ask that a version comes into force; a second person decides. 409 while another request is open."""
    row = AGREEMENT.request_make(
        organisation=request.auth.organisation, version=payload.version, reason=payload.reason
    )
    return Status(201, request_out(row))


@router.get("/requests/{uuid:request_id}", response=RulesRequestOut, auth=scope(READ))
def get_request(request: ApiRequest, request_id: UUID) -> RulesRequestOut:
    """One request."""
    return request_out(AGREEMENT.request_get(organisation=request.auth.organisation, request_id=request_id))


@router.post("/requests/{uuid:request_id}/approve", response=RulesInForceOut, auth=scope(DECIDE))
def approve_rules(request: ApiRequest, request_id: UUID, payload: RulesAgreedIn) -> RulesInForceOut:
    """Agree, as somebody else than who asked: the version decides within a second. 403 for who asked for it."""
    row = AGREEMENT.request_approve(
        organisation=request.auth.organisation, request_id=request_id, because=payload.because
    )
    return in_force_out(row)


@router.post("/requests/{uuid:request_id}/refuse", response=RulesRequestOut, auth=scope(WRITE))
def refuse_rules(request: ApiRequest, request_id: UUID, payload: RulesBecauseIn) -> RulesRequestOut:
    """Do not agree; whoever asked withdraws it so."""
    row = AGREEMENT.request_refuse(
        organisation=request.auth.organisation, request_id=request_id, because=payload.reason
    )
    return request_out(row)


@router.post("/roll-back", response=RulesInForceOut, auth=scope(DECIDE))
def roll_back(request: ApiRequest, payload: RulesRollBackIn) -> RulesInForceOut:
    """Back to a version that was in force, or to no rules, at once and by one person: two agreed on what it was.

    With the `generation` that was seen, 409 when it has moved since: two who roll back at once go back one version.
    """
    row = moving.roll_back(
        organisation=request.auth.organisation,
        reason=payload.reason,
        version=payload.version,
        generation=payload.generation,
    )
    return in_force_out(row)


@router.get("/moves", response=Page[RulesMoveOut], auth=scope(READ))
def list_moves(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """What was in force and in the shadow, newest first, and who decided so."""
    rows, following = versions.moves_page(organisation=request.auth.organisation, cursor=cursor, limit=limit)
    return page_of(rows, following, move_out)
