"""The shipped bundle: what the card says holds, and bad weights are refused."""

import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

from models_zoo.fraud.card import WEIGHTS, digest_of, read_card
from models_zoo.fraud.counters import nothing
from models_zoo.fraud.facts import MEANINGS
from models_zoo.fraud.history import SIDES, Neighbourhood
from models_zoo.fraud.metrics import average_precision
from models_zoo.fraud.reasons import reasons
from models_zoo.fraud.scorer import Scorer, WeightsError
from models_zoo.fraud.worlds import stream

pytestmark = pytest.mark.xdist_group("fraud-scorer")  # one world


@pytest.fixture(scope="module")
def scorer():
    return Scorer()


@dataclass
class Unseen:
    near: Neighbourhood
    labels: np.ndarray


@pytest.fixture(scope="module")
def unseen():
    """A world that neither training nor the card's tests have seen."""
    world = stream(909, 250, 30).between(7, 30)
    return Unseen(world.near.rows(slice(None)), world.labels)


@pytest.fixture(scope="module")
def scores(scorer, unseen):
    return scorer.score(unseen.near)


def flagged(scores, unseen):
    """The neighbourhoods of what is not approved."""
    return unseen.near.rows(np.array([n for n, score in enumerate(scores) if score.outcome != "approve"]))


def test_it_works(scores, unseen):
    probabilities = np.array([score.probability for score in scores])
    assert average_precision(unseen.labels, probabilities) > 0.6
    alerts = np.array([score.outcome != "approve" for score in scores])
    assert alerts[unseen.labels].mean() > 0.7
    assert alerts[~unseen.labels].mean() < 0.02


def test_the_card_is_of_these_weights_and_says_that_they_beat_the_baselines():
    card = json.loads((WEIGHTS / "card.json").read_text())
    assert card["digest"] == digest_of(WEIGHTS)
    assert card["decides"] in card["experts"]
    assert 0 < card["thresholds"]["review"] < card["thresholds"]["decline"] < 1
    for figures in card["figures"].values():
        ours = figures[card["decides"]]["average_precision"]
        assert ours > figures["hand_rules"]["average_precision"]
        assert ours > figures["logistic_regression"]["average_precision"]


def test_a_score_does_not_depend_on_its_batch(scorer, unseen):
    alone = [scorer.score(unseen.near.rows(np.array([place])))[0] for place in range(5)]
    together = scorer.score(unseen.near.rows(slice(0, 40)))[:5]
    assert [one.probability for one in alone] == pytest.approx(
        [one.probability for one in together], abs=1e-5
    )


def test_what_is_not_approved_has_reasons_with_the_values_that_they_are_said_with(scores):
    told = [score for score in scores if score.outcome != "approve"]
    assert told
    assert all(score.reasons and "tabular" in score.contributions for score in told)
    weights = [[reason.weight for reason in score.reasons] for score in told]
    assert all(one == sorted(one, reverse=True) for one in weights)
    values = [reason.values for score in told for reason in score.reasons]
    assert sum(bool(one) for one in values) > 0.9 * len(values)
    assert all(math.isfinite(value) for one in values for value in one.values())


def test_contributions_are_counted_from_one_usual_payment(scores):
    """Whether the nets were asked or not: what is added and the usual logit are the score."""
    inside = [one for one in scores if 1e-3 < one.probability < 0.999]
    usual = [
        math.log(one.probability / (1 - one.probability)) - sum(one.contributions.values()) for one in inside
    ]
    asked = [bool(one.contributions["sequence"]) for one in inside]
    assert any(asked)
    assert not all(asked)
    assert max(usual) - min(usual) < 0.01


def test_a_net_that_would_let_it_pass_is_no_reason(scorer, scores):
    told = [reason for score in scores for reason in score.reasons]
    nets = [one for one in told if one.code in {"SEQUENCE_PATTERN", "NETWORK_PATTERN"}]
    assert nets
    assert all(value >= scorer.card.review - 1e-4 for one in nets for value in one.values.values())
    by_nets = {"sequence": (0.2, 0.01), "graph": (1.4, 0.05)}
    (only,) = reasons({}, {}, by_nets, review=0.08)
    assert only.code == "OVERALL_PATTERN"
    assert only.values == {"sequence_probability": 0.01, "graph_probability": 0.05}


def test_no_payments_no_scores(scorer, unseen):
    nobody = unseen.near.rows(slice(0, 0))
    assert (scorer.score(nobody), scorer.facts(nobody), scorer.explain(nobody)) == ([], [], [])


