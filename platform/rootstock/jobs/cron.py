"""When a schedule runs next: five-field cron in a time zone, or an interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from celery.schedules import ParseException, crontab

from rootstock.errors import InvalidInput

SHORTEST_S = 60
_DAYS = 5 * 366  # within which a pattern such as 29 February must come


@dataclass(slots=True, frozen=True)
class Cron:
    """A parsed pattern. As cron has it: when both days are restricted, either of them will do."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool
    zone: ZoneInfo

    def on(self, day: date) -> bool:
        """Whether it runs on this day at all."""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = in_month or in_week if self.either_day else in_month and in_week
        return day.month in self.months and fits

    def next_after(self, moment: datetime) -> datetime:
        """The first time after `moment`, in UTC. A local time that a clock change skips is passed over."""
        first = moment.astimezone(self.zone).date()
        for offset in range(_DAYS):
            for time in self._times(first + timedelta(days=offset)):
                if time > moment:
                    return time
        raise InvalidInput.field("cron", "never comes")

    def _times(self, day: date) -> Iterator[datetime]:
        if not self.on(day):
            return
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                found = local.astimezone(UTC)
                if found.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                    yield found


def cron_of(pattern: str, timezone: str) -> Cron:
    """Parse minute, hour, day of month, month, day of week. Raises InvalidInput."""
    if timezone not in available_timezones():
        raise InvalidInput.field("timezone", "is not a time zone such as Europe/Berlin")
    fields = pattern.split()
    if len(fields) != 5:
        raise InvalidInput.field("cron", "needs five fields: minute, hour, day of month, month, day of week")
    minute, hour, day, month, weekday = fields
    try:
        read: Any = crontab(
            minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday
        )
    except (ParseException, ValueError) as error:
        raise InvalidInput.field("cron", f"cannot be read: {str(error)[:120]}") from None
    return Cron(
        tuple(sorted(read.minute)), tuple(sorted(read.hour)), frozenset(read.day_of_month),
        frozenset(read.month_of_year), frozenset(read.day_of_week), day != "*" and weekday != "*",
        ZoneInfo(timezone),
    )  # fmt: skip


def next_run(
    *, cron: str, every_s: int | None, timezone: str, after: datetime, anchor: datetime | None = None
) -> datetime:
    """The first time after `after`. An interval keeps its beat: whole intervals from `anchor`. Raises InvalidInput."""
    if cron:
        return cron_of(cron, timezone).next_after(after)
    if every_s is None or every_s < SHORTEST_S:
        raise InvalidInput.field("every_s", f"must be at least {SHORTEST_S}")
    step = timedelta(seconds=every_s)
    begun = anchor or after
    return begun + step * ((after - begun) // step + 1)
