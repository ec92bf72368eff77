"""JSON Lines to token ids and targets, and batches of like length. No torch."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ModelError, is_number
from models_zoo.llm.spans import tags_of, windows
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.spec import TrainSpec

NO_TARGET = -100
BATCHES_SORTED_TOGETHER = 50


@dataclass(slots=True, frozen=True)
class Example:
    """One row of a batch.

    targets   chat: the next token at each position, or -100 outside the answers
              classification: the indices of the text's labels
              tagging: the tag of each unit, whose token is at `positions`
    document  number of the text, which long texts in several windows share
    soft      classification: how probable a teacher finds each of the labels in `targets`; empty: they hold
    lengths   of the examples that are packed in this row, in tokens; empty: it is one
    rejected  the answer that was not preferred, where this is the one that was
    """

    ids: list[int]
    targets: list[int]
    positions: list[int]
    document: int
    lengths: tuple[int, ...] = ()
    soft: tuple[float, ...] = ()
    rejected: Example | None = None

    @property
    def tokens(self) -> int:
        """That are computed for it."""
        return len(self.ids) + (self.rejected.tokens if self.rejected else 0)

    @property
    def documents(self) -> int:
        """How many examples it is."""
        return len(self.lengths) or 1


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file. Raises `ModelError` naming the line that is none."""
    if not path.is_file():
        raise ModelError(f"{path}: file is missing")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            rows.append(_row(path, number, line))
    if not rows:
        raise ModelError(f"{path}: no examples")
    return rows


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ModelError(f"{path}:{number}: not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise ModelError(f"{path}:{number}: expected an object, found {type(row).__name__}")
    return row


def labels_in(spec: TrainSpec, rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The spec's labels, or else those that occur in the training rows, sorted."""
    if spec.labels or spec.task == "chat":
        return spec.labels
    if spec.task == "classification":
        return tuple(sorted({str(label) for row in rows for label in row.get("labels", [])}))
    return tuple(sorted({str(span[2]) for row in rows for span in row.get("spans", []) if len(span) == 3}))


def encode_examples(
    path: Path,
    rows: Sequence[dict[str, Any]],
    spec: TrainSpec,
    labels: tuple[str, ...],
    tokenizer: ChatTokenizer,
) -> list[Example]:
    """Examples of the spec's task from the rows of `path`. Raises `ModelError` naming the line and field."""
    chat = _preference if spec.method == "dpo" else _chat
    encode = {"chat": chat, "classification": _classification, "tagging": _tagging}[spec.task]
    examples: list[Example] = []
    for number, row in enumerate(rows, start=1):
        try:
            examples += encode(row, number, spec, labels, tokenizer)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: example {number}: {_reason(error)}") from error
    if not examples:
        raise ModelError(f"{path}: no example is left within max_tokens = {spec.max_tokens}")
    return examples


def _reason(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)


def _chat(
    row: dict[str, Any], number: int, spec: TrainSpec, labels: tuple[str, ...], tokenizer: ChatTokenizer
) -> list[Example]:
    # a reply that begins with white space would melt into the template's own and never be learned
    messages = [{**message, "content": message["content"].strip()} for message in row["messages"]]
    ids = tokenizer.chat(messages, reply=False)
    if not spec.answers_only:
        ids = ids[: spec.max_tokens]
        return [Example(ids, [*ids[1:], NO_TARGET], [], number)] if len(ids) > 1 else []
    targets = [NO_TARGET] * len(ids)
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and index:  # what opens a conversation answers nothing
            start = len(tokenizer.chat(messages[:index]))
            stop = len(tokenizer.chat(messages[: index + 1], reply=False))
            targets[start - 1 : stop - 1] = ids[start:stop]
    if start_of_answer(targets) is None:
        raise ValueError("messages has no assistant turn after another")
    ids, targets = ids[: spec.max_tokens], targets[: spec.max_tokens]
    return [] if start_of_answer(targets) is None else [Example(ids, targets, [], number)]


def _preference(
    row: dict[str, Any], number: int, spec: TrainSpec, labels: tuple[str, ...], tokenizer: ChatTokenizer
) -> list[Example]:
    asked = [{**message, "content": message["content"].strip()} for message in row["messages"]]
    start = len(tokenizer.chat(asked))
    both = []
    for answer in (row["chosen"], row["rejected"]):
        ids = tokenizer.chat([*asked, {"role": "assistant", "content": answer.strip()}], reply=False)
        targets = [NO_TARGET] * (start - 1) + ids[start:] + [NO_TARGET]
        both.append(Example(ids[: spec.max_tokens], targets[: spec.max_tokens], [], number))
    chosen, rejected = both
    within = all(start_of_answer(one.targets) is not None for one in both)
    return [replace(chosen, rejected=rejected)] if within else []


def start_of_answer(targets: Sequence[int]) -> int | None:
    """The first position with a target."""
    return next((index for index, target in enumerate(targets) if target != NO_TARGET), None)


def _classification(
    row: dict[str, Any], number: int, spec: TrainSpec, labels: tuple[str, ...], tokenizer: ChatTokenizer
) -> list[Example]:
    targets = [_index(labels, label) for label in row["labels"]]
    soft = tuple(_probability(value) for value in row.get("probabilities", ()))
    if soft and len(soft) != len(targets):
        raise ValueError(
            f"probabilities has {len(soft)} entries, expected one for each of {len(targets)} labels"
        )
    if not spec.multi_label and not soft and len(targets) != 1:
        raise ValueError(f"labels has {len(targets)} entries, expected one")
    ids = tokenizer.encode(row["text"])[: spec.max_tokens] or tokenizer.encode(" ")
    return [Example(ids, targets, [], number, soft=soft)]


def _probability(value: Any) -> float:
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"probabilities has {value!r}, expected numbers from 0 to 1")
    return float(value)


def _tagging(
    row: dict[str, Any], number: int, spec: TrainSpec, labels: tuple[str, ...], tokenizer: ChatTokenizer
) -> list[Example]:
    for _, _, label in row["spans"]:
        _index(labels, label)
    ids, units = tokenizer.encode_units(row["text"])
    tags = tags_of(units, [tuple(span) for span in row["spans"]], labels)
    first = spec.bidirectional is not False  # causally, a word is only known at its last token
    tokens = [unit.first_token if first else unit.first_token + unit.tokens - 1 for unit in units]
    examples = []
    for window in windows(len(ids), spec.max_tokens, min(spec.overlap_tokens, spec.max_tokens - 1)):
        kept = [index for index, token in enumerate(tokens) if window.keep <= token < window.keep_stop]
        if kept:
            positions = [tokens[index] - window.start for index in kept]
            inside = ids[window.start : window.stop]
            examples.append(Example(inside, [tags[index] for index in kept], positions, number))
    return examples


def _index(labels: tuple[str, ...], label: Any) -> int:
    if label not in labels:
        raise ValueError(f"label {label!r} is not among {', '.join(labels)}")
    return labels.index(label)


def batches(
    examples: Sequence[Example], size: int, shuffle: random.Random | None = None
) -> Iterator[list[int]]:
    """Indices of batches whose rows are of like length; in random order when `shuffle` is given."""
    order = list(range(len(examples)))
    if shuffle is not None:
        shuffle.shuffle(order)
    stretch = size * BATCHES_SORTED_TOGETHER
    result: list[list[int]] = []
    for start in range(0, len(order), stretch):
        piece = sorted(order[start : start + stretch], key=lambda index: len(examples[index].ids))
        result += [piece[first : first + size] for first in range(0, len(piece), size)]
    if shuffle is not None:
        shuffle.shuffle(result)
    yield from result
