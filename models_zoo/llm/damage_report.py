"""`python -m models_zoo.llm damage`: a base beside its original, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models_zoo.llm.adapter import LoadedAdapter, load_adapter
from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.convert import Source, open_source
from models_zoo.llm.damage import (
    Damage,
    Float32,
    Model,
    Served,
    base_weights,
    head_probabilities,
    log_probabilities,
    measure,
    source_weights,
    squared_error,
    texts_of,
)
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer

HEADING = (
    "| model | perplexity | divergence, nats a token | same likeliest token |",
    "|---|---|---|---|",
)


@dataclass(slots=True, frozen=True)
class Question:
    """What is to be compared: a base, on a text, perhaps with its original and with adapters."""

    base: Path
    text: Path
    reference: Path | None = None
    adapters: tuple[Path, ...] = ()
    tokens: int = 2048


def report(question: Question) -> Iterator[str]:
    """Lines to print, as they are found.

    Without a reference the base's own values in float32 stand for it: then only the arithmetic of serving is
    shown, not what quantizing did. Raises `ModelError` for a base, reference, adapter or text that cannot be
    read.
    """
    card = read_card(question.base)
    texts = texts_of(ChatTokenizer(question.base), _paragraphs(question.text), question.tokens)
    if not texts:
        raise ModelError(f"{question.text}: too short to measure on")
    adapters = [load_adapter(folder, card) for folder in question.adapters]
    stored = base_weights(question.base)
    original = stored
    if question.reference is not None:
        original = source_weights(_same_shape(question, question.reference))
        yield f"Squared error of the linears, relative: {squared_error(original, stored):.2e}"
    yield f"{card.name}, {sum(map(len, texts))} tokens of {question.text.name}"
    yield from HEADING
    reference = Float32(card.config, original)
    expected = [log_probabilities(reference, ids) for ids in texts]
    yield line("original, float32", measure(reference, expected, texts))
    if question.reference is not None:
        yield line("quantized, float32", measure(Float32(card.config, stored), expected, texts))
    decoder = load_decoder(question.base)
    yield line("quantized, as served", measure(Served(decoder), expected, texts))
    for adapter in adapters:
        pair = Float32(card.config, original, adapter.weights), Served(decoder, adapter.weights)
        yield from _with_adapter(adapter, *pair, texts)


def line(name: str, found: Damage) -> str:
    """A row of the table."""
    return f"| {name} | {found.perplexity:.3f} | {found.divergence:.5f} | {found.same_top:.3f} |"


def _with_adapter(
    adapter: LoadedAdapter, reference: Model, served: Model, texts: Sequence[Sequence[int]]
) -> Iterator[str]:
    name = adapter.card.name
    if adapter.head is None:
        expected = [log_probabilities(reference, ids) for ids in texts]
        yield line(f"original, float32, with {name}", measure(reference, expected, texts))
        yield line(f"quantized, as served, with {name}", measure(served, expected, texts))
        return
    cut = [ids[: adapter.card.max_tokens] for ids in texts]
    pairs = [
        (head_probabilities(reference, adapter, ids), head_probabilities(served, adapter, ids)) for ids in cut
    ]
    apart = torch.cat([(a - b).abs().flatten() for a, b in pairs])
    same = torch.cat([_answers(a, adapter) == _answers(b, adapter) for a, b in pairs])
    yield (
        f"\nHead of {name}, float32 against as served: {float(same.float().mean()):.4f} of its answers are the "
        f"same, probabilities {float(apart.mean()):.4f} apart in the mean, {float(apart.max()):.3f} at most"
    )


def _answers(probability: Tensor, adapter: LoadedAdapter) -> Tensor:
    """Each label's yes or no where several may hold, else the likeliest."""
    card = adapter.card
    if card.multi_label:
        limits = torch.tensor([card.thresholds.get(label, 0.5) for label in card.labels])
        return (probability >= limits).flatten()
    return probability.argmax(dim=-1).flatten()


def _same_shape(question: Question, reference: Path) -> Source:
    source = open_source(reference)
    if source.config != read_card(question.base).config:
        raise ModelError(f"{reference}: has another shape than {question.base}")
    return source


def _paragraphs(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a readable text: {error}") from error
    return [part.strip() for part in text.split("\n\n\n") if part.strip()]
