"""The adapter, the patterns, and both together, on templates that no training sentence was made from.

The engine that tags is handed in, so that what is measured is what is served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from models_zoo.clinical.deid.dataset import read_jsonl
from models_zoo.clinical.deid.generate import Example
from models_zoo.clinical.deid.measure import measure
from models_zoo.clinical.deid.recognisers import find_patterns, recognisers
from models_zoo.clinical.deid.scrub import Found

SETS = ("test_presidio", "test_clinical")
FIGURES = ("recall", "precision", "clean")

Detect = Callable[[Sequence[str]], list[list[Found]]]


def evaluate(data: Path, tag: Detect | None = None) -> list[dict[str, Any]]:
    """Figures of every detector on every test set in `data`; without `tag`, of the patterns alone."""
    detectors: dict[str, Detect] = {"patterns": _patterns}
    if tag is not None:
        detectors |= {"adapter": tag, "adapter+patterns": lambda texts: _both(tag, texts)}
    return [_figures(name, find, data / f"{part}.jsonl") for part in SETS for name, find in detectors.items()]


def write_figures(adapter: Path, figures: Sequence[dict[str, Any]]) -> None:
    """Add the figures to the adapter's card, as `<set> <detector> <figure>`. Changes the adapter's digest."""
    from models_zoo.llm.card import ADAPTER_CARD_FILE, read_adapter_card, write_card

    card = read_adapter_card(adapter)
    added = {f"{f['set']} {f['detector']} {name}": round(f[name], 4) for f in figures for name in FIGURES}
    write_card(replace(card, metrics={**card.metrics, **added}), adapter / ADAPTER_CARD_FILE)


def _figures(name: str, detect: Detect, path: Path) -> dict[str, Any]:
    examples: list[Example] = read_jsonl(path)
    found = detect([example.text for example in examples])
    return {"set": path.stem, "detector": name, **asdict(measure(examples, found))}


def _patterns(texts: Sequence[str]) -> list[list[Found]]:
    using = recognisers()
    return [list(find_patterns(text, using)) for text in texts]


def _both(tag: Detect, texts: Sequence[str]) -> list[list[Found]]:
    return [a + b for a, b in zip(tag(texts), _patterns(texts), strict=True)]
