"""REST: models of an organisation, who agreed to them, and which of them scores."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from apps.fraud.bundles import asking, versions
from apps.fraud.bundles.models import ModelRequest
from apps.fraud.bundles.moving import AGREEMENT, roll_back
from apps.fraud.bundles.schemas import (
    FraudModelAgreedIn,
    FraudModelBecauseIn,
    FraudModelDetailOut,
    FraudModelInForceOut,
    FraudModelMoveOut,
    FraudModelOut,
    FraudModelRequestIn,
    FraudModelRequestOut,
    FraudModelRollBackIn,
    FraudTrainingIn,
    FraudTrainingOut,
    in_force_out,
    model_out,
    move_out,
    request_out,
)
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.paging import Page, page_of, refuse_other

router = Router(tags=["fraud"])
READ, WRITE, DECIDE = "fraud:read", "fraud:write", "fraud:approve"


@router.post("", response={202: FraudTrainingOut}, auth=scope(WRITE))
def train_model(request: ApiRequest, payload: FraudTrainingIn | None = None) -> Status[dict[str, Any]]:
    """Train a model on the organisation's own payments and labels, by a job; nothing has to be sent.

    Days are split in order, the label delay between training, validation and test; each needs 20 frauds. The shipped
    nets stand beside the trained boosting, and the shipped model is measured on the same test days. The result is a
    version that scores nothing before a second person agrees. 422 with too few frauds, 409 while one is trained.
    """
    job = asking.training_start(
        organisation=request.auth.organisation, wanted=payload, created_by=request.auth.user
    )
    return Status(202, {"job": job})


@router.get("", response=Page[FraudModelOut], auth=scope(READ))
def list_models(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """The organisation's models, newest first. The shipped one is not among them."""
    rows, following = versions.versions_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, model_out)


@router.get("/active", response=FraudModelInForceOut, auth=scope(READ))
def get_active(request: ApiRequest) -> FraudModelInForceOut:
    """Which model scores now."""
    return in_force_out(versions.in_force(organisation=request.auth.organisation))


@router.get("/requests", response=Page[FraudModelRequestOut], auth=scope(READ))
def list_requests(
    request: ApiRequest, state: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Requests that a version scores, newest first."""
    refuse_other("state", state, ModelRequest.State.values)
    rows, following = AGREEMENT.requests_page(
        organisation=request.auth.organisation, state=state, cursor=cursor, limit=limit
    )
    return page_of(rows, following, request_out)


@router.post("/requests", response={201: FraudModelRequestOut}, auth=scope(WRITE))
def request_model(request: ApiRequest, payload: FraudModelRequestIn) -> Status[FraudModelRequestOut]:
    """Ask that a version scores; a second person decides. 409 while another request is open.

    `warning` says where it is not shown to be better than the shipped model.
    """
    row = AGREEMENT.request_make(
        organisation=request.auth.organisation, version=payload.version, reason=payload.reason
    )
    return Status(201, request_out(row))


@router.get("/requests/{uuid:request_id}", response=FraudModelRequestOut, auth=scope(READ))
def get_request(request: ApiRequest, request_id: UUID) -> FraudModelRequestOut:
    """One request."""
    return request_out(AGREEMENT.request_get(organisation=request.auth.organisation, request_id=request_id))


@router.post("/requests/{uuid:request_id}/approve", response=FraudModelInForceOut, auth=scope(DECIDE))
def approve_model(request: ApiRequest, request_id: UUID, payload: FraudModelAgreedIn) -> FraudModelInForceOut:
    """Agree, as somebody else than who asked: the version scores within seconds. 403 for who asked for it.

    `current.warning` says where it is not shown to be better than the shipped model.
    """
    row = AGREEMENT.request_approve(
        organisation=request.auth.organisation, request_id=request_id, because=payload.because
    )
    return in_force_out(row)


@router.post("/requests/{uuid:request_id}/refuse", response=FraudModelRequestOut, auth=scope(WRITE))
def refuse_model(request: ApiRequest, request_id: UUID, payload: FraudModelBecauseIn) -> FraudModelRequestOut:
    """Do not agree; whoever asked withdraws it so."""
    row = AGREEMENT.request_refuse(
        organisation=request.auth.organisation, request_id=request_id, because=payload.reason
    )
    return request_out(row)


@router.post("/roll-back", response=FraudModelInForceOut, auth=scope(DECIDE))
def roll_back_model(request: ApiRequest, payload: FraudModelRollBackIn) -> FraudModelInForceOut:
    """Back to the model that scored before, the shipped one in the end; at once, by one person.

    With the `generation` that was seen, 409 when it has moved since: two who roll back at once go back one version.
    """
    row = roll_back(
        organisation=request.auth.organisation, reason=payload.reason, generation=payload.generation
    )
    return in_force_out(row)


@router.get("/moves", response=Page[FraudModelMoveOut], auth=scope(READ))
def list_moves(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """What scored, newest first, and who decided so."""
    rows, following = versions.moves_page(organisation=request.auth.organisation, cursor=cursor, limit=limit)
    return page_of(rows, following, move_out)


@router.get("/{int:number}", response=FraudModelDetailOut, auth=scope(READ))
def get_model(request: ApiRequest, number: int) -> FraudModelDetailOut:
    """A version with its card."""
    return model_out(versions.version_get(organisation=request.auth.organisation, number=number))
