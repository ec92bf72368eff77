"""Checks that several services share."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from rootstock.accounts.models import Role
from rootstock.accounts.roles import SCOPES
from rootstock.errors import FieldProblem, Forbidden, InvalidInput


def check_each(**checks: Callable[[], Any]) -> dict[str, Any]:
    """What each field's check returns; raises one InvalidInput that names every field in which something is wrong."""
    found: dict[str, Any] = {}
    wrong: list[FieldProblem] = []
    for field, check in checks.items():
        try:
            found[field] = check()
        except InvalidInput as error:
            wrong += error.errors
    if wrong:
        raise InvalidInput("; ".join(f"{one.field}: {one.reason}" for one in wrong), errors=wrong)
    return found


def check_name(name: str, longest: int) -> str:
    """The name without surrounding space."""
    stripped = name.strip()
    if not stripped:
        raise InvalidInput.field("name", "must not be empty")
    if len(stripped) > longest:
        raise InvalidInput.field("name", f"must have at most {longest} characters")
    return stripped


def check_role(role: str) -> str:
    """A known role."""
    if role not in Role.values:
        raise InvalidInput.field("role", f"must be one of {', '.join(Role.values)}")
    return role


def check_scopes(scopes: Sequence[str], granted: Iterable[str] | None) -> list[str]:
    """Known scopes, and of those only what the creator has (`granted`; None: the system itself)."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInput.field(
            "scopes", f"unknown: {', '.join(unknown)}" if unknown else "must not be empty"
        )
    beyond = sorted(set(scopes) - set(granted)) if granted is not None else []
    if beyond:
        raise Forbidden(f"you cannot give what you do not have: {', '.join(beyond)}")
    return sorted(set(scopes))


def check_future(moment: datetime | None, field: str) -> datetime | None:
    """A moment that has not passed."""
    if moment is not None and timezone.is_naive(moment):
        raise InvalidInput.field(field, "needs a time zone")
    if moment is not None and moment <= timezone.now():
        raise InvalidInput.field(field, "must be in the future")
    return moment


def check_rate(rate_per_minute: int | None) -> int | None:
    """A rate limit; None follows the installation's."""
    if rate_per_minute is not None and not 1 <= rate_per_minute <= 1_000_000:
        raise InvalidInput.field("rate_per_minute", "must be between 1 and 1000000")
    return rate_per_minute
