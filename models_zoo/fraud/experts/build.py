"""Nets and fusion for a bundle that has its boosting: prepared, trained, gated, measured and written.

Windows in order of time: training days for the nets, the first part of the validation days for scales and fusion,
the last part for the gate, the final scale, thresholds and the floor; test days and unseen worlds are only measured.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import NAME
from models_zoo.fraud.calibrating import calibration
from models_zoo.fraud.card import CARD, write_card
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.experts import rows as prepared
from models_zoo.fraud.experts.fusion import EXPERTS, Fusion, expert_use
from models_zoo.fraud.experts.rows import KINDS, Rows
from models_zoo.fraud.experts.shipped import Data
from models_zoo.fraud.experts.stored import FUSION, NETS, Deep, Scale, save
from models_zoo.fraud.experts.training import Plan, Report, average_precision, fit, fuse, gain, logits
from models_zoo.fraud.learning import Sample, figures
from models_zoo.fraud.trees import read as read_trees

LATER = 0.6
"""Share of the validation days that come before the later window."""
COST_OF_FLOOR = 0.0005
"""Average precision that may be lost by not asking the nets about what boosting finds harmless."""


def scaled(raw: Tensor, labels: Tensor) -> Scale:
    """Platt scaling of raw logits [N]."""
    values, known = raw.double().cpu().numpy(), labels.cpu().numpy()
    scale, shift = calibration(values, known)
    return Scale(scale, shift, float((values[~known] * scale + shift).mean()))


TOLD = {
    "sequence": "attention over the last 32 events of payer and payee",
    "graph": "two rounds of messages over the events of payer, payee, device and merchant",
    "fusion": "boosting corrected by a top-2 mixture of the three",
}


def build(folder: Path, data: Data, plan: Plan, report: Report) -> dict[str, Any]:
    """Train and write what is beside boosting in `folder`; returns the card, which says who decides and why."""
    began = time.monotonic()
    card = json.loads((folder / CARD).read_text())
    everything = {"validation": data.validation, **data.tests}
    early = data.validation.day <= torch.quantile(data.validation.day, LATER)
    found = _boosting(folder, everything)
    nets, scales = _nets(data, everything, early, found, plan, report)
    stacked = {use: torch.stack([each[name] for name in EXPERTS], 1) for use, each in found.items()}
    judged = _judged(data, stacked, early, plan, report)
    deep = Deep(nets, scales, judged.fusion, judged.scale, judged.floor)
    save(deep, folder)
    later = stacked["validation"][~early], data.validation.labels[~early]
    card |= _decides(deep, judged.gate["used"], *later)
    card["experts"] |= TOLD
    card["fusion"] = judged.gate | {
        "use": judged.use,
        "nets_asked_from_logit": deep.floor,
        "plan": asdict(plan),
    }
    for use, rows in data.tests.items():
        told = measured(deep, rows, stacked[use], card["decides"], use, report)
        card["figures"].setdefault(use, {}).update(told)
    card["ablation"] = _ablation(data, stacked, early, plan, report)
    card["nets_trained_on"] = {
        "payments": len(data.train), "frauds": int(data.train.labels.sum()),
        "seconds": round(time.monotonic() - began), "device": str(data.train.labels.device),
    }  # fmt: skip
    for gone in ("name", "digest", "bytes"):
        card.pop(gone, None)
    return write_card(folder, card)


def _boosting(folder: Path, everything: dict[str, Rows]) -> dict[str, dict[str, Tensor]]:
    """Calibrated logits [N] of the folder's boosting, by use."""
    own = json.loads((folder / "boosting" / CARD).read_text())["calibration"]
    trees = read_trees(folder / "boosting", NAMES).to(next(iter(everything.values())).labels.device)
    return {
        use: {"tabular": prepared.boosting_logits(trees, own["scale"], own["shift"], rows)}
        for use, rows in everything.items()
    }


def _nets(
    data: Data,
    everything: dict[str, Rows],
    early: Tensor,
    found: dict[str, dict[str, Tensor]],
    plan: Plan,
    report: Report,
) -> tuple[dict[str, nn.Module], dict[str, Scale]]:
    """The nets, trained, and their scales; their calibrated logits are added to what is `found`."""
    nets: dict[str, nn.Module] = {}
    scales = {}
    for name, made in NETS.items():
        torch.manual_seed(plan.seed)
        report(f"{name}: {len(data.train)} payments, {int(data.train.labels.sum())} frauds to train on")
        nets[name] = fit(made().to(data.train.labels.device), data.train, data.validation, plan, report)
        raw = {use: logits(nets[name], rows) for use, rows in everything.items()}
        scales[name] = scaled(raw["validation"][early], data.validation.labels[early])
        for use, one in raw.items():
            found[use][name] = scales[name](one)
    return nets, scales


def _decides(deep: Deep, used: bool, given: Tensor, labels: Tensor) -> dict[str, Any]:
    """What the card says of who decides, with thresholds on the later validation window [N, 3]."""
    decides = FUSION if used else NAME
    score, known = _scores(deep, given)[decides], labels.cpu().numpy()
    thresholds = {
        name: round(metrics.threshold_at(known, score, precision), 4)
        for name, precision in (("review", 0.5), ("decline", 0.95))
    }
    chosen = "later validation window: review at precision 0.50, decline at precision 0.95"
    return {"decides": decides, "thresholds": thresholds, "thresholds_from": chosen}


