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


def tuned(say: Callable[[str], None]) -> dict[str, float]:
    """The smaller bank without and with tuning: AP on its last days of boosting and of who decides, which trial was
    chosen by what gain on the first validation days, and the seconds of one core that the trials took."""
    customers = min(BANKS)
    whole, found = stream(BANKS[customers], customers, 90), {}
    for name, wanted in (("as_given", False), ("tuned", True)):
        with TemporaryDirectory() as folder:
            card = train_bundle(whole, Path(folder), say, tuned=wanted)
        test = card["figures"]["test"]
        found[f"{name}_boosting_ap"] = test["boosting"]["average_precision"]
        found[f"{name}_ap"] = test[card["decides"]]["average_precision"]
    told = card["tuning"]
    found |= {"train_payments": card["trained_on"]["payments"], "early_frauds": told["frauds"]}
    found |= {"best_trial": told["best"], "chosen_trial": told["chosen"], "trials_s": told["seconds"]}
    return {f"tuning_{name}": value for name, value in (found | (told["gain"] or {})).items()}
