"""Tuning of boosting on an organisation's payments: a few fixed settings around the given ones, tried one by one.

Each is trained on the training days and stopped early, and they are ranked by average precision on the first window of
the validation days, where scales and fusion are fitted too. Nothing after it is seen: gate and thresholds come from the
later window, figures from the test days.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import Labels, Settings, grow
from models_zoo.fraud.experts.judging import EARLY, early_window, lacking
from models_zoo.fraud.experts.training import Report
from models_zoo.fraud.learning import Sample
from models_zoo.fraud.streams import Stream

AROUND: tuple[dict[str, Any], ...] = (
    {},
    {"rate": 0.03},
    {"leaves": 8, "depth": 4},
    {"leaves": 48},
    {"smallest_leaf": 80, "l2": 20.0},
    {"smallest_leaf": 5, "l2": 1.0},
    {"feature_share": 0.15},
    {"feature_share": 0.6},
)
"""What each trial changes, the given settings first. None is deeper than those that ship: TreeSHAP would cost more."""
TUNED = ("rate", "leaves", "depth", "smallest_leaf", "l2", "feature_share")
"""The settings that a card tells of each trial."""
STEPS = len(AROUND) + 1
"""Lines that are reported: one of each trial, and what was chosen."""
RULE = "the best if the 95 % interval of its gain over the first, drawn by payee, is above 0; otherwise the first"


@dataclass(slots=True, frozen=True)
class Tuned:
    """The settings to train with, and what the card says of how they were chosen."""

    settings: Settings
    card: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Choice:
    """Places among the trials of the best one and of the chosen one; the best one's gain over the first in average
    precision with its 95 % interval, None where the first is the best."""

    best: int
    chosen: int
    gain: dict[str, float] | None


def tune(
    train: Sample, days: Stream, later: Sample, settings: Settings, report: Report, threads: int = 1
) -> Tuned:
    """Try settings on training payments and on the first window of the validation `days`, whose sample is `later`.

    With too few frauds there, nothing is tried and the given settings stay.
    """
    began, early = time.monotonic(), early_window(torch.from_numpy(days.day)).numpy()
    window = Sample(later.features[early], later.labels[early])
    why = lacking(torch.from_numpy(window.labels), EARLY)
    if why:
        report(f"nothing is tuned: {why}")
        return Tuned(settings, {"trials": [], "why": why})
    tried = [replace(settings, **changes) for changes in AROUND]
    trials, scores = [], []
    for place, one in enumerate(tried):
        trial, found = _trial(train, window, one, threads)
        trials.append(trial)
        scores.append(found)
        told = ", ".join(f"{name} {value}" for name, value in AROUND[place].items()) or "settings as given"
        report(
            f"trial {place + 1} of {len(tried)}: {told}: AP {trial['average_precision']}, {trial['rounds']} rounds"
        )
    choice = choose(window.labels, scores, days.near.payment["payee"][early])
    report(f"trial {choice.chosen + 1} is chosen")
    return Tuned(tried[choice.chosen], {
        "window": f"the {EARLY} of the validation days",
        "payments": len(window.labels),
        "frauds": int(window.labels.sum()),
        "trials": trials,
        "best": choice.best + 1,
        "gain": choice.gain,
        "chosen": choice.chosen + 1,
        "rule": RULE,
        "seconds": round(time.monotonic() - began),
    })  # fmt: skip


def _trial(
    train: Sample, window: Sample, settings: Settings, threads: int
) -> tuple[dict[str, Any], metrics.Scores]:
    """What the card says of one trial, and its raw scores float64 [N] of the window."""
    grown = grow(
        train.features, train.labels, settings, later=(window.features, window.labels), threads=threads
    )
    scores = grown.logits(window.features)
    told = {
        "settings": {name: getattr(settings, name) for name in TUNED},
        "rounds": grown.model.num_trees(),
        "average_precision": round(metrics.average_precision(window.labels, scores), 4),
    }
    return told, scores


def choose(labels: Labels, scores: list[metrics.Scores], payee: NDArray[np.integer]) -> Choice:
    """Which of several rankings, each float [N], to keep by labels bool [N]; `payee` [N] is drawn together."""
    reached = [metrics.average_precision(labels, one) for one in scores]
    best = int(np.argmax(reached))
    if best == 0:
        return Choice(0, 0, None)
    gain, low, high = metrics.paired_interval(labels, scores[best], scores[0], payee)
    return Choice(best, best if low > 0 else 0, {"gain": gain, "low": low, "high": high})
