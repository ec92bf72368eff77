"""The last few events of payer and payee one by one: order and pace that sums over a span do not show."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import HOUR, Columns, View
from models_zoo.fraud.events import Records

LAST = 4
KINDS = ("hours", "ratio", "outgoing", "channel", "partner")
NAMES = tuple(
    f"{side}_{kind}_{place}" for side in ("payer", "payee") for place in range(1, LAST + 1) for kind in KINDS
)


def columns(batch: Records, payer: View, payee: View) -> Columns:
    """Of the last, last but one, ... event: hours since, this amount over its amount, direction, channel, same pair."""
    found: Columns = {}
    for side, view, partner in (("payer", payer, batch["payee"]), ("payee", payee, batch["payer"])):
        for place in range(1, LAST + 1):
            present = view.present[:, -place]
            event = f"{side}_{{}}_{place}".format
            found[event("hours")] = view.age[:, -place] / np.float32(HOUR)
            found[event("ratio")] = np.where(
                present, batch["amount"] / np.maximum(view.amount[:, -place], 0.01), np.inf
            )
            found[event("outgoing")] = np.where(present, view.outgoing[:, -place], np.inf)
            found[event("channel")] = np.where(present, view.channel[:, -place], np.inf)
            found[event("partner")] = np.where(present, view.other[:, -place] == partner, np.inf)
    return found
