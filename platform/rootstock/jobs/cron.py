"""When a schedule runs next: five-field cron in a time zone, or an interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from cron_descriptor import Options, get_description

from rootstock.console.formats import span
from rootstock.errors import InvalidInput

if TYPE_CHECKING:
    from rootstock.jobs.models import JobSchedule

SHORTEST_S = 60
_OPTIONS = Options()
_OPTIONS.use_24hour_time_format = True
_DAYS = 40 * 366  # a pattern such as 29 February, Mondays only, comes once in 28 years


@dataclass(slots=True, frozen=True)
class Cron:
    """A parsed pattern. A day must fit all three of day of month, month and day of week."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    zone: ZoneInfo

    def on(self, day: date) -> bool:
        """Whether it runs on this day at all."""
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

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
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise InvalidInput.field("timezone", "is not a time zone such as Europe/Berlin") from None
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
        frozenset(read.month_of_year), frozenset(read.day_of_week), zone,
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


def next_runs(schedule: "JobSchedule", count: int = 5) -> list[datetime]:
    """Its next times; none while it is paused."""
    found = [schedule.next_run_at] if schedule.next_run_at else []
    while found and len(found) < count:
        try:
            found.append(
                next_run(
                    cron=schedule.cron, every_s=schedule.every_s, timezone=schedule.timezone,
                    after=found[-1], anchor=schedule.created_at,
                )
            )  # fmt: skip
        except InvalidInput:  # it never comes again
            break
    return found


def in_words(schedule: "JobSchedule") -> str:
    """When it runs, for the reader."""
    if schedule.every_s:
        return f"Every {span(float(schedule.every_s))}"
    return f"{get_description(schedule.cron, _OPTIONS)} ({schedule.timezone})"
