"""A generated world that no shipped weights have seen: network and boosting beside hand rules, times, ablations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.boosting import Boosting, Settings, load
from models_zoo.fraud.causal import GROUPS, NAMES, features
from models_zoo.fraud.learning import Parts, learn, split
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.streams import Stream, joined, table
from models_zoo.fraud.training import probabilities
from models_zoo.fraud.worlds import WARM_UP, stream

BATCH = 100


def figures(quick: bool) -> dict[str, float]:
    """The shipped weights on an unseen world, and what a score costs."""
    scorer, expert = Scorer(), load()
    world = stream(777, 300 if quick else 1000, 30 if quick else 75).between(WARM_UP, 1e9)
    network, _ = probabilities(scorer.net, world.near)
    rows, labels = table(world.near), world.labels
    boosted = expert.probabilities(rows)
    own, theirs = metrics.figures(labels, network), metrics.figures(labels, boosted)
    gain, low, high = metrics.paired_interval(labels, boosted, network, world.near.payment["payee"], 100)
    wall, cpu = _single(scorer, world)
    return {
        "generated_ap": own["average_precision"],
        "generated_auc": own["roc_auc"],
        "generated_boosting_ap": theirs["average_precision"],
        "generated_boosting_auc": theirs["roc_auc"],
        "generated_boosting_gain": gain,
        "generated_boosting_gain_low": low,
        "generated_boosting_gain_high": high,
        "generated_boosting_recall_at_fpr_0.3": theirs["recall_at_false_positives"],
        "generated_hand_rules_ap": round(metrics.average_precision(labels, baselines.hand_rules(rows)), 4),
        "generated_recall_flagged": round(float((network >= scorer.card.review)[labels].mean()), 4),
        "generated_alert_rate": round(float((network >= scorer.card.review).mean()), 4),
        "generated_calibration_error": round(metrics.calibration_error(labels, network), 5),
        "generated_boosting_calibration_error": round(metrics.calibration_error(labels, boosted), 5),
        "single_score_median_ms": round(float(np.median(wall)), 2),
        "single_score_p99_ms": round(float(np.percentile(wall, 99)), 2),
        "single_score_cpu_median_ms": round(float(np.median(cpu)), 2),
        **_costs(expert, world),
    }


def _single(scorer: Scorer, world: Stream, count: int = 300) -> tuple[list[float], list[float]]:
    """Milliseconds of the network's single scores, by the clock and by the processor."""
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
