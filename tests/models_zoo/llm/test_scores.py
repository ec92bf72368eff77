"""Figures of what was served, against plain definitions and scikit-learn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from models_zoo.llm import scores

labels = st.lists(st.lists(st.sampled_from("abcd"), max_size=3, unique=True), min_size=1, max_size=12)


def test_it_works() -> None:
    told = scores.answer_scores(["It is late, I am sorry.", "Yes"], ["it is late I am SORRY", "No"])
    assert told == {"rouge_l": 0.5, "exact": 0.5}


@given(st.text("ab ", max_size=12), st.text("ab ", max_size=12))
def test_the_common_subsequence_is_the_longest(one: str, other: str) -> None:
    wanted, given = one.split(), other.split()

    def longest(a: list[str], b: list[str]) -> int:
        if not a or not b:
            return 0
        if a[0] == b[0]:
            return 1 + longest(a[1:], b[1:])
        return max(longest(a[1:], b), longest(a, b[1:]))

    if wanted and given:
        expected = 2 * longest(wanted, given) / (len(wanted) + len(given))
        assert scores.rouge_l(wanted, given) == pytest.approx(expected)


@pytest.mark.slow
@given(labels, st.data())
def test_f1_agrees_with_scikit_learn(wanted: list[list[str]], data: st.DataObject) -> None:
    given = [data.draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True)) for _ in wanted]
    seen = sorted({label for one in wanted + given for label in one})
    told = scores.label_scores(wanted, given)
    if seen:
        binary = MultiLabelBinarizer(classes=[*seen, "unseen"])  # of one label it would make two classes
        truth, guess = binary.fit_transform(wanted), binary.transform(given)
        for average in ("macro", "micro"):
            expected = f1_score(truth, guess, average=average, labels=range(len(seen)), zero_division=0)
            assert told[f"{average}_f1"] == pytest.approx(expected)


def test_entities_must_agree_in_ends_and_label() -> None:
    told = scores.entity_scores([[(0, 3, "drug"), (5, 9, "drug")]], [[(0, 3, "drug"), (5, 9, "date")]])
    assert told == {"entity_f1": 0.5, "precision": 0.5, "recall": 0.5}


def test_the_commonest_labels_are_a_baseline() -> None:
    assert scores.commonest_labels([["a"], ["b"], ["a"]]) == [("a",)] * 3
