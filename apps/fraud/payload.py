"""What travels on the lane `fraud.score`: a payment as numbers, with whom it concerns as keyed hashes."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models.expressions import RawSQL

from apps.fraud.models import ACCOUNT, Transaction
from rootstock.privacy.indexes import blind_index, blind_indexes
from rootstock.privacy.subjects import purpose_of

CHANNELS = ("card", "online", "transfer", "instant", "debit", "cash")
DEVICE, MERCHANT = "fraud device", "fraud merchant"
"""What the keys of devices and merchants are hashed for: with accounts they lie in one space of keys."""
# Rough worth of one unit in euros. The model only needs the scale of an amount; these are no exchange rates.
SCALES = {
    "EUR": 1.0, "USD": 0.9, "GBP": 1.15, "CHF": 1.05, "SEK": 0.09, "NOK": 0.09, "DKK": 0.134, "PLN": 0.23,
    "CZK": 0.04, "HUF": 0.0025, "RON": 0.2, "TRY": 0.03, "CAD": 0.66, "AUD": 0.6, "NZD": 0.55, "JPY": 0.006,
    "CNY": 0.13, "INR": 0.011, "BRL": 0.16, "MXN": 0.05, "ZAR": 0.05, "SGD": 0.68, "HKD": 0.12, "AED": 0.25,
}  # fmt: skip
DECIMALS = {"JPY": 0}
"""Of the currencies above those that do not have two decimals (ISO 4217)."""
MODEL_TIME = "least(occurred_at, received_at)"
TIMED = RawSQL(MODEL_TIME, ())
"""`model_time` in SQL, and as an annotation of payments."""


def account_key(organisation: UUID, account: str) -> int:
    """A signed 64-bit key of an account, different in each organisation: the head of its subject's blind index."""
    return key_of(blind_index(organisation, purpose_of(ACCOUNT), account))


def keys_of(organisation: UUID, purpose: str, given: Iterable[str | None]) -> list[int]:
    """The keys of devices or merchants, 0 for none."""
    names = list(given)
    known = sorted({name for name in names if name is not None})
    if not known:
        return [0] * len(names)
    indexes = zip(known, blind_indexes(organisation, purpose, known), strict=True)
    keys = {name: key_of(index) for name, index in indexes}
    return [0 if name is None else keys[name] for name in names]


def key_of(reference_index: bytes) -> int:
    """The key by a blind index; 0 stands for none and is no key."""
    return int.from_bytes(reference_index[:8], "big", signed=True) or 1


def worth(amount: Decimal, currency: str) -> float:
    """An amount on the model's scale."""
    return float(amount) * SCALES[currency]


def model_time(occurred_at: datetime, received_at: datetime) -> datetime:
    """When a payment was made, to the model: what is dated ahead was made when it arrived."""
    return min(occurred_at, received_at)


def payload_of(row: Transaction) -> dict[str, Any]:
    """The lane's payload for a stored payment."""
    return {
        "sequence": row.sequence,
        "time": model_time(row.occurred_at, row.received_at).timestamp(),
        "payer": row.payer_key,
        "payee": row.payee_key,
        "device": row.device_key,
        "merchant": row.merchant_key,
        "amount": worth(row.amount, row.currency),
        "channel": CHANNELS.index(row.channel),
    }


def payloads_of(rows: Iterable[Transaction]) -> list[dict[str, Any]]:
    """The payloads of several payments, in their order."""
    return [payload_of(row) for row in rows]
