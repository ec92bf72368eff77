"""An organisation's own bundle: boosting trained on its payments, beside the nets of the shipped bundle as they are.

The nets read no identifier and learn nothing here: scales, fusion, floor, gate and thresholds are fitted anew around
them, on the organisation's validation days. The card has the shipped model on the same test days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud import boosting, learning, metrics
from models_zoo.fraud.card import WEIGHTS, read_card, write_card
from models_zoo.fraud.events import Floats
from models_zoo.fraud.experts.inputs import inputs
from models_zoo.fraud.experts.judging import TOLD, Said, judge, measured, too_few
from models_zoo.fraud.experts.stored import Deep, load, save
from models_zoo.fraud.experts.training import Plan, Report
from models_zoo.fraud.experts.tuning import tune
from models_zoo.fraud.learning import SHIPPED, Sample, Samples, figures
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.splits import split
from models_zoo.fraud.streams import Past, Stream

PIECE = 512
"""Payments that a net is asked about at a time."""
PLAN = Plan()
FITTED = ("fusion_steps", "fusion_rate", "balance", "seed")
"""What of the plan is used where no net is trained."""


def train_bundle(
    whole: Stream,
    folder: Path,
    report: Report,
    settings: boosting.Settings = SHIPPED,
    plan: Plan = PLAN,
    threads: int = 1,
    tuned: bool = False,
) -> dict[str, Any]:
    """Train on a stream, measure on its last days beside the shipped model, and write a bundle that `Scorer` loads;
    returns its card.

    The stream's days are split by time, the label delay between the parts. `tuned`: other settings are tried first.
    Raises TooLittle.
    """
    parts = split(whole)
    samples = Samples.of(parts, settings)
    facts: dict[str, Any] = {}
    if tuned:
        found = tune(samples.train, parts.validation, samples.validation, settings, report, threads)
        settings, facts = found.settings, {"tuning": found.card}
    card = learning.bundle(samples, folder, report, settings, facts, threads=threads)
    with _torch_threads(threads):
        deep, told = _beside(folder, parts.validation, samples.validation.features, plan, report)
        card = write_card(folder, card | told | {"experts": card["experts"] | told.get("experts", {})})
        card["figures"]["test"] |= _tested(folder, deep, parts.test, samples.tests["test"], report)
    return write_card(folder, card)


def _beside(
    folder: Path, days: Stream, features: Floats, plan: Plan, report: Report
) -> tuple[Deep | None, dict[str, Any]]:
    """What is written beside boosting, None if too little is known to judge it, and what the card says of it."""
    why = too_few(torch.from_numpy(days.labels), torch.from_numpy(days.day))
    if why:
        report(f"boosting alone: {why}")
        return None, {"fusion": {"used": False, "why": why}}
    report(f"the shipped nets are asked about {len(days.labels)} validation payments")
    began, nets = time.monotonic(), load(WEIGHTS).nets
    judged = judge(nets, _said(folder, nets, days, features), plan, report, all_needed=False)
    save(judged.deep, folder)
    told = judged.card
    if told["decides"] == boosting.NAME:  # its thresholds are there, from all validation days
        told = {"fusion": told["fusion"]}
    told["fusion"] |= {
        "payments": len(days.labels),
        "seconds": round(time.monotonic() - began),
        "plan": {name: getattr(plan, name) for name in FITTED},
    }
    return judged.deep, told | {"experts": TOLD, "nets_of": read_card(WEIGHTS).reference}


def _said(folder: Path, nets: dict[str, nn.Module], days: Stream, features: Floats) -> Said:
    """What the folder's boosting and the nets say of payments."""
    boosted = boosting.load(folder / boosting.NAME).logits(features)
    payee = np.ascontiguousarray(days.near.payment["payee"])
    return Said(
        boosting=torch.from_numpy(boosted.astype(np.float32)),
        nets=_asked(nets, days.near),
        features=torch.from_numpy(features),
        labels=torch.from_numpy(days.labels),
        day=torch.from_numpy(days.day),
        payee=torch.from_numpy(payee),
        kind=torch.zeros(len(payee), dtype=torch.uint8),
    )


@torch.inference_mode()
def _asked(nets: dict[str, nn.Module], past: Past) -> dict[str, Tensor]:
    """Raw logits float32 [N] of each net; inputs are held for a piece at a time, all would be gigabytes."""
    found: dict[str, list[Tensor]] = {name: [] for name in nets}
    for near in past.pieces(PIECE):
        given = inputs(near)
        for name, net in nets.items():
            found[name].append(net(given)[1])
    return {name: torch.cat(each) for name, each in found.items()}


def _tested(folder: Path, deep: Deep | None, test: Stream, sample: Sample, report: Report) -> dict[str, Any]:
    """Figures on the test days: of each expert by itself, and as they serve of the bundle and of the shipped one."""
    decides, shipped = read_card(folder).decides, read_card(WEIGHTS)
    told: dict[str, Any] = {}
    if deep is not None:
        told = measured(deep, _said(folder, deep.nets, test, sample.features), decides, "test", report)
    ours, theirs = (_served(Scorer(one), test.near) for one in (folder, WEIGHTS))
    told |= figures(sample, {decides: ours, "shipped": theirs})
    gain = metrics.paired_interval(sample.labels, ours, theirs, test.near.payment["payee"])
    told["shipped"] |= {
        "reference": shipped.reference,
        "gain": dict(zip(("gain", "low", "high"), gain, strict=True)),
    }
    report(f"this model beside the shipped one, average precision: {told['shipped']['gain']}")
    return told


def _served(scorer: Scorer, past: Past) -> metrics.Scores:
    """Probabilities [N], as they are told of payments."""
    found = [one.probability for near in past.pieces() for one in scorer.glance(near)]
    return np.array(found)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """So many threads within: whoever scores on the same machine is not disturbed."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
