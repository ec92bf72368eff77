"""Bodies of the fraud API."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
)

from apps.fraud.iban import checked
from apps.fraud.payload import DECIMALS, SCALES
from rootstock.jobs.schemas import JobOut
from rootstock.moments import Timestamp

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]+")
# Letters and marks that show nothing (Default_Ignorable_Code_Point): `str.isprintable` knows those of other categories.
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
_CENT = Decimal("0.01")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)

Channel = Literal["card", "online", "transfer", "instant", "debit", "cash"]


def _printable(value: str) -> str:
    if not _PRINTABLE.fullmatch(value) or value != value.strip():
        raise ValueError("must not be blank, start or end with a space, or contain control characters")
    return value


def _visible(value: str) -> str:
    """Two names that look the same are the same: what cannot be seen is in no name, and no space but the plain one."""
    if not value.isprintable() or (not value.isascii() and _HIDDEN.search(value)):
        hidden = next(one for one in value if not one.isprintable() or _HIDDEN.match(one))
        raise ValueError(f"must not contain characters that cannot be seen: U+{ord(hidden):04X} is one")
    if value != value.strip():
        raise ValueError("must not be blank, or start or end with a space")
    return value


def composed(value: Any) -> Any:
    """In Unicode's form NFC, as blind indexes have it: e with an accent is the same however it was typed."""
    return unicodedata.normalize("NFC", value) if isinstance(value, str) and not value.isascii() else value


def _plain(value: Any) -> Any:
    """Python reads exponents, underscores and the digits of all scripts; who reads the body next may not."""
    if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip(" ")):
        raise ValueError("must be a plain decimal number, such as 12.50")
    return value


def _currency(value: str) -> str:
    if value not in SCALES:
        raise ValueError(f"must be one of {', '.join(sorted(SCALES))}")
    return value


def _plausible(value: datetime) -> datetime:
    if not EARLIEST <= value <= datetime.now(UTC) + AHEAD:
        raise ValueError("must lie after 2000 and not more than a day ahead")
    return value.astimezone(UTC)


def _past(value: datetime) -> datetime:
    if not EARLIEST <= value <= datetime.now(UTC):
        raise ValueError("must lie after 2000 and not in the future")
    return value


PRINTABLE, VISIBLE, COMPOSED = (
    AfterValidator(_printable),
    AfterValidator(_visible),
    BeforeValidator(composed),
)
ExternalId = Annotated[str, Field(min_length=1, max_length=100), VISIBLE, COMPOSED]
Party = Annotated[str, Field(min_length=1, max_length=64), VISIBLE, COMPOSED]
Account = Annotated[Party, AfterValidator(checked)]


