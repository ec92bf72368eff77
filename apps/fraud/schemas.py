"""Bodies of the fraud API."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from apps.fraud.payload import SCALES
from rootstock.jobs.schemas import JobOut

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]+")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)

Channel = Literal["card", "online", "transfer", "instant", "debit", "cash"]


def _printable(value: str) -> str:
    if not _PRINTABLE.fullmatch(value) or value != value.strip():
        raise ValueError("must not be blank, start or end with a space, or contain control characters")
    return value


def _currency(value: str) -> str:
    if value not in SCALES:
        raise ValueError(f"must be one of {', '.join(sorted(SCALES))}")
    return value


def _plausible(value: datetime) -> datetime:
    if not EARLIEST <= value <= datetime.now(UTC) + AHEAD:
        raise ValueError("must lie after 2000 and not more than a day ahead")
    return value


Text = Annotated[str, AfterValidator(_printable)]


class TransactionIn(Schema):
    """One payment. `external_id` is the sender's own id of it and names it for good."""

    model_config = ConfigDict(extra="forbid")
    external_id: Annotated[Text, Field(min_length=1, max_length=100)]
    payer: Annotated[Text, Field(min_length=1, max_length=64)]
    payee: Annotated[Text, Field(min_length=1, max_length=64)]
    amount: Annotated[Decimal, Field(gt=0, lt=Decimal("1e12"), max_digits=14, decimal_places=2)]
    currency: Annotated[str, AfterValidator(_currency)] = "EUR"
    channel: Channel
    occurred_at: Annotated[AwareDatetime, AfterValidator(_plausible)]


class BatchIn(Schema):
    """Up to 20,000 payments to be scored in the background, in this order."""

    model_config = ConfigDict(extra="forbid")
    transactions: Annotated[list[TransactionIn], Field(min_length=1, max_length=20_000)]


class ReasonOut(Schema):
    """Why the score is higher: a stable code, a sentence, and its weight in logits."""

    code: str
    text: str
    weight: float


class DecisionOut(Schema):
    """The decision on a payment."""

    score: float
    outcome: str
    reasons: list[ReasonOut]
    contributions: dict[str, float] = Field(description="Share of each part of the model, in logits")
    model: str
    latency_ms: float
    decided_at: datetime


class TransactionOut(Schema):
    """A payment with its decision; the decision is null while it waits to be scored."""

    id: UUID
    external_id: str
    sequence: int
    payer: str
    payee: str
    amount: Decimal
    currency: str
    channel: str
    occurred_at: datetime
    received_at: datetime
    decision: DecisionOut | None = None


class TransactionsOut(Schema):
    """Several payments, in the order in which they were sent."""

    items: list[TransactionOut]


class HistoryOut(Schema):
    """An earlier payment of one of the two accounts."""

    external_id: str
    sequence: int
    payer: str
    payee: str
    amount: Decimal
    currency: str
    occurred_at: datetime
    outcome: str | None


class TransactionDetailOut(TransactionOut):
    """A payment with what both accounts did before it, newest first."""

    payer_history: list[HistoryOut]
    payee_history: list[HistoryOut]


class BatchOut(Schema):
    """The job that scores a batch. `known` payments had been sent before and are not scored again."""

    job: JobOut
    accepted: int
    known: int
