"""The last line of every bench: one JSON object with its figures and its bars."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bar:
    """What a figure should be."""

    name: str
    relation: Literal[">=", "<="]
    want: float

    def met_by(self, got: float) -> bool:
        """Whether the figure is there."""
        return got >= self.want if self.relation == ">=" else got <= self.want


def report(bench: str, metrics: Mapping[str, float], bars: Sequence[Bar]) -> None:
    """Print the figures, then the JSON line. A bar that is missed is shown, not hidden: the status stays 0."""
    for name, value in metrics.items():
        sys.stdout.write(f"{name:40} {value}\n")
    shown = [
        {
            "name": bar.name,
            "want": f"{bar.relation} {bar.want}",
            "got": metrics[bar.name],
            "met": bar.met_by(metrics[bar.name]),
        }
        for bar in bars
    ]
    sys.stdout.write(json.dumps({"bench": bench, "metrics": dict(metrics), "bars": shown}) + "\n")
