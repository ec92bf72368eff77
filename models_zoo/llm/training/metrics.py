"""How good predictions are: F1 over labels, accuracy, exact-match entities. Each result's `score` ranks
states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

GRID = torch.arange(0.05, 0.8, 0.025)


def f1_per_label(predicted: Tensor, wanted: Tensor) -> Tensor:
    """predicted, wanted 0/1 [N, labels] -> F1 [labels]; zero for a label that is never wanted nor
    predicted."""
    hits = (predicted * wanted).sum(dim=0)
    return 2 * hits / (predicted.sum(dim=0) + wanted.sum(dim=0)).clamp(min=1)


def choose_thresholds(probability: Tensor, wanted: Tensor) -> Tensor:
    """Per-label thresholds [labels] with the best F1 here, drawn half-way to the best common one.

    The half-way point holds up better on other data where a label is rare.
    """
    scores = torch.stack([f1_per_label((probability > limit).float(), wanted) for limit in GRID])
    common = GRID[scores.mean(dim=1).argmax()]
    return 0.5 * GRID[scores.argmax(dim=0)] + 0.5 * common


def multi_label_scores(probability: Tensor, wanted: Tensor, thresholds: Tensor) -> dict[str, float]:
    """Macro- and micro-F1 at the given thresholds [labels], and macro-F1 at one half."""
    predicted = (probability > thresholds).float()
    macro = float(f1_per_label(predicted, wanted).mean())
    hits = float((predicted * wanted).sum())
    return {
        "score": macro,
        "macro_f1": macro,
        "micro_f1": 2 * hits / max(1.0, float(predicted.sum() + wanted.sum())),
        "macro_f1_at_half": float(f1_per_label((probability > 0.5).float(), wanted).mean()),
    }


def label_scores(logits: Tensor, wanted: Tensor) -> dict[str, float]:
    """Accuracy and macro-F1 of logits [N, labels] against label indices [N]."""
    classes = logits.shape[1]
    predicted = logits.argmax(dim=1)
    one_hot = torch.nn.functional.one_hot
    f1 = f1_per_label(one_hot(predicted, classes).float(), one_hot(wanted, classes).float())
    accuracy = float((predicted == wanted).float().mean())
    return {"score": accuracy, "accuracy": accuracy, "macro_f1": float(f1.mean())}


def entity_scores(
    wanted: Mapping[int, Sequence[int]], found: Mapping[int, Sequence[int]]
) -> dict[str, float]:
    """Exact-match precision, recall and F1 of the entities in each document's BIO tags."""
    hits = expected = predicted = 0
    for document, tags in wanted.items():
        truth, guess = entities(tags), entities(found[document])
        hits, expected, predicted = hits + len(truth & guess), expected + len(truth), predicted + len(guess)
    f1 = 2 * hits / max(1, expected + predicted)
    return {
        "score": f1,
        "entity_f1": f1,
        "precision": hits / max(1, predicted),
        "recall": hits / max(1, expected),
    }


def entities(tags: Sequence[int]) -> set[tuple[int, int, int]]:
    """(first unit, unit after the last, label number) of each entity in a BIO sequence."""
    result = set()
    start, label = 0, 0
    for index, tag in enumerate([*tags, 0]):
        kind = (tag + 1) // 2
        if kind == label and tag and tag % 2 == 0:
            continue
        if label:
            result.add((start, index, label))
        start, label = index, kind
    return result
