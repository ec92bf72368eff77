"""The adapter, the patterns, and both together, on templates that no training sentence was made from."""

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

Detect = Callable[[Sequence[Example]], list[list[Found]]]


def evaluate(data: Path, base: Path | None, adapter: Path | None) -> list[dict[str, Any]]:
    """Figures of every detector on every test set in `data`; without an adapter, of the patterns alone."""
    detectors: dict[str, Detect] = {"patterns": _patterns}
    if base is not None and adapter is not None:
        tag = _adapter(base, adapter)
        detectors |= {"adapter": tag, "adapter+patterns": lambda examples: _both(tag, examples)}
    return [
        _figures(name, detect, data / f"{which}.jsonl")
        for which in SETS
        for name, detect in detectors.items()
    ]


def write_figures(adapter: Path, figures: Sequence[dict[str, Any]]) -> None:
    """Add the figures to the adapter's card, as `<detector> <set> <figure>`. Changes the adapter's digest."""
    from models_zoo.llm.card import ADAPTER_CARD_FILE, read_adapter_card, write_card

    card = read_adapter_card(adapter)
    added = {
        f"{f['detector']} {f['set']} {name}": round(f[name], 4)
        for f in figures
        for name in ("recall", "precision", "clean")
    }
    write_card(replace(card, metrics={**card.metrics, **added}), adapter / ADAPTER_CARD_FILE)


def _figures(name: str, detect: Detect, path: Path) -> dict[str, Any]:
    examples = read_jsonl(path)
    return {"set": path.stem, "detector": name, **asdict(measure(examples, detect(examples)))}


def _patterns(examples: Sequence[Example]) -> list[list[Found]]:
    using = recognisers()
    return [list(find_patterns(example.text, using)) for example in examples]


def _both(tag: Detect, examples: Sequence[Example]) -> list[list[Found]]:
    return [a + b for a, b in zip(tag(examples), _patterns(examples), strict=True)]


def _adapter(base: Path, adapter: Path) -> Detect:
    raise NotImplementedError
