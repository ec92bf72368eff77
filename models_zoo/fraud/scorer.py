"""Scores for serving: features once for a batch, the deciding expert, reasons for what is not waved through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud import boosting, facts
from models_zoo.fraud.card import WEIGHTS, Card, digest_of, read_card
from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.events import Floats
from models_zoo.fraud.explaining import Explanation, Judged, explained
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.reasons import Reason, reasons
from models_zoo.fraud.scores import Score
from models_zoo.fraud.subjects import SUBJECTS, by_subject

__all__ = ["Explanation", "Reason", "Score", "Scorer", "WeightsError"]


class WeightsError(Exception):
    """The weights are not those that the card speaks of, or not of these experts."""


class Scorer:
    """A bundle of weights on the CPU. Not for use by two threads at once. Raises WeightsError, OSError."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self.card: Card = read_card(folder)
        if digest_of(folder) != self.card.digest:
            raise WeightsError(f"{folder}: the weights are not those of card.json")
        try:
            self.boosting = boosting.load(folder / boosting.NAME)
        except boosting.BoostingError as error:
            raise WeightsError(str(error)) from None
        self._base = float(self.boosting.attributions(np.zeros((1, len(NAMES)), np.float32))[0, -1])
        self._seen: tuple[Neighbourhood, Floats] | None = None

    def score(self, near: Neighbourhood) -> list[Score]:
        """A score for each of the B payments, in order."""
        return self._scores(self._features(near))

    def facts(self, near: Neighbourhood) -> list[dict[str, float]]:
        """What rules can read of each payment (see `facts.MEANINGS`); after `score` of the same `near` costs little."""
        return facts.facts(self._features(near))

    def explain(self, near: Neighbourhood) -> list[Explanation]:
        """Score, attributions, edges and counterfactual of each payment; tens of milliseconds each."""
        return explained(near, self._judge)

    def _judge(self, near: Neighbourhood, attributed: bool) -> Judged:
        rows = features(near, self.card.label_delay)
        logits = self.boosting.logits(rows)
        outcomes = [self.card.outcome(one) for one in _probability(logits).tolist()]
        scores = self._scores(rows) if attributed else []
        shares = {"tabular": self.boosting.attributions(rows)[:, :-1]} if attributed else {}
        return Judged(logits, outcomes, scores, rows, shares)

    def _features(self, near: Neighbourhood) -> Floats:
        if self._seen is None or self._seen[0] is not near:
            self._seen = near, features(near, self.card.label_delay)
        return self._seen[1]

    def _scores(self, rows: Floats) -> list[Score]:
        logits = self.boosting.logits(rows)
        probabilities = _probability(logits).tolist()
        outcomes = [self.card.outcome(one) for one in probabilities]
        told = self._reasons(rows, [place for place, one in enumerate(outcomes) if one != "approve"])
        return [
            Score(
                round(probability, 6),
                outcome,
                {"tabular": round(logit - self._base, 4)},
                told.get(place, []),
            )
            for place, (probability, outcome, logit) in enumerate(
                zip(probabilities, outcomes, logits.tolist(), strict=True)
            )
        ]

    def _reasons(self, rows: Floats, places: list[int]) -> dict[int, list[Reason]]:
        """Reasons of the payments at `places`: TreeSHAP takes milliseconds each, so not for all."""
        if not places:
            return {}
        chosen = rows[places]
        moved = by_subject(self.boosting.attributions(chosen)[:, :-1])
        told = {}
        for place, row, weights in zip(places, chosen.tolist(), moved.tolist(), strict=True):
            values = dict(zip(NAMES, row, strict=True))
            told[place] = reasons(values, dict(zip(SUBJECTS, weights, strict=True)))
        return told


def _probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return found
