"""Money in, money out: what an account passes on of what it received (scatter and gather over 24 h)."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import INCOMING, OUTGOING, SPANS, Columns, View, share
from models_zoo.fraud.events import Records

HOUR, DAY = list(SPANS).index("1h"), list(SPANS).index("24h")

NAMES = (
    "payer_in_sum_1h",
    "payer_in_sum_24h",
    "payer_out_sum_24h",
    "amount_to_in_24h",
    "amount_to_last_in",
    "payer_out_to_in_24h",
    "payee_in_sum_24h",
    "payee_out_sum_24h",
    "payee_out_to_in_24h",
    "payer_in_share",
    "payee_in_share",
)


def columns(batch: Records, payer: View, payee: View) -> Columns:
    """Sums in euros; ratios are infinite without anything received."""
    amount = batch["amount"]
    day_in, day_out = payer.sums[INCOMING, DAY], payer.sums[OUTGOING, DAY]
    payee_in, payee_out = payee.sums[INCOMING, DAY], payee.sums[OUTGOING, DAY]
    last = (payer.incoming * np.arange(1, payer.age.shape[1] + 1)).max(axis=1)
    last_in = np.where(last > 0, payer.amount[np.arange(len(batch)), np.maximum(last - 1, 0)], 0)
    return {
        "payer_in_sum_1h": payer.sums[INCOMING, HOUR],
        "payer_in_sum_24h": day_in,
        "payer_out_sum_24h": day_out,
        "amount_to_in_24h": share(amount, day_in),
        "amount_to_last_in": share(amount, last_in),
        "payer_out_to_in_24h": share(day_out + amount, day_in),
        "payee_in_sum_24h": payee_in,
        "payee_out_sum_24h": payee_out,
        "payee_out_to_in_24h": share(payee_out, payee_in),
        "payer_in_share": share(payer.incoming.sum(axis=1), payer.present.sum(axis=1)),
        "payee_in_share": share(payee.incoming.sum(axis=1), payee.present.sum(axis=1)),
    }
