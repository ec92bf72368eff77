"""REST: ISO 20022 messages."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from ninja import Query, Router, Schema
from pydantic import Field

from apps.fraud.iso20022.intake import Reported, messages_take
from apps.fraud.iso20022.messages import TAKEN
from apps.fraud.schemas import PaymentLabelOut, TransactionOut
from apps.fraud.shown import answer, payment_shown
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.errors import InvalidInput, OtherType
from rootstock.idempotency.marks import repeatable

router = Router(tags=["fraud"])
_KINDS = ("application/xml", "text/xml")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/xml": {
                "schema": {"type": "string", "description": f"A Document, or several in an envelope: {TAKEN}"}
            }
        },
    }
}


class StatusOut(Schema):
    """A status of a payment, and what came of it."""

    external_id: str | None = Field(description="The payment's; null where none is known by the status's ids")
    status: str | None = Field(examples=["RJCT"])
    reasons: list[str] = Field(examples=[["FR01"]], description="Codes of its reasons")
    effect: Literal["label", "not_a_label", "unknown_payment"]
    why: str
    label: PaymentLabelOut | None


class MessagesOut(Schema):
    """Payments with their decisions, and statuses, each in the order in which they were sent."""

    payments: list[TransactionOut]
    statuses: list[StatusOut]


@router.post("", response=MessagesOut, auth=scope("fraud:write"), openapi_extra=_BODY)
@repeatable
def take_messages(
    request: ApiRequest,
    zone: Annotated[
        str | None, Query(description="Time zone of times without an offset, such as Europe/Berlin")
    ] = None,
) -> Any:
    """Score the transfers of pacs.008 and pain.001 messages; a pacs.002 whose reason is fraud labels its payment.

    Up to 1,000 payments and statuses, in one Document or in several within an envelope. All of them are taken or
    none: what does not fit the message's schema is told by its XPath. A payment's `external_id` is its UETR, else its
    TxId, else its EndToEndId. Names, addresses and remittance texts are not kept. Times must have an offset from UTC,
    unless `zone` says where they are from.
    """
    kind = (request.content_type or "").lower()
    if kind not in _KINDS and not kind.endswith("+xml"):
        raise OtherType.than("application/xml")
    taken = messages_take(organisation=request.auth.organisation, body=request.body, zone=_zone(zone))
    return answer(
        {
            "payments": [payment_shown(row) for row in taken.payments],
            "statuses": [_status(one).model_dump() for one in taken.statuses],
        }
    )


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    if name not in available_timezones():
        raise InvalidInput.field("zone", "is no time zone, such as Europe/Berlin")
    return ZoneInfo(name)


def _status(one: Reported) -> StatusOut:
    known = "not_a_label" if one.external_id or not one.status.ids else "unknown_payment"
    return StatusOut(
        external_id=one.external_id,
        status=one.status.status,
        reasons=list(one.status.reasons),
        effect="label" if one.label else known,  # type: ignore[arg-type]
        why=one.why,
        label=PaymentLabelOut.from_orm(one.label) if one.label else None,
    )
