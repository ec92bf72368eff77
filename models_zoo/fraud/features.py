"""Causal features of a payment from the two windows of events before it.

Everything is computed from `PAYMENT [B]` and the payer's and payee's last EVENTS events, so what training
computes and what serving computes is one function. Counts saturate at their number. Amounts and
durations are on log scales, -1 stands for "never".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import CHANNELS, Floats, Records
from models_zoo.fraud.history import Neighbourhood

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SPANS = {"10m": 10 * MINUTE, "1h": HOUR, "24h": DAY, "7d": 7 * DAY}
NEVER = -1.0
EVENTS = 32
"""Events of each account that the network and its features read."""

GROUPS: dict[str, tuple[str, ...]] = {
    "amount": ("log_amount", "round_10", "round_100", "out_ratio_mean", "out_ratio_max", "out_rank", "out_z"),
    "when": ("hour_sin", "hour_cos", "night", "weekend", "hour_distance"),
    "channel": (*(f"channel_{name}" for name in CHANNELS), "channel_share"),
    "payer_pace": (
        *(f"out_count_{span}" for span in SPANS),
        "out_sum_24h",
        "out_burst",
        "out_since",
        "out_gap_ratio",
        "small_1h",
    ),
    "payer_spread": ("out_new_24h", "out_distinct_24h", "out_distinct_7d", "payer_events", "payer_age"),
    "pair": ("pair_count", "pair_since", "reverse_count", "shared", "payee_is_self"),
    "pass_through": (
        "in_sum_1h",
        "in_sum_24h",
        "in_since",
        "amount_to_in_24h",
        "amount_to_last_in",
        "out_to_in_24h",
        "in_payers_24h",
    ),
    "payee": (
        *(f"payee_in_count_{span}" for span in SPANS),
        "payee_in_payers_24h",
        "payee_in_payers_7d",
        "payee_in_share",
        "payee_ratio_median",
        "payee_out_count_24h",
        "payee_out_to_in_24h",
        "payee_out_since",
        "payee_events",
        "payee_age",
        "payee_new_payers",
    ),
}
"""Feature names by what they speak of; the order of all groups is the order of the columns."""
NAMES = tuple(name for group in GROUPS.values() for name in group)

Mask = NDArray[np.bool_]
Column = NDArray[np.float64]
Columns = dict[str, NDArray[np.float64]]


def _column(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return values.astype(np.float64)[:, None]


def _age(batch: Records, window: Records) -> NDArray[np.float64]:
    """Seconds [B, K] from each event to the payment, at least 0 (a late event may carry a later clock)."""
    age: NDArray[np.float64] = np.maximum(_column(batch["time"]) - window["time"], 0.0)
    return age


def _since(age: NDArray[np.float64], which: Mask) -> NDArray[np.float64]:
    """log1p of the minutes [B] since the newest event of `which` [B, K], NEVER if there is none."""
    newest = np.where(which, age, np.inf).min(axis=1)
    return np.where(np.isfinite(newest), np.log1p(np.where(np.isfinite(newest), newest, 0) / MINUTE), NEVER)


def _distinct(other: NDArray[np.int64], which: Mask) -> NDArray[np.float64]:
    """Number [B] of different counterparties among the events of `which` [B, K]."""
    same = (other[:, :, None] == other[:, None, :]) & which[:, None, :]
    earlier = np.tril(np.ones(same.shape[1:], bool), -1)
    count: Column = (which & ~(same & earlier).any(axis=2)).sum(axis=1).astype(np.float64)
    return count


def first_seen(window: Records) -> Mask:
    """Mask [B, K] of the events whose counterparty does not occur earlier in the same window."""
    present = window["sequence"] > 0
    same = (window["other"][:, :, None] == window["other"][:, None, :]) & present[:, None, :]
    earlier = np.tril(np.ones(same.shape[1:], bool), -1)
    found: Mask = present & ~(same & earlier).any(axis=2)
    return found


def _median(values: NDArray[np.float32], which: Mask) -> NDArray[np.float64]:
    """Median [B] over `which`, 0 where there is none; the lower middle one of an even number."""
    ordered = np.sort(np.where(which, values, np.inf), axis=1)
    count = which.sum(axis=1)
    middle = ordered[np.arange(len(values)), np.maximum((count - 1) // 2, 0)]
    return np.where(count > 0, middle, 0.0).astype(np.float64)


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """log ratio [B] clipped to +-5, NEVER where the bottom is 0."""
    ratio = np.log(np.maximum(top, 0.01) / np.where(bottom > 0, bottom, 1.0))
    return np.where(bottom > 0, np.clip(ratio, -5, 5), NEVER)


def _log_sum(values: NDArray[np.float32], which: Mask) -> NDArray[np.float64]:
    total: Column = np.log1p((values * which).sum(axis=1, dtype=np.float64))
    return total


def _calendar(batch: Records, payer: Records, out: Mask) -> Columns:
    hour = (batch["time"] % DAY) / HOUR
    angle = hour * (2 * np.pi / 24)
    seen = (payer["time"] % DAY) * (2 * np.pi / DAY)
    apart = np.abs(np.angle(np.exp(1j * (seen - angle[:, None])))) / np.pi
    nearby = np.sort(np.where(out, apart, 1.0), axis=1)[:, :3].mean(axis=1)
    return {
        "hour_sin": np.sin(angle),
        "hour_cos": np.cos(angle),
        "night": (hour < 6).astype(np.float64),
        "weekend": ((batch["time"] // DAY + 3) % 7 >= 5).astype(np.float64),
        "hour_distance": nearby,
    }


def _amounts(batch: Records, payer: Records, out: Mask) -> Columns:
    amount = batch["amount"].astype(np.float64)
    count = np.maximum(out.sum(axis=1), 1)
    logs = np.log1p(payer["amount"])
    mean = (logs * out).sum(axis=1) / count
    spread = np.sqrt(((logs - mean[:, None]) ** 2 * out).sum(axis=1) / count)
    any_out = out.any(axis=1)
    rank = ((payer["amount"] < batch["amount"][:, None]) & out).sum(axis=1) / count
    return {
        "log_amount": np.log1p(amount),
        "round_10": (amount % 10 < 0.005).astype(np.float64),
        "round_100": (amount % 100 < 0.005).astype(np.float64),
        "out_ratio_mean": np.where(any_out, np.log1p(amount) - mean, NEVER),
        "out_ratio_max": _ratio(amount, (payer["amount"] * out).max(axis=1).astype(np.float64)),
        "out_rank": np.where(any_out, rank, NEVER),
        "out_z": np.where(any_out, np.clip((np.log1p(amount) - mean) / (spread + 0.3), -6, 6), 0.0),
    }


def _pace(batch: Records, payer: Records, age: NDArray[np.float64], out: Mask) -> Columns:
    counts = {f"out_count_{name}": (out & (age <= span)).sum(axis=1) for name, span in SPANS.items()}
    reach = np.where(out, age, 0.0).max(axis=1)
    usual = out.sum(axis=1) / np.maximum(reach / DAY, 1.0)
    since = _since(age, out)
    gap = np.log1p(reach / np.maximum(out.sum(axis=1), 1) / MINUTE)
    return counts | {
        "out_sum_24h": _log_sum(payer["amount"], out & (age <= DAY)),
        "out_burst": np.log1p(counts["out_count_24h"]) - np.log1p(usual),
        "out_since": since,
        "out_gap_ratio": np.where(since >= 0, since - gap, NEVER),
        "small_1h": (out & (age <= HOUR) & (payer["amount"] < 5)).sum(axis=1),
    }


def _spread(payer: Records, age: NDArray[np.float64], out: Mask) -> Columns:
    present = payer["sequence"] > 0
    return {
        "out_new_24h": (out & (age <= DAY) & first_seen(payer)).sum(axis=1),
        "out_distinct_24h": _distinct(payer["other"], out & (age <= DAY)),
        "out_distinct_7d": _distinct(payer["other"], out & (age <= 7 * DAY)),
        "payer_events": present.sum(axis=1),
        "payer_age": np.log1p(np.where(present, age, 0).max(axis=1) / DAY),
    }


def _pair(batch: Records, payer: Records, payee: Records, age: Column, out: Mask) -> Columns:
    to_payee = payer["other"] == batch["payee"][:, None]
    inward = (payer["sequence"] > 0) & ~out
    met = (payer["other"][:, :, None] == payee["other"][:, None, :]) & (payer["sequence"] > 0)[:, :, None]
    met &= (payee["sequence"] > 0)[:, None, :] & (payee["other"] != batch["payer"][:, None])[:, None, :]
    return {
        "pair_count": np.log1p((to_payee & out).sum(axis=1)),
        "pair_since": _since(age, to_payee & out),
        "reverse_count": np.log1p((to_payee & inward).sum(axis=1)),
        "shared": np.log1p(_distinct(payer["other"], met.any(axis=2))),
        "payee_is_self": (batch["payer"] == batch["payee"]).astype(np.float64),
    }


def _pass_through(batch: Records, payer: Records, age: Column, out: Mask) -> Columns:
    inward = (payer["sequence"] > 0) & ~out
    day_in = inward & (age <= DAY)
    amount = batch["amount"].astype(np.float64)
    sum_in = (payer["amount"] * day_in).sum(axis=1, dtype=np.float64)
    sum_out = (payer["amount"] * (out & (age <= DAY))).sum(axis=1, dtype=np.float64)
    last = np.where(inward, np.arange(payer.shape[1]), -1).max(axis=1)
    last_in = np.where(last >= 0, payer["amount"][np.arange(len(batch)), np.maximum(last, 0)], 0.0)
    return {
        "in_sum_1h": _log_sum(payer["amount"], inward & (age <= HOUR)),
        "in_sum_24h": np.log1p(sum_in),
        "in_since": _since(age, inward),
        "amount_to_in_24h": _ratio(amount, sum_in),
        "amount_to_last_in": _ratio(amount, last_in),
        "out_to_in_24h": _ratio(sum_out + amount, sum_in),
        "in_payers_24h": _distinct(payer["other"], day_in),
    }


def _payee(batch: Records, payee: Records) -> Columns:
    age = _age(batch, payee)
    present = payee["sequence"] > 0
    inward, out = present & (payee["outgoing"] == 0), present & (payee["outgoing"] == 1)
    count_in = inward.sum(axis=1)
    sum_in = (payee["amount"] * (inward & (age <= DAY))).sum(axis=1, dtype=np.float64)
    sum_out = (payee["amount"] * (out & (age <= DAY))).sum(axis=1, dtype=np.float64)
    new = first_seen(payee) & inward
    counts = {f"payee_in_count_{name}": (inward & (age <= span)).sum(axis=1) for name, span in SPANS.items()}
    return counts | {
        "payee_in_payers_24h": _distinct(payee["other"], inward & (age <= DAY)),
        "payee_in_payers_7d": _distinct(payee["other"], inward & (age <= 7 * DAY)),
        "payee_in_share": np.where(present.any(axis=1), count_in / np.maximum(present.sum(axis=1), 1), NEVER),
        "payee_ratio_median": _ratio(batch["amount"].astype(np.float64), _median(payee["amount"], inward)),
        "payee_out_count_24h": (out & (age <= DAY)).sum(axis=1),
        "payee_out_to_in_24h": _ratio(sum_out, sum_in),
        "payee_out_since": _since(age, out),
        "payee_events": present.sum(axis=1),
        "payee_age": np.log1p(np.where(present, age, 0).max(axis=1) / DAY),
        "payee_new_payers": np.where(count_in > 0, new.sum(axis=1) / np.maximum(count_in, 1), NEVER),
    }


def tabular(near: Neighbourhood) -> Floats:
    """Features float32 [B, len(NAMES)] of each payment, columns in the order of NAMES."""
    near = near.newest(EVENTS)
    batch, payer, payee = near.payment, near.payer, near.payee
    age = _age(batch, payer)
    out = (payer["sequence"] > 0) & (payer["outgoing"] == 1)
    values: Columns = {}
    values |= _amounts(batch, payer, out) | _calendar(batch, payer, out)
    values |= {f"channel_{name}": (batch["channel"] == index) * 1.0 for index, name in enumerate(CHANNELS)}
    same_channel = (payer["channel"] == batch["channel"][:, None]) & out
    values["channel_share"] = same_channel.sum(axis=1) / np.maximum(out.sum(axis=1), 1)
    values |= _pace(batch, payer, age, out) | _spread(payer, age, out)
    values |= (
        _pair(batch, payer, payee, age, out) | _pass_through(batch, payer, age, out) | _payee(batch, payee)
    )
    return np.stack([values[name] for name in NAMES], axis=1).astype(np.float32)
