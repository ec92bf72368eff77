"""What an expert says by itself is what its attributions add up to, and what the fusion was given."""

import math

import numpy as np
import pytest
import torch

from models_zoo.fraud.causal import features
from models_zoo.fraud.experts.fusion import EXPERTS
from models_zoo.fraud.experts.gradients import attributions
from models_zoo.fraud.experts.inputs import inputs
from models_zoo.fraud.experts.own import own
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.worlds import stream


@pytest.fixture(scope="module")
def scorer():
    return Scorer()


@pytest.fixture(scope="module")
def flagged(scorer):
    """Payments that the shipped bundle does not let pass, each by itself."""
    near = stream(909, 120, 20).between(7, 20).near
    places = [n for n, one in enumerate(scorer.glance(near.rows(slice(None)))) if one.outcome != "approve"]
    assert len(places) >= 5
    return [near.rows(np.array([place])) for place in places[:10]]


def told(scorer, one):
    found = own(one, scorer.boosting, scorer.deep, scorer.card.label_delay)
    assert [each.expert for each in found] == list(EXPERTS)
    return {each.expert: each for each in found}


def test_attributions_add_up_to_it(scorer, flagged):
    """Exactly for boosting; for the nets as far as the steps of an integral go."""
    off = []
    for one in flagged:
        found = told(scorer, one)
        added = scorer.boosting.attributions(features(one, scorer.card.label_delay))[0, :-1].sum()
        assert found["tabular"].usual + added == pytest.approx(found["tabular"].logit, abs=1e-6)
        given = inputs(one, scorer.card.label_delay)
        for name, net in scorer.deep.nets.items():
            by_number = attributions(net, given, scorer.deep.scales[name].scale)
            gap = found[name].usual + sum(float(each[0]) for each in by_number.values()) - found[name].logit
            off.append(abs(gap))
    assert np.median(off) < 0.15
    assert max(off) < 0.75


def test_contributions_are_what_the_fusion_makes_of_it(scorer, flagged):
    for one in flagged:
        found, (score,) = told(scorer, one), scorer.score(one)
        assert all(each.asked for each in found.values())
        own_logits = {name: torch.tensor([found[name].logit]).float() for name in EXPERTS}
        fused, parts = scorer.deep.fuse(own_logits.pop("tabular"), own_logits)
        assert parts[0].tolist() == pytest.approx([score.contributions[name] for name in EXPERTS], abs=1e-3)
        assert float(fused[0]) == pytest.approx(
            math.log(score.probability / (1 - score.probability)), abs=0.01
        )


def test_nets_that_are_not_asked_are_said_so(scorer):
    near = stream(909, 120, 20).between(7, 20).near
    quiet = near.rows(
        np.array(
            [
                int(
                    np.argmin(
                        scorer.boosting.logits(features(near.rows(slice(0, 500)), scorer.card.label_delay))
                    )
                )
            ]
        )
    )
    found, (score,) = told(scorer, quiet), scorer.score(quiet)
    assert {name: each.asked for name, each in found.items()} == {
        "tabular": True,
        "sequence": False,
        "graph": False,
    }
    assert (score.contributions["sequence"], score.contributions["graph"]) == (0.0, 0.0)
