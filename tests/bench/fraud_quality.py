"""`make bench`'s figures of fraud: how well the shipped weights rank, on generated worlds and on AMLSim.

    PYTHONPATH=platform:. python tests/bench/fraud_quality.py [--quick]

Generated: a world that neither training nor the card has seen, beside the simple baselines of the card.
AMLSim (public, `ROOTSTOCK_DATA`/fraud_amlsim_20k): the same network trained anew on its first 60 % of time and
tested on the last 25 %; a payment counts as fraud if both of its accounts are labelled so. Its labels are per
account, so this is a test of payments, not comparable with published figures per account.
"""

import argparse
import csv
import gzip
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models_zoo.fraud import baselines, metrics
from models_zoo.fraud.events import PAYMENT
from models_zoo.fraud.features import DAY
from models_zoo.fraud.nets import FraudNet
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.streams import Stream, replay, thinned
from models_zoo.fraud.training import Plan, calibrate, fit, probabilities, table
from models_zoo.fraud.worlds import WARM_UP, stream
from tests.bench.report import Bar, report

GRAPH = "fraud_amlsim_20k/20K_fanin200cycle200"


def say(text: str) -> None:
    """Progress goes to standard error: the last line of standard output is the result."""
    print(text, file=sys.stderr, flush=True)


def generated(quick: bool) -> dict[str, float]:
    """The shipped weights on an unseen world, and the time of a single score."""
    scorer = Scorer()
    world = stream(777, 300 if quick else 1000, 30 if quick else 75).between(WARM_UP, 1e9)
    probability, _ = probabilities(scorer.net, world.near)
    figures = metrics.figures(world.labels, probability)
    flagged = probability >= scorer.card.review
    simple = metrics.average_precision(world.labels, baselines.hand_rules(table(world.near)))
    wall, cpu = _single(scorer, world)
    return {
        "generated_ap": figures["average_precision"],
        "generated_auc": figures["roc_auc"],
        "generated_hand_rules_ap": round(simple, 4),
        "generated_recall_flagged": round(float(flagged[world.labels].mean()), 4),
        "generated_alert_rate": round(float(flagged.mean()), 4),
        "generated_calibration_error": round(metrics.calibration_error(world.labels, probability), 5),
        "single_score_median_ms": round(float(np.median(wall)), 2),
        "single_score_p99_ms": round(float(np.percentile(wall, 99)), 2),
        "single_score_cpu_median_ms": round(float(np.median(cpu)), 2),
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


def amlsim(folder: Path, epochs: int) -> dict[str, float]:
    """The network and its baselines on AMLSim's payments, split by time."""
    whole = _amlsim_stream(folder)
    end = float(whole.day.max()) + 1
    train, validation = whole.between(0, 0.6 * end), whole.between(0.6 * end, 0.75 * end)
    test = whole.between(0.75 * end, end)
    plan = Plan(epochs=epochs)
    part = thinned(train, 0.2, plan.seed)
    say(
        f"AMLSim: {len(part.labels)} training rows, {int(part.labels.sum())} frauds; {int(test.labels.sum())} in test"
    )
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


def _amlsim_stream(folder: Path) -> Stream:
    with gzip.open(folder / f"{GRAPH}.nodes.csv.gz", "rt") as lines:
        frauds = {int(row["nodeid"]) for row in csv.DictReader(lines) if row["isFraud"] == "1"}
    with gzip.open(folder / f"{GRAPH}.transactions.csv.gz", "rt") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: int(row["time"]))
    batch = np.zeros(len(rows), PAYMENT)
    batch["sequence"] = np.arange(1, len(rows) + 1)
    batch["time"] = [int(row["time"]) * DAY for row in rows]
    batch["payer"] = [int(row["sourceNodeId"]) for row in rows]
    batch["payee"] = [int(row["targetNodeId"]) for row in rows]
    batch["amount"] = [float(row["value"]) for row in rows]
    batch["channel"] = 2
    labels = np.isin(batch["payer"], list(frauds)) & np.isin(batch["payee"], list(frauds))
    return Stream(replay(batch), labels, batch["time"] / DAY)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller world, and no AMLSim")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    figures: dict[str, Any] = generated(quick)
    bars = [
        Bar("generated_ap", ">=", 0.55),
        Bar("generated_calibration_error", "<=", 0.01),
        Bar("single_score_cpu_median_ms", "<=", 25.0),
    ]
    root = Path(os.environ.get("ROOTSTOCK_DATA", "../shared/data"))
    if not quick and (root / f"{GRAPH}.nodes.csv.gz").exists():
        figures |= amlsim(root, epochs=5)
        bars.append(Bar("amlsim_network_ap", ">=", figures["amlsim_logistic_regression_ap"]))
    report("fraud_quality", figures, bars)


if __name__ == "__main__":
    main()
