"""An organisation's own bundle: its boosting beside the shipped nets, and the shipped model on the same days."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models_zoo.fraud.boosting import Settings
from models_zoo.fraud.card import WEIGHTS, facts_of, read_card
from models_zoo.fraud.experts import stored
from models_zoo.fraud.experts.fusion import EXPERTS
from models_zoo.fraud.experts.judging import Said, judge, too_few
from models_zoo.fraud.experts.organisation import train_bundle
from models_zoo.fraud.experts.training import Plan
from models_zoo.fraud.metrics import average_precision, figures
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.splits import LEAST, split
from models_zoo.fraud.worlds import stream

QUICK = replace(Settings(), rate=0.1, rounds=60, patience=30, leaves=7)
PLAN = Plan(fusion_steps=100)
NETS = {name: torch.nn.Identity() for name in stored.NETS}

pytestmark = pytest.mark.xdist_group("fraud-organisation")  # one world


@pytest.fixture(scope="module")
def world():
    return stream(31, 350, 60, 3.0)


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    """A bundle of the world, and what was reported of it."""
    folder, lines = tmp_path_factory.mktemp("own"), []
    train_bundle(world, folder, lines.append, QUICK, PLAN)
    return folder, lines


def served(folder, world):
    near = split(world).test.near.rows(slice(None))
    return np.array([one.probability for one in Scorer(folder).glance(near)])


@pytest.mark.slow
def test_it_works(trained, world):
    """It serves as its card says, and so does the shipped model on the same days."""
    folder, lines = trained
    card, labels = facts_of(folder), split(world).test.labels
    test = card["figures"]["test"]
    ours, theirs = served(folder, world), served(WEIGHTS, world)
    assert test[card["decides"]] == figures(labels, ours)
    assert {name: test["shipped"][name] for name in figures(labels, theirs)} == figures(labels, theirs)
    gain = average_precision(labels, ours) - average_precision(labels, theirs)
    told = test["shipped"]["gain"]
    assert told["gain"] == pytest.approx(gain, abs=1e-4)
    assert told["low"] <= told["gain"] <= told["high"]
    assert test["shipped"]["reference"] == card["nets_of"] == read_card(WEIGHTS).reference
    assert {"boosting", "sequence", "graph", "fusion", "hand_rules", "logistic_regression"} <= set(test)
    assert card["decides"] == ("fusion" if card["fusion"]["gain_over_boosting"]["low"] > 0 else "boosting")
    assert set(card["experts"]) == {"boosting", "sequence", "graph", "fusion"}
    assert any("gate" in line for line in lines)


@pytest.mark.slow
def test_the_nets_are_those_that_ship_and_what_is_around_them_is_not(trained):
    ours, theirs = stored.load(trained[0]), stored.load(WEIGHTS)
    for name, net in ours.nets.items():
        shipped = theirs.nets[name].state_dict()
        assert all(torch.equal(one, shipped[key]) for key, one in net.state_dict().items())
        assert ours.scales[name] != theirs.scales[name]
    assert not torch.equal(ours.fusion.scale, theirs.fusion.scale)
    assert ours.fused != theirs.fused


@pytest.mark.slow
def test_too_few_frauds_in_a_window_leave_boosting_alone(world, tmp_path):
    """No fraud in the last validation days: nothing can be judged, and the card says why."""
    days = split(world).validation.day
    silent = (world.day > np.quantile(days, 0.55)) & (world.day <= days.max())
    card = train_bundle(replace(world, labels=world.labels & ~silent), tmp_path, lambda text: None, QUICK)
    assert card["fusion"]["used"] is False
    assert card["fusion"]["why"].startswith("0 frauds")
    assert (card["decides"], list(card["experts"])) == ("boosting", ["boosting"])
    assert card["figures"]["test"]["shipped"]["reference"] == read_card(WEIGHTS).reference
    assert Scorer(tmp_path).experts == ("tabular",)


def said(nets, count=6000):
    """Validation payments that boosting ranks with some noise, and each net with noise of its own; how much of the
    truth a net knows is said."""
    rng = torch.Generator().manual_seed(4)
    labels = torch.rand(count, generator=rng) < 0.05
    truth = torch.where(labels, 1.5, -3.0)

    def ranked(share):
        return share * truth + torch.randn(count, generator=rng) * 1.5

    return Said(
        boosting=ranked(0.7),
        nets={name: ranked(share) for name, share in nets.items()},
        features=torch.zeros(count, 0),
        labels=labels,
        day=torch.arange(count).double(),
        payee=torch.arange(count),
        kind=torch.zeros(count),
    )


@pytest.mark.parametrize(
    ("nets", "all_needed", "decides"),
    [
        ({"sequence": 0.7, "graph": 0.7}, True, "fusion"),
        ({"sequence": 0.0, "graph": 0.0}, False, "boosting"),
        ({"sequence": 0.0, "graph": 3.0}, True, "boosting"),  # no better than the graph net alone
        (
            {"sequence": 0.0, "graph": 3.0},
            False,
            "fusion",
        ),  # better than boosting, which would decide otherwise
    ],
)
def test_the_gate_compares_the_fusion_with_what_is_asked(nets, all_needed, decides):
    card = judge(NETS, said(nets), PLAN, lambda text: None, all_needed).card
    gate = card["fusion"]
    assert card["decides"] == decides
    rival = "gain_over_best" if all_needed else "gain_over_boosting"
    assert gate["used"] == (decides == "fusion") == (gate[rival]["low"] > 0)
    assert set(gate["use"]) == {*EXPERTS, "spread"}
    assert 0 < card["thresholds"]["review"] <= card["thresholds"]["decline"] <= 1


def test_both_windows_need_frauds_and_genuine_payments():
    labels, day = torch.zeros(1000, dtype=torch.bool), torch.arange(1000).double()
    labels[:LEAST] = True
    assert too_few(labels, day).startswith("0 frauds and 400 genuine payments in the last 40%")
    labels[-LEAST:] = True
    assert too_few(labels, day) == ""
    assert too_few(~labels, day) == ""
    labels[0] = False
    assert too_few(labels, day).startswith(f"{LEAST - 1} frauds and {601 - LEAST} genuine")
    assert "0 frauds and 0 genuine" in too_few(labels, torch.zeros(1000).double())
