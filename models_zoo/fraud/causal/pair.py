"""What payer, payee, device, merchant and channel have had to do with each other before."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, Columns, View, share
from models_zoo.fraud.events import Records

NAMES = (
    "channel",
    "channel_share",
    "payee_channel_share",
    "pair_count",
    "pair_since",
    "reverse_count",
    "self",
    "device_named",
    "device_payer_count",
    "device_payer_since",
    "merchant_payer_count",
    "merchant_payer_since",
    "merchant_amount_ratio",
    "payee_amount_ratio",
)


def columns(batch: Records, payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Counts within the windows, days since the last time, amount over what payee or merchant usually get."""
    partner = payer.present & (payer.other == batch["payee"][:, None])
    same_channel = payer.outgoing & (payer.channel == batch["channel"][:, None])
    payee_channel = payee.incoming & (payee.channel == batch["channel"][:, None])
    on_device = device.present & (device.other == batch["payer"][:, None])
    at_merchant = merchant.present & (merchant.other == batch["payer"][:, None])
    return {
        "channel": batch["channel"],
        "channel_share": share(same_channel.sum(axis=1), payer.outgoing.sum(axis=1)),
        "payee_channel_share": share(payee_channel.sum(axis=1), payee.incoming.sum(axis=1)),
        "pair_count": (partner & payer.outgoing).sum(axis=1),
        "pair_since": payer.since(partner & payer.outgoing) / np.float32(DAY),
        "reverse_count": (partner & payer.incoming).sum(axis=1),
        "self": batch["payer"] == batch["payee"],
        "device_named": batch["device"] != 0,
        "device_payer_count": on_device.sum(axis=1),
        "device_payer_since": device.since(on_device) / np.float32(DAY),
        "merchant_payer_count": at_merchant.sum(axis=1),
        "merchant_payer_since": merchant.since(at_merchant) / np.float32(DAY),
        "merchant_amount_ratio": _to_usual(batch, merchant),
        "payee_amount_ratio": _to_usual(batch, payee),
    }


def _to_usual(batch: Records, view: View) -> np.ndarray:
    """Amount over the geometric mean of what came in."""
    count = view.incoming.sum(axis=1)
    logs = np.einsum("bk,bk->b", view.incoming, np.log(np.maximum(view.amount, 0.01)))
    usual = np.exp(logs / np.maximum(count, 1))
    return np.where(count > 0, batch["amount"] / usual, np.inf)