def test_first_payments_ever_score(scorer, unseen):
    empty = np.zeros_like(unseen.near.payer[:1])
    first = Neighbourhood(unseen.near.payment[:1], *[empty] * len(SIDES), counters=nothing(1, len(SIDES), 2))
    assert 0 <= scorer.score(first)[0].probability <= 1
    assert scorer.explain(first)[0].edges == []


def test_facts_are_numbers_under_the_public_names(scorer, unseen):
    found = scorer.facts(unseen.near)
    assert len(found) == len(unseen.near)
    assert all(set(one) == set(MEANINGS) for one in found)
    assert all(math.isfinite(value) for one in found for value in one.values())
    assert [one["amount"] for one in found[:50]] == pytest.approx(
        unseen.near.payment["amount"][:50].tolist(), abs=1e-3
    )
    new = [one["payer_is_new_payee"] for one in found]
    assert new == [float(one["pair_payments"] == 0) for one in found]


def test_facts_of_other_payments_are_not_those_of_the_last(scorer, unseen):
    """What is kept from scoring is used for these very payments alone."""
    scorer.score(unseen.near.rows(slice(0, 10)))
    found = scorer.facts(unseen.near.rows(slice(10, 20)))
    assert [one["amount"] for one in found] == pytest.approx(
        unseen.near.payment["amount"][10:20].tolist(), abs=1e-3
    )


def test_attributions_and_edges_come_largest_first(scorer, scores, unseen):
    near = flagged(scores, unseen).rows(slice(0, 5))
    for place, one in enumerate(scorer.explain(near)):
        assert one.score == scorer.score(near.rows(np.array([place])))[0]
        for weights in ([found.weight for found in one.attributions], [found.weight for found in one.edges]):
            assert weights == sorted(weights, key=abs, reverse=True)
        assert {found.expert for found in one.attributions} <= set(one.score.contributions)
        sequences = [edge.sequence for edge in one.edges]
        assert len(sequences) == len(set(sequences))
        for edge in one.edges:
            held = [side for side in SIDES if edge.sequence in getattr(near, side)[place]["sequence"]]
            assert list(edge.roles) == held


@pytest.mark.slow
def test_below_the_told_amount_a_payment_passes_and_above_it_does_not(scorer, scores, unseen):
    near = flagged(scores, unseen)
    told = scorer.explain(near.rows(slice(0, 40)))
    passing = [(place, one.amount_below) for place, one in enumerate(told) if one.amount_below is not None]
    assert passing
    above = []
    for place, amount in passing:
        one = near.rows(np.array([place]))
        assert amount < one.payment["amount"][0]
        one.payment["amount"] = amount
        assert scorer.score(one)[0].outcome == "approve"
        more = near.rows(np.array([place]))
        more.payment["amount"] = amount * 1.003 + 0.02
        above.append(scorer.score(more)[0].outcome != "approve")
    assert np.mean(above) > 0.7  # round amounts may pass again


def test_an_approved_payment_has_no_amount_below(scorer, scores, unseen):
    place = next(n for n, score in enumerate(scores) if score.outcome == "approve")
    assert scorer.explain(unseen.near.rows(np.array([place])))[0].amount_below is None


def test_an_explanation_leaves_the_payments_as_they_were(scorer, scores, unseen):
    near = flagged(scores, unseen).rows(slice(0, 2))
    before = near.payment.copy(), near.payer.copy()
    scorer.explain(near)
    assert np.array_equal(near.payment, before[0])
    assert np.array_equal(near.payer, before[1])


def test_a_single_score_is_quick(scorer, unseen):
    durations = []
    for place in range(60):
        one = unseen.near.rows(np.array([place]))
        began = time.perf_counter()
        scorer.score(one)
        durations.append(time.perf_counter() - began)
    assert float(np.median(durations)) < 0.05


@pytest.mark.parametrize("what", ["changed", "added"])
def test_other_weights_are_refused(tmp_path, what):
    shutil.copytree(WEIGHTS, tmp_path, dirs_exist_ok=True)
    model = tmp_path / "boosting" / "model.txt"
    if what == "changed":
        model.write_text(model.read_text() + "\n")
    else:
        (tmp_path / "boosting" / "more.txt").write_text("")
    with pytest.raises(WeightsError, match=r"not those of card\.json"):
        Scorer(tmp_path)


def test_outcomes_follow_the_thresholds():
    card = read_card()
    assert [card.outcome(score) for score in (0.0, card.review, card.decline)] == [
        "approve",
        "review",
        "decline",
    ]


def test_what_the_web_process_imports_is_free_of_torch():
    modules = ("generator", "metrics", "events", "facts", "card", "history")
    imports = "; ".join(f"import models_zoo.fraud.{name}" for name in modules)
    code = f"import sys; {imports}; sys.exit('torch' in sys.modules or 'lightgbm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
