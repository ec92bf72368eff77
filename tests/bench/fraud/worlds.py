"""A generated world that no shipped weights have seen: the shipped bundle beside hand rules, times, ablations."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.boosting import Boosting, Settings, load
from models_zoo.fraud.card import WEIGHTS
from models_zoo.fraud.causal import GROUPS, NAMES, features
from models_zoo.fraud.experts import stored
from models_zoo.fraud.experts.fusion import EXPERTS
from models_zoo.fraud.experts.rows import Rows, rows_of
from models_zoo.fraud.experts.training import Plan, average_precision, fuse, gain, logits
from models_zoo.fraud.generator import generate
from models_zoo.fraud.learning import Samples, learn
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.splits import Parts, split
from models_zoo.fraud.streams import Stream, joined, table
from models_zoo.fraud.typologies import CYCLE, MULE, SCATTER, TYPOLOGIES
from models_zoo.fraud.worlds import WARM_UP, stream

BATCH, UNSEEN = 100, 777
FITTED = (201, 202, 203)
"""Seeds of the worlds that the fusions of the ablation are fitted on."""


def figures(quick: bool) -> dict[str, float]:
    """The shipped bundle on an unseen world, as served, and what a score costs."""
    scorer = Scorer()
    customers, days = (300, 30) if quick else (1000, 75)
    whole, kinds = stream(UNSEEN, customers, days), _kinds(UNSEEN, customers, days)
    world, kind = whole.between(WARM_UP, 1e9), kinds[whole.day >= WARM_UP]
    scores = np.array([one.probability for near in world.near.pieces() for one in scorer.score(near)])
    rows, labels = table(world.near), world.labels
    boosted = scorer.boosting.probabilities(rows)
    own = metrics.figures(labels, scores)
    alerts = scores >= scorer.card.review
    wall, cpu = _single(scorer, world)
    return {
        "generated_ap": own["average_precision"],
        "generated_auc": own["roc_auc"],
        "generated_recall_at_fpr_0.3": own["recall_at_false_positives"],
        "generated_boosting_ap": round(metrics.average_precision(labels, boosted), 4),
        "generated_hand_rules_ap": round(metrics.average_precision(labels, baselines.hand_rules(rows)), 4),
        "generated_recall_flagged": round(float(alerts[labels].mean()), 4),
        "generated_alert_rate": round(float(alerts.mean()), 4),
        "generated_calibration_error": round(metrics.calibration_error(labels, scores), 5),
        **{f"generated_recall_{name}": recall for name, recall in _recalls(labels, kind, scores).items()},
        "single_score_median_ms": round(float(np.median(wall)), 2),
        "single_score_p99_ms": round(float(np.percentile(wall, 99)), 2),
        "single_score_cpu_median_ms": round(float(np.median(cpu)), 2),
        **_costs(scorer.boosting, world),
    }


def _kinds(seed: int, customers: int, days: int) -> NDArray[np.str_]:
    """What each payment of a world truly is."""
    return np.array([one.typology for one in generate(seed, customers, days)])


def _recalls(labels: NDArray[np.bool_], kind: NDArray[np.str_], scores: metrics.Scores) -> dict[str, float]:
    """Recall of each typology at the threshold that flags 0.3 % of the genuine payments."""
    threshold = np.quantile(scores[~labels], 1 - metrics.FALSE_POSITIVES)
    return {name: round(float((scores[kind == name] > threshold).mean()), 4) for name in TYPOLOGIES}


def experts(say: Callable[[str], None]) -> dict[str, float]:
    """Each expert on the unseen world, and what a fusion loses without it: all fitted on three more unseen worlds."""
    deep, boosted = stored.load(WEIGHTS), load()
    fitted = [_by_experts(deep, boosted, seed, 600, 60, say) for seed in FITTED]
    given = torch.cat([one for one, _ in fitted])
    labels = torch.cat([rows.labels for _, rows in fitted])
    unseen, rows = _by_experts(deep, boosted, UNSEEN, 1000, 75, say)
    kind = _kinds(UNSEEN, 1000, 75)[-len(rows) :]
    scores = dict(zip(EXPERTS, unseen.unbind(1), strict=True))
    scores["fusion"] = _fused(given, labels, EXPERTS, unseen)
    found: dict[str, float] = {}
    for name, one in scores.items():
        found[f"experts_{name}_ap"] = round(average_precision(rows, one), 4)
        recalls = _recalls(rows.labels.numpy(), kind, one.double().numpy())
        found |= {f"experts_{name}_recall_{each}": recalls[each] for each in (MULE, CYCLE, SCATTER)}
    found |= _eight_bits(deep, unseen[:, 0], rows)
    for without in EXPERTS:
        names = tuple(name for name in EXPERTS if name != without)
        lesser = _fused(given, labels, names, unseen)
        found[f"experts_without_{without}_ap"] = round(average_precision(rows, lesser), 4)
        lost = gain(rows.labels, scores["fusion"], lesser, rows.payee, 200)
        for end, value in zip(("lost", "lost_low", "lost_high"), lost, strict=True):
            found[f"experts_without_{without}_{end}"] = value
    return found


@torch.inference_mode()
def _by_experts(
    deep: stored.Deep, boosted: Boosting, seed: int, customers: int, days: int, say: Callable[[str], None]
) -> tuple[torch.Tensor, Rows]:
    """Calibrated logits [N, 3] of all experts on a world, and its rows."""
    rows = rows_of(stream(seed, customers, days).between(WARM_UP, 1e9))
    found = {"tabular": torch.from_numpy(boosted.logits(rows.features.numpy())).float()}
    found |= {name: deep.scales[name](logits(net, rows)) for name, net in deep.nets.items()}
    say(f"world {seed}: {len(rows)} payments by all experts")
    return torch.stack([found[name] for name in EXPERTS], 1), rows


@torch.inference_mode()
def _eight_bits(deep: stored.Deep, boosted: torch.Tensor, rows: Rows) -> dict[str, float]:
    """The shipped fusion over nets whose linears are int8 (dynamic), beside float32: its ranking, and microseconds of
    one core a payment, in batches of 100."""
    torch.set_num_threads(1)
    eight = {
        name: torch.ao.quantization.quantize_dynamic(copy.deepcopy(net), {torch.nn.Linear}, torch.qint8)
        for name, net in deep.nets.items()
    }
    found: dict[str, float] = {}
    for form, nets in (("float32", deep.nets), ("int8", eight)):
        own = [deep.scales[name](logits(net, rows)) for name, net in nets.items()]
        fused = deep.fusion(torch.stack([boosted, *own], 1)).logit
        found[f"experts_{form}_ap"] = round(average_precision(rows, fused), 4)
        times = []
        for _ in range(40):
            began = time.thread_time()
            for net in nets.values():
                logits(net, rows.part(torch.arange(BATCH)))
            times.append((time.thread_time() - began) * 1e6 / BATCH)
        found[f"experts_{form}_us"] = round(float(np.median(times)), 1)
    return found


def _fused(
    given: torch.Tensor, labels: torch.Tensor, names: tuple[str, ...], unseen: torch.Tensor
) -> torch.Tensor:
    fusion = fuse(given.clone(), labels, Plan(), names)
    with torch.inference_mode():
        found: torch.Tensor = fusion(unseen).logit
    return found


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
        settings = replace(Settings(), rate=0.08, rounds=300)
        expert, _ = learn(Samples.of(parts, settings), settings, names=names)
        score = metrics.average_precision(unseen.labels, expert.logits(rows))
        found[f"ablation_{'without_' + without if without else 'whole'}_ap"] = round(score, 4)
        say(f"without {without or 'nothing'}: {score:.4f}")
    return found
