"""Different counterparties (fan-out of a payer, fan-in of a payee, payers of a device or merchant) and new ones."""

from __future__ import annotations

import numpy as np

from models_zoo.fraud.causal.view import DAY, Columns, Mask, View, share

SIDES = ("payer_out", "payer_in", "payee_in", "payee_out", "device", "merchant")
KINDS = ("distinct_24h", "distinct_7d", "distinct", "new_24h", "new_7d", "new_share")
NAMES = tuple(f"{side}_{kind}" for side in SIDES for kind in KINDS)


def columns(payer: View, payee: View, device: View, merchant: View) -> Columns:
    """Counts saturate at the window's length. new: met first, as far as the window reaches, within the span."""
    found: Columns = {}
    parts = (
        (payer, (("payer_out", payer.outgoing), ("payer_in", payer.incoming))),
        (payee, (("payee_in", payee.incoming), ("payee_out", payee.outgoing))),
        (device, (("device", device.present),)),
        (merchant, (("merchant", merchant.present),)),
    )
    for view, sides in parts:
        oldest, newest = meetings(view)
        day, week = view.age <= DAY, view.age <= 7 * DAY
        for side, which in sides:
            first, last = oldest & which, newest & which
            found[f"{side}_distinct_24h"] = (last & day).sum(axis=1)
            found[f"{side}_distinct_7d"] = (last & week).sum(axis=1)
            found[f"{side}_distinct"] = last.sum(axis=1)
            found[f"{side}_new_24h"] = (first & day).sum(axis=1)
            found[f"{side}_new_7d"] = (first & week).sum(axis=1)
            found[f"{side}_new_share"] = share(found[f"{side}_distinct"], which.sum(axis=1))
    return found


def meetings(view: View) -> tuple[Mask, Mask]:
    """Masks [B, K] of the first and of the last event with each counterparty in each direction.

    Sorted once with direction and place in the lowest bits; counterparties are told apart by the bits that are left.
    """
    size = view.other.shape[1]
    bits = max(size - 1, 1).bit_length()
    nobody = np.iinfo(np.int64).max >> (bits + 1)
    met = (np.where(view.present, view.other, nobody) << 1) | view.outgoing
    keys = np.sort((met << bits) | np.arange(size), axis=1)
    place = keys & ((1 << bits) - 1)
    change = np.diff(keys >> bits, axis=1) != 0
    edge = np.ones((len(keys), 1), bool)
    oldest, newest = np.zeros_like(view.present), np.zeros_like(view.present)
    np.put_along_axis(oldest, place, np.concatenate([edge, change], axis=1), axis=1)
    np.put_along_axis(newest, place, np.concatenate([change, edge], axis=1), axis=1)
    return oldest, newest
