"""Payments as `TransactionOut` shows them, made without it: it looks its fields up one by one, twice an answer."""

import json
from typing import Any

from django.http import HttpResponse
from ninja.responses import NinjaJSONEncoder

from apps.fraud.models import Decision, Label, Transaction

_PAYMENT = (
    "id", "external_id", "sequence", "payer", "payee", "device", "merchant", "amount", "currency", "channel",
    "occurred_at", "received_at", "late_by_s",
)  # fmt: skip
_DECISION = (
    "score", "probability", "outcome", "by", "reasons", "contributions", "model", "rules", "rule_score", "latency_ms",
    "batch_size", "decided_at",
)  # fmt: skip
_REASON = {"typology": None, "points": None, "entry": None}  # what not every source says
_LABEL = ("id", "sequence", "fraud", "source", "known_at", "note", "received_at")


def payment_shown(row: Transaction) -> dict[str, Any]:
    """One payment, fetched with what is told of it (`selectors.shown`)."""
    decision: Decision | None = getattr(row, "decision", None)
    label: Label | None = row.label
    return {
        **{name: getattr(row, name) for name in _PAYMENT},
        "decision": _decision_shown(decision) if decision else None,
        "label": {name: getattr(label, name) for name in _LABEL} if label else None,
    }


def _decision_shown(decision: Decision) -> dict[str, Any]:
    shown = {name: getattr(decision, name) for name in _DECISION}
    return shown | {"reasons": [_REASON | one for one in decision.reasons]}


def answer(shown: dict[str, Any]) -> HttpResponse:
    """As the API gives JSON."""
    return HttpResponse(
        json.dumps(shown, cls=NinjaJSONEncoder), content_type="application/json; charset=utf-8"
    )
