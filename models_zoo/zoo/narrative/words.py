"""The narrative that a case should have: every sentence says what its facts say, and nothing else."""

from __future__ import annotations

from models_zoo.zoo.narrative.cases import Case

ENDINGS = {
    "decline": "The payment was declined. Contact the customer by a known channel before it is released.",
    "review": "The payment is held for review. Confirm its purpose with the customer before it is released.",
    "approve": "The payment was let through. No action is needed.",
}


def narrative(case: Case) -> str:
    """Opening, reasons from the weightiest on, and what is to be done."""
    opening = (
        f"On {case.time[:10]} at {case.time[11:]} UTC account {case.payer} sent {case.amount} EUR "
        f"to account {case.payee} ({case.channel})."
    )
    scored = f"The model scored it {case.score}."
    return " ".join([opening, scored, *_reasons(case), ENDINGS[case.outcome]])


def _reasons(case: Case) -> list[str]:
    if not case.reasons:
        return ["Nothing in particular speaks for fraud."]
    first, *others = (_clause(reason) for reason in case.reasons)
    told = [f"What weighs most: {first}."]
    if others:
        joined = "; ".join(others)
        told.append(f"Besides: {joined}.")
    return told


def _clause(reason: str) -> str:
    return reason[0].lower() + reason[1:]