# No ninja schemas: those look every field up as an attribute of something, and lists of these are long.
class TransactionIn(BaseModel):
    """One payment. `external_id` is the sender's own id of it and names it for good."""

    model_config = ConfigDict(extra="forbid")
    external_id: ExternalId
    payer: Account
    payee: Account
    device: Annotated[
        Party | None, Field(description="The payer's, by any name that stays the same", examples=["phone-7"])
    ] = None
    merchant: Annotated[
        Party | None, Field(description="Where it was paid", examples=["Corner shop"])
    ] = None  # fmt: skip
    currency: Annotated[str, AfterValidator(_currency)] = "EUR"
    amount: Annotated[
        Decimal,
        Field(
            gt=0, lt=Decimal("1e12"), max_digits=14, decimal_places=2,
            description="With no more decimals than the currency has: none of JPY, two of others",
        ),
        BeforeValidator(_plain),
    ]  # fmt: skip
    channel: Channel
    occurred_at: Annotated[Timestamp, AfterValidator(_plausible)]

    @field_validator("amount")
    @classmethod
    def _fits_currency(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        """Zeros beyond the decimals say nothing and are let pass. The currency stands before it, or was refused."""
        currency = info.data.get("currency", "")
        if currency in DECIMALS and value != round(value, DECIMALS[currency]):
            raise ValueError(f"must have at most {DECIMALS[currency]} decimals in {currency}")
        return value.quantize(_CENT)


class LabelIn(BaseModel):
    """What became known of a payment. `source` names the process that tells it."""

    model_config = ConfigDict(extra="forbid")
    external_id: Annotated[ExternalId, Field(description="The payment's")]
    fraud: StrictBool
    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$", examples=["chargeback"])]
    known_at: Annotated[
        Timestamp | None, AfterValidator(lambda value: value and _past(value)),
        Field(description="When it became known, if that was before now"),
    ] = None  # fmt: skip
    note: Annotated[
        Annotated[str, Field(min_length=1, max_length=500), PRINTABLE] | None,
        Field(description="Without personal data"),
    ] = None


class BatchIn(Schema):
    """Up to 20,000 payments to be scored in the background, in this order."""

    model_config = ConfigDict(extra="forbid")
    transactions: Annotated[list[TransactionIn], Field(min_length=1, max_length=20_000)]


class ReasonOut(Schema):
    """Why the decision is what it is: a stable code, a sentence, its weight in logits, and what triggered it."""

    code: str
    text: str
    weight: float
    values: dict[str, float | None] = Field({}, description="The facts that triggered it")
    source: str = Field("model", description="model, rule or list")
    typology: str | None = Field(None, description="Of a rule: its group", examples=["mule"])
    points: float | None = Field(None, description="Of a rule: its points times its typology's weight")
    entry: UUID | None = Field(None, description="Of a list: the entry")


class DecisionOut(Schema):
    """The decision on a payment."""

    score: float = Field(description="The model's probability, or more where rules or lists say so")
    probability: float = Field(description="Calibrated probability of fraud, by the model alone")
    outcome: str
    by: list[str] = Field(description="Whose the outcome is: list, rules, model", examples=[["rules"]])
    reasons: list[ReasonOut]
    contributions: dict[str, float] = Field(
        description="What the rules and each part of the model add to the decision, in logits beyond a usual payment: "
        "negative where it lowers the score. Together they are the score's logit less a usual payment's; which "
        "features moved a part is in the payment's explanation"
    )
    model: str
    rules: str = Field(
        description="Versions of the rules and lists in force, empty for none",
        examples=["rules@3-9c1b2f4e8a7d lists@17"],
    )
    rule_score: float = Field(description="Points of the rules that hold")
    latency_ms: float = Field(
        description="From asking a worker to having the decision. Payments of a list are decided together, and this is "
        "the time of all `batch_size` of them: none waited less"
    )
    batch_size: int | None = Field(
        description="How many payments were decided together; null for decisions from before this was kept"
    )
    decided_at: datetime


class AttributionOut(Schema):
    """What one feature adds to an expert's own logit: TreeSHAP for `tabular`, integrated gradients for the nets.

    Not to `contributions`, which are what the fusion makes of the experts: `experts` has both beside each other.
    """

    expert: str = Field(examples=["tabular"])
    feature: str = Field(examples=["payer_out_count_1h"])
    value: float | None = Field(description="null where there was nothing to measure")
    weight: float


class ExpertOut(Schema):
    """An expert's own view of the payment, and what it adds to the decision.

    `logit` is `usual` + the weights of its attributions + `rest`. `contribution` is what the fusion makes of that logit
    beside the other experts'.
    """

    expert: str = Field(examples=["tabular"])
    logit: float = Field(description="Its own calibrated logit of this payment")
    usual: float = Field(
        description="What it is before any feature is counted: TreeSHAP's constant, or the net's logit of empty numbers"
    )
    rest: float = Field(
        description="What the features add that `attributions` leaves out; of a net also the error of the integration"
    )
    asked: bool = Field(
        description="Whether it had a say: nets are not asked where boosting sees next to nothing, and add 0"
    )
    contribution: float = Field(description="As in the decision's `contributions`")


class EdgeOut(Schema):
    """An earlier payment that mattered: by how much the logit would be lower had nobody seen it."""

    roles: list[str] = Field(description="In whose histories it is", examples=[["payer", "device"]])
    sequence: int
    weight: float
    transaction_id: UUID
    external_id: str


class ExplanationOut(Schema):
    """A decision explained as of its sequence, by the model and the rules that made it."""

    transaction_id: UUID
    external_id: str
    score: float
    probability: float
    outcome: str
    model: str
    rules: str = Field(examples=["rules@3-9c1b2f4e8a7d lists@17"])
    experts: list[ExpertOut] = Field(
        description="What each part of the model says by itself, and adds to the decision"
    )
    attributions: list[AttributionOut] = Field(description="Largest first, at most 15 of each expert")
    edges: list[EdgeOut] = Field(description="Largest first")
    would_pass_under: Decimal | None = Field(
        description="The largest amount at which it would be approved with all else the same; null where there is "
        "none, or it was approved",
        examples=["840.00"],
    )
    currency: str
    agrees: bool = Field(
        description="Whether what had arrived still gives this score; not where somebody was erased since"
    )
    latency_ms: float = Field(description="Of this explanation, not of the decision")


class PaymentLabelOut(Schema):
    """A label as its payment shows it."""

    id: UUID
    sequence: int = Field(description="Its place among payments and labels: decisions after it know of it")
    fraud: bool
    source: str
    known_at: datetime | None
    note: str | None
    received_at: datetime


class LabelOut(PaymentLabelOut):
    """A label. A later one of the same payment supersedes it and leaves it as it is."""

    transaction_id: UUID
    external_id: str = Field(description="The payment's")


class LabelsOut(Schema):
    """Several labels, in the order in which they were sent."""

    items: list[LabelOut]


class TransactionOut(Schema):
    """A payment with its decision, null while it waits to be scored, and its newest label."""

    id: UUID
    external_id: str
    sequence: int
    payer: str
    payee: str
    device: str | None = Field(examples=["phone-7"])
    merchant: str | None = Field(examples=["Corner shop"])
    amount: Decimal
    currency: str
    channel: str
    occurred_at: datetime
    received_at: datetime
    late_by_s: float | None = Field(
        description="Out of order: by how much it lies behind the latest payment that had arrived before it. It counts "
        "from its arrival all the same; null is in order"
    )
    decision: DecisionOut | None = None
    label: PaymentLabelOut | None = None


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
    """A payment with all its labels, and what both accounts did before it, newest first."""

    labels: list[PaymentLabelOut]
    payer_history: list[HistoryOut]
    payee_history: list[HistoryOut]


class BatchOut(Schema):
    """The job that scores a batch. `known` payments had been sent before and are not scored again."""

    job: JobOut
    accepted: int
    known: int
