"""A table as it is declared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rootstock.console.tables.actions import BulkAction
from rootstock.console.tables.columns import Column
from rootstock.console.tables.filters import Filter
from rootstock.console.tables.keyset import NEWEST, Sort


@dataclass(slots=True, frozen=True)
class Empty:
    """What a table without a single row says: what to do next."""

    title: str = "Nothing here yet"
    text: str = ""
    symbol: str = "inbox"
    action_url: str = ""
    action_label: str = ""


@dataclass(slots=True, frozen=True)
class Table:
    """A table. `name` is stable: saved views and column choices are kept under it.

    `sort` is a column's key, with `-` for descending; without one the newest rows come first. `prepare(rows)` may
    replace the page's model instances by richer rows (each needs a `pk`), with a query for all of them at once.
    `live_s` renews the first page every so many seconds. `reads` names the kind of persons whose data the rows are, so
    that who was shown which of them is on the audit trail. `heading(row)` stands above the first row that has it.
    """

    name: str
    label: str
    columns: Sequence[Column]
    filters: Sequence[Filter] = ()
    sort: str = ""
    row_url: Callable[[Any], str] | None = None
    empty: Empty = field(default_factory=Empty)
    actions: Sequence[BulkAction] = ()
    prepare: Callable[[list[Any]], Sequence[Any]] | None = None
    heading: Callable[[Any], str] | None = None
    live_s: int = 0
    page_size: int = 50
    prefix: str = ""
    csv: bool = True
    views: bool = True
    reads: str = ""

    def column(self, key: str) -> Column | None:
        """The column with this key."""
        return next((column for column in self.columns if column.key == key), None)

    def sort_of(self, text: str) -> Sort | None:
        """How `key` or `-key` sorts; None where that column cannot be sorted by."""
        column = self.column(text.removeprefix("-"))
        if column is None or not column.order:
            return None
        return Sort(column.order, text.startswith("-"), column.nullable)

    def default_sort(self) -> Sort:
        """The order when nobody asked for another."""
        return self.sort_of(self.sort) or NEWEST

    def default_columns(self) -> list[str]:
        """The columns that are shown when nobody chose."""
        return [column.key for column in self.columns if column.shown]
