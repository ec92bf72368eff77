"""How good what was served is, from what came out: answers, labels, entities. Plain Python, for any process.

Every figure lies between 0 and 1. The first of each result is the one to compare versions by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models_zoo.llm.card import AdapterCard

Labels = Sequence[str]
Entities = Sequence[tuple[int, int, str]]
_WORD = re.compile(r"\w+")
HALF = 0.5


def given_labels(card: AdapterCard, probabilities: Mapping[str, float]) -> list[str]:
    """The labels that an adapter gives a text, from the probability of each.

    Of several at once those above their thresholds. Of exactly one the likeliest, unless one that has a threshold
    reaches it: a class that is rare in training, such as "none of these", may win before it is the likeliest.
    """
    if card.multi_label:
        return [label for label, value in probabilities.items() if value > card.thresholds.get(label, HALF)]
    early = [label for label, limit in card.thresholds.items() if probabilities.get(label, -1.0) >= limit]
    return [max(early or probabilities, key=probabilities.__getitem__)]


def answer_scores(wanted: Sequence[str], given: Sequence[str]) -> dict[str, float]:
    """ROUGE-L's F1 (Lin, 2004) over lower-cased words, mean of all answers; and how many are the same in words."""
    pairs = [(_words(a), _words(b)) for a, b in zip(wanted, given, strict=True)]
    return {
        "rouge_l": _mean([rouge_l(a, b) for a, b in pairs]),
        "exact": _mean([float(a == b) for a, b in pairs]),
    }


def rouge_l(wanted: Sequence[str], given: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two lists of words; 1 for two empty ones."""
    if not wanted or not given:
        return float(wanted == given)
    row = [0] * (len(given) + 1)
    for word in wanted:
        above_left = 0
        for at, other in enumerate(given, start=1):
            above = row[at]
            row[at] = above_left + 1 if word == other else max(above, row[at - 1])
            above_left = above
    return 2 * row[-1] / (len(wanted) + len(given))


def label_scores(wanted: Sequence[Labels], given: Sequence[Labels]) -> dict[str, float]:
    """Macro-F1 over the labels that are wanted or given, micro-F1, and the share of texts with exactly their labels."""
    hits, expected, predicted = Counter[str](), Counter[str](), Counter[str]()
    for one, other in zip(wanted, given, strict=True):
        expected.update(set(one))
        predicted.update(set(other))
        hits.update(set(one) & set(other))
    f1 = [2 * hits[label] / (expected[label] + predicted[label]) for label in expected | predicted]
    return {
        "macro_f1": _mean(f1),
        "micro_f1": 2 * hits.total() / max(1, expected.total() + predicted.total()),
        "exact": _mean([float(set(a) == set(b)) for a, b in zip(wanted, given, strict=True)]),
    }


def entity_scores(wanted: Sequence[Entities], given: Sequence[Entities]) -> dict[str, float]:
    """F1, precision and recall of entities that agree in both ends and label."""
    hits = sum(len(set(a) & set(b)) for a, b in zip(wanted, given, strict=True))
    expected, predicted = (sum(len(set(one)) for one in side) for side in (wanted, given))
    return {
        "entity_f1": 2 * hits / max(1, expected + predicted),
        "precision": hits / max(1, predicted),
        "recall": hits / max(1, expected),
    }


def commonest_labels(wanted: Sequence[Labels]) -> list[Labels]:
    """What a classifier without any knowledge would answer: everywhere the labels that come most often."""
    [(common, _)] = Counter(tuple(sorted(one)) for one in wanted).most_common(1) or [((), 0)]
    return [common] * len(wanted)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
