"""A table as its template shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from rootstock.accounts.models import User
from rootstock.console import formats
from rootstock.console.models import SavedView
from rootstock.console.saved import query_offered
from rootstock.console.tables.columns import Column
from rootstock.console.tables.filters import Filter
from rootstock.console.tables.keyset import Slice
from rootstock.console.tables.state import State
from rootstock.console.tables.table import Table
from rootstock.errors import FieldProblem

ARIA = {True: "descending", False: "ascending"}


@dataclass(slots=True, frozen=True)
class Head:
    """A column's header. `sort_url` is empty where one cannot sort by it; `aria` says how it is sorted now."""

    label: str
    css: str
    sort_url: str = ""
    aria: str = ""


@dataclass(slots=True, frozen=True)
class Cell:
    """One cell."""

    label: str
    css: str
    html: SafeString | str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show: a phone's card leaves it out."""
        return self.html == formats.NONE


@dataclass(slots=True, frozen=True)
class Row:
    """One row."""

    pk: Any
    url: str
    cells: list[Cell]
    heading: str = ""  # where it differs from the row's before


@dataclass(slots=True, frozen=True)
class Chip:
    """An active filter in words, with the address without it."""

    label: str
    text: str
    url: str


@dataclass(slots=True, frozen=True)
class Control:
    """One parameter of a filter, as a form control."""

    filter: Filter
    name: str
    id: str
    label: str
    value: str
    error: str


@dataclass(slots=True, frozen=True)
class Choice:
    """A column that can be shown or hidden."""

    key: str
    label: str
    shown: bool
    fixed: bool


@dataclass(slots=True)
class TableView:
    """Everything that `console/tables/table.html` reads as `table`."""

    request: HttpRequest
    state: State
    slice: Slice
    views: Sequence[SavedView] = ()
    saved_columns: bool = False
    rows: list[Row] = field(default_factory=list)

    @property
    def table(self) -> Table:
        """The declaration."""
        return self.state.table

    @property
    def id(self) -> str:
        """The id of the whole part in the page."""
        return f"table-{self.table.prefix}{self.table.name}"

    @property
    def shown(self) -> list[Column]:
        """The columns that are shown."""
        return [column for column in self.table.columns if column.key in self.state.columns]

    @property
    def heads(self) -> list[Head]:
        """The header row."""
        return [self._head(column) for column in self.shown]

    def _head(self, column: Column) -> Head:
        if not column.order:
            return Head(column.label, column.css)
        key, current = column.key, self.state.sort_key
        sorted_by = current.removeprefix("-") == key
        # The first click on a number or a time shows the largest first; a second one turns it round.
        following = key if current == f"-{key}" else f"-{key}"
        aria = ARIA[current.startswith("-")] if sorted_by else "none"
        return Head(column.label, column.css, self.state.url(sort=following), aria)

    @property
    def controls(self) -> list[Control]:
        """The form of the filter bar."""
        return [self._control(one, name) for one in self.table.filters for name in one.params()]

    def _control(self, one: Filter, name: str) -> Control:
        ends = {"_from": "from", "_to": "to", "_min": "from", "_max": "to"}
        end = ends.get(name.removeprefix(one.key), "")
        error = next((problem.reason for problem in self.state.problems if problem.field == name), "")
        return Control(
            one,
            self.table.prefix + name,
            f"{self.id}-{name}",
            f"{one.label} {end}".strip(),
            self.state.opened[name],
            error,
        )

    @property
    def personal(self) -> list[str]:
        """The parameters that name a person: with some, the form is posted and the address holds them sealed."""
        return [
            self.table.prefix + name for one in self.table.filters if one.personal for name in one.params()
        ]

    @property
    def chips(self) -> list[Chip]:
        """What the list is narrowed to."""
        return [
            Chip(one.label, one.told(self.state.values[one.key]), self.state.url_without([one]))
            for one in self.table.filters
            if one.key in self.state.values
        ]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Parameters that a new filter leaves as they are: the order, the columns, those of other tables."""
        mine = {self.table.prefix + name for one in self.table.filters for name in one.params()}
        gone = mine | {self.table.prefix + name for name in ("after", "before", "view", "format")}
        return [(name, str(value)) for name, value in self.request.GET.items() if name not in gone]

    @property
    def choices(self) -> list[Choice]:
        """The columns menu."""
        first = self.table.columns[0].key
        return [
            Choice(one.key, one.label, one.key in self.state.columns, one.key == first)
            for one in self.table.columns
        ]

    @property
    def problems(self) -> list[FieldProblem]:
        """What was wrong with the address."""
        return self.state.problems

    @property
    def filtered(self) -> bool:
        """Whether some filter is active."""
        return bool(self.state.values or self.state.problems)

    @property
    def clear_url(self) -> str:
        """Every filter taken away."""
        return self.state.url_without(list(self.table.filters))

    @property
    def previous_url(self) -> str:
        """The page before."""
        return self.state.url(before=self.slice.before) if self.slice.before else ""

    @property
    def next_url(self) -> str:
        """The page after."""
        return self.state.url(after=self.slice.after) if self.slice.after else ""

    @property
    def csv_url(self) -> str:
        """The same rows as a file."""
        return self.state.url(format="csv") if self.table.csv else ""

    @property
    def live_url(self) -> str:
        """Where the first page renews itself from; a later page would jump under the reader."""
        first = not (self.state.param("after") or self.state.param("before"))
        return self.request.get_full_path() if self.table.live_s and first and not self.problems else ""

    @property
    def here(self) -> str:
        """The page's own address, for forms that come back to it."""
        return self.request.get_full_path()

    @property
    def view_query(self) -> str:
        """What a saved view keeps, signed: filters, order and columns, but no value that names a person."""
        return query_offered(self.table.name, self.state.lasting_query())

    @property
    def unsaved(self) -> list[str]:
        """The active filters that a saved view leaves out, by label."""
        return [one.label for one in self.table.filters if one.personal and one.key in self.state.values]

    @property
    def columns_query(self) -> str:
        """Where a new choice of columns leads: the same list, without a choice in the address."""
        return self.state.url(columns="").removesuffix("?")

    @property
    def current_view(self) -> str:
        """The id of the saved view that was opened."""
        return self.state.param("view")

    @property
    def mine(self) -> Any:
        """The viewer's own id, to tell own views from shared ones."""
        user = self.request.user
        return user.pk if isinstance(user, User) else None


def rows_of(view: TableView, found: Sequence[Any]) -> list[Row]:
    """The cells of every row."""
    url, headings = view.table.row_url, _headings(view.table, found)
    return [
        Row(
            row.pk,
            url(row) if url else "",
            [Cell(column.label, column.css, column.cell(row)) for column in view.shown],
            heading,
        )
        for row, heading in zip(found, headings, strict=True)
    ]


def _headings(table: Table, found: Sequence[Any]) -> list[str]:
    texts = [table.heading(row) if table.heading else "" for row in found]
    return ["" if place and text == texts[place - 1] else text for place, text in enumerate(texts)]
