"""REST: aliases, and the promotions that move them."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.paging import Page, page_of, refuse_other
from rootstock.registry import alias_selectors, aliases
from rootstock.registry.alias_schemas import (
    AliasOut,
    ApprovalIn,
    BecauseIn,
    EndIn,
    MoveOut,
    PromotionIn,
    PromotionOut,
    RollBackIn,
    alias_out,
    move_out,
    promotion_out,
)
from rootstock.registry.models import Promotion

router = Router(tags=["aliases"])
READ, ASK, DECIDE = "adapters:read", "adapters:write", "adapters:approve"


@router.get("/aliases", response=Page[AliasOut], auth=scope(READ))
def list_aliases(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Aliases, the newest first."""
    rows, following = alias_selectors.aliases_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, alias_out)


@router.get("/aliases/{name}", response=AliasOut, auth=scope(READ))
def get_alias(request: ApiRequest, name: str) -> AliasOut:
    """What one alias serves now."""
    return alias_out(alias_selectors.alias_get(organisation=request.auth.organisation, name=name))


@router.get("/aliases/{name}/moves", response=Page[MoveOut], auth=scope(READ))
def list_moves(request: ApiRequest, name: str, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """What one alias has served, the newest first, and who decided so."""
    rows, following = alias_selectors.moves_page(
        organisation=request.auth.organisation, name=name, cursor=cursor, limit=limit
    )
    return page_of(rows, following, move_out)


@router.post("/aliases/{name}/roll-back", response=AliasOut, auth=scope(DECIDE))
def roll_back(request: ApiRequest, name: str, payload: RollBackIn) -> AliasOut:
    """Serve again what the alias served before, at once, for requests admitted from now on.

    Needs no second person: two agreed on what it goes back to. A canary and a shadow end with it. With the
    `generation` that was seen, 409 when the alias has moved since: two who roll back at once go back one version.
    """
    row = aliases.alias_roll_back(
        organisation=request.auth.organisation,
        alias=name,
        reason=payload.reason,
        generation=payload.generation,
    )
    return alias_out(row)


@router.post("/aliases/{name}/end", response=AliasOut, auth=scope(DECIDE))
def end(request: ApiRequest, name: str, payload: EndIn) -> AliasOut:
    """End the alias's canary or shadow."""
    row = aliases.alias_end(
        organisation=request.auth.organisation, alias=name, what=payload.what, reason=payload.reason
    )
    return alias_out(row)


@router.get("/promotions", response=Page[PromotionOut], auth=scope(READ))
def list_promotions(
    request: ApiRequest, state: str = "", alias: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Promotions, the newest first."""
    refuse_other("state", state, Promotion.State.values)
    rows, following = alias_selectors.promotions_page(
        organisation=request.auth.organisation, state=state, alias=alias, cursor=cursor, limit=limit
    )
    return page_of(rows, following, promotion_out)


@router.post("/promotions", response={201: PromotionOut}, auth=scope(ASK))
def request_promotion(request: ApiRequest, payload: PromotionIn) -> Status[PromotionOut]:
    """Ask that an alias serves a version; a second person decides. The first promotion of an alias makes it."""
    row = aliases.promotion_request(
        organisation=request.auth.organisation, alias=payload.alias, reference=payload.version,
        change=payload.change, share=payload.share, reason=payload.reason,
    )  # fmt: skip
    return Status(201, promotion_out(row))


@router.get("/promotions/{uuid:promotion_id}", response=PromotionOut, auth=scope(READ))
def get_promotion(request: ApiRequest, promotion_id: UUID) -> PromotionOut:
    """One promotion."""
    return promotion_out(
        alias_selectors.promotion_get(organisation=request.auth.organisation, promotion_id=promotion_id)
    )


@router.post("/promotions/{uuid:promotion_id}/approve", response=AliasOut, auth=scope(DECIDE))
def approve(request: ApiRequest, promotion_id: UUID, payload: ApprovalIn) -> AliasOut:
    """Agree, as somebody else than who asked: the alias moves now. 403 for who asked for it, 409 for a version that was
    never evaluated unless `without_evaluation` says that this is known."""
    row = aliases.promotion_approve(
        organisation=request.auth.organisation,
        promotion_id=promotion_id,
        because=payload.because,
        without_evaluation=payload.without_evaluation,
    )
    return alias_out(row)


@router.post("/promotions/{uuid:promotion_id}/refuse", response=PromotionOut, auth=scope(ASK))
def refuse(request: ApiRequest, promotion_id: UUID, payload: BecauseIn) -> PromotionOut:
    """Do not agree; whoever asked withdraws it so."""
    row = aliases.promotion_refuse(
        organisation=request.auth.organisation, promotion_id=promotion_id, because=payload.reason
    )
    return promotion_out(row)
