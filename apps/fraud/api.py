"""REST: score payments, submit batches, read decisions."""

from typing import Any
from uuid import UUID

from ninja import Router, Status
from pydantic import TypeAdapter, ValidationError

from apps.fraud import selectors, services
from apps.fraud.evidence import SUBJECT
from apps.fraud.models import Transaction
from apps.fraud.schemas import (
    BatchIn,
    BatchOut,
    HistoryOut,
    TransactionDetailOut,
    TransactionIn,
    TransactionOut,
    TransactionsOut,
)
from apps.fraud.services import NewTransaction
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.edge import dotted, json_of
from rootstock.errors import FieldProblem, InvalidInput
from rootstock.idempotency.marks import keeps_its_own
from rootstock.moments import Moment
from rootstock.paging import Page, page_of

router = Router(tags=["fraud"])
MAX_LIST = 500
_ONE = TypeAdapter(TransactionIn)
_MANY = TypeAdapter(list[TransactionIn])
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        TransactionIn.model_json_schema(),
                        {"type": "array", "maxItems": MAX_LIST, "items": TransactionIn.model_json_schema()},
                    ]
                }
            }
        },
    }
}


def _new(one: TransactionIn) -> NewTransaction:
    return NewTransaction(**one.model_dump())


def _listed(path: str, part: str | int) -> str:
    return dotted(path or ("transactions" if isinstance(part, int) else ""), part)


def _parse(body: bytes) -> TransactionIn | list[TransactionIn]:
    """One transaction or a list of them, with the path of whatever is wrong."""
    data = json_of(body, _listed)
    many = isinstance(data, list)
    if many and not 1 <= len(data) <= MAX_LIST:
        raise InvalidInput.field(
            "transactions", f"must hold 1 to {MAX_LIST} payments; larger ones go to /batches"
        )
    try:
        return _MANY.validate_python(data) if many else _ONE.validate_python(data)
    except ValidationError as error:
        raise _refusal(error, ("transactions",) if many else ()) from None


def _refusal(error: ValidationError, prefix: tuple[str, ...]) -> InvalidInput:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        FieldProblem(
            ".".join(map(str, (*prefix, *one["loc"]))) or "body", one["msg"].removeprefix("Value error, ")
        )
        for one in found[:50]
    ]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InvalidInput(f"{problems[0].field}: {problems[0].reason}{more}", errors=problems)


@router.post(
    "/transactions", response=TransactionOut | TransactionsOut, auth=scope("fraud:write"), openapi_extra=_BODY
)
@keeps_its_own
def score_transactions(request: ApiRequest) -> Any:
    """Score one payment, or a list of up to 500. Sent again, a payment comes back with the decision it has.

    That is by its `external_id`, for good: an Idempotency-Key is not needed and changes nothing.
    """
    given = _parse(request.body)
    many = isinstance(given, list)
    rows = services.transactions_score(
        organisation=request.auth.organisation,
        given=[_new(one) for one in given] if isinstance(given, list) else [_new(given)],
        field=services.listed if many else services.alone,
    )
    return {"items": [TransactionOut.from_orm(row) for row in rows]} if many else rows[0]


@router.post("/batches", response={202: BatchOut}, auth=scope("fraud:write"))
def submit_batch(request: ApiRequest, payload: BatchIn) -> Any:
    """Store up to 20,000 payments and score them in a background job."""
    batch = services.batch_submit(
        organisation=request.auth.organisation,
        given=[_new(one) for one in payload.transactions],
        created_by=request.auth.user,
    )
    return Status(202, batch)


@router.get("/transactions", response=Page[TransactionOut], auth=scope("fraud:read"))
def list_transactions(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    outcome: str | None = None,
    min_score: float | None = None,
    account: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> dict[str, Any]:
    """Payments with their decisions, the last to arrive first. `account` matches payer or payee exactly."""
    chosen = selectors.Filter(outcome, min_score, account, since, until)
    rows, following = selectors.transactions_page(
        organisation=request.auth.organisation, chosen=chosen, cursor=cursor, limit=limit
    )
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_ids=[row.pk for row in rows],
        what="payments",
    )
    return page_of(rows, following, TransactionOut.from_orm)


@router.get("/transactions/{uuid:transaction_id}", response=TransactionDetailOut, auth=scope("fraud:read"))
def get_transaction(request: ApiRequest, transaction_id: UUID) -> dict[str, Any]:
    """One payment with its decision, its reasons, and what both accounts did before it."""
    row = selectors.transaction_get(organisation=request.auth.organisation, transaction_id=transaction_id)
    read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_id=row.pk,
        what="payment and account histories",
    )
    shown = TransactionOut.from_orm(row).model_dump()
    histories = {
        "payer_history": _events(selectors.history_before(row=row, account=row.payer_key)),
        "payee_history": _events(selectors.history_before(row=row, account=row.payee_key)),
    }
    return shown | histories


def _events(rows: list[Transaction]) -> list[HistoryOut]:
    return [
        HistoryOut(
            **{name: getattr(row, name) for name in HistoryOut.model_fields if name != "outcome"},
            outcome=row.decision.outcome if hasattr(row, "decision") else None,
        )
        for row in rows
    ]
