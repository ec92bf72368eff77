"""The list of payments."""

from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.fraud.evidence import SUBJECT
from apps.fraud.models import Decision, Transaction
from apps.fraud.payload import account_key
from apps.fraud.selectors import PENDING
from rootstock.accounts.models import Organisation
from rootstock.console import formats
from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, NumberFilter, Table, TextFilter
from rootstock.console.templatetags.console import pill, risk

OUTCOMES = {
    "decline": ("error", "Declined", "ban"),
    "review": ("warn", "For review", "eye"),
    "approve": ("ok", "Approved", ""),
    PENDING: ("neutral", "Not scored", "hourglass"),
}


def decision_of(row: Transaction) -> Decision | None:
    """The decision on a payment, if there is one yet."""
    return getattr(row, "decision", None)


def level_of(score: float, outcome: str) -> str:
    """The console's risk level of a decision: the outcome's thresholds decide, not fixed bands."""
    levels = {"approve": "low", "review": "medium", "decline": "critical" if score >= 0.9 else "high"}
    return levels[outcome]


def risk_of(row: Transaction) -> SafeString:
    """The score with its level."""
    decision = decision_of(row)
    return risk(decision.score, level_of(decision.score, decision.outcome)) if decision else risk(None)


def outcome_of(row: Transaction) -> SafeString:
    """What was decided."""
    decision = decision_of(row)
    return pill(*OUTCOMES[decision.outcome if decision else PENDING])


def reason_of(row: Transaction) -> str:
    """The first reason of a payment that was not simply approved."""
    decision = decision_of(row)
    told = decision and decision.outcome != "approve" and decision.reasons
    return str(told[0]["text"]) if told else ""


def _parties(row: Transaction) -> SafeString:
    return format_html(
        '<span class="mono nowrap">{}</span> <span class="mono nowrap"><span aria-hidden="true">→</span>'
        '<span class="visually-hidden">to</span> {}</span>',
        row.payer,
        row.payee,
    )


COLUMNS = [
    Column("external_id", "Payment", css="mono nowrap"),
    Column(
        "score",
        "Risk",
        value=risk_of,
        csv=lambda row: getattr(decision_of(row), "score", None),
        order="decision__score",
        nullable=True,
    ),
    Column(
        "outcome", "Decision", value=outcome_of, csv=lambda row: getattr(decision_of(row), "outcome", PENDING)
    ),
    Column(
        "amount",
        "Amount",
        value=lambda row: formats.money(row.amount, row.currency),
        csv=lambda row: row.amount,
        css="num",
    ),
    Column("currency", "Currency", shown=False),
    Column("parties", "From and to", value=_parties, csv=lambda row: f"{row.payer} > {row.payee}"),
    Column("channel", "Channel", value=lambda row: row.channel.capitalize(), shown=False),
    Column("reason", "Main reason", value=reason_of, css="wide"),
    Column("occurred_at", "Paid"),
    Column("received_at", "Arrived", order="sequence", shown=False),
]


def payments_table(organisation: Organisation) -> Table:
    """Every payment. An account is found by its key, so the filter needs to know whose."""

    def of_account(queryset: QuerySet[Any], account: str) -> QuerySet[Any]:
        key = account_key(organisation.pk, account)
        return queryset.filter(Q(payer_key=key) | Q(payee_key=key))

    return Table(
        name="fraud-payments",
        label="Payments",
        columns=COLUMNS,
        filters=[
            TextFilter(
                "account", "Account", apply=of_account, personal=True, placeholder="Payer or payee, in full"
            ),
            ChoiceFilter(
                "outcome", "Decision", apply=_outcome, choices=[(k, v[1]) for k, v in OUTCOMES.items()]
            ),
            DateFilter("received", "Arrived", lookup="received_at", by_id=True),
            NumberFilter("score", "Score", lookup="decision__score", least="0", most="1", step="0.01"),
        ],
        sort="-received_at",
        reads=SUBJECT,
        row_url=lambda row: reverse("fraud:payment", args=[row.pk]),
        empty=Empty(
            "No payments yet",
            "Send one with POST /api/v1/fraud/transactions, or a file of them with POST /api/v1/fraud/batches. "
            "They appear here as soon as they are stored.",
            "shield-alert",
            "/api/v1/docs",
            "Open the API's documentation",
        ),
    )


def _outcome(queryset: QuerySet[Any], outcome: str) -> QuerySet[Any]:
    return (
        queryset.filter(decision=None) if outcome == PENDING else queryset.filter(decision__outcome=outcome)
    )
