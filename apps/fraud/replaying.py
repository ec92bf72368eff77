"""A decision once more: from what had arrived by its sequence, with the model and rules that it names.

Nothing is read from Valkey. Payments and labels come from PostgreSQL, strictly before the decision's sequence.
"""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apps.fraud import records
from apps.fraud.bundles.serving import Models
from apps.fraud.deciding import Decided, decide, decide_all
from apps.fraud.models import Decision, Label, Transaction
from apps.fraud.payload import payload_of
from apps.fraud.rules.ruleset import RuleSet
from apps.fraud.rules.stored import rules_at
from apps.fraud.stored import stored_before
from models_zoo.fraud.events import Integers
from models_zoo.fraud.explaining import with_amounts
from models_zoo.fraud.history import Before, Neighbourhood, neighbourhood
from models_zoo.fraud.scorer import Scorer
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound

BUCKET = 0.01
"""Scores that round to the same hundredth are in one bucket."""


@dataclass(slots=True, frozen=True)
class StoredHistory:
    """`models_zoo.fraud.history.Reading` of an organisation's payments and labels in PostgreSQL."""

    organisation: UUID

    def before(self, entities: Integers, sequences: Integers) -> Before:
        """See `Reading.before`."""
        return stored_before(self.organisation, entities, sequences)


@dataclass(slots=True, frozen=True)
class Then:
    """A decided payment as its decision saw it."""

    row: Transaction
    near: Neighbourhood
    scorer: Scorer
    rules: RuleSet | None

    @property
    def decision(self) -> Decision:
        """What was decided."""
        return self.row.decision


@dataclass(slots=True, frozen=True)
class Replayed:
    """A decision, the same made again, and what has gone since (in words)."""

    then: Decision
    again: Decided
    gone: list[str]

    @property
    def same_score(self) -> bool:
        """Whether both are in one bucket and have one outcome."""
        bucket = round(self.then.score / BUCKET) == round(self.again.score / BUCKET)
        return bucket and self.then.outcome == self.again.outcome

    @property
    def same_reasons(self) -> bool:
        """Whether the codes of the reasons are the same, in their order."""
        return codes(self.then.reasons) == codes(self.again.reasons)

    @property
    def agrees(self) -> bool:
        """Whether the decision is reproduced."""
        return self.same_score and self.same_reasons


def codes(reasons: list[dict[str, object]]) -> list[str]:
    """The codes of reasons."""
    return [str(one["code"]) for one in reasons]


def then_of(row: Transaction, models: Models) -> Then:
    """What a decision saw. Raises Conflict for a payment without one, NotFound when its model or rules are gone."""
    decision: Decision | None = getattr(row, "decision", None)
    if decision is None:
        raise Conflict("the payment has no decision yet")
    organisation = row.organisation_id
    rules = rules_at(organisation=organisation, reference=decision.rules)
    scorer = models.by_digest(organisation, decision.model_digest)
    near = neighbourhood(StoredHistory(organisation), records.payments([payload_of(row)]))
    return Then(row, near, scorer, rules)


def decided_again(then: Then) -> Decided:
    """The decision, on what it saw."""
    facts = then.scorer.facts(then.near)[0] if then.rules else {}
    return decide(then.scorer.score(then.near)[0], facts, payload_of(then.row), then.rules, then.scorer.card)


def passes_at(then: Then, amounts: NDArray[np.float64]) -> list[bool]:
    """Whether the whole decision, rules and lists with it, would have let the payment pass at each of these amounts
    float64 [N] of the model's scale."""
    near, payment = with_amounts(then.near, amounts), payload_of(then.row)
    payments = [payment | {"amount": one} for one in amounts.tolist()]
    facts = then.scorer.facts(near) if then.rules else [{}] * len(payments)
    decided = decide_all(then.scorer.glance(near), facts, payments, then.rules, then.scorer.card)
    return [one.outcome == "approve" for one in decided]


def decision_replay(*, row: Transaction, models: Models) -> Replayed:
    """Make a decision again. Raises Conflict and NotFound."""
    then = then_of(row, models)
    return Replayed(then.decision, decided_again(then), _gone(row))


def _gone(row: Transaction) -> list[str]:
    """What had been known and is not there any more. Numbers have no gaps, so what is missing can be counted."""
    with tenant(row.organisation_id):
        erased = [
            name
            for name, key in (("payer", row.payer_subject), ("payee", row.payee_subject))
            if key.is_destroyed
        ]
        there = Transaction.objects.filter(sequence__lt=row.sequence).count()
        there += Label.objects.filter(sequence__lt=row.sequence).count()
    found = [f"the {name} was erased: random keys stand in the place of theirs" for name in erased]
    missing = row.sequence - 1 - there
    if missing:
        found.append(f"earlier payments or labels that were deleted when their time was over: {missing:,}")
    return found


def decided_payment(*, organisation: UUID, id: UUID) -> Transaction:
    """The payment with this id, or the one whose decision has it. Raises NotFound."""
    with tenant(organisation):
        rows = Transaction.objects.select_related("decision", "payer_subject", "payee_subject")
        found = rows.filter(pk=id).first() or rows.filter(decision__pk=id).first()
    if found is None:
        raise NotFound("no such payment or decision")
    return found
