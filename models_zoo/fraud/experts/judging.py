"""What follows once there are nets, whether trained here or given: scales, fusion, gate, floor, thresholds, figures.

Two windows of the validation days in order of time: the first part for scales and fusion, the last part for the gate,
the final scale, thresholds and the floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import NAME
from models_zoo.fraud.calibrating import calibration
from models_zoo.fraud.experts.fusion import EXPERTS, expert_use
from models_zoo.fraud.experts.rows import KINDS
from models_zoo.fraud.experts.stored import FUSION, Deep, Scale
from models_zoo.fraud.experts.training import Plan, Report, average_precision, fuse, gain
from models_zoo.fraud.learning import Sample, figures
from models_zoo.fraud.splits import LEAST

LATER = 0.6
"""Share of the validation days that come before the later window."""
EARLY, LATE = f"first {LATER:.0%}", f"last {1 - LATER:.0%}"
"""The two windows in words."""
COST_OF_FLOOR = 0.0005
"""Average precision that may be lost by not asking the nets about what boosting finds harmless."""
TOLD = {
    "sequence": "attention over the last 32 events of payer and payee",
    "graph": "two rounds of messages over the events of payer, payee, device and merchant",
    "fusion": "boosting corrected by a top-2 mixture of the three",
}
"""What a card says of the experts beside boosting."""


@dataclass(slots=True, frozen=True)
class Said:
    """What experts say of N payments: boosting's calibrated logits float32 [N] and the nets' raw ones, each [N]; and
    what is known of the payments, as in `Rows`."""

    boosting: Tensor
    nets: dict[str, Tensor]
    features: Tensor
    labels: Tensor
    day: Tensor
    payee: Tensor
    kind: Tensor

    def calibrated(self, scales: dict[str, Scale]) -> Tensor:
        """Calibrated logits [N, 3] in the order of EXPERTS."""
        return torch.stack([self.boosting, *(scales[name](self.nets[name]) for name in EXPERTS[1:])], 1)


@dataclass(slots=True, frozen=True)
class Judged:
    """Nets and fusion ready to be stored, and what the card says of who decides and why."""

    deep: Deep
    card: dict[str, Any]


@dataclass(slots=True, frozen=True)
class _Later:
    """The later window of L payments: calibrated logits [L, 3], raw fused ones [L], labels and payees [L]."""

    given: Tensor
    fused: Tensor
    labels: Tensor
    payee: Tensor


def early_window(day: Tensor) -> Tensor:
    """Which of the validation payments [N] are of the first window, by their days."""
    return day <= torch.quantile(day, LATER)


def too_few(labels: Tensor, day: Tensor) -> str:
    """Why nothing can be fitted and judged on these validation payments [N]; "" if it can."""
    early = early_window(day)
    return lacking(labels[early], EARLY) or lacking(labels[~early], LATE)


def lacking(labels: Tensor, window: str) -> str:
    """Why the payments [N] of one window are too few; "" if they are enough."""
    frauds = int(labels.sum())
    genuine = len(labels) - frauds
    if min(frauds, genuine) >= LEAST:
        return ""
    return (
        f"{frauds} frauds and {genuine} genuine payments in the {window} of the validation days, "
        f"at least {LEAST} of each are needed"
    )


def scaled(raw: Tensor, labels: Tensor) -> Scale:
    """Platt scaling of raw logits [N]."""
    values, known = raw.double().cpu().numpy(), labels.cpu().numpy()
    scale, shift = calibration(values, known)
    return Scale(scale, shift, float((values[~known] * scale + shift).mean()))


def judge(
    nets: dict[str, nn.Module], said: Said, plan: Plan, report: Report, all_needed: bool = True
) -> Judged:
    """Scales and fusion fitted on the first window of what was `said` of the validation days, judged on the later.

    The fusion decides if it beats boosting there, which decides otherwise; where experts must be `all_needed`, if it
    beats the best of them.
    """
    early = early_window(said.day)
    scales = {name: scaled(said.nets[name][early], said.labels[early]) for name in nets}
    given = said.calibrated(scales)
    fusion = fuse(given[early], said.labels[early], plan)
    with torch.inference_mode():
        found = fusion(given[~early])
    later = _Later(given[~early], found.logit, said.labels[~early], said.payee[~early])
    fusion.usual.copy_(found.parts[~later.labels].mean(0))
    gate, use = _gate(later, all_needed), expert_use(found).tolist()
    final = scaled(later.fused, later.labels)
    deep = Deep(nets, scales, fusion, final, _floor(later, final))
    shares = {name: round(one, 4) for name, one in zip(EXPERTS, use, strict=True)}
    report(f"gate: {gate}, use {shares}, floor {deep.floor:.2f}")
    told = gate | {
        "use": shares | {"spread": round(max(use) - min(use), 4)},
        "nets_asked_from_logit": deep.floor,
    }
    return Judged(deep, _decides(deep, gate["used"], later) | {"fusion": told})


def _gate(later: _Later, all_needed: bool) -> dict[str, Any]:
    """What each reaches, and whether the fusion beats boosting, or the best of them, beyond chance."""
    reached = {name: average_precision(later, later.given[:, place]) for place, name in enumerate(EXPERTS)}
    best = max(reached, key=lambda name: reached[name])
    won = {"gain_over_best": _won(later, EXPERTS.index(best))}
    if not all_needed:
        won["gain_over_boosting"] = _won(later, 0)
    return {
        "window": f"the {LATE} of the validation days",
        "frauds": int(later.labels.sum()),
        "average_precision": {name: round(one, 4) for name, one in reached.items()}
        | {"fusion": round(average_precision(later, later.fused), 4)},
        "best_expert": best,
        **won,
        "used": list(won.values())[-1]["low"] > 0,
    }


def _won(later: _Later, place: int) -> dict[str, float]:
    """The fusion's gain over one of EXPERTS."""
    won = gain(later.labels, later.fused, later.given[:, place], later.payee)
    return dict(zip(("gain", "low", "high"), won, strict=True))


