"""The generated world."""

from collections import Counter

import numpy as np

from models_zoo.fraud.baselines import hand_rules
from models_zoo.fraud.generator import as_payments, generate
from models_zoo.fraud.streams import replay, table
from models_zoo.fraud.typologies import CARD_TESTING, MULE, TAKEOVER


def test_it_works():
    made = generate(4, 150, 25)
    kinds = Counter(one.typology for one in made)
    assert {TAKEOVER, MULE, CARD_TESTING} <= set(kinds)
    assert 0.003 < 1 - kinds[""] / len(made) < 0.05
    assert all(one.amount > 0 for one in made)
    assert (np.diff([one.time for one in made]) >= 0).all()


def test_a_seed_gives_the_same_world_and_another_seed_another():
    assert generate(4, 40, 10) == generate(4, 40, 10)
    assert generate(4, 40, 10) != generate(5, 40, 10)


def test_genuine_payments_trip_simple_rules_too():
    made = generate(4, 300, 25)
    labels = np.array([bool(one.typology) for one in made])
    points = hand_rules(table(replay(as_payments(made))))
    assert (points[~labels] >= 2).sum() > labels.sum() / 4
