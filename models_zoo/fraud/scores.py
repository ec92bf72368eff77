"""What a bundle says of a payment."""

from __future__ import annotations

from dataclasses import dataclass

from models_zoo.fraud.reasons import Reason


@dataclass(slots=True, frozen=True)
class Score:
    """Calibrated probability of fraud, its outcome, each expert's share in logits, and the reasons.

    Reasons are given where the outcome is not "approve".
    """

    probability: float
    outcome: str
    contributions: dict[str, float]
    reasons: list[Reason]
