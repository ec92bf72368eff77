import numpy as np
import pytest
from sklearn.metrics import f1_score

from models_zoo.emotion.thresholds import as_array, choose, f1_per_label, macro_f1, targets

LABELS = ("common", "rare")


@pytest.fixture
def scored():
    """A common label that needs a high threshold and a rare one that needs a low one."""
    random = np.random.default_rng(0)
    expected = np.stack([random.random(2000) < 0.4, random.random(2000) < 0.03], axis=1)
    centre = np.where(expected, [0.7, 0.25], [0.35, 0.05])
    return np.clip(centre + random.normal(0, 0.08, expected.shape), 0.001, 0.999), expected


def test_it_works(scored):
    probabilities, expected = scored
    common, shrunk = choose(probabilities, expected, LABELS)
    assert shrunk["rare"] < common
    assert shrunk["rare"] < shrunk["common"]
    chosen = macro_f1(probabilities, expected, as_array(shrunk, LABELS))
    assert chosen > macro_f1(probabilities, expected, 0.5)


def test_f1_agrees_with_scikit_learn(scored):
    probabilities, expected = scored
    predicted = probabilities >= 0.4
    assert f1_per_label(predicted, expected) == pytest.approx(
        f1_score(expected, predicted, average=None, zero_division=0)
    )


def test_a_label_that_never_occurs_counts_zero():
    nothing = np.zeros((4, 2), dtype=np.bool_)
    assert f1_per_label(nothing, nothing).tolist() == [0, 0]


def test_targets_follow_label_order():
    assert targets([["rare"], ["common", "rare"]], LABELS).tolist() == [[False, True], [True, True]]


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        choose(np.zeros((2, 2)), np.zeros((3, 2), dtype=np.bool_), LABELS)
