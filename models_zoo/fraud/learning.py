"""Training of a bundle on any stream: split by time with the label delay between the parts, card with
figures beside rules and a plain boosting. CPU, one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.boosting import NAME, Boosting, Settings, fit, save
from models_zoo.fraud.card import write_card
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.events import Floats
from models_zoo.fraud.splits import Parts, Worlds, split
from models_zoo.fraud.streams import Stream, joined, table, thinned

Report = Callable[[str], None]
SHIPPED = Settings(rate=0.06, leaves=31, rounds=600, feature_share=0.3)
"""Chosen on the validation days of generated worlds."""
REVIEW_COST = 5.0
"""Euros that a look at a payment costs, in the card's cost curve."""


def figures(part: Stream, scores: dict[str, metrics.Scores]) -> dict[str, Any]:
    """What a card says of a part of a stream: figures of each ranking, cost and calibration of the first."""
    labels, own = part.labels, next(iter(scores.values()))
    found: dict[str, Any] = {"payments": len(labels), "frauds": int(labels.sum())}
    found |= {name: metrics.figures(labels, one) for name, one in scores.items()}
    amounts = part.near.payment["amount"].astype(np.float64)
    found["cost_curve"] = metrics.cost_curve(labels, own, amounts, REVIEW_COST)
    found["calibration_error"] = round(metrics.calibration_error(labels, own), 5)
    found["calibration"] = metrics.calibration_curve(labels, own)
    return found


def learn(
    parts: Parts, settings: Settings, delay: float = DELAY, names: tuple[str, ...] = NAMES
) -> tuple[Boosting, dict[str, Any]]:
    """The expert trained on the parts, and its card without figures. Streams carry the labels that had come."""
    began = time.monotonic()
    kept = thinned(parts.train, settings.keep, settings.seed)
    features, later = table(kept.near, delay), table(parts.validation.near, delay)
    labels = parts.validation.labels
    expert = fit(features, kept.labels, later, labels, settings, names)
    scores = expert.probabilities(later)
    card = {
        "plan": asdict(settings),
        "label_delay_days": delay / DAY,
        "trained_on": {
            "payments": len(parts.train.labels),
            "frauds": int(parts.train.labels.sum()),
            "after_thinning": len(kept.labels),
        },
        "thresholds": {
            "review": round(metrics.threshold_at(labels, scores, 0.5), 4),
            "decline": round(metrics.threshold_at(labels, scores, 0.95), 4),
        },
        "thresholds_from": "validation days: review at precision 0.50, decline at precision 0.95",
        "split": "by time: training, validation and test days in order, the label delay between them",
        "alert_budget": metrics.ALERT_BUDGET,
        "false_positives": metrics.FALSE_POSITIVES,
        "review_cost": REVIEW_COST,
        "seconds": round(time.monotonic() - began),
    }
    return expert, card


def measure(
    expert: Boosting, parts: Parts, more: dict[str, Stream], settings: Settings, delay: float = DELAY
) -> dict[str, Any]:
    """Figures of the expert on the test days and on further streams, beside hand rules and plain boosting.

    The learned baselines see the same thinned training payments.
    """
    tests = {"test": parts.test} | more
    tables: dict[str, Floats] = {name: table(one.near, delay) for name, one in tests.items()}
    kept = thinned(parts.train, settings.keep, settings.seed)
    plain = baselines.learned(table(kept.near, delay), kept.labels, list(tables.values()))
    report = {}
    for place, (name, one) in enumerate(tests.items()):
        scores: dict[str, metrics.Scores] = {"boosting": expert.probabilities(tables[name])}
        scores["hand_rules"] = baselines.hand_rules(tables[name])
        scores |= {key: found[place] for key, found in plain.items()}
        report[name] = figures(one, scores)
    return report


def train_bundle(
    whole: Stream, folder: Path, report: Report, settings: Settings = SHIPPED, delay: float = DELAY
) -> dict[str, Any]:
    """Train on a stream, measure on its last days, and write a bundle that `Scorer` loads; returns its card.

    The stream's days are split by time, `delay` seconds between the parts. Raises TooLittle.
    """
    return _bundle(split(whole, delay), {}, folder, report, settings, delay, {})


def _bundle(
    parts: Parts,
    more: dict[str, Stream],
    folder: Path,
    report: Report,
    settings: Settings,
    delay: float,
    facts: dict[str, Any],
) -> dict[str, Any]:
    report(f"{len(parts.train.labels)} payments, {int(parts.train.labels.sum())} frauds to train on")
    expert, card = learn(parts, settings, delay)
    own = save(expert, folder / NAME, {"plan": card.pop("plan"), "seconds": card.pop("seconds")})
    report(f"{own['trees']} trees in {own['seconds']} s")
    decided = {
        "experts": {NAME: "LightGBM on causal features: contributes as tabular"},
        "decides": NAME,
        "calibration": {NAME: "scale and shift of the raw score, fitted on the validation days (Platt)"},
    }
    measured = {"figures": measure(expert, parts, more, settings, delay)}
    return write_card(folder, decided | facts | card | measured)


def train(worlds: Worlds, settings: Settings, folder: Path, report: Report) -> dict[str, Any]:
    """Train on generated worlds, measure, and write the bundle's folder; returns the card.

    The worlds' first days are trained on too: nobody has a past then, as in the first days at a bank.
    """
    apart = [split(one, warm_up=0) for one in worlds.streams()]
    parts = Parts(
        *(joined([getattr(one, name) for one in apart]) for name in ("train", "validation", "test"))
    )
    facts = {
        "licence": "Apache-2.0",
        "data": "generated by models_zoo.fraud.generator: no real person, account or data set",
        "intended_use": "scores of payments until there are labels of one's own to train on; a person decides",
        "command": "python -m models_zoo.fraud train",
        "worlds": asdict(worlds),
    }
    return _bundle(parts, worlds.others(), folder, report, settings, DELAY, facts)
