"""Recent payments that were large for their payer: the payer's own, and those that a payee, device or merchant saw."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, Columns, View

LARGE = 2.5
"""Times the payer's median from which on a payment is a surprise."""
SPANS = {"1d": DAY, "3d": 3 * DAY, "7d": 7 * DAY, "14d": 14 * DAY}
NAMES = (
    *(f"surprises_{span}" for span in SPANS),
    *(f"surprise_max_{span}" for span in SPANS),
    "surprise_since",
    *(f"{side}_surprises_7d" for side in ("payee", "device", "merchant")),
)


def columns(payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Numbers, largest ratios, and days since the payer's last surprise."""
    large = payer.outgoing & (payer.surprise > LARGE)
    height = np.where(payer.outgoing, payer.surprise, 0)
    found: Columns = {}
    for name, span in SPANS.items():
        inside = payer.age <= span
        found[f"surprises_{name}"] = (large & inside).sum(axis=1)
        found[f"surprise_max_{name}"] = (height * inside).max(axis=1)
    found["surprise_since"] = payer.since(large) / np.float32(DAY)
    for side, view in (("payee", payee), ("device", device), ("merchant", merchant)):
        seen = (view.age <= 7 * DAY) & (view.surprise > LARGE) & ~view.outgoing
        found[f"{side}_surprises_7d"] = seen.sum(axis=1)
    return found
