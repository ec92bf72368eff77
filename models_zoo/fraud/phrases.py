"""The sentences that reasons are told in, each with the condition under which it is true.

Of a subject the first whose condition holds is said. Events lie within a time of the payment: before it, and after one
that came late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models_zoo.fraud.events import WINDOW
from models_zoo.fraud.wording import Values, about, busy, counted, few, several, share, span


@dataclass(slots=True, frozen=True)
class Phrase:
    """A reason that a subject can give, if `holds`; `reads` are the causal features that it speaks of."""

    subject: str
    code: str
    reads: tuple[str, ...]
    holds: Callable[[Values], bool]
    text: Callable[[Values], str]


def _frauds(side: str, who: str) -> Phrase:
    run = f"{side}_run"
    return Phrase(
        "known_fraud",
        f"{side.upper()}_KNOWN_FRAUD",
        (run, f"{side}_fraud_since"),
        lambda v: v[run] >= 1,
        lambda v: (
            f"The latest payments of {who} of which something is known were fraud: {v[run]:.0f} in a row"
            if v[run] >= 2
            else f"The latest payment of {who} of which something is known was fraud"
        ),
    )


PHRASES = (
    Phrase(
        "amount",
        "AMOUNT_ABOVE_LARGEST",
        ("amount", "amount_to_largest"),
        lambda v: v["amount_to_largest"] > 1.1,
        lambda v: f"Amount is {v['amount_to_largest']:.1f} times the largest recent payment of this account",
    ),
    Phrase(
        "amount",
        "AMOUNT_ABOVE_USUAL",
        ("amount", "amount_rank", "amount_to_median"),
        lambda v: v["amount_rank"] >= 0.8,
        lambda v: f"Amount is larger than {share(v['amount_rank'])} of this account's recent payments",
    ),
    Phrase(
        "amount",
        "AMOUNT_TINY",
        ("amount",),
        lambda v: v["amount"] < 5,
        lambda v: "A very small amount, as used to try out a card",
    ),
    Phrase("when", "NIGHT", ("hour",), lambda v: v["night"] > 0, lambda v: "Made at night (UTC)"),
    Phrase(
        "when",
        "UNUSUAL_HOUR",
        ("hour", "hour_distance"),
        lambda v: v["hour_distance"] > 3,
        lambda v: "Made at an hour at which this account rarely pays",
    ),
    Phrase(
        "channel",
        "UNUSUAL_CHANNEL",
        ("channel_share",),
        lambda v: v["channel_share"] < 0.1,
        lambda v: "This account rarely or never uses this channel",
    ),
    Phrase(
        "channel",
        "UNUSUAL_CHANNEL_OF_PAYEE",
        ("payee_channel_share",),
        lambda v: v["payee_channel_share"] < 0.1,
        lambda v: "The payee is rarely or never paid through this channel",
    ),
    Phrase(
        "channel",
        "INSTANT",
        ("channel",),
        lambda v: v["channel"] == 3,
        lambda v: "An instant payment, which cannot be called back",
    ),
    Phrase(
        "payer_pace",
        "SMALL_PAYMENTS_BEFORE",
        ("small_1h",),
        lambda v: v["small_1h"] >= 2,
        lambda v: f"{counted(v, 'payer', 'small_1h', 'At')} very small payments within an hour of this one",
    ),
    Phrase(
        "payer_pace",
        "BURST",
        ("payer_out_count_1h",),
        lambda v: v["payer_out_count_1h"] >= 2,
        lambda v: (
            f"{about(v, 'payer', '1h')}{v['payer_out_count_1h']:.0f} payments within an hour of this one"
        ),
    ),
    Phrase(
        "payer_pace",
        "QUICK_SUCCESSION",
        ("payer_out_since",),
        lambda v: v["payer_out_since"] < 0.5,
        lambda v: f"Within {span(v['payer_out_since'])} of another payment of this account",
    ),
    Phrase(
        "payer_pace",
        "FASTER_THAN_USUAL",
        ("payer_burst", "payer_out_count_24h"),
        lambda v: v["payer_burst"] >= 2,
        lambda v: (
            f"{about(v, 'payer', '24h')}{several(v['payer_out_count_24h'], 'payment')} within 24 h of this one, "
            "more than twice as many as this account usually makes in a day"
        ),
    ),
    Phrase(
        "surprises",
        "UNUSUAL_AMOUNTS_BEFORE",
        ("surprises_7d", "surprise_since"),
        lambda v: v["surprises_7d"] >= 1,
        lambda v: (
            f"{counted(v, 'payer', 'surprises_7d', 'At')} payment{'' if round(v['surprises_7d']) == 1 else 's'} within "
            "7 days of this one, much larger than this account's usual one"
        ),
    ),
    Phrase(
        "payer_spread",
        "NEW_PAYEES",
        ("payer_out_new_24h",),
        lambda v: v["payer_out_new_24h"] >= 2,
        lambda v: (
            f"{v['payer_out_new_24h']:.0f} new payees within 24 h of this payment"
            + (f", as far as the account's last {WINDOW} payments show" if busy(v, "payer") else "")
        ),
    ),
    Phrase(
        "payer_spread",
        "MANY_PAYEES",
        ("payer_out_distinct_7d",),
        lambda v: v["payer_out_distinct_7d"] >= 10,
        lambda v: (
            f"{counted(v, 'payer', 'payer_out_distinct_7d', 'At')} different payees within 7 days of this payment"
        ),
    ),
    Phrase(
        "payer_known",
        "SHORT_HISTORY",
        ("payer_events",),
        lambda v: v["payer_events"] <= 5,
        lambda v: f"The paying account has {few(v['payer_events'])} on record",
    ),
    Phrase(
        "payer_known",
        "NEW_ACCOUNT",
        ("payer_first_seen",),
        lambda v: v["payer_first_seen"] < 14,
        lambda v: (
            f"All payments of the paying account on record lie within {span(v['payer_first_seen'] * 24)} of this one"
        ),
    ),
    Phrase(
        "pair",
        "FIRST_PAYMENT_TO_PAYEE",
        ("pair_count",),
        lambda v: v["pair_count"] == 0,
        lambda v: "No earlier payment to this payee in the account's recent history",
    ),
    Phrase(
        "pair",
        "MONEY_COMES_BACK",
        ("reverse_count",),
        lambda v: v["reverse_count"] >= 1,
        lambda v: f"The payee paid this account as well: {several(v['reverse_count'], 'time')} lately",
    ),
    Phrase(
        "circle",
        "CIRCLE_CLOSED",
        ("circle_count", "circle_since"),
        lambda v: v["circle_count"] > 0,
        lambda v: (
            "Money comes back to the payee by way of another account; it left within "
            f"{span(24 * v['circle_since'])} of this payment"
        ),
    ),
    Phrase(
        "pass_through",
        "FUNDS_PASSED_ON",
        ("payer_in_since", "payer_out_to_in_24h"),
        lambda v: v["payer_in_since"] < 12 and v["payer_out_to_in_24h"] > 0.5,
        lambda v: f"Money comes in and leaves within {span(v['payer_in_since'])}",
    ),
    Phrase(
        "pass_through",
        "COLLECTED_FROM_MANY",
        ("payer_in_distinct_24h",),
        lambda v: v["payer_in_distinct_24h"] >= 3,
        lambda v: (
            f"The paying account collected from {counted(v, 'payer', 'payer_in_distinct_24h')} accounts within 24 h "
            "of this payment"
        ),
    ),
    Phrase(
        "payee",
        "PAYEE_PASSES_ON",
        ("payee_out_count_24h", "payee_out_to_in_24h"),
        lambda v: v["payee_out_count_24h"] >= 1 and v["payee_out_to_in_24h"] > 0.5,
        lambda v: (
            "Within 24 h of this payment the payee passes on most of what it receives"
            + (", by estimate" if about(v, "payee", "24h") else "")
        ),
    ),
    Phrase(
        "payee",
        "PAYEE_COLLECTS",
        ("payee_in_distinct_24h", "payee_in_new_24h"),
        lambda v: v["payee_in_distinct_24h"] >= 3 and v["payee_in_new_24h"] > v["payee_in_distinct_24h"] / 2,
        lambda v: (
            f"The payee was paid by {counted(v, 'payee', 'payee_in_distinct_24h')} accounts within 24 h of this "
            "payment, most of them for the first time"
            + (f" among its last {WINDOW} payments" if busy(v, "payee") else "")
        ),
    ),
    Phrase(
        "payee",
        "PAYEE_UNKNOWN",
        ("payee_events",),
        lambda v: v["payee_events"] <= 3,
        lambda v: f"The payee has {few(v['payee_events'])} on record",
    ),
    Phrase(
        "payee",
        "PAYEE_ABOVE_USUAL",
        ("payee_amount_ratio",),
        lambda v: v["payee_amount_ratio"] > 2,
        lambda v: f"The payee usually receives less: {v['payee_amount_ratio']:.1f} times its usual amount",
    ),
    _frauds("payee", "the payee"),
    _frauds("merchant", "the merchant"),
    _frauds("device", "the device"),
    _frauds("payer", "the paying account"),
    Phrase(
        "known_fraud",
        "PAYEE_FRAUD_RATE",
        ("payee_fraud_rate_30d", "payee_known_30d"),
        lambda v: v["payee_fraud_rate_30d"] > 0.05,
        lambda v: (
            f"{v['payee_fraud_rate_30d']:.0%} of what is known of the payee's latest payments was fraud"
        ),
    ),
    Phrase(
        "device",
        "NEW_DEVICE",
        ("device_named", "device_payer_count"),
        lambda v: v["device_named"] > 0 and v["device_payer_count"] == 0,
        lambda v: (
            f"None of the last {WINDOW} payments from this device was this account's"
            if busy(v, "device")
            else "The account has not paid from this device before"
        ),
    ),
    Phrase(
        "device",
        "SHARED_DEVICE",
        ("device_distinct_7d",),
        lambda v: v["device_distinct_7d"] >= 3,
        lambda v: (
            f"{counted(v, 'device', 'device_distinct_7d', 'At')} different accounts paid from this device within 7 "
            "days of this payment"
        ),
    ),
    Phrase(
        "merchant",
        "MERCHANT_ABOVE_USUAL",
        ("merchant_amount_ratio",),
        lambda v: v["merchant_amount_ratio"] > 2,
        lambda v: f"{v['merchant_amount_ratio']:.1f} times what this merchant usually takes",
    ),
    Phrase(
        "merchant",
        "MERCHANT_BUSY",
        ("merchant_count_1h",),
        lambda v: v["merchant_count_1h"] >= 10,
        lambda v: (
            f"{about(v, 'merchant', '1h')}{v['merchant_count_1h']:.0f} payments to this merchant within an hour "
            "of this one"
        ),
    ),
)
