import pytest

from models_zoo.emotion.labels import EMOTIONS, LABELS, group_of, read, upset_labels


def scores(**given: float) -> dict[str, float]:
    return dict.fromkeys(LABELS, 0.01) | given


def test_it_works():
    reading = read(scores(annoyance=0.8, neutral=0.2))
    assert (reading.label, reading.group) == ("annoyance", "upset")
    assert reading.level > 0.5
    assert reading.valence < 0
    assert set(reading.scores) == set(LABELS)


def test_the_groups_are_the_papers():
    # Demszky et al. 2020: 12 positive, 11 negative, 4 ambiguous labels and neutral.
    groups = [group for group, _ in EMOTIONS.values()]
    assert (groups.count("positive"), groups.count("upset"), groups.count("neutral")) == (12, 11, 5)
    assert group_of("gratitude") == "positive"
    assert "anger" in upset_labels()


def test_a_rare_label_wins_by_its_own_threshold():
    reading = read(scores(neutral=0.5, relief=0.3), thresholds={"neutral": 0.4, "relief": 0.1})
    assert reading.label == "relief"
    assert reading.labels == ("relief", "neutral")


def test_nothing_above_its_threshold_still_names_the_nearest():
    reading = read(dict.fromkeys(LABELS, 0.01) | {"curiosity": 0.2})
    assert reading.labels == ("curiosity",)


def test_upset_rises_with_the_probability_of_upset_labels():
    levels = [read(scores(neutral=1 - p, anger=p)).level for p in (0.1, 0.4, 0.9)]
    assert levels == sorted(levels)
    assert levels[0] < 0.3 < levels[2]


def test_a_missing_label_is_named():
    with pytest.raises(ValueError, match="relief"):
        read({label: 0.1 for label in LABELS if label != "relief"})


def test_numbers_stay_in_their_range():
    for label in LABELS:
        reading = read(dict.fromkeys(LABELS, 0.0) | {label: 1.0})
        assert 0 <= reading.level <= 1
        assert 0 <= reading.intensity <= 1
        assert -1 <= reading.valence <= 1
    assert read(dict.fromkeys(LABELS, 0.0)).level == 0
