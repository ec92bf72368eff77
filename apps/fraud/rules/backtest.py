"""A version on the organisation's history, beside the one in force and the model alone: the job."""

from typing import Any

import numpy as np

from apps.fraud.bundles.serving import Models
from apps.fraud.rules.figures import Known, Outcomes, by_rule, by_typology, figures, overlap
from apps.fraud.rules.models import RulesInForce
from apps.fraud.rules.past import History, history_of, hits_of
from apps.fraud.rules.ruleset import Hits, Rules
from apps.fraud.rules.stored import rules_of
from apps.fraud.rules.thresholds import DECLINE, REVIEW, Costs, Suggested, costs_of, suggested
from apps.fraud.rules.trials import Wanted
from apps.fraud.rules.versions import version_numbered
from models_zoo.fraud.card import Card
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.running import JobHandle

DAY = 86_400.0


def run(handle: JobHandle) -> dict[str, Any]:
    """The job's function. It changes nothing; started again it begins anew."""
    wanted = Wanted.model_validate(handle.params)
    version, current = _versions(handle, wanted.version)
    history = history_of(handle.organisation.pk, handle.progress)
    rows = history.between(wanted.since, wanted.until)
    card = Models().of(handle.organisation.pk).card
    found = _hits(handle, history, rows, [one for one in (version, current) if one], card)
    trial = _Trial(history, rows, wanted, card)
    return trial.result(version, found[0], current, found[1] if current else None)


def _versions(handle: JobHandle, number: int) -> tuple[Rules, Rules | None]:
    with tenant(handle.organisation):
        row = RulesInForce.objects.select_related("current").first()
        current = rules_of(row.current) if row and row.current else None
        return rules_of(version_numbered(number)), current


def _hits(handle: JobHandle, history: History, rows: Any, versions: list[Rules], card: Card) -> list[Hits]:
    """Which rules of each version held, bool [R, N]; reading the history was the first half of the way."""
    found: list[list[Hits]] = [[np.zeros((len(one.rules), 0), bool)] for one in versions]
    done = 0
    for pieces in hits_of(history, rows, versions, card.label_delay):
        for own, piece in zip(found, pieces, strict=True):
            own.append(piece)
        done += pieces[0].shape[1]
        handle.progress(len(rows) + done, 2 * len(rows), f"{done:,} of {len(rows):,} payments tried")
    return [np.concatenate(own, axis=1) for own in found]


class _Trial:
    def __init__(self, history: History, rows: Any, wanted: Wanted, card: Card) -> None:
        labelled, fraud = history.fraud()
        time = history.payment["time"][rows]
        self.labelled = int(labelled[rows].sum())
        self.undecided = int(np.isnan(history.probability[rows]).sum())
        days = max((time.max() - time.min()) / DAY, 1.0) if len(rows) else 0.0
        self.known = Known(fraud[rows], history.payment["amount"][rows].astype(np.float64), days)
        scores = np.nan_to_num(history.probability[rows])
        self.model = (scores >= card.review).astype(np.int64) + (scores >= card.decline)
        self.costs = Costs(wanted.review_cost, wanted.decline_cost)

    def result(
        self, version: Rules, hits: Hits, current: Rules | None, current_hits: Hits | None
    ) -> dict[str, Any]:
        points = version.points(hits)
        alone = _outcomes(version, points)
        together = np.maximum(alone, self.model)
        now = self.model
        if current is not None and current_hits is not None:
            now = np.maximum(_outcomes(current, current.points(current_hits)), self.model)
        cheapest = suggested(points, self.model, costs_of(self.known.fraud, self.known.amount, self.costs))
        return {
            "rules": version.reference,
            "in_force": current.reference if current else "",
            "payments": len(self.known),
            "days": round(self.known.days, 2),
            "labelled": self.labelled,
            "frauds": int(self.known.fraud.sum()),
            "undecided": self.undecided,
            "version": figures(together, self.known, self.costs),
            "version_alone": figures(alone, self.known, self.costs),
            "present": figures(now, self.known, self.costs),
            "model_alone": figures(self.model, self.known, self.costs),
            "overlap": overlap(together, now, self.known),
            "typologies": by_typology(version, hits, self.known),
            "by_rule": by_rule(version, hits, self.known),
            "suggested": self._suggested(cheapest, points),
        }

    def _suggested(self, found: Suggested, points: Any) -> dict[str, Any]:
        outcome = np.zeros(len(self.known), np.int64)
        for threshold, least in ((found.review, REVIEW), (found.decline, DECLINE)):
            if threshold is not None:
                outcome[points >= threshold] = least
        told = figures(np.maximum(outcome, self.model), self.known, self.costs)
        return {"review": found.review, "decline": found.decline, **told}


def _outcomes(rules: Rules, points: Any) -> Outcomes:
    found: Outcomes = (points >= rules.review).astype(np.int64) + (points >= rules.decline)
    return found
