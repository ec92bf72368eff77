"""How an endpoint fares, as tiles and charts."""

from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.tiles import Tile
from rootstock.webhooks.selectors import Fare


def fare_tiles(fare: Fare) -> list[Tile]:
    """Success and latency of the last day."""
    tried = fare.delivered + fare.failed
    share = fare.success
    tone = "" if share is None else "ok" if share >= 0.99 else "warn" if share >= 0.9 else "error"
    return [
        Tile(
            "Taken",
            formats.NONE if share is None else formats.percentage(share, 1),
            note="of all tries in a day",
            tone=tone,
        ),
        Tile("Tries", f"{tried:,}", note=f"{fare.failed:,} failed"),
        Tile("Answer, usual", _ms(fare.p50), note="half are quicker"),
        Tile("Answer, slow", _ms(fare.p95), note="one in twenty is slower"),
    ]


def _ms(value: float | None) -> str:
    return formats.NONE if value is None else formats.span(value / 1000)


def fare_charts(fare: Fare) -> list[Chart]:
    """Tries and latency by the hour; none before anything was sent."""
    if not fare.delivered + fare.failed:
        return []
    labels = [hour.at for hour in fare.hours]
    tries = [
        Series("taken", [float(hour.delivered) for hour in fare.hours], "ok"),
        Series("failed", [float(hour.failed) for hour in fare.hours], "error"),
    ]
    latency = [
        Series("usual", [_rounded(hour.p50) for hour in fare.hours], "accent"),
        Series("slow", [_rounded(hour.p95) for hour in fare.hours], "warn"),
    ]
    return [
        Chart("tries", "Tries by the hour", labels, tries, "stacked", small=True, label_title="Hour"),
        Chart("latency", "Time to answer", labels, latency, "bar", "ms", small=True, label_title="Hour"),
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
