"""AMLSim's payments: the network trained anew on the first 60 % of time, tested on the last 25 %.

A payment counts as fraud if both of its accounts are labelled so; not comparable with figures per account.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.events import PAYMENT
from models_zoo.fraud.nets import FraudNet
from models_zoo.fraud.streams import Stream, replay, thinned
from models_zoo.fraud.training import Plan, calibrate, fit, probabilities, table
from tests.bench.fraud.graphs import GRAPH


def figures(root: Path, epochs: int, say: Callable[[str], None]) -> dict[str, float]:
    """The network and its baselines on the same features."""
    whole = _stream(root)
    end = float(whole.day.max()) + 1
    train, validation = whole.between(0, 0.6 * end), whole.between(0.6 * end, 0.75 * end)
    test = whole.between(0.75 * end, end)
    plan = Plan(epochs=epochs)
    part = thinned(train, 0.2, plan.seed)
    frauds = int(part.labels.sum())
    say(f"AMLSim: {len(part.labels)} training rows, {frauds} frauds; {int(test.labels.sum())} in test")
    torch.manual_seed(plan.seed)
    net = FraudNet()
    fit(net, part, plan, say)
    calibrate(net, validation)
    scores, _ = probabilities(net, test.near)
    learned = baselines.learned(table(part.near), part.labels, [table(test.near)])
    found = {"network": scores} | {name: values[0] for name, values in learned.items()}
    shown = {
        f"amlsim_{name}_ap": round(metrics.average_precision(test.labels, one), 4)
        for name, one in found.items()
    }
    return shown | {
        "amlsim_network_auc": round(metrics.roc_auc(test.labels, scores), 4),
        "amlsim_base_rate": round(float(test.labels.mean()), 4),
    }


def _stream(root: Path) -> Stream:
    with gzip.open(root / f"{GRAPH}.nodes.csv.gz", "rt") as lines:
        frauds = {int(row["nodeid"]) for row in csv.DictReader(lines) if row["isFraud"] == "1"}
    with gzip.open(root / f"{GRAPH}.transactions.csv.gz", "rt") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: int(row["time"]))
    batch = np.zeros(len(rows), PAYMENT)
    batch["sequence"] = np.arange(1, len(rows) + 1)
    batch["time"] = [int(row["time"]) * DAY for row in rows]
    # from 1 on: key 0 is "none"
    batch["payer"] = [int(row["sourceNodeId"]) + 1 for row in rows]
    batch["payee"] = [int(row["targetNodeId"]) + 1 for row in rows]
    batch["amount"] = [float(row["value"]) for row in rows]
    batch["channel"] = 2
    marked = [account + 1 for account in frauds]
    labels = np.isin(batch["payer"], marked) & np.isin(batch["payee"], marked)
    return Stream(replay(batch), labels, batch["time"] / DAY)
