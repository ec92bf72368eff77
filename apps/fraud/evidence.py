"""What the audit trail keeps of decisions on payments."""

from apps.fraud.models import Decision, Transaction
from apps.fraud.payload import payload_of
from rootstock.audit.decisions import DecisionFacts
from rootstock.privacy.models import SubjectKey

KIND = "fraud.score"
SUBJECT = "payment"
RING = "payment_ring"


def person_of_payment(transaction_id: str) -> SubjectKey | None:
    """The payer, whom a decision on a payment concerns first."""
    row = Transaction.objects.select_related("payer_subject").filter(pk=transaction_id).first()
    return row.payer_subject if row else None


def decision_facts(decision: Decision) -> DecisionFacts:
    """The record of one decision; its input is what travelled on the lane."""
    return DecisionFacts(
        kind=KIND,
        subject_type=SUBJECT,
        subject_id=decision.transaction_id,
        input=payload_of(decision.transaction),
        model=decision.model,
        model_digest=decision.model_digest,
        latency_ms=decision.latency_ms,
        output={
            "score": decision.score,
            "probability": decision.probability,
            "outcome": decision.outcome,
            "by": decision.by,
            "rules": decision.rules,
            "contributions": decision.contributions,
            "reasons": [reason["code"] for reason in decision.reasons],
        },
    )
