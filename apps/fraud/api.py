"""REST: score payments, submit batches, read decisions."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Router, Status

from apps.fraud import explaining, selectors, services
from apps.fraud.backfill_api import router as backfill_router
from apps.fraud.bodies import OneOrMany
from apps.fraud.bundles.api import router as models_router
from apps.fraud.cycles.api import router as cycles_router
from apps.fraud.evidence import SUBJECT
from apps.fraud.ingest import NewTransaction, alone, listed
from apps.fraud.iso20022.api import router as messages_router
from apps.fraud.labels_api import router as labels_router
from apps.fraud.models import Transaction
from apps.fraud.rules.api import router as rules_router
from apps.fraud.rules.lists_api import router as lists_router
from apps.fraud.rules.trial_api import router as trial_router
from apps.fraud.schemas import (
    BatchIn,
    BatchOut,
    ExplanationOut,
    HistoryOut,
    PaymentLabelOut,
    TransactionDetailOut,
    TransactionIn,
    TransactionOut,
    TransactionsOut,
)
from apps.fraud.shown import answer, payment_shown
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.idempotency.marks import repeatable
from rootstock.moments import Moment
from rootstock.paging import Page, page_of

router = Router(tags=["fraud"])
router.add_router("/backfills", backfill_router)
router.add_router("/cycles", cycles_router)
router.add_router("/iso20022", messages_router)
router.add_router("/labels", labels_router)
router.add_router("/models", models_router)
router.add_router("/rules", rules_router)
router.add_router("/rules", trial_router)
router.add_router("/lists", lists_router)
MAX_LIST = 1000
_PAYMENTS = OneOrMany(TransactionIn, "transactions", MAX_LIST, "; larger lists go to /batches")


def _new(one: TransactionIn) -> NewTransaction:
    return NewTransaction(**one.model_dump())


@router.post(
    "/transactions",
    response=TransactionOut | TransactionsOut,
    auth=scope("fraud:write"),
    openapi_extra=_PAYMENTS.openapi(),
)
@repeatable
def score_transactions(request: ApiRequest) -> Any:
    """Score one payment, or a list of up to 1,000. Sent again, a payment comes back with the decision it has.

    It is recognised by its `external_id`, for good; an Idempotency-Key names the whole request for a day.
    Payments that arrive late or out of order are scored like others, as of their arrival: see `late_by_s`.
    """
    given, many = _PAYMENTS.read(request.body)
    rows = services.transactions_score(
        organisation=request.auth.organisation,
        given=[_new(one) for one in given],
        field=listed if many else alone,
    )
    shown = [payment_shown(row) for row in rows]
    return answer({"items": shown} if many else shown[0])


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
) -> HttpResponse:
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
    return answer(page_of(rows, following, payment_shown))


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
    more = {
        "labels": [PaymentLabelOut.from_orm(one) for one in row.labels.all()],
        "payer_history": _events(selectors.history_before(row=row, account=row.payer_key)),
        "payee_history": _events(selectors.history_before(row=row, account=row.payee_key)),
    }
    return shown | more


@router.get(
    "/transactions/{uuid:transaction_id}/explanation", response=ExplanationOut, auth=scope("fraud:read")
)
def explain_transaction(request: ApiRequest, transaction_id: UUID) -> dict[str, Any]:
    """Why a payment was decided as it was: attributions, earlier payments that mattered, and a lower amount at which
    it would have passed. As of its sequence: what arrived later changes nothing. 409 without a decision."""
    found = explaining.explanation_get(organisation=request.auth.organisation, transaction_id=transaction_id)
    read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_id=transaction_id,
        what="explanation",
    )
    return found


def _events(rows: list[Transaction]) -> list[HistoryOut]:
    return [
        HistoryOut(
            **{name: getattr(row, name) for name in HistoryOut.model_fields if name != "outcome"},
            outcome=row.decision.outcome if hasattr(row, "decision") else None,
        )
        for row in rows
    ]
