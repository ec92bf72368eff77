"""Filters of a table. Each reads its parameters, narrows the queryset and says in a chip what it does."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from rootstock.console import formats
from rootstock.errors import InvalidInput
from rootstock.ids import made_between

Apply = Callable[[QuerySet[Any], Any], QuerySet[Any]]
MAX_TEXT = 200


@dataclass(slots=True, frozen=True)
class Filter:
    """A filter; use one of the kinds below. `apply(queryset, value)` replaces the plain `lookup`.

    Mark it `personal` where its value names a person: no saved view keeps such a value,
    and addresses hold it only sealed.
    """

    key: str
    label: str
    lookup: str = ""
    apply: Apply | None = None
    personal: bool = False

    kind: ClassVar[str] = "text"

    def params(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return (self.key,)

    def read(self, given: Mapping[str, str], zone: ZoneInfo) -> Any:
        """The value asked for; None for none. Raises InvalidInput."""
        return given.get(self.key, "").strip() or None

    def narrow(self, queryset: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """The rows that pass."""
        return self.apply(queryset, value) if self.apply else queryset.filter(**{self.lookup: value})

    def told(self, value: Any) -> str:
        """The value in words, for the chip."""
        return str(value)


@dataclass(slots=True, frozen=True)
class TextFilter(Filter):
    """A search field. Prefer lookups that an index serves: exact or startswith; icontains for short tables."""

    placeholder: str = ""

    def read(self, given: Mapping[str, str], zone: ZoneInfo) -> Any:
        """The text."""
        text = given.get(self.key, "").strip()
        if len(text) > MAX_TEXT:
            raise InvalidInput.field(self.key, f"at most {MAX_TEXT} characters")
        return text or None


@dataclass(slots=True, frozen=True)
class ChoiceFilter(Filter):
    """One of a few values."""

    choices: Sequence[tuple[str, str]] = ()

    kind: ClassVar[str] = "choice"

    def read(self, given: Mapping[str, str], zone: ZoneInfo) -> Any:
        """The choice."""
        value = given.get(self.key, "")
        if value and value not in dict(self.choices):
            raise InvalidInput.field(self.key, f"must be one of {', '.join(v for v, _ in self.choices)}")
        return value or None

    def told(self, value: Any) -> str:
        """The choice's label."""
        return dict(self.choices)[value]


@dataclass(slots=True, frozen=True)
class DateFilter(Filter):
    """A range of days, both included, in the viewer's zone; of a date-time field, or a date with `of_days`.

    `by_id` says that the field is the time at which the row was made: then the index of the ids serves the range.
    """

    of_days: bool = False
    by_id: bool = False

    kind: ClassVar[str] = "date"

    def params(self) -> tuple[str, ...]:
        """First and last day."""
        return (f"{self.key}_from", f"{self.key}_to")

    def read(self, given: Mapping[str, str], zone: ZoneInfo) -> Any:
        """Two ends, each a moment, a day or None."""
        first, last = (_day(name, given.get(name, "")) for name in self.params())
        if first is None and last is None:
            return None
        if first and last and last < first:
            raise InvalidInput.field(f"{self.key}_to", "is before the first day")
        return (first, last, zone)

    def narrow(self, queryset: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Rows of these days."""
        first, last, zone = value
        end = last + datetime.timedelta(days=1) if last else None
        ends = [day if self.of_days or day is None else _midnight(day, zone) for day in (first, end)]
        if self.apply:
            return self.apply(queryset, tuple(ends))
        if self.by_id:
            return made_between(queryset, self.lookup, *ends)
        return _between(queryset, self.lookup, ends[0], ends[1], "lt")

    def told(self, value: Any) -> str:
        """from 1 Mar 2026 to 3 Mar 2026."""
        first, last, _ = value
        return " ".join(f"{w} {formats.moment(d)}" for w, d in (("from", first), ("to", last)) if d)


@dataclass(slots=True, frozen=True)
class NumberFilter(Filter):
    """A range of numbers, both ends included."""

    least: str = ""
    most: str = ""
    step: str = "any"

    kind: ClassVar[str] = "number"

    def params(self) -> tuple[str, ...]:
        """Least and most."""
        return (f"{self.key}_min", f"{self.key}_max")

    def read(self, given: Mapping[str, str], zone: ZoneInfo) -> Any:
        """Two ends, each a number or None."""
        least, most = (self._end(name, given.get(name, "")) for name in self.params())
        if least is None and most is None:
            return None
        if least is not None and most is not None and most < least:
            raise InvalidInput.field(f"{self.key}_max", "is below the least")
        return (least, most)

    def _end(self, name: str, text: str) -> Decimal | None:
        number = _number(name, text)
        if number is None:
            return None
        if (self.least and number < Decimal(self.least)) or (self.most and number > Decimal(self.most)):
            raise InvalidInput.field(name, f"must lie between {self.least or 'any'} and {self.most or 'any'}")
        return number

    def narrow(self, queryset: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Rows between the two."""
        if self.apply:
            return self.apply(queryset, value)
        return _between(queryset, self.lookup, value[0], value[1], "lte")

    def told(self, value: Any) -> str:
        """from 0.6 to 0.9."""
        least, most = value
        return " ".join(
            f"{word} {number:f}" for word, number in (("from", least), ("to", most)) if number is not None
        )


def _between(queryset: QuerySet[Any], lookup: str, least: Any, most: Any, upper: str) -> QuerySet[Any]:
    if least is not None:
        queryset = queryset.filter(**{f"{lookup}__gte": least})
    return queryset if most is None else queryset.filter(**{f"{lookup}__{upper}": most})


def _day(name: str, text: str) -> datetime.date | None:
    if not text:
        return None
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.field(name, "must be a day such as 2026-03-14") from None
    if not 1900 <= day.year <= 2200:
        raise InvalidInput.field(name, "must lie between 1900 and 2200")
    return day


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), zone)


def _number(name: str, text: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidInput.field(name, "must be a number") from None
    if not number.is_finite() or abs(number) > Decimal(10) ** 18:
        raise InvalidInput.field(name, "must be a number of at most 18 digits")
    return number