def measured(deep: Deep, rows: Rows, given: Tensor, decides: str, use: str, report: Report) -> dict[str, Any]:
    """What the card says of a test [N] by its calibrated logits [N, 3]: cost and calibration are of who decides."""
    scores = _scores(deep, given)
    sample = Sample(rows.features.cpu().numpy(), rows.labels.cpu().numpy())
    found = figures(sample, {decides: scores[decides], **scores})
    report(f"{use}: " + ", ".join(f"{name} {found[name]['average_precision']}" for name in scores))
    return found | ({"recall_by_typology": typologies(rows, scores)} if rows.kind.any() else {})


@dataclass(slots=True, frozen=True)
class Judged:
    """The fusion with its scale, the floor, and what its gate found."""

    fusion: Fusion
    scale: Scale
    floor: float
    gate: dict[str, Any]
    use: dict[str, float]


def _judged(data: Data, stacked: dict[str, Tensor], early: Tensor, plan: Plan, report: Report) -> Judged:
    rows, given = data.validation, stacked["validation"]
    fusion = fuse(given[early], rows.labels[early], plan)
    later = rows.part((~early).nonzero().squeeze(1))
    with torch.inference_mode():
        fused = fusion(given[~early])
    reached = {name: average_precision(later, given[~early][:, place]) for place, name in enumerate(EXPERTS)}
    best = max(reached, key=lambda name: reached[name])
    won = gain(later.labels, fused.logit, given[~early][:, EXPERTS.index(best)], later.payee)
    fusion.usual.copy_(fused.parts[~later.labels].mean(0))
    use = expert_use(fused).tolist()
    gate = {
        "window": f"the last {1 - LATER:.0%} of the validation days",
        "frauds": int(later.labels.sum()),
        "average_precision": {name: round(one, 4) for name, one in reached.items()}
        | {"fusion": round(average_precision(later, fused.logit), 4)},
        "best_expert": best,
        "gain_over_best": dict(zip(("gain", "low", "high"), won, strict=True)),
        "used": won[1] > 0,
    }
    shares = {name: round(one, 4) for name, one in zip(EXPERTS, use, strict=True)}
    floor = _floor(later, given[~early][:, 0], fused.logit, scaled(fused.logit, later.labels))
    report(f"gate: {gate}, use {shares}, floor {floor:.2f}")
    return Judged(
        fusion,
        scaled(fused.logit, later.labels),
        floor,
        gate,
        shares | {"spread": round(max(use) - min(use), 4)},
    )


def _floor(rows: Rows, boosting: Tensor, fused: Tensor, scale: Scale) -> float:
    """The highest logit of boosting below which the nets need not be asked, on the later window."""
    whole = average_precision(rows, fused)
    floors = torch.quantile(
        boosting, torch.tensor([0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.5], device=boosting.device)
    )
    for floor in floors.tolist():
        kept = torch.where(boosting >= floor, scale(fused), boosting)
        if average_precision(rows, kept) >= whole - COST_OF_FLOOR:
            return float(floor)
    return float(boosting.min()) - 1


@torch.inference_mode()
def _cascade(fusion: Fusion, given: Tensor, deep: Deep) -> Tensor:
    """Raw fused logits, and boosting's own brought to their scale below the floor."""
    below = (given[:, 0] - deep.fused.shift) / deep.fused.scale
    return torch.where(given[:, 0] >= deep.floor, fusion(given).logit, below)


def _scores(deep: Deep, given: Tensor) -> dict[str, metrics.Scores]:
    """Probabilities of each expert, of the fusion and of the fusion as served, which asks the nets above the floor."""
    with torch.inference_mode():
        found = {name: given[:, place] for place, name in enumerate(("boosting", "sequence", "graph"))}
        found["fusion_without_floor"] = deep.fused(deep.fusion(given).logit)
        found["fusion"] = deep.fused(_cascade(deep.fusion, given, deep))
    return {name: torch.sigmoid(one.double()).cpu().numpy() for name, one in found.items()}


def typologies(rows: Rows, scores: dict[str, metrics.Scores]) -> dict[str, dict[str, float]]:
    """Recall of each typology by ranking, at thresholds that flag 0.3 % of the genuine payments."""
    labels, kind = rows.labels.cpu().numpy(), rows.kind.cpu().numpy()
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


def _ablation(
    data: Data, stacked: dict[str, Tensor], early: Tensor, plan: Plan, report: Report
) -> dict[str, Any]:
    """What the fusion loses on unseen worlds without each expert, fitted anew without it, with 95 % intervals."""
    labels = data.validation.labels[early]
    whole = fuse(stacked["validation"][early], labels, plan)
    unseen = [name for name in data.tests if name.removeprefix("unseen_").isdigit()]
    rows = prepared.joined([data.tests[name] for name in unseen])
    given = torch.cat([stacked[name] for name in unseen])
    found: dict[str, Any] = {}
    with torch.inference_mode():
        ours = whole(given).logit
    found["whole"] = {"average_precision": round(average_precision(rows, ours), 4)}
    for without in EXPERTS:
        names = tuple(name for name in EXPERTS if name != without)
        lesser = fuse(stacked["validation"][early], labels, plan, names)
        with torch.inference_mode():
            theirs = lesser(given).logit
        lost = gain(rows.labels, ours, theirs, rows.payee, 200)
        found[f"without_{without}"] = {
            "average_precision": round(average_precision(rows, theirs), 4),
            "lost": dict(zip(("loss", "low", "high"), lost, strict=True)),
        }
    report(f"ablation: {found}")
    return found
