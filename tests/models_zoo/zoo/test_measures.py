"""Figures and their intervals, beside scikit-learn's and by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models_zoo.zoo.measures import accuracy, entities, macro_f1, means, measured, weighted_f1

LABELS = ("common", "rare", "never")


def rows(*labels: list[str]) -> list[dict]:
    return [{"text": "x", "labels": list(one)} for one in labels]


def test_it_works():
    found = measured(accuracy(), rows(["a"], ["b"], ["a"], ["a"]), [["a"], ["a"], ["a"], ["a"]])
    figure = found["accuracy"]
    assert (figure.value, figure.examples) == (0.75, 4)
    assert 0 <= figure.low < 0.75 <= figure.high <= 1


def test_f1_agrees_with_scikit_learn():
    random = np.random.default_rng(0)
    wanted, given = (random.random((2, 500, 3)) < [0.4, 0.05, 0.0])[:]
    named = [[[LABELS[i] for i in np.nonzero(row)[0]] for row in side] for side in (wanted, given)]
    found = measured(macro_f1(LABELS), rows(*named[0]), named[1])
    for name in ("macro", "micro"):
        expected = f1_score(wanted, given, average=name, zero_division=0)
        assert found[f"{name}_f1"].value == pytest.approx(expected)
    one, other = ([[LABELS[int(at)]] for at in random.integers(0, 2, 300)] for _ in range(2))
    expected = f1_score([a for (a,) in one], [a for (a,) in other], average="weighted")
    assert measured(weighted_f1(LABELS), rows(*one), other)["weighted_f1"].value == pytest.approx(expected)


def test_an_entity_counts_when_ends_and_type_agree():
    examples = [{"text": "x" * 20, "spans": [[0, 4, "A"], [6, 9, "B"]]}, {"text": "y", "spans": []}]
    found = measured(entities(("A", "B")), examples, [[(0, 4, "A"), (6, 10, "B"), (12, 13, "A")], []])
    assert found["precision"].value == pytest.approx(1 / 3)
    assert found["recall"].value == pytest.approx(1 / 2)
    assert found["entity_f1"].value == pytest.approx(2 / 5)
    assert found["A_f1"].value == pytest.approx(2 / 3)
    assert found["B_f1"].value == 0


def test_the_interval_narrows_with_more_examples():
    few, many = (
        measured(accuracy(), rows(*[["a"]] * size), [["a"], ["b"]] * (size // 2))["accuracy"]
        for size in (20, 2000)
    )
    assert few.high - few.low > 3 * (many.high - many.low)
    assert measured(accuracy(), rows(["a"] * 4), [["b"]]) == measured(accuracy(), rows(["a"] * 4), [["b"]])


def test_means_of_each_examples_scores():
    found = measured(means(lambda row, one: {"length": float(len(one))}), rows(["a"], ["a"]), ["abcd", "ab"])
    assert found["length"].value == 3


def test_nothing_to_measure_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        measured(accuracy(), [], [])
    with pytest.raises(ValueError, match="2 answers"):
        measured(accuracy(), rows(["a"]), [["a"], ["a"]])
