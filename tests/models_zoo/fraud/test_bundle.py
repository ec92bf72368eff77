"""A bundle with nets: who decides, what each expert adds, and where the nets are not asked."""

import json
import shutil

import numpy as np
import pytest
import torch

from models_zoo.fraud.card import WEIGHTS, write_card
from models_zoo.fraud.experts.build import build
from models_zoo.fraud.experts.fusion import EXPERTS, Fusion
from models_zoo.fraud.experts.rows import Rows, rows_of
from models_zoo.fraud.experts.shipped import Data
from models_zoo.fraud.experts.stored import NETS, Deep, Scale, save
from models_zoo.fraud.experts.training import Plan
from models_zoo.fraud.scorer import Scorer, WeightsError
from models_zoo.fraud.worlds import stream

pytestmark = pytest.mark.xdist_group("fraud-bundle")  # one world


def bundle(folder, decides, floor):
    """The shipped boosting with nets that have learned nothing."""
    torch.manual_seed(5)
    shutil.copytree(WEIGHTS / "boosting", folder / "boosting")
    nets = {name: made().eval() for name, made in NETS.items()}
    scales = dict.fromkeys(NETS, Scale(0.5, -3.0, -2.0))
    save(Deep(nets, scales, Fusion().eval(), Scale(0.9, -0.2), floor), folder)
    card = json.loads((WEIGHTS / "card.json").read_text())
    experts = dict.fromkeys((*EXPERTS[1:], "fusion", "boosting"), "")
    write_card(folder, card | {"experts": experts, "decides": decides})
    return folder


@pytest.fixture(scope="module")
def world():
    return stream(909, 150, 20).between(7, 20)


@pytest.fixture(scope="module")
def near(world):
    return world.near.rows(slice(0, 300))


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    return Scorer(bundle(tmp_path_factory.mktemp("fused"), "fusion", -50.0))


def logit(score):
    return np.log(score.probability / (1 - score.probability))


def test_it_works_what_the_experts_add_makes_the_score(fused, near):
    scores = [one for one in fused.score(near) if 1e-3 < one.probability < 1 - 1e-3]
    assert scores
    rest = [logit(one) - sum(one.contributions.values()) for one in scores]
    assert all(set(one.contributions) == set(EXPERTS) for one in scores)
    assert rest == pytest.approx([rest[0]] * len(rest), abs=5e-3)


def test_where_boosting_decides_the_others_are_evidence_alone(tmp_path, near):
    folder = bundle(tmp_path, "boosting", -50.0)
    ours, plain = Scorer(folder).score(near), Scorer().boosting
    from models_zoo.fraud.causal import features

    wanted = plain.probabilities(features(near))
    assert [one.probability for one in ours] == pytest.approx(wanted.tolist(), abs=1e-6)
    assert any(one.contributions["graph"] for one in ours)


def test_below_the_floor_the_nets_are_not_asked(tmp_path, near):
    folder = bundle(tmp_path, "fusion", 60.0)
    unasked, always = Scorer(folder).score(near), Scorer(folder, nets_always=True).score(near)
    assert not any(one.contributions["graph"] or one.contributions["sequence"] for one in unasked)
    assert any(one.contributions["graph"] for one in always)


def test_an_explanation_speaks_of_all_experts(fused, near):
    told = fused.explain(near.rows(np.arange(2)))
    assert {one.expert for each in told for one in each.attributions} == set(EXPERTS)


def test_a_changed_net_is_refused(tmp_path):
    folder = bundle(tmp_path, "fusion", 0.0)
    path = folder / "graph" / "model.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(WeightsError):
        Scorer(folder)


def test_a_net_of_another_shape_is_refused(tmp_path):
    folder = bundle(tmp_path, "fusion", 0.0)
    shutil.copy(folder / "sequence" / "model.safetensors", folder / "graph" / "model.safetensors")
    card = json.loads((folder / "card.json").read_text())
    write_card(folder, card)
    with pytest.raises(WeightsError, match=r"size mismatch|Missing key|Unexpected key"):
        Scorer(folder)


@pytest.mark.slow
def test_built_on_rows_it_says_who_decides_and_why(world, tmp_path):
    """Nets of one epoch do not beat boosting: the gate keeps it, the card says so, and the bundle serves."""
    shutil.copytree(WEIGHTS, tmp_path, dirs_exist_ok=True)
    later = stream(910, 150, 30, 4.0).between(7, 30)
    rows: Rows = rows_of(later)
    data = Data(rows_of(world, with_features=False), rows, {"unseen_1": rows})
    lines = []
    card = build(tmp_path, data, Plan(epochs=1, batch=256, fusion_steps=50), lines.append)
    assert card["fusion"]["used"] == (card["fusion"]["gain_over_best"]["low"] > 0)
    assert card["decides"] == ("fusion" if card["fusion"]["used"] else "boosting")
    assert set(card["fusion"]["use"]) == {*EXPERTS, "spread"}
    assert card["fusion"]["use"]["spread"] < 0.15
    assert {f"without_{name}" for name in EXPERTS} < set(card["ablation"])
    assert Scorer(tmp_path).score(later.near.rows(slice(0, 5)))
