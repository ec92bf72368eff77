"""The shipped weights: what the card says holds, and bad weights are refused."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

from models_zoo.fraud.card import WEIGHTS, read_card
from models_zoo.fraud.features import NAMES
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.metrics import average_precision
from models_zoo.fraud.nets import PARTS, Inputs
from models_zoo.fraud.scorer import Scorer, WeightsError
from models_zoo.fraud.worlds import stream


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


def test_it_works(scorer, unseen):
    scores = scorer.score(unseen.near)
    probabilities = np.array([score.probability for score in scores])
    assert average_precision(unseen.labels, probabilities) > 0.5
    flagged = np.array([score.outcome != "approve" for score in scores])
    assert flagged[unseen.labels].mean() > 0.5
    assert flagged[~unseen.labels].mean() < 0.02


def test_the_card_is_of_these_weights_and_says_that_they_beat_the_baselines():
    card = json.loads((WEIGHTS / "card.json").read_text())
    assert (WEIGHTS / "model.safetensors").stat().st_size == card["bytes"] < 2**20
    assert card["features"] == list(NAMES)
    assert 0 < card["thresholds"]["review"] < card["thresholds"]["decline"] < 1
    for figures in card["figures"].values():
        ours = figures["network"]["average_precision"]
        assert ours > figures["hand_rules"]["average_precision"]
        assert ours > figures["logistic_regression"]["average_precision"]


def test_contributions_add_up_to_the_logit(scorer, unseen):
    import torch

    with torch.inference_mode():
        parts = scorer.net.parts(Inputs.of(unseen.near.rows(slice(0, 50))))
        shares = scorer.net.contributions(parts).sum(1)
        floor = scorer.net.calibrated(scorer.net.fuse(scorer.net.reference[None]))
        logit = scorer.net.calibrated(scorer.net.fuse(parts))
    assert torch.allclose(shares + floor, logit, atol=1e-3)


def test_a_score_does_not_depend_on_its_batch(scorer, unseen):
    alone = [scorer.score(unseen.near.rows(np.array([place])))[0] for place in range(5)]
    together = scorer.score(unseen.near.rows(slice(0, 40)))[:5]
    assert [one.probability for one in alone] == pytest.approx(
        [one.probability for one in together], abs=1e-5
    )


def test_frauds_come_with_reasons_and_shares(scorer, unseen):
    frauds = scorer.score(unseen.near.rows(np.nonzero(unseen.labels)[0]))
    told = [score for score in frauds if score.outcome == "decline"]
    assert told
    assert all(score.reasons and set(score.contributions) == set(PARTS) for score in told)
    weights = [[reason.weight for reason in score.reasons] for score in told]
    assert all(one == sorted(one, reverse=True) for one in weights)


def test_no_payments_no_scores(scorer, unseen):
    assert scorer.score(unseen.near.rows(slice(0, 0))) == []


def test_first_payments_ever_score(scorer, unseen):
    empty = np.zeros_like(unseen.near.payer[:1])
    score = scorer.score(Neighbourhood(unseen.near.payment[:1], empty, empty, empty, empty))[0]
    assert 0 <= score.probability <= 1


def test_a_single_score_is_quick(scorer, unseen):
    durations = []
    for place in range(60):
        one = unseen.near.rows(np.array([place]))
        began = time.perf_counter()
        scorer.score(one)
        durations.append(time.perf_counter() - began)
    assert float(np.median(durations)) < 0.05


def test_changed_weights_are_refused(tmp_path):
    shutil.copytree(WEIGHTS, tmp_path, dirs_exist_ok=True)
    raw = bytearray((tmp_path / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(bytes(raw))
    with pytest.raises(WeightsError, match="not the one"):
        Scorer(tmp_path)


def test_outcomes_follow_the_thresholds():
    card = read_card()
    assert [card.outcome(score) for score in (0.0, card.review, card.decline)] == [
        "approve",
        "review",
        "decline",
    ]


def test_what_the_web_process_imports_is_free_of_torch():
    modules = ("generator", "metrics", "events", "features", "card", "history")
    imports = "; ".join(f"import models_zoo.fraud.{name}" for name in modules)
    code = f"import sys; {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
