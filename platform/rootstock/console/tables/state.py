"""What a request asks of a table: filters, order, columns, place; and the addresses of its neighbours."""

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from rootstock.console.personal import value_of
from rootstock.console.tables.filters import Filter
from rootstock.console.tables.keyset import Sort
from rootstock.console.tables.table import Table
from rootstock.console.zones import zone_of
from rootstock.errors import FieldProblem, InvalidInput

PLACES = ("after", "before")
EXPORT = "csv"


@dataclass(slots=True)
class State:
    """One request's view of a table. Wrong parameters are in `problems`; nothing is shown while there are some.

    `opened` are the filters' parameters as somebody wrote them; `expired` the labels of those that cannot be opened.
    """

    table: Table
    query: QueryDict
    sort: Sort
    sort_key: str
    columns: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[FieldProblem] = field(default_factory=list)
    opened: dict[str, str] = field(default_factory=dict)
    expired: list[str] = field(default_factory=list)

    def param(self, name: str) -> str:
        """A parameter of this table."""
        return str(self.query.get(self.table.prefix + name, ""))

    def url(self, **changes: str) -> str:
        """The address with some of this table's parameters changed; an empty value removes one. The place goes."""
        query = self.query.copy()
        for name in (*PLACES, "format", "view"):
            query.pop(self.table.prefix + name, None)
        for name, value in changes.items():
            query.pop(self.table.prefix + name, None)
            if value:
                query[self.table.prefix + name] = value
        return f"?{query.urlencode()}" if query else "?"

    def url_without(self, filters: list[Filter]) -> str:
        """The address without these filters."""
        return self.url(**{name: "" for one in filters for name in one.params()})

    def lasting_query(self) -> str:
        """This table's own parameters that may be kept: none of the place, none that names a person."""
        kept = [name for one in self.table.filters if not one.personal for name in one.params()]
        query = QueryDict(mutable=True)
        for name in (*kept, "sort", "columns"):
            if self.param(name):
                query[self.table.prefix + name] = self.param(name)
        return query.urlencode()

    def narrowed(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that pass every filter."""
        for one in self.table.filters:
            if one.key in self.values:
                queryset = one.narrow(queryset, self.values[one.key])
        return queryset


def state_of(request: HttpRequest, table: Table, preferred: list[str]) -> State:
    """Read the request. `preferred` are the columns that the person chose before, if any."""
    state = State(table, request.GET, table.default_sort(), table.sort, [])
    zone = zone_of(request)
    for one in table.filters:
        _open(request, state, one)
        _read_filter(state, one, state.opened, zone)
    _read_sort(state)
    state.columns = _columns(table, state.param("columns"), preferred)
    return state


def _open(request: HttpRequest, state: State, one: Filter) -> None:
    """Read a filter's parameters; a token that cannot be opened leaves the filter empty."""
    for name in one.params():
        text = state.param(name)
        value = value_of(request, state.table.name, name, text) if one.personal else text
        state.opened[name] = value or ""
        if value is None:
            state.expired.append(one.label)


def _read_filter(state: State, one: Filter, given: dict[str, str], zone: ZoneInfo) -> None:
    try:
        value = one.read(given, zone)
    except InvalidInput as error:
        state.problems += error.errors
        return
    if value is not None:
        state.values[one.key] = value


def _read_sort(state: State) -> None:
    asked = state.param("sort")
    if not asked:
        return
    found = state.table.sort_of(asked)
    if found is None:
        state.problems.append(FieldProblem("sort", "this list cannot be sorted by that"))
        return
    state.sort, state.sort_key = found, asked


def _columns(table: Table, asked: str, preferred: list[str]) -> list[str]:
    """The wanted columns in the table's order. The first column always stays: it leads to the row."""
    wanted = asked.split(",") if asked else preferred
    known = [column.key for column in table.columns if column.key in wanted]
    if not known:
        return table.default_columns()
    first = table.columns[0].key
    return known if first in known else [first, *known]
