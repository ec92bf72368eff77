"""Pages: the scored payments, and one payment with its reasons."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.fraud import selectors
from apps.fraud.evidence import SUBJECT
from apps.fraud.models import Transaction
from apps.fraud.pictures import HEIGHT, WIDTH, picture
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.audit.services import list_read_record, read_record
from rootstock.errors import InvalidInput

CHOICES = {
    "": "All",
    "decline": "Declined",
    "review": "For review",
    "approve": "Approved",
    "pending": "Not scored",
}
PARTS = {"tabular": "This payment", "sequence": "Order of payments", "graph": "Network of accounts"}
_FIELDS = ("outcome", "min_score", "account")


@require_GET
@tenant_page("fraud:read")
def payments(request: PageRequest) -> HttpResponse:
    """The payments, the last to arrive first."""
    given = {name: request.GET[name].strip() for name in _FIELDS if request.GET.get(name, "").strip()}
    rows, following = selectors.transactions_page(
        organisation=request.organisation, chosen=_filter(given), cursor=request.GET.get("cursor"), limit=50
    )
    list_read_record(
        organisation=request.organisation,
        subject_type=SUBJECT,
        subject_ids=[row.pk for row in rows],
        what="payments",
    )
    totals = selectors.outcome_totals(organisation=request.organisation)
    context = {
        "rows": [_row(row) for row in rows],
        "totals": totals,
        "choices": [_choice(given, outcome, label) for outcome, label in CHOICES.items()],
        "given": given,
        "filtered": bool(given),
        "next_url": f"?{urlencode({**given, 'cursor': following})}" if following else "",
        "first_url": f"?{urlencode(given)}" if request.GET.get("cursor") else "",
    }
    return render(request, "fraud/payments.html", context)


@require_GET
@tenant_page("fraud:read")
def payment(request: PageRequest, transaction_id: UUID) -> HttpResponse:
    """One payment."""
    row = selectors.transaction_get(organisation=request.organisation, transaction_id=transaction_id)
    read_record(
        organisation=request.organisation,
        subject_type=SUBJECT,
        subject_id=row.pk,
        what="payment and account histories",
    )
    payer = selectors.history_before(row=row, account=row.payer_key)
    payee = selectors.history_before(row=row, account=row.payee_key)
    context = _row(row) | {
        "shares": shares_of(row),
        "histories": [
            ("Paying account", row.payer, [_row(one) for one in payer], "payer"),
            ("Receiving account", row.payee, [_row(one) for one in payee], "payee"),
        ],
        "picture": picture(row, payer, payee),
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render(request, "fraud/payment.html", context)


def shares_of(row: Transaction) -> dict[str, float]:
    """What each part added to the score as a share of all that was added; a part that lowered it has none."""
    decision = getattr(row, "decision", None)
    raised = {name: max(decision.contributions.get(name, 0.0), 0.0) for name in PARTS} if decision else {}
    total = sum(raised.values())
    return {PARTS[name]: value / total for name, value in raised.items()} if total else {}


def level_of(score: float, outcome: str) -> str:
    """The console's risk level of a decision: the outcome's thresholds decide, not fixed bands."""
    levels = {"approve": "low", "review": "medium", "decline": "critical" if score >= 0.9 else "high"}
    return levels[outcome]


def _row(row: Transaction) -> dict[str, Any]:
    decision = getattr(row, "decision", None)
    level = level_of(decision.score, decision.outcome) if decision else ""
    return {"payment": row, "decision": decision, "level": level}


def _filter(given: Mapping[str, str]) -> selectors.Filter:
    try:
        least = float(given["min_score"]) if "min_score" in given else None
    except ValueError:
        raise InvalidInput.field("min_score", "must be a number between 0 and 1") from None
    return selectors.Filter(outcome=given.get("outcome"), min_score=least, account=given.get("account"))


def _choice(given: Mapping[str, str], outcome: str, label: str) -> dict[str, Any]:
    others = {name: value for name, value in given.items() if name != "outcome"}
    query = urlencode(others | ({"outcome": outcome} if outcome else {}))
    return {"label": label, "url": f"?{query}", "current": given.get("outcome", "") == outcome}
