"""Thresholds and figures of an emotion adapter, measured on the quantized base as it is served."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models_zoo.emotion import baseline
from models_zoo.emotion.dataset import Example, read_split
from models_zoo.emotion.labels import LABELS
from models_zoo.emotion.predict import predict
from models_zoo.emotion.thresholds import Probabilities, Targets, as_array, choose, macro_f1, targets
from models_zoo.llm.card import ADAPTER_CARD_FILE, ModelError, read_adapter_card, write_card

# How the shipped adapter was made; recorded in its card.
COMMANDS = (
    "python -m models_zoo.emotion dataset",
    "python -m models_zoo.llm train models_zoo/emotion/spec.toml",
    "python -m models_zoo.emotion thresholds var/emotion/adapter",
)


@dataclass(slots=True, frozen=True)
class Setup:
    """What is measured, on which data, where."""

    base: Path
    adapter: Path
    data: Path
    device: str = "cpu"
    threads: int | None = None
    limit: int | None = None

    def split(self, name: str) -> list[Example]:
        """The first `limit` examples of a split, or all."""
        return read_split(self.data, name)[: self.limit]


def settle_thresholds(setup: Setup) -> str:
    """Choose thresholds on dev, write them with the dev and test figures to the adapter's card; a line to print.

    The test split is only reported on: nothing is chosen by it.
    """
    dev, test = setup.split("dev"), setup.split("test")
    started = time.monotonic()
    dev_probabilities, test_probabilities = _probabilities(setup, dev), _probabilities(setup, test)
    common, shrunk = choose(dev_probabilities, _targets(dev), LABELS)
    figures = {
        "dev_macro_f1": macro_f1(dev_probabilities, _targets(dev), as_array(shrunk, LABELS)),
        "test_macro_f1": macro_f1(test_probabilities, _targets(test), as_array(shrunk, LABELS)),
        "test_macro_f1_one_threshold": macro_f1(test_probabilities, _targets(test), common),
        "threshold": common,
    }
    card = read_adapter_card(setup.adapter)
    metrics = card.metrics | {name: round(value, 4) for name, value in figures.items()}
    training = card.training | {"commands": list(COMMANDS), **_device_name()}
    written = replace(card, thresholds=shrunk, metrics=metrics, training=training)
    write_card(written, setup.adapter / ADAPTER_CARD_FILE)
    seconds = time.monotonic() - started
    return f"thresholds written: {', '.join(f'{k} {v:.3f}' for k, v in figures.items())}; {seconds:.0f} s"


def evaluate(setup: Setup) -> str:
    """Macro-F1 on test of the adapter and of the baseline, as a table in Markdown.

    Both use thresholds chosen on dev by the same rule. ModelError when the card has no thresholds yet.
    """
    thresholds = read_adapter_card(setup.adapter).thresholds
    if not thresholds:
        raise ModelError(f"{setup.adapter}: no thresholds yet; run `python -m models_zoo.emotion thresholds`")
    test = setup.split("test")
    started = time.monotonic()
    probabilities = _probabilities(setup, test)
    seconds = time.monotonic() - started
    adapted = macro_f1(probabilities, _targets(test), as_array(thresholds, LABELS))
    simple, simple_one = _baseline(setup, test)
    return "\n".join(
        (
            f"| model | test macro-F1, 28 labels, {len(test):,} comments |",
            "|---|---|",
            f"| adapter on the int4 base, {setup.device} ({len(test) / seconds:.0f} texts/s) | {adapted:.3f} |",
            f"| TF-IDF + logistic regression, thresholds likewise | {simple:.3f} |",
            f"| TF-IDF + logistic regression, one threshold | {simple_one:.3f} |",
        )
    )


def _baseline(setup: Setup, test: Sequence[Example]) -> tuple[float, float]:
    dev = setup.split("dev")
    dev_probabilities, test_probabilities = baseline.fit_predict(setup.split("train"), dev, test)
    common, shrunk = choose(dev_probabilities, _targets(dev), LABELS)
    expected = _targets(test)
    return (
        macro_f1(test_probabilities, expected, as_array(shrunk, LABELS)),
        macro_f1(test_probabilities, expected, common),
    )


def _probabilities(setup: Setup, examples: Sequence[Example]) -> Probabilities:
    rows = predict(setup.base, setup.adapter, [e.text for e in examples], setup.device, setup.threads)
    return np.array([[row[label] for label in LABELS] for row in rows])


def _targets(examples: Sequence[Example]) -> Targets:
    return targets([example.labels for example in examples], LABELS)


def _device_name() -> dict[str, str]:
    """The accelerator that trained, when the thresholds are settled on the same machine."""
    import torch

    return {"device_name": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
