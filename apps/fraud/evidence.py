"""What the audit trail keeps of decisions on payments."""

from collections.abc import Mapping
from typing import Any

from apps.fraud.models import Decision
from apps.fraud.payload import payload_of
from rootstock.audit.decisions import DecisionFacts

KIND = "fraud.score"
SUBJECT = "payment"


def decision_facts(decision: Decision, result: Mapping[str, Any]) -> DecisionFacts:
    """The record of one decision; its input is what travelled on the lane."""
    return DecisionFacts(
        kind=KIND,
        subject_type=SUBJECT,
        subject_id=decision.transaction_id,
        input=payload_of(decision.transaction),
        model=decision.model,
        model_digest=result.get("model_digest", ""),
        latency_ms=decision.latency_ms,
        output={
            "score": decision.score,
            "outcome": decision.outcome,
            "contributions": decision.contributions,
            "reasons": [reason["code"] for reason in decision.reasons],
        },
    )
