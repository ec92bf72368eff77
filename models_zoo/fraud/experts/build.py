"""Nets and fusion for a bundle that has its boosting: prepared, trained, gated, measured and written.

Windows in order of time: training days for the nets, the first part of the validation days for scales and fusion,
the last part for the gate, the final scale, thresholds and the floor; test days and unseen worlds are only measured.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud import metrics
from models_zoo.fraud.calibrating import calibration
from models_zoo.fraud.card import CARD, write_card
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.experts import rows as prepared
from models_zoo.fraud.experts.fusion import EXPERTS, Fusion, expert_use
from models_zoo.fraud.experts.rows import KINDS, Rows, World
from models_zoo.fraud.experts.stored import NETS, Deep, Scale, save
from models_zoo.fraud.experts.training import Plan, Report, average_precision, fit, fuse, gain, logits
from models_zoo.fraud.splits import Worlds
from models_zoo.fraud.trees import read as read_trees

MORE = tuple(range(31, 41))
"""Seeds of worlds that the nets and the gate learn from beside boosting's own."""
LATER = 0.6
"""Share of the validation days that come before the later window."""
COST_OF_FLOOR = 0.0005
"""Average precision that may be lost by not asking the nets about what boosting finds harmless."""


@dataclass(slots=True, frozen=True)
class Data:
    """Rows by use; `tests` by the names that the card's figures have."""

    train: Rows
    validation: Rows
    tests: dict[str, Rows]


def worlds_of(plan: Worlds, more: tuple[int, ...]) -> list[tuple[str, World]]:
    """The worlds to prepare, each with the name of its figures ("" for those that are learned from).

    `more` are seeds that boosting has not learned from; they lack devices and merchants in the same turn.
    """

    def world(seed: int, lack: int, use: str, tested: bool = True) -> World:
        return World(seed, lack, use, plan.customers, plan.days, tested=tested)

    lacks = [lack for lack, count in enumerate(plan.bare) for _ in range(count)]
    found = [
        ("", world(seed, lack, "learn", seed in plan.seeds))
        for seeds in (plan.seeds, more)
        for seed, lack in zip(seeds, lacks, strict=False)
    ]
    found += [
        (f"unseen_{place}", world(seed, 0, "measure")) for place, seed in enumerate(plan.unseen, start=1)
    ]
    return [*found, ("unseen_bare", world(plan.unseen[0], 3, "measure"))]


def prepare(worlds: list[tuple[str, World]], processes: int, device: str) -> Data:
    """Generate and read worlds, several at a time."""
    with TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context) as pool:
            tasks = [pool.submit(prepared.prepare, world, Path(folder)) for _, world in worlds]
            paths = [task.result() for task in tasks]
        by_use: dict[str, list[Path]] = {}
        for (name, _), found in zip(worlds, paths, strict=True):
            for use, path in found.items():
                by_use.setdefault(name or use, []).append(path)
        rows = {
            name: prepared.joined([prepared.read(path) for path in each]).to(device)
            for name, each in by_use.items()
        }
    train, validation = rows.pop("train"), rows.pop("validation")
    return Data(train, validation, rows)


def scaled(raw: Tensor, labels: Tensor) -> Scale:
    """Platt scaling of raw logits [N]."""
    values, known = raw.double().cpu().numpy(), labels.cpu().numpy()
    scale, shift = calibration(values, known)
    return Scale(scale, shift, float((values[~known] * scale + shift).mean()))


def build(
    folder: Path, data: Data, plan: Plan, report: Report, more: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Train and write what is beside boosting in `folder`; returns the card, which says who decides and why."""
    began = time.monotonic()
    card = json.loads((folder / CARD).read_text())
    own = json.loads((folder / "boosting" / CARD).read_text())["calibration"]
    device = data.train.labels.device
    trees = read_trees(folder / "boosting", NAMES).to(device)
    everything = {"validation": data.validation, **data.tests}
    found = {
        name: {"tabular": prepared.boosting_logits(trees, own["scale"], own["shift"], rows)}
        for name, rows in everything.items()
    }
    nets: dict[str, nn.Module] = {}
    for name, made in NETS.items():
        torch.manual_seed(plan.seed)
        report(f"{name}: {len(data.train)} payments, {int(data.train.labels.sum())} frauds to train on")
        nets[name] = fit(made().to(device), data.train, data.validation, plan, report)
    early = data.validation.day <= torch.quantile(data.validation.day, LATER)
    scales = {}
    for name, net in nets.items():
        raw = {use: logits(net, rows) for use, rows in everything.items()}
        scales[name] = scaled(raw["validation"][early], data.validation.labels[early])
        for use, one in raw.items():
            found[use][name] = scales[name](one)
    stacked = {use: torch.stack([each[name] for name in EXPERTS], 1) for use, each in found.items()}
    judged = _judged(data, stacked, early, plan, report)
    deep = Deep(nets, scales, judged.fusion, judged.scale, judged.floor)
    save(deep, folder)
    labels = data.validation.labels[~early].cpu().numpy()
    if judged.gate["used"]:
        card["decides"] = "fusion"
        score = torch.sigmoid(judged.scale(_cascade(judged.fusion, stacked["validation"][~early], deep)))
        card["thresholds"] = {
            name: round(metrics.threshold_at(labels, score.double().cpu().numpy(), precision), 4)
            for name, precision in (("review", 0.5), ("decline", 0.95))
        }
        card["thresholds_from"] = (
            "later validation window: review at precision 0.50, decline at precision 0.95"
        )
    card["experts"] |= {
        "sequence": "attention over the last 32 events of payer and payee",
        "graph": "two rounds of messages over the events of payer, payee, device and merchant",
        "fusion": "boosting corrected by a top-2 mixture of the three",
    }
    card["fusion"] = judged.gate | {
        "use": judged.use,
        "nets_asked_from_logit": deep.floor,
        "plan": asdict(plan),
    }
    card["fusion"] |= more or {}
    card["nets_trained_on"] = {
        "payments": len(data.train), "frauds": int(data.train.labels.sum()),
        "seconds": round(time.monotonic() - began), "device": str(device),
    }  # fmt: skip
    for use, rows in data.tests.items():
        scores = _scores(deep, stacked[use])
        measured = {name: metrics.figures(rows.labels.cpu().numpy(), one) for name, one in scores.items()}
        card["figures"].setdefault(use, {}).update(
            {name: one for name, one in measured.items() if name != "boosting"}
        )
        if rows.kind.any():
            card["figures"][use]["recall_by_typology"] = typologies(rows, scores)
        report(f"{use}: " + ", ".join(f"{name} {one['average_precision']}" for name, one in measured.items()))
    card["ablation"] = _ablation(data, stacked, early, plan, report)
    for gone in ("name", "digest", "bytes"):
        card.pop(gone, None)
    return write_card(folder, card)


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
    unseen = [name for name in data.tests if name.startswith("unseen_") and name != "unseen_bare"]
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
