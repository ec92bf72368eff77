"""The boosting expert: training on a stream, its card, and what is served being what was trained."""

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from models_zoo.fraud import boosting, learning, splits
from models_zoo.fraud.boosting import BoostingError, Settings, fit, load, save
from models_zoo.fraud.calibrating import calibration
from models_zoo.fraud.causal import GROUPS, NAMES
from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.metrics import average_precision, calibration_error
from models_zoo.fraud.phrases import PHRASES
from models_zoo.fraud.streams import table
from models_zoo.fraud.subjects import SUBJECT, SUBJECTS
from models_zoo.fraud.worlds import stream

QUICK = replace(Settings(), rate=0.1, rounds=60, patience=30, leaves=7)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fraud-boosting")]  # one world


@pytest.fixture(scope="module")
def world():
    return stream(31, 350, 60, 3.0)


@pytest.fixture(scope="module")
def parts(world):
    return splits.split(world)


@pytest.fixture(scope="module")
def expert(parts):
    return learning.learn(learning.Samples.of(parts, QUICK), QUICK)


def test_it_works(expert, parts, tmp_path):
    """Trained, written, read again: the same probabilities, well above chance and calibrated."""
    trained, card = expert
    save(trained, tmp_path, card)
    read = load(tmp_path)
    features = table(parts.test.near)
    scores = read.probabilities(features)
    assert np.allclose(scores, trained.probabilities(features))
    assert average_precision(parts.test.labels, scores) > 10 * parts.test.labels.mean()
    assert calibration_error(parts.test.labels, scores) < 0.02
    assert 0 < card["thresholds"]["review"] <= card["thresholds"]["decline"] <= 1


def test_parts_are_in_order_with_the_label_delay_between(parts):
    assert parts.train.day.max() + 7 <= parts.validation.day.min() + 0.1
    assert parts.validation.day.max() + 7 <= parts.test.day.min() + 0.1


def test_thinned_training_still_gives_calibrated_probabilities(parts, expert):
    """Trained on a twentieth of the genuine payments, a probability means what it says."""
    few = replace(QUICK, keep=0.05)
    thinned, _ = learning.learn(learning.Samples.of(parts, few), few)
    scores = thinned.probabilities(table(parts.validation.near))
    assert scores.sum() == pytest.approx(parts.validation.labels.sum(), rel=0.2)


def test_attributions_add_up_to_the_logit(expert, parts):
    features = table(parts.test.near)[:40]
    assert np.allclose(expert[0].attributions(features).sum(axis=1), expert[0].logits(features), atol=1e-6)


def test_only_the_named_features_are_read(parts):
    names = tuple(name for name in NAMES if name not in GROUPS["recent"])
    trained, _ = learning.learn(learning.Samples.of(parts, QUICK), QUICK, names=names)
    features = table(parts.test.near)
    changed = features.copy()
    changed[:, [NAMES.index(name) for name in GROUPS["recent"]]] = 0
    assert np.array_equal(trained.logits(features), trained.logits(changed))


def test_no_payments_no_scores(expert):
    assert expert[0].probabilities(np.zeros((0, len(NAMES)), np.float32)).shape == (0,)


def test_a_score_does_not_depend_on_its_batch(expert, parts):
    features = table(parts.test.near)[:30]
    alone = [expert[0].probabilities(features[at : at + 1])[0] for at in range(30)]
    assert np.array_equal(np.array(alone), expert[0].probabilities(features))


def test_too_short_a_stream_is_refused(world):
    with pytest.raises(splits.TooLittle, match="longer than"):
        splits.split(world.between(0, 20))


def test_too_few_frauds_are_refused(world):
    rare = world.part(np.nonzero(~world.labels)[0])
    with pytest.raises(splits.TooLittle, match="0 frauds in the training days"):
        splits.split(rare)


def test_one_class_alone_is_refused():
    nothing = np.zeros((50, len(NAMES)), np.float32)
    with pytest.raises(ValueError, match="both frauds and genuine"):
        fit(nothing, np.zeros(50, bool), nothing, np.zeros(50, bool), QUICK)


def test_a_changed_model_is_refused(expert, tmp_path):
    save(*expert[:1], tmp_path, expert[1])
    (tmp_path / boosting.MODEL).write_text((tmp_path / boosting.MODEL).read_text().replace("tree", "Tree", 1))
    with pytest.raises(BoostingError, match="not the one"):
        load(tmp_path)


def test_a_model_of_other_features_is_refused(expert, tmp_path):
    card = save(expert[0], tmp_path, expert[1])
    text = (tmp_path / boosting.MODEL).read_text().replace("amount_z", "shoe_size")
    (tmp_path / boosting.MODEL).write_text(text)
    card["digest"] = sha256(text.encode()).hexdigest()
    (tmp_path / boosting.CARD).write_text(json.dumps(card))
    with pytest.raises(BoostingError, match="shoe_size"):
        load(tmp_path)


def test_calibration_finds_scale_and_shift():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=60_000) * 2
    labels = rng.random(60_000) < 1 / (1 + np.exp(-(0.7 * raw - 4)))
    assert calibration(raw, labels) == pytest.approx((0.7, -4), abs=0.15)


def test_the_delay_is_a_parameter(world):
    """What counts as known genuine follows the organisation's delay."""
    some = world.near.part(slice(-300, None))
    short, long = table(some, DAY), table(some, 30 * DAY)
    known = NAMES.index("payee_known_30d")
    assert not np.array_equal(short[:, known], long[:, known])


def test_the_shipped_expert_finds_frauds_of_a_world_it_has_not_seen():
    card = json.loads((boosting.FOLDER / boosting.CARD).read_text())
    assert (boosting.FOLDER / boosting.MODEL).stat().st_size == card["bytes"] < 4 * 2**20
    unseen = stream(909, 250, 30).between(7, 30)
    shipped = load().probabilities(table(unseen.near))
    assert average_precision(unseen.labels, shipped) > 0.6


def test_every_feature_has_a_subject_and_every_phrase_speaks_of_features():
    assert set(SUBJECT) == set(NAMES)
    assert {phrase.subject for phrase in PHRASES} == set(SUBJECTS)
    assert all(set(phrase.reads) <= set(NAMES) for phrase in PHRASES)
    values = dict.fromkeys(NAMES, 0.0)
    assert all(phrase.text(values) for phrase in PHRASES)
