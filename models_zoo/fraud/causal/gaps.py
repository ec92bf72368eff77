"""How long ago: last and first events of each side, and the present gap beside the usual one."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR, INCOMING, OUTGOING, Columns, View, share

SIDES = ("payer", "payee", "device", "merchant")
KINDS = ("events", "first_seen", "since")
NAMES = (
    *(f"{side}_{kind}" for side in SIDES for kind in KINDS),
    "payer_out_since",
    "payer_out_gap",
    "payer_in_since",
    "payee_in_since",
    "payee_out_since",
)


def columns(views: dict[str, View]) -> Columns:
    """Number of all events, hours since the last, days since the first; out_gap: since the last over the window's mean
    gap."""
    found: Columns = {}
    for side, view in views.items():
        found[f"{side}_events"] = view.present.sum(axis=1) + view.earlier["count"].sum(axis=1)
        found[f"{side}_first_seen"] = view.first_ever(view.present, slice(None)) / np.float32(DAY)
        found[f"{side}_since"] = view.since(view.present) / np.float32(HOUR)
    payer, payee = views["payer"], views["payee"]
    since, first = payer.last_ever(OUTGOING), payer.first(payer.outgoing)
    usual = np.where(np.isfinite(first), first, 0) / np.maximum(payer.outgoing.sum(axis=1), 1)
    return found | {
        "payer_out_since": since / np.float32(HOUR),
        "payer_out_gap": share(since, usual),
        "payer_in_since": payer.last_ever(INCOMING) / np.float32(HOUR),
        "payee_in_since": payee.last_ever(INCOMING) / np.float32(HOUR),
        "payee_out_since": payee.last_ever(OUTGOING) / np.float32(HOUR),
    }
