"""Pages: the scored payments, and one payment with its reasons."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.fraud import explaining, selectors
from apps.fraud.charts import SHOWN, attributions_chart
from apps.fraud.evidence import SUBJECT
from apps.fraud.models import Transaction
from apps.fraud.network import network
from apps.fraud.tables import level_of, payments_table
from apps.fraud.values import values_told
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.audit.services import read_record
from rootstock.console.formats import signed, span
from rootstock.console.personal import link_to
from rootstock.console.tables import table_page
from rootstock.errors import DomainError

NEWEST = 5
"""Past payments of an account that are shown before one asks for more: on a phone each is a card."""
PARTS = {
    "rules": "Rules and lists",
    "tabular": "This payment",
    "sequence": "Order of payments",
    "graph": "Network of accounts",
}


@require_GET
@tenant_page("fraud:read")
def payments(request: PageRequest) -> HttpResponseBase:
    """The payments, the last to arrive first."""
    return table_page(
        request,
        payments_table(request.organisation),
        Transaction.objects.select_related("decision"),
        "fraud/payments.html",
        {"totals": partial(selectors.outcome_totals, organisation=request.organisation)},
    )


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
    told = row.decision.reasons if hasattr(row, "decision") else []
    context = _row(row) | {
        "reasons": [(one, values_told(one.get("values", {}))) for one in told],
        "contributions": (added := contributions_of(row)),
        "together": signed(sum(added.values())),
        "late": span(row.late_by_s) if row.late_by_s else "",
        "histories": [
            ("Paying account", row.payer, [_row(one) for one in payer], "payer"),
            ("Receiving account", row.payee, [_row(one) for one in payee], "payee"),
        ],
        "newest": f":{NEWEST}",
        "before": f"{NEWEST}:",
        "network": network(
            row, payer, payee, partial(link_to, request, "fraud:payments", "fraud-payments", "account")
        ),
    }
    return render(request, "fraud/payment.html", context)


@require_GET
@tenant_page("fraud:read")
def explanation(request: PageRequest, transaction_id: UUID) -> HttpResponse:
    """The part of a payment's page that a worker has to be asked for."""
    row = selectors.transaction_get(organisation=request.organisation, transaction_id=transaction_id)
    context: dict[str, Any] = {"transaction_id": row.pk}
    try:
        found = explaining.explanation_get(organisation=request.organisation, transaction_id=transaction_id)
    except DomainError as error:
        return render(request, "fraud/explanation.html", context | {"problem": error.detail})
    read_record(
        organisation=request.organisation, subject_type=SUBJECT, subject_id=transaction_id, what="explanation"
    )
    context |= {
        "found": found,
        "experts": [
            (PARTS[one["expert"]], signed(one["logit"]), signed(one["contribution"]), one["asked"])
            for one in found["experts"]
        ],
        "chart": attributions_chart(found),
        "edges": found["edges"][:SHOWN],
    }
    return render(request, "fraud/explanation.html", context)


def contributions_of(row: Transaction) -> dict[str, float]:
    """What each part added to the score in logits, or took from it, the weightiest first."""
    decision = getattr(row, "decision", None)
    added = decision.contributions if decision else {}
    found = {PARTS[name]: added[name] for name in PARTS if name in added}
    return dict(sorted(found.items(), key=lambda one: -abs(one[1])))


def _row(row: Transaction) -> dict[str, Any]:
    decision = getattr(row, "decision", None)
    level = level_of(decision.score, decision.outcome) if decision else ""
    return {"payment": row, "decision": decision, "level": level}
