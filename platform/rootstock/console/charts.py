"""What a chart card shows. One description feeds both the drawing and its table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["line", "area", "bar", "rows", "stacked"]  # rows: bars that lie, for long names
TALL = 12  # rows that fit into a card of the usual height


@dataclass(slots=True, frozen=True)
class Series:
    """One named run of values; None leaves a gap. `tone` is accent, ok, warn, error, info, high or violet.

    `sparse` joins the values over their gaps: what is measured now and then beside what is measured all the time.
    """

    name: str
    values: Sequence[float | None]
    tone: str = ""
    sparse: bool = False


@dataclass(slots=True, frozen=True)
class Chart:
    """A chart card. `labels` run along the x axis, one for each value of every series: words, or moments, which are
    shown in the viewer's zone."""

    id: str
    title: str
    labels: Sequence[str | datetime]
    series: Sequence[Series]
    kind: Kind = "line"
    unit: str = ""
    note: str = ""
    small: bool = False
    label_title: str = field(default="")

    @property
    def moments(self) -> bool:
        """Whether the labels are moments."""
        return bool(self.labels) and isinstance(self.labels[0], datetime)

    @property
    def size(self) -> str:
        """How high it is drawn."""
        tall = self.kind == "rows" and len(self.labels) > TALL
        return "small" if self.small else "tall" if tall else "usual"

    def spec(self) -> dict[str, Any]:
        """What the browser draws from, as JSON."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "labels": [label.isoformat() if isinstance(label, datetime) else label for label in self.labels],
            "moments": self.moments,
            "series": [asdict(series) for series in self.series],
        }

    def rows(self) -> list[tuple[str | datetime, list[float | None]]]:
        """The same numbers as a table."""
        return [
            (label, [series.values[index] for series in self.series])
            for index, label in enumerate(self.labels)
        ]
