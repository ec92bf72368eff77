"""Settings of boosting, chosen on the first window of the validation days."""

from dataclasses import replace

import numpy as np
import pytest

from models_zoo.fraud.boosting import Settings
from models_zoo.fraud.experts.tuning import AROUND, STEPS, TUNED, choose, tune
from models_zoo.fraud.learning import Samples
from models_zoo.fraud.splits import LEAST, split
from models_zoo.fraud.worlds import stream

QUICK = Settings(rate=0.1, rounds=20, patience=10, leaves=7)

pytestmark = pytest.mark.xdist_group("fraud-tuning")  # one world


@pytest.fixture(scope="module")
def parts():
    return split(stream(31, 150, 50, 24.0))


@pytest.fixture(scope="module")
def samples(parts):
    return Samples.of(parts, QUICK)


def tuned(parts, samples, lines=None):
    report = (lines if lines is not None else []).append
    found = tune(samples.train, parts.validation, samples.validation, QUICK, report)
    return found.settings, {key: value for key, value in found.card.items() if key != "seconds"}


def test_it_works(parts, samples):
    lines = []
    settings, card = tuned(parts, samples, lines)
    assert len(lines) == STEPS
    assert lines[0].startswith(f"trial 1 of {len(AROUND)}: settings as given: AP ")
    assert lines[-1] == f"trial {card['chosen']} is chosen"
    assert [one["settings"] for one in card["trials"]] == [
        {name: getattr(replace(QUICK, **changes), name) for name in TUNED} for changes in AROUND
    ]
    assert all(0 < one["rounds"] <= QUICK.rounds for one in card["trials"])
    assert settings == replace(QUICK, **AROUND[card["chosen"] - 1])
    best = max(one["average_precision"] for one in card["trials"])
    assert card["trials"][card["best"] - 1]["average_precision"] == best
    assert tuned(parts, samples) == (settings, card)  # by the same seeds


def test_later_days_are_not_seen(parts, samples):
    """With other payments and labels in the later window the choice and all its figures are the same."""
    days = parts.validation
    late = days.day > np.quantile(days.day, 0.6)
    given = samples.validation
    features = np.where(late[:, None], np.float32(1), given.features)
    other = replace(given, features=features, labels=given.labels ^ late)
    changed = replace(samples, validation=other)
    assert tuned(replace(parts, validation=replace(days, labels=other.labels)), changed) == tuned(
        parts, samples
    )


def test_with_too_few_frauds_nothing_is_tried(parts, samples):
    first = np.nonzero(samples.validation.labels)[0][LEAST - 1 :]
    labels = samples.validation.labels.copy()
    labels[first] = False
    lines = []
    silent = replace(samples, validation=replace(samples.validation, labels=labels))
    settings, card = tuned(parts, silent, lines)
    assert settings == QUICK
    assert card["trials"] == []
    assert f"in the first 60% of the validation days, at least {LEAST} of each are needed" in card["why"]
    assert lines == [f"nothing is tuned: {card['why']}"]


def ranked(knows, count=4000):
    """Labels, and a ranking of them for each share of the truth that it knows, with the same noise."""
    rng = np.random.default_rng(3)
    labels = rng.random(count) < 0.05
    noise = rng.normal(size=count)
    own = [rng.normal(size=count) for _ in knows]
    return labels, [share * labels + noise + 0.01 * other for share, other in zip(knows, own, strict=True)]


@pytest.mark.parametrize(
    ("knows", "best", "chosen"),
    [
        ((2.0, 1.0, 0.5), 0, 0),  # nothing is better than what was given
        ((2.0, 3.0, 4.0), 2, 2),
        ((2.0, 2.0005, 1.0), 1, 0),  # better by no more than chance
    ],
)
def test_the_best_is_chosen_if_it_is_better_than_by_chance(knows, best, chosen):
    labels, scores = ranked(knows)
    choice = choose(labels, scores, np.arange(len(labels)))
    assert (choice.best, choice.chosen) == (best, chosen)
    if best == 0:
        assert choice.gain is None
    else:
        assert choice.gain["low"] <= choice.gain["gain"] <= choice.gain["high"]
        assert (choice.gain["low"] > 0) == (chosen == best)


def test_payments_of_one_payee_are_one_observation():
    """A gain on the many payments of a single payee is no more than chance."""
    labels, (given, _) = ranked((2.0, 2.0))
    payee = np.arange(len(labels))
    payee[np.nonzero(labels)[0][:40]] = -1
    better = np.where(payee == -1, 9.0, given)
    assert choose(labels, [given, better], np.arange(len(labels))).chosen == 1
    assert choose(labels, [given, better], payee).chosen == 0
