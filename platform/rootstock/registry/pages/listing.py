"""The list of adapters, grouped by name."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.console.tables import embedded, part_or_none
from rootstock.console.tables.state import state_of
from rootstock.lanes.health import snapshot
from rootstock.registry.models import AdapterVersion
from rootstock.registry.pages.common import READ, rights
from rootstock.registry.pages.residency import Seats, seats_of
from rootstock.registry.pages.tables import Listed, adapters_table
from rootstock.registry.trained_bases import bases
from rootstock.registry.version_selectors import places_of

GROUPS = 25  # names on a page
SHOWN, ALL_SHOWN = 8, 200  # versions of each; of a name that was asked for


@require_GET
@tenant_page(READ)
def adapters(request: PageRequest) -> HttpResponseBase:
    """The organisation's adapters by name, the newest version first."""
    known, seats = bases(organisation=request.organisation), seats_of(snapshot())
    table = replace(adapters_table([(str(one.pk), one.name) for one in known]), page_size=GROUPS)
    fitting = _fitting(request, table)
    exporting = request.GET.get("format") == "csv"
    prepare = (
        _listing(seats) if exporting else _grouping(fitting, seats, ALL_SHOWN if _asked(request) else SHOWN)
    )
    found = embedded(request, replace(table, prepare=prepare), _newest(fitting))
    answer = part_or_none(request, found, fitting)
    if answer is not None:
        return answer
    context = {"table": found, "tab": "adapters", **rights(request)}
    return render(request, "registry/adapters.html", context, status=422 if found.problems else 200)


def _asked(request: PageRequest) -> bool:
    return bool(request.GET.get("name"))


def _fitting(request: PageRequest, table: Any) -> "QuerySet[AdapterVersion]":
    """All versions that pass the filters."""
    rows = AdapterVersion.objects.filter(organisation=request.organisation).select_related("base", "dataset")
    return state_of(request, table, []).narrowed(rows)


def _newest(fitting: "QuerySet[AdapterVersion]") -> "QuerySet[AdapterVersion]":
    """Of each name the newest of them: it stands for the group where pages begin and end."""
    newer = fitting.filter(name=OuterRef("name"), pk__gt=OuterRef("pk")).select_related(None)
    return fitting.filter(~Exists(newer))


def _grouping(
    fitting: "QuerySet[AdapterVersion]", seats: Seats, most: int
) -> Callable[[list[AdapterVersion]], list[Listed]]:
    """From the newest of each name to all of them, in the same order."""

    def prepare(newest: list[AdapterVersion]) -> list[Listed]:
        of_name = Window(RowNumber(), partition_by=[F("name")], order_by=F("pk").desc())
        total = Window(Count("pk"), partition_by=[F("name")])
        rows = fitting.filter(name__in=[one.name for one in newest]).annotate(place=of_name, total=total)
        order = {one.name: place for place, one in enumerate(newest)}
        shown = sorted(rows.filter(place__lte=most), key=lambda one: (order[one.name], one.place))
        totals = {one.name: one.total for one in shown}
        return _listed(list(shown), seats, totals)

    return prepare


def _listing(seats: Seats) -> Callable[[list[AdapterVersion]], list[Listed]]:
    return lambda rows: _listed(rows, seats, {})


def _listed(rows: list[AdapterVersion], seats: Seats, totals: dict[str, int]) -> list[Listed]:
    places, shown = places_of({row.pk for row in rows}), Counter(row.name for row in rows)
    return [
        Listed(
            row,
            places.get(row.pk, []),
            seats.get(row.digest, []),
            totals.get(row.name, 0),
            shown[row.name],
        )
        for row in rows
    ]
