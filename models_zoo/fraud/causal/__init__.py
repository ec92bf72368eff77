"""Causal features of a payment from the windows of events before it, one module a group.

Everything is computed from a `Neighbourhood`, so what training computes and what serving computes is one function.
Counts and sums over a time are exact as far as the window reaches, and by decayed counters beyond it.
Units are natural ones (euros, hours, days, ratios); NaN stands for "nothing to measure". No identifier is a feature.
"""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal import (
    amount,
    calendar,
    flow,
    gaps,
    labels,
    pair,
    paths,
    recent,
    spread,
    surprise,
    velocity,
)
from models_zoo.fraud.causal.view import DELAY, View
from models_zoo.fraud.counters import within
from models_zoo.fraud.events import Floats
from models_zoo.fraud.history import SIDES, Neighbourhood

GROUPS: dict[str, tuple[str, ...]] = {
    "amount": amount.NAMES,
    "calendar": calendar.NAMES,
    "velocity": velocity.NAMES,
    "surprise": surprise.NAMES,
    "labels": labels.NAMES,
    "payer_labels": labels.PAYER_NAMES,
    "spread": spread.NAMES,
    "gaps": gaps.NAMES,
    "pair": pair.NAMES,
    "flow": flow.NAMES,
    "recent": recent.NAMES,
    "paths": paths.NAMES,
}
"""Feature names by what they speak of; the order of all groups is the order of the columns."""
NAMES = tuple(name for group in GROUPS.values() for name in group)


def features(near: Neighbourhood, delay: float = DELAY) -> Floats:
    """Features float32 [B, len(NAMES)] of each payment; `delay` is the label delay in seconds (see `view.DELAY`)."""
    batch = near.payment
    views: dict[str, View] = {}
    number, total = within(near.counters, batch["time"][:, None, None])
    for place, side in enumerate(SIDES):
        before = number[:, place], total[:, place]
        views[side] = View.of(batch["time"], getattr(near, side), near.counters[:, place], before, delay)
    payer, payee, device, merchant = views.values()
    found = (
        amount.columns(batch, payer)
        | calendar.columns(batch, payer)
        | velocity.columns(payer, payee, device, merchant)
        | surprise.columns(payer, payee, device, merchant)
        | labels.columns(views, delay)
        | spread.columns(payer, payee, device, merchant)
        | gaps.columns(views)
        | pair.columns(batch, payer, payee, device, merchant)
        | flow.columns(batch, payer, payee)
        | recent.columns(batch, payer, payee)
        | paths.columns(batch, payer, payee)
    )
    table = np.empty((len(batch), len(NAMES)), np.float32)
    for place, name in enumerate(NAMES):
        table[:, place] = found[name]
    table[~np.isfinite(table)] = np.nan
    return table
