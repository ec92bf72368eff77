"""A generated world that no shipped weights have seen: the shipped bundle beside hand rules, times, ablations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.boosting import Boosting, Settings
from models_zoo.fraud.causal import GROUPS, NAMES, features
from models_zoo.fraud.learning import learn
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.splits import Parts, split
from models_zoo.fraud.streams import Stream, joined, table
from models_zoo.fraud.worlds import WARM_UP, stream

BATCH = 100


def figures(quick: bool) -> dict[str, float]:
    """The shipped weights on an unseen world, and what a score costs."""
    scorer = Scorer()
    world = stream(777, 300 if quick else 1000, 30 if quick else 75).between(WARM_UP, 1e9)
    scores = np.array([one.probability for near in world.near.pieces() for one in scorer.score(near)])
    rows, labels = table(world.near), world.labels
    own = metrics.figures(labels, scores)
    alerts = scores >= scorer.card.review
    wall, cpu = _single(scorer, world)
    return {
        "generated_ap": own["average_precision"],
        "generated_auc": own["roc_auc"],
        "generated_recall_at_fpr_0.3": own["recall_at_false_positives"],
        "generated_hand_rules_ap": round(metrics.average_precision(labels, baselines.hand_rules(rows)), 4),
        "generated_recall_flagged": round(float(alerts[labels].mean()), 4),
        "generated_alert_rate": round(float(alerts.mean()), 4),
        "generated_calibration_error": round(metrics.calibration_error(labels, scores), 5),
        "single_score_median_ms": round(float(np.median(wall)), 2),
        "single_score_p99_ms": round(float(np.percentile(wall, 99)), 2),
        "single_score_cpu_median_ms": round(float(np.median(cpu)), 2),
        **_costs(scorer.boosting, world),
    }


def _single(scorer: Scorer, world: Stream, count: int = 300) -> tuple[list[float], list[float]]:
    """Milliseconds of single scores, by the clock and by the processor."""
    wall, cpu = [], []
    for place in range(count):
        one = world.near.rows(np.array([place]))
        began, used = time.perf_counter(), time.thread_time()
        scorer.score(one)
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.thread_time() - used) * 1000)
    return wall, cpu


def _costs(expert: Boosting, world: Stream, rounds: int = 40) -> dict[str, float]:
    """Microseconds of one core a payment, in batches of 100: features, and boosting on them."""
    found: dict[str, list[float]] = {"features_us": [], "boosting_us": []}
    for place in range(rounds):
        near = world.near.rows(slice(place * BATCH, (place + 1) * BATCH))
        began = time.thread_time()
        rows = features(near)
        half = time.thread_time()
        expert.probabilities(rows)
        found["features_us"].append((half - began) * 1e6 / BATCH)
        found["boosting_us"].append((time.thread_time() - half) * 1e6 / BATCH)
    return {name: round(float(np.median(each)), 1) for name, each in found.items()}


def ablations(say: Callable[[str], None]) -> dict[str, float]:
    """Average precision on an unseen world of models trained without each group, beside the whole one's."""
    apart = [split(stream(seed, 600, 75)) for seed in (11, 12)]
    parts = Parts(
        *(joined([getattr(one, name) for one in apart]) for name in ("train", "validation", "test"))
    )
    unseen = stream(103, 600, 75).between(WARM_UP, 1e9)
    rows, found = table(unseen.near), {}
    for without in ("", *GROUPS):
        names = tuple(name for name in NAMES if name not in GROUPS.get(without, ()))
        expert, _ = learn(parts, replace(Settings(), rate=0.08, rounds=300), names=names)
        score = metrics.average_precision(unseen.labels, expert.logits(rows))
        found[f"ablation_{'without_' + without if without else 'whole'}_ap"] = round(score, 4)
        say(f"without {without or 'nothing'}: {score:.4f}")
    return found
