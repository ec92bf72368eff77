"""Counts and sums over 1 h, 24 h, 7 d and 30 d for every side, and the pace of a payer beside its usual one."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR, INCOMING, OUTGOING, SPANS, Columns, View, share

SIDES = ("payer_out", "payer_in", "payee_in", "payee_out", "device", "merchant")
KINDS = ("count", "mean")
NAMES = (
    *(f"{side}_{kind}_{span}" for side in SIDES for kind in KINDS for span in SPANS),
    "payer_burst",
    "small_1h",
)
SMALL = 5.0
"""Euros up to which an amount may be a trial of a card."""


def columns(payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Counts and mean amounts; see `counters.within` for spans that begin before the window."""
    found: Columns = {}
    parts = (
        (payer, OUTGOING),
        (payer, INCOMING),
        (payee, INCOMING),
        (payee, OUTGOING),
        (device, INCOMING),
        (merchant, INCOMING),
    )
    for side, (view, direction) in zip(SIDES, parts, strict=True):
        counts, sums = view.counts[direction], view.sums[direction]
        for place, span in enumerate(SPANS):
            found[f"{side}_count_{span}"] = counts[place]
            found[f"{side}_mean_{span}"] = share(sums[place], counts[place])
    first = payer.first_ever(payer.outgoing, slice(OUTGOING, None))
    days = np.clip(np.where(np.isfinite(first), first, 0) / DAY, 1, 30)
    found["payer_burst"] = (1 + found["payer_out_count_24h"]) / (1 + found["payer_out_count_30d"] / days)
    small = payer.outgoing & (payer.age <= HOUR) & (payer.amount < SMALL)
    found["small_1h"] = small.sum(axis=1)
    return found
