"""Batches for evaluation, and the shipped adapter on the int4 base."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo import emotion
from models_zoo.emotion.labels import LABELS, group_of, read
from models_zoo.emotion.predict import BATCH_TEXTS, BATCH_TOKENS, batches_of_like_length, predict
from models_zoo.llm.card import read_adapter_card

ADAPTER = Path(emotion.__file__).parent / "adapter"
SAID = {
    "I am furious, this is terrible service and nobody helps me!": "upset",
    "I am so sad that my parcel got lost.": "upset",
    "Thank you so much, that was really kind of you!": "positive",
    "Great, I love it!": "positive",
    "Which day do you open?": "neutral",
}


@given(st.lists(st.integers(1, 3000), max_size=150))
def test_every_row_is_in_one_batch_of_bounded_size(lengths):
    rows = [[0] * length for length in lengths]
    batches = batches_of_like_length(rows)
    assert sorted(index for batch in batches for index in batch) == list(range(len(rows)))
    for batch in batches:
        longest = max(len(rows[index]) for index in batch)
        assert len(batch) <= BATCH_TEXTS
        assert len(batch) == 1 or longest * len(batch) <= BATCH_TOKENS


def test_the_shipped_card_says_what_it_must():
    card = read_adapter_card(ADAPTER)
    assert card.labels == LABELS
    assert set(card.thresholds) == set(LABELS)
    assert card.licence == "Apache-2.0"
    assert card.data["licence"] == "Apache-2.0"
    assert card.metrics["test_macro_f1"] > 0.48  # TF-IDF with logistic regression reaches 0.443
    assert sum(file.stat().st_size for file in ADAPTER.iterdir()) < 4_000_000


@pytest.mark.slow
def test_the_shipped_adapter_tells_moods_apart(base):
    rows = predict(base, ADAPTER, list(SAID), threads=2)
    thresholds = read_adapter_card(ADAPTER).thresholds
    groups = [group_of(read(row, thresholds).label) for row in rows]
    assert groups == list(SAID.values())
