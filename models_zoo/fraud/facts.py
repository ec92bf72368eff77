"""Facts of a payment for rules: features under names that stay, whatever a model reads.

Counts and sums over a time are of all payments (see `counters.within`); most others are read from each side's last 64.
Every fact is a number, also where there is nothing to measure (`missing`), so that a rule never has to ask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.events import Floats

LONG = 9999.0
"""Hours or days that stand for "never"."""


@dataclass(slots=True, frozen=True)
class Fact:
    """What a rule can read: `feature` is the column it is read from, `missing` what it is if not measured."""

    meaning: str
    feature: str
    missing: float = 0.0


FACTS: dict[str, Fact] = {
    "amount": Fact("amount in euros (or brought to their scale)", "amount"),
    "hour": Fact("hour of the day, UTC, 0 to 24", "hour"),
    "weekend": Fact("1 on Saturday and Sunday, UTC", "weekend"),
    "amount_over_median": Fact(
        "amount over the median of what the payer paid lately; 0 for a first payment", "amount_to_median"
    ),
    "amount_over_largest": Fact(
        "amount over the largest that the payer paid lately; 0 for a first payment", "amount_to_largest"
    ),
    "payer_payments": Fact("payments of the payer on record, in and out", "payer_events"),
    "circle_count": Fact(
        "payments to the payer, within 7 days of this payment, from accounts that the payee had paid before them: this "
        "one closes a circle of three",
        "circle_count",
    ),
    "days_since_reverse": Fact(
        "days between this payment and the nearest from the payee to the payer; 9999 if not among the "
        "payer's last 64 payments",
        "reverse_since",
        LONG,
    ),
    "shared_senders_7d": Fact(
        "payments to the payer within 7 days of this payment from accounts that paid the payee too",
        "shared_senders",
    ),
    "between_7d": Fact(
        "payments of the payer within 7 days of this payment to accounts that paid this payee",
        "between_count",
    ),
    "payer_straight_on_7d": Fact(
        "times within 7 days of this payment that the payer received and sent on within the hour",
        "payer_straight_on",
    ),
    "payer_days_known": Fact(
        "days between this payment and the payer's furthest on record, its first unless this one is late",
        "payer_first_seen",
    ),
    "payer_count_1h": Fact(
        "payments that the payer made within an hour of this payment", "payer_out_count_1h"
    ),
    "payer_count_24h": Fact(
        "payments that the payer made within 24 h of this payment", "payer_out_count_24h"
    ),
    "payer_count_7d": Fact(
        "payments that the payer made within 7 days of this payment", "payer_out_count_7d"
    ),
    "payer_sum_24h": Fact("euros that the payer paid within 24 h of this payment", "payer_out_sum_24h"),
    "payer_small_1h": Fact(
        "payments under 5 euros that the payer made within an hour of this payment, among its last 64",
        "small_1h",
    ),
    "payer_new_payees_24h": Fact(
        "payees that the payer first paid within 24 h of this payment, as far as its last 64 payments reach",
        "payer_out_new_24h",
    ),
    "payer_distinct_payees_24h": Fact(
        "different payees that the payer paid within 24 h of this payment, among its last 64 payments",
        "payer_out_distinct_24h",
    ),
    "payer_hours_since_payment": Fact(
        "hours between this payment and the payer's nearest; 9999 if there is none", "payer_out_since", LONG
    ),
    "payer_received_24h": Fact(
        "euros that the payer received within 24 h of this payment", "payer_in_sum_24h"
    ),
    "payer_distinct_senders_24h": Fact(
        "different accounts that paid the payer within 24 h of this payment, among its last 64 payments",
        "payer_in_distinct_24h",
    ),
    "payer_hours_since_received": Fact(
        "hours between this payment and the nearest that the payer received; 9999 if it never did",
        "payer_in_since",
        LONG,
    ),
    "amount_over_received_24h": Fact(
        "amount over what the payer received within 24 h of this payment; 0 if nothing", "amount_to_in_24h"
    ),
    "payer_known_frauds": Fact("latest payments of the payer in a row that are known as fraud", "payer_run"),
    "pair_payments": Fact(
        "earlier payments from this payer to this payee, among the payer's last 64", "pair_count"
    ),
    "pair_days_since": Fact(
        "days between this payment and the nearest of them; 9999 if there is none", "pair_since", LONG
    ),
    "payee_payments": Fact("payments of the payee on record, in and out", "payee_events"),
    "payee_days_known": Fact(
        "days between this payment and the payee's furthest on record, its first unless this one is late",
        "payee_first_seen",
    ),
    "payee_count_24h": Fact(
        "payments that the payee received within 24 h of this payment", "payee_in_count_24h"
    ),
    "payee_sum_24h": Fact("euros that the payee received within 24 h of this payment", "payee_in_sum_24h"),
    "payee_distinct_payers_24h": Fact(
        "different accounts that paid the payee within 24 h of this payment, among its last 64 payments",
        "payee_in_distinct_24h",
    ),
    "payee_new_payers_24h": Fact(
        "accounts that first paid the payee within 24 h of this payment, as far as its last 64 payments reach",
        "payee_in_new_24h",
    ),
    "payee_sent_24h": Fact("euros that the payee paid on within 24 h of this payment", "payee_out_sum_24h"),
    "payee_sent_over_received_24h": Fact(
        "euros that the payee paid on over what it received, 24 h; 0 if nothing", "payee_out_to_in_24h"
    ),
    "payee_known_frauds": Fact("latest payments of the payee in a row that are known as fraud", "payee_run"),
    "device_payments_24h": Fact("payments from the device within 24 h of this payment", "device_count_24h"),
    "device_distinct_payers_7d": Fact(
        "different payers on the device within 7 days of this payment, among its last 64 payments",
        "device_distinct_7d",
    ),
    "device_known_frauds": Fact(
        "latest payments of the device in a row that are known as fraud", "device_run"
    ),
    "merchant_payments_1h": Fact(
        "payments to the merchant within an hour of this payment", "merchant_count_1h"
    ),
    "merchant_known_frauds": Fact(
        "latest payments of the merchant in a row that are known as fraud", "merchant_run"
    ),
}
"""All facts by their public names. A name that is here stays."""
DERIVED: dict[str, str] = {
    "payer_is_new_payee": "1 if the payer has not paid this payee before, as far as its last 64 payments reach",
    "device_is_new": "1 if the payment names a device that this payer has not paid from lately",
    "night": "1 from 0 to 6 o'clock, UTC",
}
MEANINGS: dict[str, str] = {name: fact.meaning for name, fact in FACTS.items()} | DERIVED
"""What each fact says, in one line."""


def facts(features: Floats) -> list[dict[str, float]]:
    """The facts of each payment from its causal features float32 [B, len(NAMES)]: all of MEANINGS, each a number."""
    rounded = np.round(features.astype(np.float64), 4)
    column = {name: rounded[:, place] for place, name in enumerate(NAMES)}
    found = {
        name: np.where(np.isfinite(column[fact.feature]), column[fact.feature], fact.missing)
        for name, fact in FACTS.items()
    }
    found["payer_is_new_payee"] = (column["pair_count"] == 0).astype(np.float64)
    found["device_is_new"] = (column["device_named"] > 0) * (column["device_payer_count"] == 0) * 1.0
    found["night"] = column["night"]
    rows = np.stack(list(found.values()), axis=1).tolist()
    return [dict(zip(found, row, strict=True)) for row in rows]
