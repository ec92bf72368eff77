"""The training command, small."""

from dataclasses import replace

import pytest

from models_zoo.fraud.scorer import Scorer
from models_zoo.fraud.training import Plan, prepare, train

TINY = replace(
    Plan(), worlds=(21,), unseen=(22,), customers=150, days=30, train_until=18, validate_until=24, keep=0.5,
    epochs=2, batch=64,
)  # fmt: skip


def test_the_split_is_by_time():
    split = prepare(TINY)
    assert split.train.day.max() < TINY.train_until <= split.validation.day.min()
    assert split.validation.day.max() < TINY.validate_until <= split.test.day.min()


@pytest.mark.slow
def test_it_works(tmp_path):
    lines: list[str] = []
    plan = replace(TINY, customers=400, days=40, train_until=26, validate_until=32, keep=0.4, epochs=5)
    card = train(plan, tmp_path, lines.append)
    assert card["figures"]["unseen_1"]["network"]["average_precision"] > 0.3
    assert Scorer(tmp_path).card.digest == card["digest"]
    assert sum("epoch" in line for line in lines) == plan.epochs


def test_a_network_no_better_than_its_baselines_is_not_written(tmp_path):
    with pytest.raises(RuntimeError, match="not shipped"):
        train(replace(TINY, epochs=1, rate=1e-9), tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())
