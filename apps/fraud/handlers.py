"""What the worker runs for fraud: decisions on what has arrived, one batch per organisation, and explanations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import redis
import torch
from django.db import close_old_connections

from apps.fraud import records
from apps.fraud.bundles.serving import Models, shipped_keep_in_time
from apps.fraud.deciding import Decided, decide_all
from apps.fraud.explained import explained
from apps.fraud.rules.stored import RulesInMemory
from apps.fraud.state import ValkeyHistory
from models_zoo.fraud.card import Card
from models_zoo.fraud.counters import nothing
from models_zoo.fraud.events import EVENT, PAYMENT, WINDOW
from models_zoo.fraud.history import SIDES, Neighbourhood
from rootstock.errors import DomainError
from workers.handlers import LaneRequest

if TYPE_CHECKING:
    from workers.runtime import Runtime


class ScoreHandler:
    """Scores payments on the CPU. Histories live in Valkey and PostgreSQL, so any worker can take any payment."""

    models: Models
    redis: "redis.Redis[bytes]"
    rules: RulesInMemory

    def load(self, runtime: "Runtime") -> None:
        """Load the weights and run all of them once, so that the first payments do not wait for it."""
        if set(runtime.groups) == {"score"}:
            torch.set_num_threads(1)  # a payment's tensors are too small to share out
        self.redis = runtime.redis
        self.rules = RulesInMemory()
        self.models = Models()
        empty = np.zeros((1, WINDOW), EVENT)
        self.models.shipped.explain(
            Neighbourhood(*(np.ones(1, PAYMENT), *[empty] * len(SIDES), nothing(1, len(SIDES), 2)))
        )
        self.models.shipped.ready()
        shipped_keep_in_time(self.redis)

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """A decision with contributions and reasons for each payment."""
        results: list[dict[str, Any] | DomainError] = [{} for _ in batch]
        places: dict[UUID, list[int]] = {}
        for place, request in enumerate(batch):
            places.setdefault(request.organisation_id, []).append(place)
        try:
            for organisation, own in places.items():
                found = self.score(organisation, [batch[place].payload for place in own])
                for place, result in zip(own, found, strict=True):
                    results[place] = result
        finally:
            close_old_connections()
        return results

    def score(self, organisation: UUID, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Decisions on one organisation's payments, each seeing only what arrived before it."""
        near, surprise = ValkeyHistory(self.redis, organisation).neighbourhood(records.payments(payloads))
        scorer, rules = self.models.of(organisation), self.rules.of(organisation)
        scores = scorer.score(near)
        facts = scorer.facts(near) if rules else [{} for _ in payloads]
        decided = decide_all(scores, facts, payloads, rules, scorer.card)
        return [_result(one, scorer.card, own) for one, own in zip(decided, surprise.tolist(), strict=True)]


class ExplainHandler:
    """Explains decisions, one at a time: dozens of questions to the model each. Nothing is read from Valkey."""

    models: Models

    def load(self, runtime: "Runtime") -> None:
        """Models of its own, since a scorer is not for two threads."""
        self.models = Models()

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """An explanation of each payment."""
        try:
            return [self._explained(request) for request in batch]
        finally:
            close_old_connections()

    def _explained(self, request: LaneRequest) -> dict[str, Any] | DomainError:
        try:
            return explained(request.organisation_id, UUID(request.payload["transaction"]), self.models)
        except DomainError as error:
            return error


def _result(decided: Decided, card: Card, surprise: float) -> dict[str, Any]:
    return {
        "score": decided.score,
        "probability": decided.probability,
        "outcome": decided.outcome,
        "by": decided.by,
        "contributions": decided.contributions,
        "reasons": decided.reasons,
        "surprise": surprise,
        "model": card.reference,
        "model_digest": card.digest,
        "rules": decided.rules_version,
        "rule_score": decided.rule_score,
        "shadow": decided.shadow,
    }
