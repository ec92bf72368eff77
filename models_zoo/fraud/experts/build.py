"""Nets and fusion for a bundle that has its boosting: prepared, trained, gated, measured and written.

Windows in order of time: training days for the nets, the validation days for what `judging` fits and judges; test days
and unseen worlds are only measured.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models_zoo.fraud import metrics
from models_zoo.fraud.card import CARD, write_card
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.experts import rows as prepared
from models_zoo.fraud.experts.fusion import EXPERTS
from models_zoo.fraud.experts.judging import TOLD, Said, early_window, judge, measured
from models_zoo.fraud.experts.rows import Rows
from models_zoo.fraud.experts.shipped import Data
from models_zoo.fraud.experts.stored import NETS, Scale, save
from models_zoo.fraud.experts.training import Plan, Report, fit, fuse, gain, logits
from models_zoo.fraud.trees import read as read_trees


def build(folder: Path, data: Data, plan: Plan, report: Report) -> dict[str, Any]:
    """Train and write what is beside boosting in `folder`; returns the card, which says who decides and why."""
    began = time.monotonic()
    card = json.loads((folder / CARD).read_text())
    nets = _nets(data, plan, report)
    everything = {"validation": data.validation, **data.tests}
    said = {use: _said(folder, nets, rows) for use, rows in everything.items()}
    judged = judge(nets, said["validation"], plan, report)
    save(judged.deep, folder)
    card |= judged.card
    card["experts"] |= TOLD
    card["fusion"]["plan"] = asdict(plan)
    for use in data.tests:
        told = measured(judged.deep, said[use], card["decides"], use, report)
        card["figures"].setdefault(use, {}).update(told)
    card["ablation"] = _ablation(said, judged.deep.scales, plan, report)
    card["nets_trained_on"] = {
        "payments": len(data.train), "frauds": int(data.train.labels.sum()),
        "seconds": round(time.monotonic() - began), "device": str(data.train.labels.device),
    }  # fmt: skip
    return write_card(folder, card)


def _nets(data: Data, plan: Plan, report: Report) -> dict[str, nn.Module]:
    """The nets, trained."""
    nets: dict[str, nn.Module] = {}
    for name, made in NETS.items():
        torch.manual_seed(plan.seed)
        report(f"{name}: {len(data.train)} payments, {int(data.train.labels.sum())} frauds to train on")
        nets[name] = fit(made().to(data.train.labels.device), data.train, data.validation, plan, report)
    return nets


def _said(folder: Path, nets: dict[str, nn.Module], rows: Rows) -> Said:
    """What the folder's boosting and the nets say of rows."""
    own = json.loads((folder / "boosting" / CARD).read_text())["calibration"]
    trees = read_trees(folder / "boosting", NAMES).to(rows.labels.device)
    return Said(
        boosting=prepared.boosting_logits(trees, own["scale"], own["shift"], rows),
        nets={name: logits(net, rows) for name, net in nets.items()},
        features=rows.features,
        labels=rows.labels,
        day=rows.day,
        payee=rows.payee,
        kind=rows.kind,
    )


def _ablation(said: dict[str, Said], scales: dict[str, Scale], plan: Plan, report: Report) -> dict[str, Any]:
    """What the fusion loses on unseen worlds without each expert, fitted anew without it, with 95 % intervals."""
    early = early_window(said["validation"].day)
    fitted = said["validation"].calibrated(scales)[early]
    known = said["validation"].labels[early]
    unseen = [one for name, one in said.items() if name.removeprefix("unseen_").isdigit()]
    given = torch.cat([one.calibrated(scales) for one in unseen])
    labels, payee = torch.cat([one.labels for one in unseen]), torch.cat([one.payee for one in unseen])

    def fused(names: tuple[str, ...]) -> tuple[Tensor, dict[str, Any]]:
        fusion = fuse(fitted, known, plan, names)
        with torch.inference_mode():
            scores = fusion(given).logit
        reached = metrics.average_precision(labels.cpu().numpy(), scores.double().cpu().numpy())
        return scores, {"average_precision": round(reached, 4)}

    ours, whole = fused(EXPERTS)
    found: dict[str, Any] = {"whole": whole}
    for without in EXPERTS:
        theirs, lesser = fused(tuple(name for name in EXPERTS if name != without))
        lost = gain(labels, ours, theirs, payee, 200)
        lesser["lost"] = dict(zip(("loss", "low", "high"), lost, strict=True))
        found[f"without_{without}"] = lesser
    report(f"ablation: {found}")
    return found
