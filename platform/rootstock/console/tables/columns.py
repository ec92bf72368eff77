"""Columns: how a row's value is read, shown in a cell and written to a CSV file."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from rootstock.console import formats
from rootstock.console.templatetags.console import when


@dataclass(slots=True, frozen=True)
class Column:
    """One column. `key` names it in addresses and CSV files, and is the attribute that is read by default.

    `value(row)` gives what is shown: text, a number, a time, or safe HTML from the console's tags; `template` is
    included with `row` and `value` instead. `csv(row)` gives the plain value where the shown one is HTML.
    `css` takes num, mono, strong, wide, nowrap. `order` is the field to sort by: see the package's note on indexes.
    """

    key: str
    label: str
    value: Callable[[Any], Any] | None = None
    template: str = ""
    csv: Callable[[Any], Any] | None = None
    css: str = ""
    order: str = ""
    nullable: bool = False
    shown: bool = True

    def read(self, row: Any) -> Any:
        """The value of a row."""
        return self.value(row) if self.value else attribute(row, self.key)

    def cell(self, row: Any) -> SafeString | str:
        """What the cell shows."""
        if self.template:
            return render_to_string(self.template, {"row": row, "value": self.read(row)})
        return shown(self.read(row))

    def plain(self, row: Any) -> str:
        """What a CSV file says."""
        return safe_csv(self.csv(row) if self.csv else attribute_or_value(self, row))


def attribute_or_value(column: Column, row: Any) -> Any:
    """The plain value: what `value` gives, unless that is HTML."""
    found = column.read(row)
    return attribute(row, column.key) if isinstance(found, SafeString) else found


def attribute(row: Any, path: str) -> Any:
    """`a__b` of a row; None where a step is missing."""
    for name in path.split("__"):
        try:
            row = getattr(row, name, None)
        except ObjectDoesNotExist:
            return None
    return row


def shown(value: Any) -> SafeString | str:
    """A value as a cell shows it: times in the viewer's zone, whole numbers apart by thousands, nothing as a dash."""
    if isinstance(value, SafeString):
        return value
    if value is None or value == "":
        return formats.NONE
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, (datetime.datetime, datetime.date)):
        return when(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def safe_csv(value: Any) -> str:
    """A value for a CSV file. Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (bool, int, float, Decimal)):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
