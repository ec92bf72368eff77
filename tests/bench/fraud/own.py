"""An organisation's own model at generated banks that no shipped weights have seen: its boosting alone, the whole of it
with the shipped nets, and the shipped model, all on the bank's last days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from models_zoo.fraud.experts.organisation import train_bundle
from models_zoo.fraud.worlds import stream

BANKS = {1000: 777, 3000: 778}
"""Seeds by customers."""


def figures(say: Callable[[str], None]) -> dict[str, float]:
    """AP of each, the gain over the shipped model, and seconds of one core in which the nets were asked about the
    validation payments and the fusion was fitted and judged."""
    found: dict[str, float] = {}
    for customers, seed in BANKS.items():
        with TemporaryDirectory() as folder:
            card = train_bundle(stream(seed, customers, 90), Path(folder), say)
        test, fusion = card["figures"]["test"], card["fusion"]
        own = {
            "trained_frauds": card["trained_on"]["frauds"],
            "test_frauds": test["frauds"],
            "boosting_ap": test["boosting"]["average_precision"],
            "ap": test[card["decides"]]["average_precision"],
            "shipped_ap": test["shipped"]["average_precision"],
            "fusion_decides": float(fusion["used"]),
            "validation_payments": fusion["payments"],
            "fusion_s": fusion["seconds"],
        }
        own |= {f"over_shipped_{end}": one for end, one in test["shipped"]["gain"].items()}
        found |= {f"own_{customers}_{name}": value for name, value in own.items()}
    return found
