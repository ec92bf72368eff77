"""The worker's part of an explanation: the decision made again, taken apart, and tried with a lower amount."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from apps.fraud.bundles.serving import Models
from apps.fraud.replaying import Then, decided_again, decided_payment, passes_at, then_of
from models_zoo.fraud.experts.own import own
from models_zoo.fraud.explaining import amount_below
from models_zoo.fraud.scorer import Explanation


def explained(organisation: UUID, transaction_id: UUID, models: Models) -> dict[str, Any]:
    """What the worker answers. Raises NotFound and Conflict."""
    row = decided_payment(organisation=organisation, id=transaction_id)
    then = then_of(row, models)
    found = then.scorer.explain(then.near)[0]
    again = decided_again(then)
    return {
        "experts": _experts(then, found),
        "attributions": [
            {"expert": one.expert, "feature": one.feature, "value": one.value, "weight": one.weight}
            for one in found.attributions
        ],
        "edges": [
            {"roles": list(one.roles), "sequence": one.sequence, "weight": one.weight} for one in found.edges
        ],
        "amount_below": _passing(then, found, again.outcome),
        "agrees": round(again.score, 2) == round(then.decision.score, 2),
    }


def _experts(then: Then, found: Explanation) -> list[dict[str, Any]]:
    """What each expert says by itself; with what is told of its attributions and `rest`, its logit adds up."""
    scorer, told = then.scorer, defaultdict[str, float](float)
    for one in found.attributions:
        told[one.expert] += one.weight
    return [
        {
            "expert": one.expert,
            "logit": round(one.logit, 4),
            "usual": round(one.usual, 4),
            "rest": round(round(one.logit, 4) - round(one.usual, 4) - told[one.expert], 4),
            "asked": one.asked,
        }
        for one in own(then.near, scorer.boosting, scorer.deep, scorer.card.label_delay)
    ]


def _passing(then: Then, found: Explanation, outcome: str) -> float | None:
    """The amount under which the whole decision would let the payment pass: rules and lists have their say too."""
    if outcome == "approve":
        return None
    if then.rules is None:
        return found.amount_below
    return amount_below(float(then.near.payment["amount"][0]), lambda amounts: passes_at(then, amounts))
