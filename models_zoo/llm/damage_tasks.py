"""An adapter's own task, measured against labelled rows whatever model reads them: beside the truth it shows
whether what quantizing moved was worth anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models_zoo.llm.adapter import LoadedAdapter
from models_zoo.llm.card import ModelError
from models_zoo.llm.damage import Model, head_probabilities, log_probabilities, thresholds_of
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.data import NO_TARGET, Example, encode_examples
from models_zoo.llm.training.metrics import entity_scores, f1_per_label, label_scores, multi_label_scores
from models_zoo.llm.training.spec import TrainSpec


def task_examples(
    path: Path, rows: Sequence[dict[str, Any]], adapter: LoadedAdapter, tokenizer: ChatTokenizer
) -> list[Example]:
    """The rows of `path`, in training's format (`TrainSpec`), as this adapter reads them: its labels, its
    length, its windows. Raises `ModelError` naming example and field, or when nothing is labelled."""
    card = adapter.card
    spec = TrainSpec(
        base=path,
        target=path,
        name=card.name,
        task=card.task,
        train=path,
        labels=card.labels,
        multi_label=card.multi_label,
        bidirectional=card.bidirectional,
        max_tokens=card.max_tokens,
        overlap_tokens=card.overlap_tokens,
    )
    examples = encode_examples(path, rows, spec, card.labels, tokenizer)
    field = {"classification": "labels", "tagging": "spans"}.get(card.task)
    if field is not None and not any(row[field] for row in rows):
        raise ModelError(f"{path}: {field} is empty in all {len(rows)} examples: nothing to measure")
    return examples


@torch.inference_mode()
def task_figures(model: Model, adapter: LoadedAdapter, examples: Sequence[Example]) -> dict[str, float]:
    """Training's metrics of the adapter's head on what `model` reads, by name.

    classification  accuracy, or micro F1 where several labels may hold, and the mean F1 of labels that occur
    tagging         F1, precision and recall of exact entities
    chat            perplexity of the answers' tokens, and the share of them that are the likeliest
    """
    measure = {"chat": _chat, "classification": _classification, "tagging": _tagging}[adapter.card.task]
    return measure(model, adapter, examples)


def _classification(model: Model, adapter: LoadedAdapter, examples: Sequence[Example]) -> dict[str, float]:
    card = adapter.card
    probability = torch.stack([head_probabilities(model, adapter, example.ids) for example in examples])
    wanted = torch.zeros_like(probability)
    for row, example in zip(wanted, examples, strict=True):
        row[example.targets] = 1.0
    if card.multi_label:
        limits = thresholds_of(card)
        predicted = (probability > limits).float()
        first = {"micro F1": multi_label_scores(probability, wanted, limits)["micro_f1"]}
    else:
        predicted = torch.nn.functional.one_hot(probability.argmax(dim=1), len(card.labels)).float()
        first = {"accuracy": label_scores(probability, wanted.argmax(dim=1))["accuracy"]}
    occurs = wanted.any(dim=0)
    return {**first, "mean F1 of labels that occur": float(f1_per_label(predicted, wanted)[occurs].mean())}


def _tagging(model: Model, adapter: LoadedAdapter, examples: Sequence[Example]) -> dict[str, float]:
    wanted: dict[int, list[int]] = {}
    found: dict[int, list[int]] = {}
    for example in examples:
        tags = head_probabilities(model, adapter, example.ids)[example.positions].argmax(dim=-1)
        wanted.setdefault(example.document, []).extend(example.targets)
        found.setdefault(example.document, []).extend(tags.tolist())
    scores = entity_scores(wanted, found)
    return {"entity F1": scores["entity_f1"], "precision": scores["precision"], "recall": scores["recall"]}


def _chat(model: Model, _adapter: LoadedAdapter, examples: Sequence[Example]) -> dict[str, float]:
    rows = [of_answers(model, example) for example in examples]
    chosen = torch.cat([loss for loss, _ in rows])
    likeliest = torch.cat([same for _, same in rows])
    return {
        "perplexity of the answers": float(chosen.mean().exp()),
        "answers' tokens that are the likeliest": float(likeliest.float().mean()),
    }


def of_answers(model: Model, example: Example) -> tuple[Tensor, Tensor]:
    """Of each of the answers' tokens its loss in nats, and whether it is the likeliest."""
    wanted = torch.tensor(example.targets)
    answers = wanted != NO_TARGET
    got, wanted = log_probabilities(model, example.ids)[answers], wanted[answers]
    return -got.gather(1, wanted[:, None])[:, 0], got.argmax(dim=1) == wanted
