"""Training of a bundle's boosting, with a card that has figures beside rules and a plain boosting.

An organisation's own bundle is trained in `experts.organisation`, the shipped one in `experts.shipped`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.boosting import NAME, Boosting, Labels, Settings, fit, save
from models_zoo.fraud.card import write_card
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.events import Floats
from models_zoo.fraud.splits import Parts
from models_zoo.fraud.streams import Stream, table, thinned

Report = Callable[[str], None]
SHIPPED = Settings(rate=0.06, leaves=24, depth=7, rounds=900, feature_share=0.3)
"""Chosen on the validation days of generated worlds."""
REVIEW_COST = 5.0
"""Euros that a look at a payment costs, in the card's cost curve."""


@dataclass(slots=True, frozen=True)
class Sample:
    """Payments to learn from or to measure on: causal features float32 [N, F] and labels bool [N]."""

    features: Floats
    labels: Labels

    @staticmethod
    def of(part: Stream, delay: float = DELAY) -> Sample:
        """A part of a stream."""
        return Sample(table(part.near, delay), part.labels)


@dataclass(slots=True, frozen=True)
class Samples:
    """What is trained on, thinned from so many `payments`; what rounds, scale and thresholds are chosen by; and, by
    their names in the card, what is only measured on."""

    train: Sample
    payments: int
    validation: Sample
    tests: Mapping[str, Sample]

    @staticmethod
    def of(parts: Parts, settings: Settings, delay: float = DELAY) -> Samples:
        """The parts of a stream, its training days thinned."""
        kept = thinned(parts.train, settings.keep, settings.seed)
        return Samples(
            Sample.of(kept, delay),
            len(parts.train.labels),
            Sample.of(parts.validation, delay),
            {"test": Sample.of(parts.test, delay)},
        )


def figures(part: Sample, scores: dict[str, metrics.Scores]) -> dict[str, Any]:
    """What a card says of payments: figures of each ranking, cost and calibration of the first."""
    labels, own = part.labels, next(iter(scores.values()))
    found: dict[str, Any] = {"payments": len(labels), "frauds": int(labels.sum())}
    found |= {name: metrics.figures(labels, one) for name, one in scores.items()}
    amounts = part.features[:, NAMES.index("amount")].astype(np.float64)
    found["cost_curve"] = metrics.cost_curve(labels, own, amounts, REVIEW_COST)
    found["calibration_error"] = round(metrics.calibration_error(labels, own), 5)
    found["calibration"] = metrics.calibration_curve(labels, own)
    return found


def learn(
    samples: Samples,
    settings: Settings,
    delay: float = DELAY,
    names: tuple[str, ...] = NAMES,
    threads: int = 1,
) -> tuple[Boosting, dict[str, Any]]:
    """The expert trained on the samples, and its card without figures. Histories carry the labels that had come."""
    began = time.monotonic()
    train, later = samples.train, samples.validation
    expert = fit(train.features, train.labels, later.features, later.labels, settings, names, threads)
    scores = expert.probabilities(later.features)
    card = {
        "plan": asdict(settings),
        "label_delay_days": delay / DAY,
        "trained_on": {
            "payments": samples.payments,
            "frauds": int(train.labels.sum()),
            "after_thinning": len(train.labels),
        },
        "thresholds": {
            "review": round(metrics.threshold_at(later.labels, scores, 0.5), 4),
            "decline": round(metrics.threshold_at(later.labels, scores, 0.95), 4),
        },
        "largest_amount": round(float(train.features[:, NAMES.index("amount")].max()), 2),
        "thresholds_from": "validation days: review at precision 0.50, decline at precision 0.95",
        "split": "by time: training, validation and test days in order, the label delay between them",
        "alert_budget": metrics.ALERT_BUDGET,
        "false_positives": metrics.FALSE_POSITIVES,
        "review_cost": REVIEW_COST,
        "seconds": round(time.monotonic() - began),
    }
    return expert, card


def measure(expert: Boosting, samples: Samples) -> dict[str, Any]:
    """Figures of the expert on what is only measured on, beside hand rules and baselines that learned from the same."""
    tests = samples.tests
    given = [one.features for one in tests.values()]
    plain = baselines.learned(samples.train.features, samples.train.labels, given)
    report = {}
    for place, (name, one) in enumerate(tests.items()):
        scores: dict[str, metrics.Scores] = {"boosting": expert.probabilities(one.features)}
        scores["hand_rules"] = baselines.hand_rules(one.features)
        scores |= {key: found[place] for key, found in plain.items()}
        report[name] = figures(one, scores)
    return report


def bundle(
    samples: Samples,
    folder: Path,
    report: Report,
    settings: Settings = SHIPPED,
    facts: Mapping[str, Any] | None = None,
    delay: float = DELAY,
    threads: int = 1,
) -> dict[str, Any]:
    """Train on samples, measure, and write a bundle in which boosting decides; returns its card, with `facts`."""
    report(f"{samples.payments} payments, {int(samples.train.labels.sum())} frauds to train on")
    expert, card = learn(samples, settings, delay, threads=threads)
    own = save(expert, folder / NAME, {"plan": card.pop("plan"), "seconds": card.pop("seconds")})
    report(f"{own['trees']} trees in {own['seconds']} s")
    decided = {
        "experts": {NAME: "LightGBM on causal features: contributes as tabular"},
        "decides": NAME,
        "calibration": {NAME: "scale and shift of the raw score, fitted on the validation days (Platt)"},
    }
    return write_card(folder, decided | dict(facts or {}) | card | {"figures": measure(expert, samples)})
