"""Throughput and latency of the last minutes, for the home page's tiles and live charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rootstock.console import formats
from rootstock.console.tiles import Tile
from rootstock.errors import AWAY, DomainError
from rootstock.metrics.recent import LaneSeries, Recent, recent

SPARK = 30  # five minutes
MINUTE = 60


@dataclass(slots=True, frozen=True)
class Pulse:
    """What was counted lately; without `recent` Valkey could not be asked."""

    recent: Recent | None

    @property
    def tiles(self) -> list[Tile]:
        """Requests a second and their 99th percentile."""
        if self.recent is None:
            return [
                Tile(
                    "Requests", formats.NONE, note="not known: the queue cannot be reached", symbol="activity"
                )
            ]
        rates, p99 = self.recent.requests_per_second, self.recent.p99_ms
        errors = sum(self.recent.errors_per_second[-SPARK:]) * self.recent.step_s
        return [
            Tile(
                "Requests",
                f"{_last(rates) or 0:.1f}",
                "a second",
                note=f"{errors:.0f} failed in 5 minutes" if errors else "none failed in 5 minutes",
                symbol="activity",
                tone="error" if errors else "",
                spark=tuple(rates[-SPARK:]),
            ),
            Tile(
                "Latency",
                formats.NONE if _known(p99) is None else f"{_known(p99):.0f}",
                "" if _known(p99) is None else "ms",
                note="99th percentile of requests",
                symbol="timer",
                spark=tuple(p99[-SPARK:]),
            ),
        ]

    @property
    def charts(self) -> dict[str, Any] | None:
        """What the live charts draw."""
        if self.recent is None:
            return None
        names = sorted(self.recent.lanes)
        return {
            "at": self.recent.at,
            "throughput": [
                {"name": "requests", "tone": "accent", "values": self.recent.requests_per_second},
                *({"name": name, "values": self.recent.lanes[name].per_second} for name in names),
            ],
            "latency": [
                {"name": "requests, median", "tone": "accent", "values": self.recent.p50_ms},
                {"name": "requests, p99", "tone": "warn", "values": self.recent.p99_ms},
                *({"name": f"{name}, p99", "values": self.recent.lanes[name].p99_ms} for name in names),
            ],
        }

    @property
    def figures(self) -> list[tuple[datetime, list[float | None]]]:
        """Requests a second, median and 99th percentile in ten seconds of each minute: what a page without scripts
        shows instead of the charts, the newest first."""
        if self.recent is None:
            return []
        told = self.recent
        rows = zip(told.at, told.requests_per_second, told.p50_ms, told.p99_ms, strict=True)
        minutes = list(rows)[:: -MINUTE // told.step_s]
        return [(datetime.fromtimestamp(at, UTC), list(values)) for at, *values in minutes]

    def lane(self, name: str) -> tuple[float | None, float | None, float | None]:
        """Items a second, median and 99th percentile of a lane, the newest known."""
        found: LaneSeries | None = self.recent.lanes.get(name) if self.recent else None
        if found is None:
            return None, None, None
        return _last(found.per_second), _known(found.p50_ms), _known(found.p99_ms)


def pulse() -> Pulse:
    """What is known now."""
    try:
        return Pulse(recent())
    except (*AWAY, DomainError):
        return Pulse(None)


def _last(values: Sequence[float]) -> float | None:
    return values[-1] if values else None


def _known(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values[-SPARK:]) if value is not None), None)