def _floor(later: _Later, scale: Scale) -> float:
    """The highest logit of boosting below which the nets need not be asked."""
    boosting = later.given[:, 0]
    whole = average_precision(later, later.fused)
    floors = torch.quantile(
        boosting, torch.tensor([0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.5], device=boosting.device)
    )
    for floor in floors.tolist():
        kept = torch.where(boosting >= floor, scale(later.fused), boosting)
        if average_precision(later, kept) >= whole - COST_OF_FLOOR:
            return float(floor)
    return float(boosting.min()) - 1


def _decides(deep: Deep, used: bool, later: _Later) -> dict[str, Any]:
    """Who decides, with thresholds."""
    decides = FUSION if used else NAME
    score, known = _scores(deep, later.given)[decides], later.labels.cpu().numpy()
    thresholds = {
        name: round(metrics.threshold_at(known, score, precision), 4)
        for name, precision in (("review", 0.5), ("decline", 0.95))
    }
    chosen = "later validation window: review at precision 0.50, decline at precision 0.95"
    return {"decides": decides, "thresholds": thresholds, "thresholds_from": chosen}


def measured(deep: Deep, said: Said, decides: str, use: str, report: Report) -> dict[str, Any]:
    """What the card says of test payments: cost and calibration are of who decides."""
    scores = _scores(deep, said.calibrated(deep.scales))
    sample = Sample(said.features.cpu().numpy(), said.labels.cpu().numpy())
    found = figures(sample, {decides: scores[decides], **scores})
    report(f"{use}: " + ", ".join(f"{name} {found[name]['average_precision']}" for name in scores))
    return found | ({"recall_by_typology": _typologies(said, scores)} if said.kind.any() else {})


@torch.inference_mode()
def _cascade(given: Tensor, deep: Deep) -> Tensor:
    """Raw fused logits, and boosting's own brought to their scale below the floor."""
    below = (given[:, 0] - deep.fused.shift) / deep.fused.scale
    return torch.where(given[:, 0] >= deep.floor, deep.fusion(given).logit, below)


def _scores(deep: Deep, given: Tensor) -> dict[str, metrics.Scores]:
    """Probabilities of each expert, of the fusion and of the fusion as served, which asks the nets above the floor."""
    with torch.inference_mode():
        found = {name: given[:, place] for place, name in enumerate((NAME, *EXPERTS[1:]))}
        found["fusion_without_floor"] = deep.fused(deep.fusion(given).logit)
        found[FUSION] = deep.fused(_cascade(given, deep))
    return {name: torch.sigmoid(one.double()).cpu().numpy() for name, one in found.items()}


def _typologies(said: Said, scores: dict[str, metrics.Scores]) -> dict[str, dict[str, float]]:
    """Recall of each typology by ranking, at thresholds that flag 0.3 % of the genuine payments."""
    labels, kind = said.labels.cpu().numpy(), said.kind.cpu().numpy()
    found: dict[str, dict[str, float]] = {}
    for name, one in scores.items():
        threshold = np.quantile(one[~labels], 1 - metrics.FALSE_POSITIVES)
        for place, typology in enumerate(KINDS[1:], start=1):
            own = one[kind == place]
            if len(own):
                found.setdefault(typology, {"payments": len(own)})[name] = round(
                    float((own > threshold).mean()), 4
                )
    return found
