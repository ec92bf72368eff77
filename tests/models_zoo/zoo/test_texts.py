"""Readers, augmentation, sentences as text, thresholds."""

import gzip
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.llm.card import AdapterCard
from models_zoo.llm.scores import given_labels
from models_zoo.zoo.augment import recased, retyped, typos
from models_zoo.zoo.entities.text import exchanged, mentions, row_of
from models_zoo.zoo.files import read_iob, read_lines, share_of, write_lines
from models_zoo.zoo.intent.elsewhere import questions
from models_zoo.zoo.thresholds import of_each_label, of_least_loss

LABELS = {"X": "EX", "Y": "WHY"}
tokens = st.text("abcdeé-'(),.1", min_size=1, max_size=6)
tags = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])
sentences = st.lists(st.tuples(tokens, tags), min_size=1, max_size=20)


def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("Parkinson\tB-X\n'\tI-X\ns\tI-X\ndisease\tI-X\nhurts\tO\n\n\nNo\tO\n")
    [first, second] = read_iob(path)
    assert second == (["No"], ["O"])
    assert row_of(first, LABELS, natural=False) == {
        "text": "Parkinson ' s disease hurts",
        "spans": [[0, 21, "EX"]],
    }
    assert row_of(first, LABELS, natural=True) == {
        "text": "Parkinson's disease hurts",
        "spans": [[0, 19, "EX"]],
    }


def test_a_line_without_a_tag_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("fine\tO\nbroken\n")
    with pytest.raises(ValueError, match=r"a\.tsv:2"):
        read_iob(tmp_path / "a.tsv")


def test_what_unicode_calls_a_line_break_ends_no_json_line(tmp_path: Path) -> None:
    rows = [{"text": "one\u2028two\x85three"}, {"text": "four\x1cfive"}]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert read_lines(tmp_path / "rows.jsonl") == rows


@given(sentences, st.booleans())
def test_spans_are_where_the_mentions_are(pairs: list[tuple[str, str]], natural: bool) -> None:
    words, marks = [word for word, _ in pairs], [tag for _, tag in pairs]
    row = row_of((words, marks), LABELS, natural)
    found = mentions(marks)
    assert len(row["spans"]) == len(found)
    for (start, stop, kind), (first, last, label) in zip(found, row["spans"], strict=True):
        assert label == LABELS[kind]
        assert row["text"][first:last].replace(" ", "") == "".join(words[start:stop])
    assert row["text"].replace(" ", "") == "".join(words)


@given(sentences)
def test_exchanged_mentions_keep_their_types(pairs: list[tuple[str, str]]) -> None:
    words, marks = [word for word, _ in pairs], [tag for _, tag in pairs]
    other = exchanged((words, marks), {"X": [["new", "one"]], "Y": [["why"]]}, Random(0))
    assert [kind for *_, kind in mentions(other[1])] == [kind for *_, kind in mentions(marks)]
    assert len(other[0]) == len(other[1])


@given(st.text(max_size=60), st.integers(0, 99))
def test_slips_change_little(text: str, seed: int) -> None:
    assert abs(len(typos(text, Random(seed))) - len(text)) <= 1 + len(text) // 40


def test_retyped_rows_follow_their_own() -> None:
    rows = [{"text": f"Is it {n}, or not?", "labels": ["a"]} for n in range(50)]
    found = list(retyped(rows, 0.5, Random(0)))
    assert [row for row in found if row in rows] == rows
    assert len(rows) < len(found) < 2 * len(rows)
    assert found == list(retyped(rows, 0.5, Random(0)))


def test_offsets_never_move() -> None:
    row = {"text": "Straße 5", "spans": [[0, 6, "X"]]}
    assert {recased(row, 1.0, Random(seed))["text"] for seed in range(20)} == {"Straße 5", "straße 5"}


def test_our_questions_are_many_and_the_same() -> None:
    found = questions(300, Random(1))
    assert len(set(found)) == 300
    assert found == questions(300, Random(1))
    assert not any("{" in one for one in found)


def test_shares_and_lines(tmp_path: Path) -> None:
    assert 0 <= share_of("a") < 1
    assert share_of("a") == share_of("a") != share_of("b")
    digest = write_lines(
        tmp_path / "x" / "a.jsonl", [{"text": "é", "labels": [], "other": 1}], ("text", "labels")
    )
    assert (tmp_path / "x" / "a.jsonl").read_text() == '{"text": "é", "labels": []}\n'
    assert len(digest) == 64


def test_thresholds_follow_each_label() -> None:
    random = np.random.default_rng(0)
    expected = np.stack([random.random(2000) < 0.4, random.random(2000) < 0.03], axis=1)
    centre = np.where(expected, [0.7, 0.25], [0.35, 0.05])
    scored = np.clip(centre + random.normal(0, 0.08, expected.shape), 0.001, 0.999)
    rows = [{"labels": [name for name, holds in zip("cr", row, strict=True) if holds]} for row in expected]
    found = of_each_label(scored, rows, ("c", "r"))
    assert found["r"] < found["c"] < 0.7
    with pytest.raises(ValueError, match="shapes differ"):
        of_each_label(scored[:2], rows, ("c", "r"))


def test_what_is_out_of_scope_may_cost_so_much_and_no_more() -> None:
    rows = [{"labels": ["in"]}] * 100 + [{"labels": ["oos"]}] * 10
    scores = np.array([[1 - at / 200, at / 200] for at in range(100)] + [[0.6, 0.4]] * 10)
    limit = of_least_loss(scores, rows, ("in", "oos"), early="oos", lost=0.05)["oos"]
    assert (scores[:100, 1] >= limit).sum() <= 5 < (scores[:100, 1] >= limit - 0.02).sum()


def test_a_class_with_a_threshold_wins_before_it_is_the_likeliest() -> None:
    card = AdapterCard("a", "classification", "f", labels=("in", "oos"), thresholds={"oos": 0.3, "gone": 0.1})
    assert given_labels(card, {"in": 0.65, "oos": 0.35}) == ["oos"]
    assert given_labels(card, {"in": 0.75, "oos": 0.25}) == ["in"]
