"""Different counterparties (fan-out of a payer, fan-in of a payee, payers of a device or merchant) and new ones."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, Columns, Mask, View, share
from models_zoo.fraud.events import Integers

SIDES = ("payer_out", "payer_in", "payee_in", "payee_out", "device", "merchant")
KINDS = ("distinct_24h", "distinct_7d", "distinct", "new_24h", "new_7d", "new_share")
NAMES = tuple(f"{side}_{kind}" for side in SIDES for kind in KINDS)


def columns(payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Counts saturate at the window's length. new: met first, as far as the window reaches, within the span."""
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
        oldest, newest = meetings(view.other, which)
        day, week = view.age <= DAY, view.age <= 7 * DAY
        found[f"{side}_distinct_24h"] = (newest & day).sum(axis=1)
        found[f"{side}_distinct_7d"] = (newest & week).sum(axis=1)
        found[f"{side}_distinct"] = newest.sum(axis=1)
        found[f"{side}_new_24h"] = (oldest & day).sum(axis=1)
        found[f"{side}_new_7d"] = (oldest & week).sum(axis=1)
        found[f"{side}_new_share"] = share(found[f"{side}_distinct"], which.sum(axis=1))
    return found


def meetings(other: Integers, which: Mask) -> tuple[Mask, Mask]:
    """Masks [B, K] of the first and of the last event with each counterparty among the events of `which`.

    Sorted once with the place in the lowest bits; counterparties are told apart by the bits that are left.
    """
    size = other.shape[1]
    bits = max(size - 1, 1).bit_length()
    nobody = np.iinfo(np.int64).max >> bits
    keys = np.sort((np.where(which, other, nobody) << bits) | np.arange(size), axis=1)
    place = keys & ((1 << bits) - 1)
    change = np.diff(keys >> bits, axis=1) != 0
    edge = np.ones((len(other), 1), bool)
    oldest, newest = np.zeros_like(which), np.zeros_like(which)
    np.put_along_axis(oldest, place, np.concatenate([edge, change], axis=1), axis=1)
    np.put_along_axis(newest, place, np.concatenate([change, edge], axis=1), axis=1)
    return oldest & which, newest & which
