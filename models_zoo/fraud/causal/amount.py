"""The amount beside what this payer usually pays."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import Columns, Mask, View, share
from models_zoo.fraud.events import Floats, Records

NAMES = (
    "amount",
    "round_10",
    "round_100",
    "amount_to_mean",
    "amount_to_median",
    "amount_to_q90",
    "amount_to_largest",
    "amount_to_usual",
    "amount_z",
    "amount_rank",
    "payer_median",
    "payer_usual",
)


def columns(batch: Records, payer: View) -> Columns:
    """`usual` is the mean of the lowest nine tenths: a few large payments do not move it."""
    amount = batch["amount"]
    ordered, count, total = ordered_amounts(payer, payer.outgoing)
    row = np.arange(len(batch))
    median, q90 = at(ordered, count, 0.5), at(ordered, count, 0.9)
    largest = np.where(count > 0, ordered[row, np.maximum(count - 1, 0)], 0)
    kept = np.maximum((count * 9) // 10, 1)
    usual = np.where(count > 0, total[row, kept - 1] / kept, 0)
    mean = np.where(count > 0, total[:, -1] / np.maximum(count, 1), 0)
    squares = np.einsum("bk,bk->b", payer.outgoing, payer.amount**2) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares - mean**2, 1.0))
    below = ((payer.amount < amount[:, None]) & payer.outgoing).sum(axis=1)
    return {
        "amount": amount,
        "round_10": (amount % 10 < 0.005).astype(np.float32),
        "round_100": (amount % 100 < 0.005).astype(np.float32),
        "amount_to_mean": share(amount, mean),
        "amount_to_median": share(amount, median),
        "amount_to_q90": share(amount, q90),
        "amount_to_largest": share(amount, largest),
        "amount_to_usual": share(amount, usual),
        "amount_z": np.where(count > 1, (amount - mean) / spread, np.inf),
        "amount_rank": share(below, count),
        "payer_median": np.where(count > 0, median, np.inf),
        "payer_usual": np.where(count > 0, usual, np.inf),
    }


def ordered_amounts(view: View, which: Mask) -> tuple[Floats, Floats, Floats]:
    """Amounts of `which` [B, K] ascending (infinite at the end), their number [B], their running sums [B, K]."""
    ordered = np.sort(np.where(which, view.amount, np.float32(np.inf)), axis=1)
    running = np.where(np.isfinite(ordered), ordered, 0).cumsum(axis=1)
    return ordered, which.sum(axis=1), running


def at(ordered: Floats, count: Floats, part: float) -> Floats:
    """The value [B] below which `part` of the ordered amounts lie; 0 where there are none."""
    place = (part * np.maximum(count - 1, 0)).astype(np.int64)
    return np.where(count > 0, ordered[np.arange(len(ordered)), place], 0)
