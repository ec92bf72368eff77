"""What is known by now of the payments that each side was part of: rates, and the run of frauds it may be in.

An entity that has been taken over shows one fraud after the other, with nothing genuine between: the run is the
known frauds after the last payment known to be genuine. Frauds that their amount explains (large for the payer)
say less of a payee than those of an ordinary amount, the plain ones.
"""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.surprise import LARGE
from models_zoo.fraud.causal.view import DAY, DELAY, Columns, Mask, View, share
from models_zoo.fraud.events import Floats

SPANS = {"1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
RUN = (
    "run",
    "run_plain",
    "run_days",
    "run_plain_days",
    "run_lowest_amount",
    "run_lowest_surprise",
    "run_gap",
    "genuine_since",
    "fraud_since",
    "last_label",
)
EACH = (*(f"known_{span}" for span in SPANS), *(f"fraud_rate_{span}" for span in SPANS), *RUN)
PAYER_NAMES = tuple(f"payer_{name}" for name in EACH)
NAMES = tuple(f"{side}_{name}" for side in ("payee", "device", "merchant") for name in EACH)


def columns(views: dict[str, View], delay: float = DELAY) -> Columns:
    """For each side; times in days. known_7d: payments known of at least, and from the 7 days before, the delay."""
    found: Columns = {}
    for side, view in views.items():
        known = view.fraud | view.genuine
        for span, seconds in SPANS.items():
            inside = known & (view.age <= delay + seconds)
            count = inside.sum(axis=1)
            found[f"{side}_known_{span}"] = count
            found[f"{side}_fraud_rate_{span}"] = share((inside & view.fraud).sum(axis=1), count)
        found |= {f"{side}_{name}": value for name, value in _run(view).items()}
    return found


def _run(view: View) -> Columns:
    place = np.arange(1, view.age.shape[1] + 1)
    last_genuine = (view.genuine * place).max(axis=1)
    last_fraud = (view.fraud * place).max(axis=1)
    running = view.fraud & (place > last_genuine[:, None])
    plain = running & (view.surprise < LARGE)
    start, genuine_since = view.first(running), view.since(view.genuine)
    both = np.isfinite(start) & np.isfinite(genuine_since)
    gap = np.where(both, genuine_since, 0) - np.where(both, start, 0)
    label = np.where(last_fraud > last_genuine, 1.0, np.where(last_genuine > 0, 0.0, np.inf))
    return {
        "run": running.sum(axis=1),
        "run_plain": plain.sum(axis=1),
        "run_days": start / np.float32(DAY),
        "run_plain_days": view.first(plain) / np.float32(DAY),
        "run_lowest_amount": _lowest(view.amount, running),
        "run_lowest_surprise": _lowest(view.surprise, running),
        "run_gap": np.where(both, gap / DAY, np.inf),
        "genuine_since": genuine_since / np.float32(DAY),
        "fraud_since": view.since(view.fraud) / np.float32(DAY),
        "last_label": label,
    }


def _lowest(values: Floats, which: Mask) -> Floats:
    found: Floats = np.where(which, values, np.float32(np.inf)).min(axis=1)
    return found
