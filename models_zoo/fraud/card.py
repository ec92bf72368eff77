"""The card of the shipped weights: plain JSON, read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(slots=True, frozen=True)
class Card:
    """What serving needs of `card.json`: thresholds on the calibrated probability, and the weights' digest."""

    digest: str
    review: float
    decline: float

    @property
    def reference(self) -> str:
        """`fraud@` and twelve hexadecimal digits of the digest."""
        return f"fraud@{self.digest[:12]}"

    def outcome(self, score: float) -> str:
        """`decline`, `review` or `approve` for a calibrated probability."""
        return "decline" if score >= self.decline else "review" if score >= self.review else "approve"


def read_card(folder: Path = WEIGHTS) -> Card:
    """The card in a folder of weights. Raises OSError if there is none, KeyError if it is incomplete."""
    found = json.loads((folder / "card.json").read_text())
    return Card(found["digest"], found["thresholds"]["review"], found["thresholds"]["decline"])
