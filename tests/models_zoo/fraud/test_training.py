"""The training command, small."""

from dataclasses import replace

import pytest
import torch

from models_zoo.fraud.metrics import average_precision
from models_zoo.fraud.nets import FraudNet
from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.training import Plan, calibrate, fit, prepare, probabilities, train, write

TINY = replace(
    Plan(), worlds=(21,), unseen=(22,), customers=150, days=30, train_until=18, validate_until=24, keep=0.5,
    epochs=2, batch=64,
)  # fmt: skip


def test_the_split_is_by_time():
    split = prepare(TINY)
    assert split.train.day.max() < TINY.train_until <= split.validation.day.min()
    assert split.validation.day.max() < TINY.validate_until <= split.test.day.min()


def test_it_works(tmp_path):
    """A few epochs on one small world already rank fraud well above chance; what is written can be served."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    plan = replace(TINY, customers=300, epochs=8)
    split, net, lines = prepare(plan), FraudNet(), []
    fit(net, split.train, plan, lines.append)
    calibrate(net, split.validation)
    labels = split.unseen[0].labels
    scores, alone = probabilities(net, split.unseen[0].near)
    assert average_precision(labels, scores) > 10 * labels.mean()
    assert alone.shape == (len(labels), 3)
    card = write(net, tmp_path, plan, {"review": 0.1, "decline": 0.5}, {}, 1.0)
    assert len(lines) == plan.epochs
    served = Scorer(tmp_path)
    assert served.card.reference == f"fraud@{card['digest'][:12]}"
    few = split.unseen[0].near.rows(slice(0, 20))
    assert [one.probability for one in served.score(few)] == pytest.approx(scores[:20].tolist(), abs=1e-5)


def test_a_network_no_better_than_its_baselines_is_not_written(tmp_path):
    with pytest.raises(RuntimeError, match="not shipped"):
        train(replace(TINY, epochs=1, rate=1e-9), tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())
