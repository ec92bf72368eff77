"""What the usage page draws."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.tiles import Tile
from rootstock.gateway.models import Budget
from rootstock.gateway.selectors import Usage

SHOWN = 5  # series with a name of their own; the rest are one
REST = "all others"


def days_between(since: date, until: date) -> list[date]:
    """Every day, both ends included."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def budget_tiles(budget: Budget, today: int, month: int, streams: int, most_streams: int) -> list[Tile]:
    """What is used of the day, the month and the places for answers under way."""
    return [
        _limit_tile("Today", today, budget.tokens_per_day),
        _limit_tile("This month", month, budget.tokens_per_month),
        Tile(
            "Answers under way", f"{streams:,}", f"of {most_streams:,}", symbol="zap",
            tone="warn" if streams >= most_streams else "",
        ),
    ]  # fmt: skip


def _limit_tile(label: str, used: int, limit: int | None) -> Tile:
    value = formats.abbreviated(used)
    if limit is None:
        return Tile(label, value, "tokens", note="no limit is set", symbol="gauge")
    share = used / limit if limit else 1.0
    spent = used >= limit
    return Tile(
        label,
        value,
        f"of {formats.abbreviated(limit)} tokens",
        note="spent: calls are refused" if spent else f"{formats.percentage(share)} used",
        symbol="triangle-alert" if spent else "gauge",
        tone="error" if spent else "warn" if share >= 0.8 else "ok",
    )


def usage_charts(
    days: Sequence[date], by_model: Sequence[Usage], by_caller: Sequence[Usage], name: Callable[[Usage], str]
) -> list[Chart]:
    """Tokens by day: read and written, by model, by caller. None before anything was used."""
    if not by_model:
        return []
    return [
        _chart("usage-kind", "Tokens by day", days, _kinds(days, by_model), "A day is one of UTC."),
        _chart("usage-model", "By model", days, _stacked(days, by_model, lambda one: one.model or "")),
        _chart("usage-caller", "By caller", days, _stacked(days, by_caller, name)),
    ]


def _chart(id: str, title: str, days: Sequence[date], series: list[Series], note: str = "") -> Chart:
    labels = [f"{day.day} {day:%b}" for day in days]
    return Chart(id, title, labels, series, "stacked", "tokens", note=note, small=True, label_title="Day")


def _kinds(days: Sequence[date], rows: Sequence[Usage]) -> list[Series]:
    kinds: list[tuple[str, str, Callable[[Usage], int]]] = [
        ("prompt, from the cache", "info", lambda one: one.cached_tokens),
        ("prompt, read", "accent", lambda one: one.prompt_tokens - one.cached_tokens),
        ("written", "violet", lambda one: one.completion_tokens),
    ]
    return [Series(name, _by_day(days, rows, tokens), tone) for name, tone, tokens in kinds]


def _stacked(days: Sequence[date], rows: Sequence[Usage], name: Callable[[Usage], str]) -> list[Series]:
    """A series for each of the largest, and one for the rest."""
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[name(row)] += row.tokens
    largest = sorted(totals, key=lambda one: (-totals[one], one))[:SHOWN]
    series = [
        Series(one, _by_day(days, [row for row in rows if name(row) == one], _tokens)) for one in largest
    ]
    if len(totals) > SHOWN:
        rest = [row for row in rows if name(row) not in largest]
        series.append(Series(REST, _by_day(days, rest, _tokens)))
    return series


def _tokens(row: Usage) -> int:
    return row.tokens


def _by_day(days: Sequence[date], rows: Sequence[Usage], count: Callable[[Usage], int]) -> list[float | None]:
    sums: dict[date | None, int] = defaultdict(int)
    for row in rows:
        sums[row.day] += count(row)
    return [sums[day] for day in days]
