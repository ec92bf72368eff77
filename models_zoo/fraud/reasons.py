"""Reason codes: which subject of features moved the score, said with the numbers of this payment.

The weight of a reason is what the features of its subject add to the score (calibrated logit, TreeSHAP). A sentence
is only used if its own condition holds, so none is ever untrue; what it is said with are the reason's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models_zoo.fraud.phrases import PHRASES
from models_zoo.fraud.wording import Values

LEAST, LEAST_OF_NETS = 0.15, 1.0
"""Logits below which a subject or a net is not worth a line."""

BY_NETS = {
    "sequence": (
        "SEQUENCE_PATTERN",
        "The order and timing of the accounts' last payments resemble known fraud",
    ),
    "graph": ("NETWORK_PATTERN", "The network of accounts around this payment resembles known fraud"),
}
BY_SUBJECT = {one.subject: [each for each in PHRASES if each.subject == one.subject] for one in PHRASES}
TOGETHER = ("OVERALL_PATTERN", "No single fact stands out; taken together they resemble known fraud")


@dataclass(slots=True, frozen=True)
class Reason:
    """One reason: a stable code, a sentence in English, its weight in logits, and the features it is said with."""

    code: str
    text: str
    weight: float
    values: dict[str, float] = field(default_factory=dict)


def beyond(amount: float, largest: float, weight: float) -> Reason:
    """Why a payment is reviewed of whose amount the model knows nothing: it learned from none as large."""
    text = f"Amount is larger than any that the model learned from ({largest:,.0f} euros)"
    return Reason(
        "AMOUNT_UNKNOWN", text, round(weight, 3), {"amount": round(amount, 2), "largest_learned": largest}
    )


def reasons(
    values: Values,
    moved: Mapping[str, float],
    by_nets: Mapping[str, tuple[float, float]],
    review: float,
    most: int = 5,
) -> list[Reason]:
    """Up to `most` reasons for a higher score, the weightiest first, one for each subject; at least one.

    values: causal features by name (NaN: not measured); moved: logits that each subject adds; by_nets: logits that
    each net adds, where they have a say, and its own probability of fraud. A net that would itself let the payment
    pass (below `review`) is no reason: it may add more than usual only by taking less away.
    """
    own = {f"{name}_probability": round(probability, 4) for name, (_, probability) in by_nets.items()}
    found = [
        Reason(*BY_NETS[name], round(weight, 3), {f"{name}_probability": own[f"{name}_probability"]})
        for name, (weight, probability) in by_nets.items()
        if weight > LEAST_OF_NETS and probability >= review
    ]
    for subject, weight in moved.items():
        if weight <= LEAST:
            continue
        phrase = next((one for one in BY_SUBJECT.get(subject, ()) if one.holds(values)), None)
        if phrase:
            read = {name: round(values[name], 4) for name in phrase.reads if values[name] == values[name]}
            found.append(Reason(phrase.code, phrase.text(values), round(weight, 3), read))
    if not found:
        code, text = TOGETHER
        return [Reason(code, text, round(max(sum(moved.values()), 0.0), 3), own)]
    return sorted(found, key=lambda reason: -reason.weight)[:most]
