"""The Handbook's test week by all experts and their fusion, where the gate decides; and windows of 64 and 128 events.

Experts learn from all payments before the validation week's training week ends; the fusion is fitted on the first
four days of the validation week and judged on its last three; the test week begins after it. No card's known labels
are read (see `handbook.OURS`), the nets do not see them either: they are masked in the payers' rings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import grow
from models_zoo.fraud.calibrating import calibration
from models_zoo.fraud.experts.fusion import EXPERTS, expert_use
from models_zoo.fraud.experts.inputs import VALUES
from models_zoo.fraud.experts.rows import Rows, rows_of
from models_zoo.fraud.experts.stored import NETS
from models_zoo.fraud.experts.training import Plan, average_precision, fit, fuse, gain, logits
from models_zoo.fraud.streams import Past, Stream, table
from tests.bench.fraud import handbook
from tests.bench.fraud.handbook import ALL, OURS, TEST_WEEK, VALIDATION_WEEK, Handbook

PLAN = Plan(epochs=4, batch=512)
PAYER_LABELS = [VALUES.index(name) for name in ("known_fraud", "known_genuine")]
Index = NDArray[np.int64]


def windows(book: Handbook, read: Callable[[int], Handbook], say: Callable[[str], None]) -> dict[str, float]:
    """Average precision on the validation week with each window; the test week is left alone."""
    rows = handbook.test_rows(book, VALIDATION_WEEK)
    labels, scores = book.frauds[rows], {}
    for window in (64, 128):
        other = book if window == 64 else read(window)
        trained = handbook.training_rows(other, VALIDATION_WEEK, True, ALL.keep, ALL.seed)
        expert = grow(table(other.past.part(trained)), other.frauds[trained], ALL, OURS)
        scores[window] = expert.logits(table(other.past.part(rows)))
        say(f"Handbook, window {window}: {metrics.average_precision(labels, scores[window]):.4f}")
    won = metrics.paired_interval(labels, scores[128], scores[64], book.past.payment["payee"][rows])
    found = {
        f"validation_window_{size}_ap": metrics.average_precision(labels, one) for size, one in scores.items()
    }
    found |= dict(zip(("window_128_gain", "window_128_gain_low", "window_128_gain_high"), won, strict=True))
    return {f"handbook_{name}": round(value, 4) for name, value in found.items()}


def fused(book: Handbook, say: Callable[[str], None]) -> dict[str, float]:
    """All experts on the test week, and whether the gate lets the fusion decide."""
    trained = handbook.training_rows(book, VALIDATION_WEEK, True, ALL.keep, ALL.seed)
    index = {
        "train": np.random.default_rng(0).permutation(trained),
        "validation": handbook.test_rows(book, VALIDATION_WEEK),
        "test": handbook.test_rows(book, TEST_WEEK),
    }
    rows = {name: masked(rows_of(part(book, own), with_features=False)) for name, own in index.items()}
    expert = grow(table(book.past.part(trained)), book.frauds[trained], ALL, OURS)
    raw = {
        name: {
            "tabular": torch.from_numpy(expert.logits(table(book.past.part(index[name]))).astype(np.float32))
        }
        for name in ("validation", "test")
    }
    few = rows["validation"].part(torch.arange(0, len(index["validation"]), 2))
    for name, made in NETS.items():
        torch.manual_seed(PLAN.seed)
        say(f"Handbook, {name}: {len(rows['train'])} payments")
        net = fit(made(), rows["train"], few, PLAN, say)
        for use, found in raw.items():
            found[name] = logits(net, rows[use])
    early = rows["validation"].day < VALIDATION_WEEK + 14 + 4
    known = rows["validation"].labels
    scale = {
        name: calibration(one[early].double().numpy(), known[early].numpy())
        for name, one in raw["validation"].items()
    }
    stacked = {
        use: torch.stack([found[name] * scale[name][0] + scale[name][1] for name in EXPERTS], 1).float()
        for use, found in raw.items()
    }
    fusion = fuse(stacked["validation"][early], known[early], PLAN)
    with torch.inference_mode():
        later, test = fusion(stacked["validation"][~early]), fusion(stacked["test"])
    judged = rows["validation"].part((~early).nonzero().squeeze(1))
    reached = [
        average_precision(judged, stacked["validation"][~early][:, place]) for place in range(len(EXPERTS))
    ]
    best = int(np.argmax(reached))
    gate = gain(judged.labels, later.logit, stacked["validation"][~early][:, best], judged.payee)
    found = {
        f"{name}_ap": average_precision(rows["test"], stacked["test"][:, place])
        for place, name in enumerate(EXPERTS)
    }
    won = gain(rows["test"].labels, test.logit, stacked["test"][:, best], rows["test"].payee)
    use = expert_use(later)
    found |= {
        "fusion_ap": average_precision(rows["test"], test.logit),
        "fusion_gain": won[0], "fusion_gain_low": won[1], "fusion_gain_high": won[2],
        "gate_gain": gate[0], "gate_gain_low": gate[1], "gate_gain_high": gate[2],
        "gate_opens": float(gate[1] > 0), "use_spread": float(use.max() - use.min()),
    }  # fmt: skip
    found["gated_ap"] = found["fusion_ap"] if gate[1] > 0 else found[f"{EXPERTS[best]}_ap"]
    return {f"handbook_{name}": round(value, 4) for name, value in found.items()}


def part(book: Handbook, rows: Index) -> Stream:
    """Some rows as a stream."""
    past: Past = book.past.part(rows)
    return Stream(past, book.frauds[rows], book.day[rows].astype(np.float64))


def masked(rows: Rows) -> Rows:
    """Without what is known of the payers' own payments."""
    values = rows.given.values.clone()
    values[:, 0, :, PAYER_LABELS] = 0
    return replace(rows, given=replace(rows.given, values=values))
