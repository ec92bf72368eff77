"""What the worker runs for fraud: the scores of what has arrived, in one forward per organisation."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import redis
import torch
from django.db import close_old_connections

from apps.fraud import records
from apps.fraud.deciding import Decided, decide_all
from apps.fraud.rules.stored import RulesInMemory
from apps.fraud.state import ValkeyHistory
from models_zoo.fraud.events import EVENT, PAYMENT, WINDOW
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.scorer import Scorer
from rootstock.errors import DomainError
from workers.handlers import LaneRequest

if TYPE_CHECKING:
    from workers.runtime import Runtime

log = logging.getLogger(__name__)


class ScoreHandler:
    """Scores payments on the CPU. Histories live in Valkey and PostgreSQL, so any worker can take any payment."""

    scorer: Scorer
    redis: "redis.Redis[bytes]"
    rules: RulesInMemory

    def load(self, runtime: "Runtime") -> None:
        """Load the weights and run once, so that the first payment does not wait for it."""
        if set(runtime.groups) == {"score"}:
            torch.set_num_threads(1)  # a payment's tensors are too small to share out
        self.redis = runtime.redis
        self.rules = RulesInMemory()
        self.scorer = Scorer()
        empty = np.zeros((1, WINDOW), EVENT)
        self.scorer.score(Neighbourhood(np.ones(1, PAYMENT), empty, empty, empty, empty))

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """A decision with contributions and reasons for each payment."""
        results: list[dict[str, Any] | DomainError] = [{} for _ in batch]
        places: dict[UUID, list[int]] = {}
        for place, request in enumerate(batch):
            places.setdefault(request.organisation_id, []).append(place)
        try:
            for organisation, own in places.items():
                found = self.score(organisation, [batch[place].payload for place in own])
                for place, (decided, surprise) in zip(own, found, strict=True):
                    results[place] = self._result(decided, surprise)
        finally:
            close_old_connections()
        return results

    def score(self, organisation: UUID, payloads: Sequence[dict[str, Any]]) -> list[tuple[Decided, float]]:
        """Decisions on one organisation's payments, each seeing only what arrived before it, with their surprises."""
        near, surprise = ValkeyHistory(self.redis, organisation).neighbourhood(records.payments(payloads))
        rules = self.rules.of(organisation)
        scores = self.scorer.score(near)
        facts = self.scorer.facts(near) if rules else [{}] * len(scores)
        decided = decide_all(scores, facts, payloads, rules, self.scorer.card)
        return list(zip(decided, surprise.tolist(), strict=True))

    def _result(self, decided: Decided, surprise: float) -> dict[str, Any]:
        return {
            "score": decided.score,
            "probability": decided.probability,
            "outcome": decided.outcome,
            "by": decided.by,
            "contributions": decided.contributions,
            "reasons": decided.reasons,
            "surprise": surprise,
            "model": self.scorer.card.reference,
            "model_digest": self.scorer.card.digest,
            "rules": decided.rules_version,
            "rule_score": decided.rule_score,
            "shadow": decided.shadow,
        }
