"""REST: what was used of the models, and the budget."""

from datetime import date, timedelta
from typing import Literal

from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Organisation
from rootstock.gateway import budgets, selectors, usage

router = Router(tags=["usage"])


class UsageOut(Schema):
    """Tokens and calls, summed. What the sum is not grouped by is null.

    A caller is a person, an API key or a machine client by id; `cached_tokens` are those of the prompt that were
    found in the prefix cache, and count as prompt tokens too.
    """

    day: date | None
    holder_kind: Literal["person", "key", "client", "system"] | None
    holder_id: str | None
    model: str | None = Field(examples=["support-tone@a3f5a3f5a3f5"])
    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class BudgetOut(Schema):
    """The limits and what is used of them now. A limit of null is none; days and months are of UTC."""

    tokens_per_day: int | None
    tokens_per_month: int | None
    streams: int = Field(description="Answers that may be written at once")
    tokens_today: int
    tokens_this_month: int
    streams_now: int


class BudgetIn(Schema):
    """Limits to change; what is left out stays, and null takes a limit away."""

    model_config = ConfigDict(extra="forbid")
    tokens_per_day: int | None = Field(None, ge=0, le=usage.MOST_TOKENS)
    tokens_per_month: int | None = Field(None, ge=0, le=usage.MOST_TOKENS)
    streams: int | None = Field(None, ge=1, description="At most a share of the gateway's lane")


@router.get("", response=list[UsageOut], auth=scope("usage:read"))
def list_usage(
    request: ApiRequest,
    since: date | None = None,
    until: date | None = None,
    by: Literal["day", "caller", "model", "all"] = "day",
) -> list[selectors.Usage]:
    """Use of the models by day, by caller, by model, or by all three; the last 30 days unless said otherwise."""
    last = until or timezone.now().date()
    first = since or last - timedelta(days=29)
    groups: tuple[selectors.By, ...] = ("day", "caller", "model") if by == "all" else (by,)
    return selectors.usage_sums(organisation=request.auth.organisation, since=first, until=last, by=groups)


@router.get("/budget", response=BudgetOut, auth=scope("usage:read"))
def get_budget(request: ApiRequest) -> BudgetOut:
    """The budget, and what is used of it."""
    return _budget_out(request.auth.organisation)


@router.patch("/budget", response=BudgetOut, auth=scope("settings:write"))
def change_budget(request: ApiRequest, body: BudgetIn) -> BudgetOut:
    """Change the budget. It holds from the next call on; answers under way go on."""
    usage.budget_set(organisation=request.auth.organisation, **body.dict(exclude_unset=True))
    return _budget_out(request.auth.organisation)


def _budget_out(organisation: Organisation) -> BudgetOut:
    found, (today, month) = usage.budget_get(organisation), selectors.tokens_used(organisation)
    return BudgetOut(
        tokens_per_day=found.tokens_per_day,
        tokens_per_month=found.tokens_per_month,
        streams=budgets.streams_allowed(found.streams),
        tokens_today=today,
        tokens_this_month=month,
        streams_now=budgets.streams_under_way(organisation),
    )
