"""Paging by cursor: the rows after (or before) the last one seen, by (sorted column, id). No OFFSET, no COUNT."""

import base64
import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, QuerySet, Value

from rootstock.accounts.tenancy import own_rows
from rootstock.console.tables.columns import attribute
from rootstock.errors import InvalidInput

PK = ("id", "pk")


@dataclass(slots=True, frozen=True)
class Sort:
    """A field to sort by; the id decides among equals. Rows without a value come last, first when ascending."""

    field: str
    descending: bool
    nullable: bool = False

    def reversed(self) -> "Sort":
        """The other way round."""
        return replace(self, descending=not self.descending)


NEWEST = Sort("id", descending=True)


@dataclass(slots=True, frozen=True)
class Mark:
    """A row's place in an order."""

    value: Any
    pk: UUID


@dataclass(slots=True, frozen=True)
class Slice:
    """Rows, with the cursors of the pages before and after them; empty where there is none."""

    rows: list[Any]
    before: str = ""
    after: str = ""


def take(queryset: QuerySet[Any], sort: Sort, *, after: str = "", before: str = "", limit: int) -> Slice:
    """Up to `limit` rows after one cursor or before another. Raises InvalidInput for a cursor of another list."""
    backward = bool(before)
    mark = _read(before or after, queryset.model, sort) if before or after else None
    rows = _rows(own_rows(queryset), sort.reversed() if backward else sort, mark, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    if backward:
        rows.reverse()
    if not rows:
        return Slice([])
    return Slice(
        rows,
        before=_write(rows[0], sort) if (more if backward else mark is not None) else "",
        after=_write(rows[-1], sort) if (more or backward) else "",
    )


def _rows(queryset: QuerySet[Any], sort: Sort, mark: Mark | None, count: int) -> list[Any]:
    if sort.field in PK:
        found = queryset.order_by("-pk" if sort.descending else "pk")
        beyond = {"pk__lt" if sort.descending else "pk__gt": mark.pk} if mark else {}
        return list(found.filter(**beyond)[:count])
    if not sort.nullable:
        return list(_filled(queryset, sort, mark)[:count])
    return _two_parts(queryset, sort, mark, count)


def _two_parts(queryset: QuerySet[Any], sort: Sort, mark: Mark | None, count: int) -> list[Any]:
    """Rows with a value and rows without one, each by its own query: so both can follow an index."""
    found: list[Any] = []
    at = mark is not None and mark.value is None
    for blank in (False, True) if sort.descending else (True, False):
        here = mark if mark and at == blank else None
        if mark and here is None and blank != sort.descending:
            continue  # the mark lies in the second part
        part = queryset.filter(**{f"{sort.field}__isnull": blank})
        rows = _rows(part, Sort("pk", sort.descending), here, count) if blank else _filled(part, sort, here)
        found += rows[: count - len(found)]
        if len(found) >= count:
            break
    return found


def _filled(queryset: QuerySet[Any], sort: Sort, mark: Mark | None) -> QuerySet[Any]:
    sign = "-" if sort.descending else ""
    found = queryset.order_by(f"{sign}{sort.field}", f"{sign}pk")
    if mark is None:
        return found
    # A comparison of rows, which PostgreSQL answers from an index; (a < x OR (a = x AND …)) would walk all before it.
    place = Func(F(sort.field), F("pk"), function="ROW")
    bound = Func(
        Value(mark.value, _field(queryset.model, sort.field)),
        Value(mark.pk, queryset.model._meta.pk),
        function="ROW",
    )
    sign = " < " if sort.descending else " > "
    return found.filter(
        Func(place, bound, template="%(expressions)s", arg_joiner=sign, output_field=BooleanField())
    )


def _field(model: type[Model], path: str) -> "Field[Any, Any]":
    found: Any = None
    for name in path.split("__"):
        found = model._meta.get_field(name)
        model = found.related_model or model
    if not isinstance(found, Field):
        raise FieldDoesNotExist(path)
    return found


def _write(row: Any, sort: Sort) -> str:
    value = attribute(row, sort.field)
    plain = value.isoformat() if isinstance(value, (datetime, date)) else value
    if not isinstance(plain, (str, int, float, bool, type(None))):
        plain = str(plain)
    text = json.dumps([plain, str(row.pk)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, model: type[Model], sort: Sort) -> Mark:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        value, pk = json.loads(raw)
        known = None if value is None else _field(model, sort.field).to_python(value)
        return Mark(known, UUID(pk))
    except (ValueError, TypeError, AttributeError, ValidationError):
        raise InvalidInput.field("after", "is not a place in this list") from None
