"""Token counts of examples, as the trainer reads them. No torch: a web process counts too."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from models_zoo.llm.card import ModelError, Task
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.data import NO_TARGET, encode_examples, start_of_answer
from models_zoo.llm.training.spec import TrainSpec

Row = dict[str, Any]
_ALL = 1 << 30  # tokens: nothing is cut


@dataclass(slots=True, frozen=True)
class Size:
    """Of one example in tokens. first: the place, from 1, behind which it must not be cut. problem: why it is none."""

    tokens: int = 0
    learned: int = 0
    first: int = 0
    problem: str = ""


@lru_cache(maxsize=2)
def tokenizer_of(folder: Path, fingerprint: str) -> ChatTokenizer:
    """A base's tokenizer, read once. Raises `ModelError`."""
    return ChatTokenizer(folder)


def size_of(task: str, row: Row, tokenizer: ChatTokenizer) -> Size:
    """What training on an example reads: of a preference pair both answers, each behind what was asked."""
    if task == "preference":
        one, other = (_size("chat", _answered(row, row[name]), tokenizer) for name in ("chosen", "rejected"))
        if problem := one.problem or other.problem:
            return Size(problem=problem)
        first = max(one.first, other.first)
        return Size(one.tokens + other.tokens, one.learned + other.learned, first)
    return _size(task, row, tokenizer)


def _size(task: str, row: Row, tokenizer: ChatTokenizer) -> Size:
    try:
        found, *_ = encode_examples(Path("example"), [row], _spec(task), _labels(row), tokenizer)
    except (ModelError, ValueError) as error:
        return Size(
            problem=str(error).rpartition("example 1: ")[2][:120]
            if isinstance(error, ModelError)
            else "is empty"
        )
    if task != "chat":
        return Size(len(found.ids), len(found.positions) or 1, 1)
    learned = sum(target != NO_TARGET for target in found.targets)
    return Size(len(found.ids), learned, (start_of_answer(found.targets) or 0) + 1)


def _answered(row: Row, answer: str) -> Row:
    return {"messages": [*row["messages"], {"role": "assistant", "content": answer}]}


def _labels(row: Row) -> tuple[str, ...]:
    return tuple({*row.get("labels", []), *(span[2] for span in row.get("spans", []))})


@lru_cache(maxsize=len(get_args(Task)))
def _spec(task: Task) -> TrainSpec:
    """One that cuts nothing and takes any labels."""
    nowhere = Path()
    return TrainSpec(nowhere, nowhere, "", task, nowhere, multi_label=True, max_tokens=_ALL, overlap_tokens=0)


def median(values: Sequence[int]) -> int:
    """The middle one, or the upper of two."""
    return sorted(values)[len(values) // 2] if values else 0
