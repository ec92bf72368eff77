"""Cursor pagination by id: ids are time-ordered, so the newest come first and inserts never shift a page."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from ninja import Schema
from pydantic import Field, SkipValidation

from rootstock.accounts.tenancy import own_rows
from rootstock.errors import InvalidInput

M = TypeVar("M", bound=Model)
Item = TypeVar("Item")
MAX_LIMIT = 200


class Page(Schema, Generic[Item]):
    """One page: its items, and the cursor of the next (null on the last page)."""

    items: list[SkipValidation[Item]]  # they were made by `present`
    next: str | None = Field(description="Send it as `cursor` for the next page; null on the last")


def refuse_other(field: str, value: str | None, choices: Iterable[str]) -> None:
    """Raise InvalidInput for a filter's value that no row can have: an empty list would look like an answer."""
    known = list(choices)
    if value and value not in known:
        raise InvalidInput.field(field, f"must be one of {', '.join(known)}")


def refuse_empty(**given: str | None) -> None:
    """Raise InvalidInput for a filter that was sent without a value: everything would look like its answer."""
    for name, value in given.items():
        if value is not None and not value.strip():
            raise InvalidInput.field(name, "must not be empty; leave it out to have it not considered")


def take_page(
    queryset: QuerySet[M], *, cursor: str | None, limit: int, own: bool = True
) -> tuple[list[M], str | None]:
    """Up to `limit` rows after `cursor`, newest first, and the next cursor. Call it inside `tenant()`.

    Without `own` others' rows too, as far as a policy lets the tenant read them.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput.field("limit", f"must be between 1 and {MAX_LIMIT}")
    if cursor:
        try:
            queryset = queryset.filter(pk__lt=UUID(cursor))
        except ValueError:
            raise InvalidInput.field("cursor", "is not a cursor of this list") from None
    rows = list((own_rows(queryset) if own else queryset).order_by("-pk")[: limit + 1])
    return rows[:limit], str(rows[limit - 1].pk) if len(rows) > limit else None


def page_of(rows: list[M], following: str | None, present: Callable[[M], Any]) -> dict[str, Any]:
    """The page as a response body."""
    return {"items": [present(row) for row in rows], "next": following}
