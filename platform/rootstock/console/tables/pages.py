"""A request for a page with a table: the page, the part of it that htmx swaps, or the CSV file."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render

from rootstock.accounts.auth import PageRequest
from rootstock.accounts.tenancy import tenant
from rootstock.console.saved import columns_of, views_of
from rootstock.console.tables.export import csv_response, record_reading
from rootstock.console.tables.keyset import Slice, take
from rootstock.console.tables.state import EXPORT, State, state_of
from rootstock.console.tables.table import Table
from rootstock.console.tables.view import TableView, rows_of
from rootstock.errors import InvalidInput

PART = "console/tables/part.html"


def table_page(
    request: PageRequest,
    table: Table,
    queryset: QuerySet[Any],
    template: str,
    context: dict[str, Any] | None = None,
) -> HttpResponseBase:
    """The whole answer for a page whose list is `table`; the template reads it as `table`."""
    found = embedded(request, table, queryset)
    answer = part_or_none(request, found, queryset)
    if answer is not None:
        return answer
    status = 422 if found.problems else 200
    return render(request, template, {"table": found, **(context or {})}, status=status)


def embedded(request: PageRequest, table: Table, queryset: QuerySet[Any]) -> TableView:
    """A table for a page with more than one. Pass it on to `part_or_none` first, then to the template."""
    queryset = of_tenant(request, queryset)
    with tenant(request.organisation):
        preferred = columns_of(user=request.user, table=table.name)
        state = state_of(request, table, preferred)
        views = views_of(user=request.user, table=table.name) if table.views else []
        if state.param("format") == EXPORT and not (state.problems or state.expired):
            return TableView(request, state, Slice([]), views)
        found = _slice(state, queryset)
        record_reading(request, table, found.rows)
        view = TableView(request, state, found, views, bool(preferred))
        view.rows = rows_of(view, table.prepare(found.rows) if table.prepare else found.rows)
        return view


def of_tenant(request: PageRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """The organisation said outright: under a policy with exceptions its index would not be used."""
    fields = {one.name for one in queryset.model._meta.fields}
    return queryset.filter(organisation=request.organisation) if "organisation" in fields else queryset


def of_rows(request: PageRequest, table: Table, rows: Sequence[Any]) -> TableView:
    """A short list that is not in the database, with the same looks. Such a table has no filters and no order."""
    view = TableView(request, state_of(request, table, []), Slice(list(rows)))
    view.rows = rows_of(view, rows)
    return view


def _slice(state: State, queryset: QuerySet[Any]) -> Slice:
    if state.problems:
        return Slice([])
    try:
        return take(
            state.narrowed(queryset),
            state.sort,
            after=state.param("after"),
            before=state.param("before"),
            limit=state.table.page_size,
        )
    except InvalidInput as error:
        state.problems += error.errors
        return Slice([])


def part_or_none(request: PageRequest, view: TableView, queryset: QuerySet[Any]) -> HttpResponseBase | None:
    """The CSV file, or the swapped part, where the request asks for this table's; else None."""
    if view.state.param("format") == EXPORT and view.table.csv and not (view.problems or view.state.expired):
        return csv_response(request, view, of_tenant(request, queryset))
    if request.headers.get("HX-Target") == f"{view.id}-part":
        return _part(request, view)
    return None


def _part(request: PageRequest, view: TableView) -> HttpResponse:
    answer = render(request, PART, {"table": view})
    answer["Vary"] = "HX-Target"
    return answer
