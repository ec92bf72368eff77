"""Reason codes: which group of features moved the score, said with the numbers of this payment.

The weight of a reason is what the score (calibrated logit) loses when the group's features are put to those of
a typical genuine payment. A sentence is only used if its own condition holds, so none is ever untrue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Values = Mapping[str, float]


@dataclass(slots=True, frozen=True)
class Reason:
    """One reason: a stable code, a sentence in English, and its weight in logits."""

    code: str
    text: str
    weight: float


@dataclass(slots=True, frozen=True)
class Phrase:
    """A reason that a group of features can give, if `holds`."""

    group: str
    code: str
    holds: Callable[[Values], bool]
    text: Callable[[Values], str]


def _minutes(log_minutes: float) -> str:
    minutes = float(np.expm1(log_minutes))
    if minutes < 90:
        return f"{max(1, round(minutes))} min"
    return f"{minutes / 60:.0f} h" if minutes < 2880 else f"{minutes / 1440:.0f} days"


def _times(log_ratio: float) -> str:
    return f"{np.exp(log_ratio):.1f} times"


def _share(rank: float) -> str:
    return "all" if rank >= 1 else f"{rank:.0%}"


def _few(count: float) -> str:
    return (
        "no earlier payment" if count < 1 else f"only {count:.0f} earlier payment{'s' if count > 1 else ''}"
    )


PHRASES = (
    Phrase(
        "amount",
        "AMOUNT_ABOVE_LARGEST",
        lambda v: v["out_ratio_max"] > 0.1,
        lambda v: f"Amount is {_times(v['out_ratio_max'])} the largest recent payment of this account",
    ),
    Phrase(
        "amount",
        "AMOUNT_ABOVE_USUAL",
        lambda v: v["out_rank"] >= 0.8,
        lambda v: f"Amount is larger than {_share(v['out_rank'])} of this account's recent payments",
    ),
    Phrase(
        "amount",
        "AMOUNT_TINY",
        lambda v: v["log_amount"] < np.log1p(5),
        lambda v: "A very small amount, as used to try out a card",
    ),
    Phrase("when", "NIGHT", lambda v: v["night"] > 0, lambda v: "Made at night (UTC)"),
    Phrase(
        "when",
        "UNUSUAL_HOUR",
        lambda v: v["hour_distance"] > 0.25,
        lambda v: "Made at an hour at which this account rarely pays",
    ),
    Phrase(
        "channel",
        "UNUSUAL_CHANNEL",
        lambda v: v["channel_share"] < 0.1,
        lambda v: "This account rarely or never uses this channel",
    ),
    Phrase(
        "channel",
        "INSTANT",
        lambda v: v["channel_instant"] > 0,
        lambda v: "An instant payment, which cannot be called back",
    ),
    Phrase(
        "payer_pace",
        "SMALL_PAYMENTS_BEFORE",
        lambda v: v["small_1h"] >= 2,
        lambda v: f"{v['small_1h']:.0f} very small payments in the hour before",
    ),
    Phrase(
        "payer_pace",
        "BURST",
        lambda v: v["out_count_1h"] >= 2,
        lambda v: f"{v['out_count_1h']:.0f} payments in the hour before",
    ),
    Phrase(
        "payer_pace",
        "QUICK_SUCCESSION",
        lambda v: 0 <= v["out_since"] < np.log1p(30),
        lambda v: f"Only {_minutes(v['out_since'])} after the account's previous payment",
    ),
    Phrase(
        "payer_spread",
        "NEW_PAYEES",
        lambda v: v["out_new_24h"] >= 2,
        lambda v: f"{v['out_new_24h']:.0f} new payees in the 24 h before",
    ),
    Phrase(
        "payer_spread",
        "SHORT_HISTORY",
        lambda v: v["payer_events"] <= 5,
        lambda v: f"The paying account has {_few(v['payer_events'])} on record",
    ),
    Phrase(
        "pair",
        "FIRST_PAYMENT_TO_PAYEE",
        lambda v: v["pair_count"] == 0,
        lambda v: "No earlier payment to this payee in the account's recent history",
    ),
    Phrase(
        "pass_through",
        "FUNDS_PASSED_ON",
        lambda v: 0 <= v["in_since"] < np.log1p(720) and v["out_to_in_24h"] > -0.7,
        lambda v: f"Money leaves {_minutes(v['in_since'])} after it came in",
    ),
    Phrase(
        "pass_through",
        "COLLECTED_FROM_MANY",
        lambda v: v["in_payers_24h"] >= 3,
        lambda v: f"The paying account collected from {v['in_payers_24h']:.0f} accounts in the 24 h before",
    ),
    Phrase(
        "payee",
        "PAYEE_PASSES_ON",
        lambda v: v["payee_out_count_24h"] >= 1 and v["payee_out_to_in_24h"] > -0.7,
        lambda v: "The payee passes on most of what it received in the 24 h before",
    ),
    Phrase(
        "payee",
        "PAYEE_COLLECTS",
        lambda v: v["payee_in_payers_24h"] >= 3 and v["payee_new_payers"] > 0.5,
        lambda v: (
            f"The payee was paid by {v['payee_in_payers_24h']:.0f} accounts in the 24 h before, most of them new"
        ),
    ),
    Phrase(
        "payee",
        "PAYEE_UNKNOWN",
        lambda v: v["payee_events"] <= 3,
        lambda v: f"The payee has {_few(v['payee_events'])} on record",
    ),
    Phrase(
        "payee",
        "PAYEE_ABOVE_USUAL",
        lambda v: v["payee_ratio_median"] > 0.7,
        lambda v: f"The payee usually receives less: {_times(v['payee_ratio_median'])} its median",
    ),
)
PART_REASONS = {
    "sequence": (
        "SEQUENCE_PATTERN",
        "The order and timing of the accounts' last payments resemble known fraud",
    ),
    "graph": ("NETWORK_PATTERN", "The network of accounts around payer and payee resembles known fraud"),
}
LEAST = 0.15
"""Logits below which a reason is not worth a line."""


def reasons(
    values: Values, moved: Mapping[str, float], contributions: Mapping[str, float], most: int = 5
) -> list[Reason]:
    """Up to `most` reasons for a higher score, the weightiest first: one per group, one per network part."""
    found = [
        Reason(*PART_REASONS[part], weight=round(contributions[part], 3))
        for part in PART_REASONS
        if contributions[part] > 1.0
    ]
    for group, weight in moved.items():
        phrase = next((one for one in PHRASES if one.group == group and one.holds(values)), None)
        if phrase and weight > LEAST:
            found.append(Reason(phrase.code, phrase.text(values), round(weight, 3)))
    return sorted(found, key=lambda reason: -reason.weight)[:most]
