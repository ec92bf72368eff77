"""Bodies of searches for cycles, and of what they found."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from apps.fraud.cycles.models import PaymentCycle, PaymentRing
from apps.fraud.models import Transaction
from apps.fraud.schemas import HistoryOut
from rootstock.jobs.schemas import JobOut
from rootstock.moments import Moment

LEAST_HOPS, MOST_HOPS = 4, 8


class CycleSearchIn(Schema):
    """Which payments to search, and what counts as a cycle. It is the job's parameters, also of a schedule."""

    model_config = ConfigDict(extra="forbid")
    days: Annotated[int, Field(ge=1, le=366)] = Field(30, description="How far back, by the payments' clock")
    until: Moment | None = Field(None, description="End of those days; null is the latest payment")
    max_hops: Annotated[int, Field(ge=LEAST_HOPS, le=MOST_HOPS)] = Field(
        6, description=f"Most payments of a cycle; the least are {LEAST_HOPS}"
    )
    window_h: Annotated[float, Field(gt=0, le=336, allow_inf_nan=False)] = Field(
        72.0, description="Hours from the first payment of a cycle to its last"
    )
    least_share: Annotated[float, Field(ge=0.1, le=1.0, allow_inf_nan=False)] = Field(
        0.5, description="What each payment keeps at least of the one before it; at most it is 1.05"
    )
    most: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1000, description="The search ends with so many cycles, those that began last"
    )


class CycleCutOut(Schema):
    """What bounds left out. All 0: nothing was."""

    unread: int = Field(description="Numbers of the stream before those that are read, the newest 500,000")
    looked_at: int = Field(description="Payments whose receiver paid more than 1,024 times within the window")
    followed: int = Field(description="Payments that more than 32 others may have gone on from")
    paths: int = Field(description="First payments with more than 256 paths of one length")
    starts: int = Field(description="First payments, the oldest, that were not followed to the end")


class CycleSearchResultOut(Schema):
    """What a search found. `new` are cycles that no earlier search had found, and the others are `known`."""

    payments: int
    since: datetime | None
    until: datetime | None
    found: int
    new: int
    known: int
    hops: dict[str, int] = Field(description="Cycles by their number of payments", examples=[{"4": 12}])
    cut: CycleCutOut


class CycleSearchOut(Schema):
    """A search: its job, and the result once that has succeeded."""

    job: JobOut
    result: CycleSearchResultOut | None


class PaymentCycleOut(Schema):
    """A cycle. It names no account; its payments do."""

    id: UUID
    job_id: UUID | None = Field(description="The search that first found it")
    ring_id: UUID = Field(description="Its accounts, with whatever else went round among them")
    round: int | None = Field(
        description="Which round of its ring it is, from 1; null if it shares a payment with one that is counted"
    )
    hops: int
    amount_in: Decimal = Field(description="Of its first payment, worth in euros", examples=["1000.00"])
    amount_out: Decimal = Field(description="Of its last payment, worth in euros", examples=["729.00"])
    share_kept: float = Field(description="The last amount over the first")
    score: float | None = Field(
        description="Mean of the probabilities that its payments were decided with; null where none had been"
    )
    began_at: datetime
    ended_at: datetime
    duration_s: float
    found_at: datetime


class CyclePaymentOut(HistoryOut):
    """A payment of a cycle; `place` counts from 0."""

    place: int
    transaction_id: UUID
    channel: str
    score: float | None


class PaymentCycleDetailOut(PaymentCycleOut):
    """A cycle with its payments in their order."""

    payments: list[CyclePaymentOut]


class PaymentRingOut(Schema):
    """Accounts among which money went round: every cycle over the same accounts, whichever of them is the first."""

    id: UUID
    accounts: list[str] = Field(
        description="In the order in which money goes", examples=[["A-1", "B-2", "C-3", "D-4"]]
    )
    rounds: int = Field(description="Cycles that share no payment with each other")
    cycles: int = Field(
        description="All that were found: a round that is paid twice gives some that begin elsewhere"
    )
    amount_in: Decimal = Field(
        description="First payments of the rounds, worth in euros", examples=["5000.00"]
    )
    amount_out: Decimal = Field(
        description="Last payments of the rounds, worth in euros", examples=["3645.00"]
    )
    share_kept: float = Field(description="`amount_out` over `amount_in`")
    score: float | None = Field(
        description="Of the payment of the ring that was decided most gravely, as of the last search that saw it; null "
        "where none had been"
    )
    outcome: str | None = Field(description="The decision on that payment: approve, review or decline")
    began_at: datetime = Field(description="First payment of all its cycles")
    ended_at: datetime = Field(description="Last payment of all its cycles")
    found_at: datetime


def ring_out(row: PaymentRing) -> PaymentRingOut:
    """A ring, with the names of its accounts."""
    own = (
        "id", "rounds", "cycles", "amount_in", "amount_out", "share_kept", "score", "began_at", "ended_at", "found_at",
    )  # fmt: skip
    told = {name: getattr(row, name) for name in own}
    return PaymentRingOut(**told, accounts=list(row.names), outcome=row.outcome or None)


def cycle_out(row: PaymentCycle) -> PaymentCycleOut:
    """A cycle as a list tells it."""
    return PaymentCycleOut.from_orm(row)


def detail_out(row: PaymentCycle, payments: list[Transaction]) -> PaymentCycleDetailOut:
    """A cycle with its payments, which were fetched with their decisions."""
    told = [_payment_out(place, one) for place, one in enumerate(payments)]
    return PaymentCycleDetailOut(**PaymentCycleOut.from_orm(row).model_dump(), payments=told)


def _payment_out(place: int, row: Transaction) -> CyclePaymentOut:
    decision = getattr(row, "decision", None)
    own = ("external_id", "sequence", "payer", "payee", "amount", "currency", "occurred_at", "channel")
    return CyclePaymentOut(
        **{name: getattr(row, name) for name in own},
        outcome=decision.outcome if decision else None,
        score=decision.score if decision else None,
        place=place,
        transaction_id=row.pk,
    )
