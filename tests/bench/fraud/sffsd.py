"""S-FFSD: payments of which a third is labelled. Location is read as device, type as merchant, one step as a second.

Time split: of the labelled rows the first 60 % in time are trained on, the rest is the test. Random split: as in the
published code (40 % of all rows to train on, drawn by label with seed 2), which trains on later rows than it tests on.
Labels of training rows alone are in the history, each from right after its payment on.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import Settings, grow
from models_zoo.fraud.causal import GROUPS, NAMES
from models_zoo.fraud.events import LABEL, PAYMENT, Floats, Records
from models_zoo.fraud.streams import replay, table

FILE = "fraud_sffsd/S-FFSD.csv.gz"
NEVER = 1e12
"""Label delay: nothing counts as genuine by its age alone, since most rows have no label at all."""
SETTINGS = Settings(rate=0.03, rounds=300)
UNLABELLED = tuple(name for name in NAMES if name not in (*GROUPS["labels"], *GROUPS["payer_labels"]))
Rows = NDArray[np.int64]


@dataclass(slots=True, frozen=True)
class Set:
    """PAYMENT [N] with odd sequences (labels take the even ones), and what is said of each: 0, 1, or 2 for nothing."""

    batch: Records
    said: NDArray[np.int64]


def read(root: Path) -> Set:
    """The set in order of time."""
    with gzip.open(root / FILE, "rt") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: int(row["Time"]))
    batch = np.zeros(len(rows), PAYMENT)
    batch["sequence"] = np.arange(len(rows)) * 2 + 1
    batch["time"] = [int(row["Time"]) for row in rows]
    batch["amount"] = [float(row["Amount"]) for row in rows]
    named = (("payer", "Source"), ("payee", "Target"), ("device", "Location"), ("merchant", "Type"))
    for kind, (side, column) in enumerate(named, start=1):
        _, number = np.unique([row[column] for row in rows], return_inverse=True)
        batch[side] = number + kind * 1_000_000
    return Set(batch, np.array([int(row["Labels"]) for row in rows]))


def features(given: Set, trained: Rows) -> Floats:
    """Of all payments, with the labels of those that are trained on."""
    labels = np.zeros(len(trained), LABEL)
    labels["sequence"], labels["payment"] = trained * 2 + 2, trained * 2 + 1
    labels["time"], labels["fraud"] = given.batch["time"][trained], given.said[trained] == 1
    return table(replay(given.batch, labels), NEVER)


def figures(given: Set, say: Callable[[str], None]) -> dict[str, float]:
    """Both splits; whether known labels are read is chosen on the end of the training days."""
    labelled = np.nonzero(given.said < 2)[0]
    cut = int(0.6 * len(labelled))
    chosen = _chosen(given, labelled[:cut])
    say(f"S-FFSD: {'with' if chosen is NAMES else 'without'} labels, by the last fifth of the training days")
    found = {"sffsd_labels_read": float(chosen is NAMES)}
    for name, trained, tested in (("time", labelled[:cut], labelled[cut:]), ("random", *_published(given))):
        scores, labels = _scores(given, trained, tested, chosen), given.said[tested] == 1
        found |= {
            f"sffsd_{name}_auc": round(metrics.roc_auc(labels, scores), 4),
            f"sffsd_{name}_ap": round(metrics.average_precision(labels, scores), 4),
            f"sffsd_{name}_base_rate": round(float(labels.mean()), 4),
        }
    return found


def _scores(given: Set, trained: Rows, tested: Rows, names: tuple[str, ...]) -> NDArray[np.float64]:
    rows = features(given, trained)
    return grow(rows[trained], given.said[trained] == 1, SETTINGS, names).logits(rows[tested])


def _chosen(given: Set, trained: Rows) -> tuple[str, ...]:
    cut = int(0.8 * len(trained))
    labels = given.said[trained[cut:]] == 1
    return max(
        (NAMES, UNLABELLED),
        key=lambda names: metrics.average_precision(
            labels, _scores(given, trained[:cut], trained[cut:], names)
        ),
    )


def _published(given: Set) -> tuple[Rows, Rows]:
    from sklearn.model_selection import train_test_split

    split = train_test_split(np.arange(len(given.said)), stratify=given.said, test_size=0.6, random_state=2)
    first, second = (np.sort(rows[given.said[rows] < 2]) for rows in split)
    return first, second
