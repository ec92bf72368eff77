"""The adapter, the patterns, and both together, on templates that no training sentence was made from.

The engine that tags is handed in, so that what is measured is what is served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from models_zoo.clinical.deid.dataset import read_jsonl
from models_zoo.clinical.deid.measure import measure
from models_zoo.clinical.deid.recognisers import find_patterns, recognisers
from models_zoo.clinical.deid.scrub import Found

SETS = ("test_presidio", "test_clinical")
FIGURES = ("recall", "precision", "clean")

Detect = Callable[[Sequence[str]], list[list[Found]]]


def evaluate(data: Path, tag: Detect | None = None) -> list[dict[str, Any]]:
    """Figures of every detector on every test set in `data`; without `tag`, of the patterns alone."""
    return [figures for part in SETS for figures in _of_set(data / f"{part}.jsonl", tag)]


def write_figures(adapter: Path, figures: Sequence[dict[str, Any]]) -> None:
    """Add the figures to the adapter's card, as `<set> <detector> <figure>`. Changes the adapter's digest."""
    from models_zoo.llm.card import ADAPTER_CARD_FILE, read_adapter_card, write_card

    card = read_adapter_card(adapter)
    added = {f"{f['set']} {f['detector']} {name}": round(f[name], 4) for f in figures for name in FIGURES}
    write_card(replace(card, metrics={**card.metrics, **added}), adapter / ADAPTER_CARD_FILE)


def _of_set(path: Path, tag: Detect | None) -> list[dict[str, Any]]:
    examples = read_jsonl(path)
    texts = [example.text for example in examples]
    found = {"patterns": _patterns(texts)}
    if tag is not None:
        tagged = tag(texts)
        both = [a + b for a, b in zip(tagged, found["patterns"], strict=True)]
        found |= {"adapter": tagged, "adapter+patterns": both}
    return [
        {"set": path.stem, "detector": name, **asdict(measure(examples, stretches))}
        for name, stretches in found.items()
    ]


def _patterns(texts: Sequence[str]) -> list[list[Found]]:
    using = recognisers()
    return [list(find_patterns(text, using)) for text in texts]
