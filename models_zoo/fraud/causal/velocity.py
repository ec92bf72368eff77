"""Counts and sums over 1 h, 24 h, 7 d and 30 d for every side, and the pace of a payer beside its usual one."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR, SPANS, Columns, View, share
from models_zoo.fraud.events import Records

SIDES = ("payer_out", "payer_in", "payee_in", "payee_out", "device", "merchant")
KINDS = ("count", "mean")
NAMES = (
    *(f"{side}_{kind}_{span}" for side in SIDES for kind in KINDS for span in SPANS),
    "payer_burst",
    "small_1h",
)
SMALL = 5.0
"""Euros up to which an amount may be a trial of a card."""


def columns(batch: Records, payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Counts and mean amounts; see `View.totals` for spans that begin before the ring."""
    found: Columns = {}
    parts = (
        (payer, payer.outgoing),
        (payer, payer.incoming),
        (payee, payee.incoming),
        (payee, payee.outgoing),
        (device, device.present),
        (merchant, merchant.present),
    )
    for side, (view, which) in zip(SIDES, parts, strict=True):
        counts, sums = view.totals(which)
        for place, span in enumerate(SPANS):
            found[f"{side}_count_{span}"] = counts[place]
            found[f"{side}_mean_{span}"] = share(sums[place], counts[place])
    days = np.clip(np.where(np.isfinite(first := payer.first(payer.outgoing)), first, 0) / DAY, 1, 30)
    found["payer_burst"] = (1 + found["payer_out_count_24h"]) / (1 + found["payer_out_count_30d"] / days)
    small = payer.outgoing & (payer.age <= HOUR) & (payer.amount < SMALL)
    found["small_1h"] = small.sum(axis=1)
    return found
