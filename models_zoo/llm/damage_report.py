"""`python -m models_zoo.llm damage`: a base beside its original, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    thresholds_of,
)
from models_zoo.llm.damage_tasks import task_examples, task_figures
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.data import Example, read_rows

HEADING = (
    "| model | perplexity | divergence, nats a token | same likeliest token |",
    "|---|---|---|---|",
)


@dataclass(slots=True, frozen=True)
class Candidate:
    """An adapter to read with, and perhaps labelled rows of its task (JSON Lines, as for training)."""

    folder: Path
    task_data: Path | None = None


@dataclass(slots=True, frozen=True)
class Question:
    """What is to be compared: a base, on a text, perhaps with its original and with adapters."""

    base: Path
    text: Path
    reference: Path | None = None
    adapters: tuple[Candidate, ...] = ()
    tokens: int = 2048  # of the text
    examples: int = 500  # of each adapter's rows


@dataclass(slots=True, frozen=True)
class Labelled:
    """An adapter's examples, and where they are from, in words."""

    examples: list[Example]
    source: str


@dataclass(slots=True, frozen=True)
class Bases:
    """The base as it was, as it is stored and as it is served; `reference` names what stands for the first."""

    reference: str
    original: Mapping[str, Tensor]
    stored: Mapping[str, Tensor]
    served: Decoder


def report(question: Question) -> Iterator[str]:
    """Lines to print, as they are found.

    Without a reference the base's own values in float32 stand for it: then only the arithmetic of serving is
    shown, not what quantizing did. Raises `ModelError` for a base, reference, adapter, text, rows or amount of
    them that cannot be used.
    """
    card, tokenizer = read_card(question.base), ChatTokenizer(question.base)
    texts = texts_of(tokenizer, _paragraphs(question.text), question.tokens)
    if not texts:
        raise ModelError(f"{question.text}: too short to measure on")
    adapters = [_adapter(candidate, question, tokenizer) for candidate in question.adapters]
    stored = base_weights(question.base)
    original, name = stored, "quantized"
    if question.reference is not None:
        original, name = source_weights(_same_shape(question, question.reference)), "original"
        yield f"Squared error of the linears, relative: {squared_error(original, stored):.2e}"
    yield f"{card.name}, {sum(map(len, texts))} tokens of {question.text.name}"
    yield from HEADING
    reference = Float32(card.config, original)
    expected = [log_probabilities(reference, ids) for ids in texts]
    yield line(f"{name}, float32", measure(reference, expected, texts))
    if question.reference is not None:
        yield line("quantized, float32", measure(Float32(card.config, stored), expected, texts))
    bases = Bases(name, original, stored, load_decoder(question.base))
    yield line("quantized, as served", measure(Served(bases.served), expected, texts))
    for adapter, labelled in adapters:
        yield from _with_adapter(adapter, bases, texts)
        if labelled is not None:
            yield from _against_truth(adapter, bases, labelled)


def line(name: str, found: Damage) -> str:
    """A row of the table."""
    return f"| {name} | {found.perplexity:.3f} | {found.divergence:.5f} | {found.same_top:.3f} |"


def _adapter(
    candidate: Candidate, question: Question, tokenizer: ChatTokenizer
) -> tuple[LoadedAdapter, Labelled | None]:
    adapter, path = load_adapter(candidate.folder, read_card(question.base)), candidate.task_data
    if path is None:
        return adapter, None
    if question.examples < 1:
        raise ModelError(f"examples is {question.examples}, expected 1 or more")
    rows = read_rows(path)
    read = rows[: question.examples]
    source = f"the first {len(read)} of {len(rows)} examples of {path.name}"
    return adapter, Labelled(task_examples(path, read, adapter, tokenizer), source)


def _with_adapter(adapter: LoadedAdapter, bases: Bases, texts: Sequence[Sequence[int]]) -> Iterator[str]:
    """How far the served base is from the float32 one when both carry the adapter."""
    name = adapter.card.name
    reference = Float32(bases.served.config, bases.original, adapter.weights)
    served = Served(bases.served, adapter.weights)
    if adapter.head is None:
        expected = [log_probabilities(reference, ids) for ids in texts]
        yield line(f"{bases.reference}, float32, with {name}", measure(reference, expected, texts))
        yield line(f"quantized, as served, with {name}", measure(served, expected, texts))
        return
    cut = [ids[: adapter.card.max_tokens] for ids in texts]
    pairs = [
        (head_probabilities(reference, adapter, ids), head_probabilities(served, adapter, ids)) for ids in cut
    ]
    apart = torch.cat([(a - b).abs().flatten() for a, b in pairs])
    same = torch.cat([_answers(a, adapter) == _answers(b, adapter) for a, b in pairs])
    yield (
        f"\nHead of {name}, {bases.reference} in float32 against as served: {float(same.float().mean()):.4f} of "
        f"its answers are the same, probabilities {float(apart.mean()):.4f} apart in the mean, "
        f"{float(apart.max()):.3f} at most"
    )


def _against_truth(adapter: LoadedAdapter, bases: Bases, labelled: Labelled) -> Iterator[str]:
    """The adapter's task in figures, a table; the last row shows what the adapter's matrices bring."""
    heading = False
    for name, model in _readers(adapter, bases):
        figures = task_figures(model, adapter, labelled.examples)
        if not heading:
            yield f"\nTask of {adapter.card.name}, {labelled.source}:\n"
            yield f"| model | {' | '.join(figures)} |"
            yield "|---" * (1 + len(figures)) + "|"
            heading = True
        yield f"| {name} | {' | '.join(f'{value:.4f}' for value in figures.values())} |"


def _readers(adapter: LoadedAdapter, bases: Bases) -> Iterator[tuple[str, Model]]:
    """One at a time, since each in float32 is a whole model."""
    config, name = bases.served.config, adapter.card.name
    yield f"{bases.reference}, float32, with {name}", Float32(config, bases.original, adapter.weights)
    if bases.original is not bases.stored:
        yield f"quantized, float32, with {name}", Float32(config, bases.stored, adapter.weights)
    yield f"quantized, as served, with {name}", Served(bases.served, adapter.weights)
    without = "without it" if adapter.head is None else "its head alone, without LoRA"
    yield f"quantized, as served, {without}", Served(bases.served)


def _answers(probability: Tensor, adapter: LoadedAdapter) -> Tensor:
    """Each label's yes or no where several may hold, else the likeliest."""
    card = adapter.card
    if card.multi_label:
        return (probability >= thresholds_of(card)).flatten()
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
