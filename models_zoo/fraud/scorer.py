"""Scores for serving: features once for a batch, boosting, the nets where boosting sees something, and reasons for
what is not waved through."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models_zoo.fraud import boosting, facts
from models_zoo.fraud.calibrating import sigmoid
from models_zoo.fraud.card import WEIGHTS, Card, digest_of, read_card
from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.events import Floats
from models_zoo.fraud.experts import stored
from models_zoo.fraud.experts.fusion import EXPERTS
from models_zoo.fraud.experts.gradients import attributions
from models_zoo.fraud.experts.inputs import inputs
from models_zoo.fraud.explaining import Explanation, Judged, Shares, explained
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.reasons import Reason, beyond, reasons
from models_zoo.fraud.scores import Score
from models_zoo.fraud.shares import by_treeshap, shares_of
from models_zoo.fraud.subjects import SUBJECTS

__all__ = ["Explanation", "Reason", "Score", "Scorer", "WeightsError"]

Logits = NDArray[np.float64]


class WeightsError(Exception):
    """The weights are not those that the card speaks of, or not of these experts."""


@dataclass(slots=True, frozen=True)
class _Verdict:
    """Of B payments: calibrated logits of who decides [B], what each expert adds [B, len(experts)], and the calibrated
    logits of the nets by themselves [B, len(experts) - 1], of which only those are right that were asked; what was
    added because nothing is known of such an amount [B]."""

    logits: Logits
    parts: Logits
    nets: Logits
    lifted: Logits


class Scorer:
    """A bundle of weights on the CPU. Not for use by two threads at once. Raises WeightsError, OSError.

    `experts` are those whose contributions are given; `nets_always` asks the nets about every payment, which costs
    time and only serves measuring.
    """

    def __init__(self, folder: Path = WEIGHTS, nets_always: bool = False) -> None:
        self.card: Card = read_card(folder)
        if digest_of(folder) != self.card.digest:
            raise WeightsError(f"{folder}: the weights are not those of card.json")
        try:
            self.boosting = boosting.load(folder / boosting.NAME)
            self.deep = stored.load(folder) if stored.FUSION in self.card.experts else None
        except (boosting.BoostingError, RuntimeError) as error:
            raise WeightsError(f"{folder}: {error}") from None
        self.experts = EXPERTS if self.deep else EXPERTS[:1]
        self.floor = -np.inf if nets_always or not self.deep else self.deep.floor
        self._usual = self._usual_logit()
        review = min(max(self.card.review, 1e-6), 1 - 1e-6)
        self._review = math.nextafter(math.log(review / (1 - review)), math.inf)
        self._seen: tuple[Neighbourhood, Floats] | None = None
        self._moved: Callable[[Floats], Logits] = by_treeshap(self.boosting)

    def ready(self) -> None:
        """Make the tables from which reasons come several times faster; takes a second, in any thread."""
        self._moved = shares_of(self.boosting)

    def score(self, near: Neighbourhood) -> list[Score]:
        """A score for each of the B payments, in order."""
        rows = self._features(near)
        return self._scores(rows, self._verdict(near, rows))

    def glance(self, near: Neighbourhood) -> list[Score]:
        """Scores of B payments without contributions and reasons, which take longer than all the rest."""
        judged = self._judge(near, False)
        probabilities = sigmoid(judged.logits).tolist()
        return [Score(round(one, 6), judged.outcomes[at], {}, []) for at, one in enumerate(probabilities)]

    def facts(self, near: Neighbourhood) -> list[dict[str, float]]:
        """What rules can read of each payment (see `facts.MEANINGS`); after `score` of the same `near` costs little."""
        return facts.facts(self._features(near))

    def explain(self, near: Neighbourhood) -> list[Explanation]:
        """Score, attributions, edges and counterfactual of each payment; tens of milliseconds each."""
        return explained(near, self._judge)

    def _judge(self, near: Neighbourhood, attributed: bool) -> Judged:
        rows = features(near, self.card.label_delay)
        verdict = self._verdict(near, rows)
        outcomes = [self.card.outcome(one) for one in sigmoid(verdict.logits).tolist()]
        if not attributed:
            return Judged(verdict.logits, outcomes, [], [])
        return Judged(verdict.logits, outcomes, self._scores(rows, verdict), self._shares(near, rows))

    def _usual_logit(self) -> float:
        """What contributions are counted from: one logit, whether the nets are asked or not."""
        if self.deep and self.card.decides == stored.FUSION:
            return self.deep.fused.usual
        return float(self.boosting.attributions(np.zeros((1, len(NAMES)), np.float32))[0, -1])

    def _features(self, near: Neighbourhood) -> Floats:
        if self._seen is None or self._seen[0] is not near:
            self._seen = near, features(near, self.card.label_delay)
        return self._seen[1]

    def _verdict(self, near: Neighbourhood, rows: Floats) -> _Verdict:
        """An amount beyond what was learned from is at least reviewed, whatever the experts make of it."""
        logits, parts, nets = self._experts(near, rows)
        unknown = rows[:, NAMES.index("amount")] > self.card.largest
        lifted = np.where(unknown, np.maximum(self._review - logits, 0.0), 0.0)
        parts[:, 0] += lifted
        return _Verdict(logits + lifted, parts, nets, lifted)

    def _experts(self, near: Neighbourhood, rows: Floats) -> tuple[Logits, Logits, Logits]:
        logits = self.boosting.logits(rows)
        parts, nets = np.zeros((len(rows), len(self.experts))), np.zeros((len(rows), len(self.experts) - 1))
        parts[:, 0] = logits - self._usual
        asked = np.nonzero(logits >= self.floor)[0]
        if self.deep is None or not len(asked):
            return logits, parts, nets
        found = self.deep.logits(inputs(near.rows(asked), self.card.label_delay))
        nets[asked] = np.stack([found[name].numpy() for name in EXPERTS[1:]], 1)
        if self.card.decides == stored.FUSION:
            fused, shares = self.deep.fuse(torch.from_numpy(logits[asked]).float(), found)
            logits[asked], parts[asked] = fused.numpy(), shares.numpy()
        else:
            for place, name in enumerate(EXPERTS[1:], start=1):
                parts[asked, place] = found[name].numpy() - self.deep.scales[name].usual
        return logits, parts, nets

    def _scores(self, rows: Floats, verdict: _Verdict) -> list[Score]:
        probabilities = sigmoid(verdict.logits).tolist()
        outcomes = [self.card.outcome(one) for one in probabilities]
        flagged = [place for place, one in enumerate(outcomes) if one != "approve"]
        told = self._reasons(rows, verdict, flagged)
        found = []
        for place, part in enumerate(verdict.parts.tolist()):
            shares = {name: round(share, 4) for name, share in zip(self.experts, part, strict=True)}
            found.append(Score(round(probabilities[place], 6), outcomes[place], shares, told.get(place, [])))
        return found

    def _reasons(self, rows: Floats, verdict: _Verdict, places: list[int]) -> dict[int, list[Reason]]:
        """Reasons of the payments at `places`: TreeSHAP takes several times what the score does, so not for all."""
        if not places:
            return {}
        chosen = rows[places]
        moved = self._moved(chosen)
        of_nets = np.stack([verdict.parts[places, 1:], sigmoid(verdict.nets[places])], -1).tolist()
        told = {}
        for place, row, weights, nets in zip(places, chosen.tolist(), moved.tolist(), of_nets, strict=True):
            values = dict(zip(NAMES, row, strict=True))
            by_nets = {}
            if self.card.decides == stored.FUSION:
                by_nets = {name: (added, own) for name, (added, own) in zip(EXPERTS[1:], nets, strict=True)}
            moved_by = dict(zip(SUBJECTS, weights, strict=True))
            told[place] = reasons(values, moved_by, by_nets, self.card.review)
            if lift := float(verdict.lifted[place]):
                told[place] = [beyond(values["amount"], self.card.largest, lift), *told[place]]
        return told

    def _shares(self, near: Neighbourhood, rows: Floats) -> list[Shares]:
        """What each feature adds to each expert's own logit: TreeSHAP, and integrated gradients for the nets."""
        found: list[Shares] = []
        given = inputs(near, self.card.label_delay) if self.deep else None
        by_net = {
            name: attributions(net, given, self.deep.scales[name].scale)
            for name, net in (self.deep.nets.items() if self.deep else ())
        } if self.deep and given else {}  # fmt: skip
        for place, added in enumerate(self.boosting.attributions(rows)[:, :-1]):
            values = zip(NAMES, rows[place].tolist(), added.tolist(), strict=True)
            shares = [
                ("tabular", name, value if value == value else None, one) for name, value, one in values
            ]
            for net, each in by_net.items():
                shares += [(net, name, None, float(one[place])) for name, one in each.items()]
            found.append(shares)
        return found
