"""Ways that money took between payer and payee before: circles of two and three hops that this payment closes, people
between them or on the same side of both, and money that went straight on.

A third account shows in both windows, so that three hops need no reading beyond them. Fan-out is bounded: the newest
REACH events of each side count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal.view import DAY, HOUR, Columns, Mask, View
from models_zoo.fraud.events import Floats, Integers, Records

REACH = 32
SPAN = 7 * DAY
NOBODY = np.iinfo(np.int64).min + 1
NAMES = (
    "reverse_since",
    "reverse_ratio",
    "circle_count",
    "circle_since",
    "circle_ratio",
    "shared_senders",
    "shared_receivers",
    "between_count",
    "payer_straight_on",
    "payee_straight_on",
)


def columns(batch: Records, payer: View, payee: View) -> Columns:
    """Counts and days within SPAN; ratios are this amount over the one that came in on the way."""
    back = payer.incoming & (payer.other == batch["payee"][:, None])
    found: Columns = {
        "reverse_since": payer.since(back) / np.float32(DAY),
        "reverse_ratio": _over_newest(batch["amount"], back, payer.amount),
        "payer_straight_on": _straight_on(payer),
        "payee_straight_on": _straight_on(payee),
    }
    return found | _thirds(batch, payer, payee)


def _thirds(batch: Records, payer: View, payee: View) -> Columns:
    """What accounts say that both have had to do with: few payments have any, and only those are looked at."""
    near, far = _near(payer, batch["payee"], NOBODY), _near(payee, batch["payer"], NOBODY - 1)
    same = near[:, :, None] == far[:, None, :]
    rows = np.nonzero(same.any(axis=(1, 2)))[0]
    same, newest = same[rows], slice(-REACH, None)
    to_payer, from_payer = payer.incoming[rows, newest, None], payer.outgoing[rows, newest, None]
    to_payee, from_payee = payee.incoming[rows, None, newest], payee.outgoing[rows, None, newest]
    first = payee.age[rows, None, newest]  # payee to third, before third to payer
    earlier = payee.time[rows, None, newest] < payer.time[rows, newest, None]
    circle = same & to_payer & from_payee & earlier
    came, amount = circle.any(axis=2), batch["amount"][rows]
    since = np.where(circle, first, np.float32(np.inf)).min(axis=(1, 2), initial=np.inf)
    found = {
        "circle_count": came.sum(axis=1),
        "circle_since": since / np.float32(DAY),
        "circle_ratio": _over_newest(amount, came, payer.amount[rows, newest]),
        "shared_senders": (same & to_payer & to_payee).any(axis=2).sum(axis=1),
        "shared_receivers": (same & from_payer & from_payee).any(axis=2).sum(axis=1),
        "between_count": (same & from_payer & to_payee).any(axis=2).sum(axis=1),
    }
    table: Columns = {}
    for name, values in found.items():
        table[name] = np.full(
            len(batch), np.inf if name in ("circle_since", "circle_ratio") else 0, np.float32
        )
        table[name][rows] = values
    return table


def _near(view: View, partner: Integers, nobody: int) -> Integers:
    """Counterparties [B, REACH] of the newest events within SPAN; `nobody` elsewhere and for the partner."""
    other = view.other[:, -REACH:]
    near = view.present[:, -REACH:] & (view.age[:, -REACH:] <= SPAN) & (other != partner[:, None])
    return np.where(near, other, nobody)


def _over_newest(amount: Floats, which: Mask, others: Floats) -> Floats:
    """Amount [B] over that of the newest event of `which` [B, K], infinite if there is none."""
    last = (which * np.arange(1, which.shape[1] + 1)).max(axis=1)
    newest = others[np.arange(len(amount)), np.maximum(last - 1, 0)]
    found: Floats = np.where(last > 0, amount / np.maximum(newest, 0.01), np.inf).astype(np.float32)
    return found


def _straight_on(view: View) -> NDArray[np.int64]:
    """How often within SPAN the account received and then sent at once, within the hour."""
    soon = np.abs(np.diff(view.time, axis=1)) <= HOUR
    motif = view.incoming[:, :-1] & view.outgoing[:, 1:] & soon & (view.age[:, 1:] <= SPAN)
    found: NDArray[np.int64] = motif.sum(axis=1)
    return found
