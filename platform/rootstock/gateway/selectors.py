"""Reads of usage: sums over days, callers and models."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from django.db.models import F, Sum
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput
from rootstock.gateway.models import UsageDay

By = Literal["day", "caller", "model"]
LONGEST_DAYS = 366
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "day": ("day",),
    "caller": ("holder_kind", "holder_id"),
    "model": ("model",),
}
_SUMS = {name: Sum(name) for name in ("calls", "prompt_tokens", "cached_tokens", "completion_tokens")}


@dataclass(slots=True, frozen=True)
class Usage:
    """A sum; what it was not grouped by is None."""

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    day: date | None = None
    holder_kind: str | None = None
    holder_id: str | None = None
    model: str | None = None

    @property
    def tokens(self) -> int:
        """What a budget counts."""
        return self.prompt_tokens + self.completion_tokens


def usage_sums(*, organisation: Organisation, since: date, until: date, by: tuple[By, ...]) -> list[Usage]:
    """Sums from `since` to `until`, both days included, in the order of days and then the largest first."""
    if since > until:
        raise InvalidInput.field("since", "must not be after until")
    if (until - since).days >= LONGEST_DAYS:
        raise InvalidInput.field("since", f"at most {LONGEST_DAYS} days are told at once")
    names = [name for one in by for name in _GROUPS[one]]
    order = ["day"] if "day" in by else []
    with tenant(organisation) as owner:
        rows: list[dict[str, Any]] = list(
            UsageDay.objects.filter(organisation_id=owner, day__range=(since, until))
            .values(*names)
            .annotate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")))
            .annotate(**_SUMS)
            .order_by(*order, "-tokens", *names)
        )
    return [Usage(**{name: value for name, value in row.items() if name != "tokens"}) for row in rows]


def tokens_used(organisation: Organisation) -> tuple[int, int]:
    """Tokens of today and of this month (UTC)."""
    today = timezone.now().date()
    days = usage_sums(organisation=organisation, since=today.replace(day=1), until=today, by=("day",))
    return sum(one.tokens for one in days if one.day == today), sum(one.tokens for one in days)
