"""What a chart card shows. One description feeds both the drawing and its table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["line", "area", "bar", "stacked"]


@dataclass(slots=True, frozen=True)
class Series:
    """One named run of values; None leaves a gap. `tone` is accent, ok, warn, error, info, high or violet."""

    name: str
    values: Sequence[float | None]
    tone: str = ""


@dataclass(slots=True, frozen=True)
class Chart:
    """A chart card. `labels` run along the x axis, one for each value of every series."""

    id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Kind = "line"
    unit: str = ""
    note: str = ""
    small: bool = False
    label_title: str = field(default="")

    def spec(self) -> dict[str, Any]:
        """What the browser draws from, as JSON."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "labels": list(self.labels),
            "series": [asdict(series) for series in self.series],
        }

    def rows(self) -> list[tuple[str, list[float | None]]]:
        """The same numbers as a table."""
        return [
            (label, [series.values[index] for series in self.series])
            for index, label in enumerate(self.labels)
        ]
