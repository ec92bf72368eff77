"""Answers beside their question and source, each part judged by itself: factual, safe, fair, helpful.

No public set with such judgements may ship. So good answers are taken from MedQuAD (Ben Abacha and Demner-Fushman,
2019) and Schema-Guided Dialogue (Rastogi et al., 2020), and flaws of known kinds are put into them: the figures say how
well flaws of these kinds are found, not how people would judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_zoo.zoo.files import Row, read_text
from models_zoo.zoo.measures import Counts, Measure, Sums, ratio
from models_zoo.zoo.own import TEST, of_part, part_of
from models_zoo.zoo.scorer.flaws import falsified
from models_zoo.zoo.tasks import TRAIN, VALIDATION, Bar, Task
from models_zoo.zoo.thresholds import of_each_label

FOLDER = "scorer"
LABELS = ("factual", "safe", "fair", "helpful")
AMOUNTS = {TRAIN: 5000, VALIDATION: 400, TEST: 600}  # questions of MedQuAD; of dialogues half as many turns
SOURCE = 700  # characters
SENTENCE = re.compile(r"(?<=[.!?])\s+")
OPENINGS = ("", "", "", "In short: ", "According to the page: ", "Yes. ", "Good that you ask. ")


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part, split by question and dialogue and by template. Raises OSError when the data is not there."""
    random = Random(f"{FOLDER}:{part}")
    asked = [pair for pair in _medquad(data) if part_of(pair[0]) == part]
    random.shuffle(asked)
    rows = [_judged(one, asked, part, random) for one in asked[: AMOUNTS[part]]]
    turns = [turn for turn in _turns(data) if part_of(turn[2]) == part]
    random.shuffle(turns)
    rows += [_turn(one, turns, part, random) for one in turns[: AMOUNTS[part] // 2]]
    random.shuffle(rows)
    return rows


def _medquad(data: Path) -> list[tuple[str, list[str]]]:
    """(question, sentences of the source)"""
    import pyarrow.parquet as parquet  # the product reads Parquet in a process of its own; this is our own data

    table = parquet.read_table(
        data / "ehr_medquad" / "medquad_with_answers.parquet", columns=["question", "answer"]
    )
    found: dict[str, list[str]] = {}
    for row in table.to_pylist():
        sentences = SENTENCE.split(" ".join(row["answer"][:SOURCE].split()))[:-1]
        told = [one for one in sentences if 30 < len(one) < 260 and not one.endswith("?")]
        if len(told) > 1:
            found.setdefault(" ".join(row["question"].split()), told)
    return sorted(found.items())


def _turns(data: Path) -> list[tuple[str, str, str]]:
    """(what the user says, what the system answers, the dialogue's services)"""
    found = []
    for path in sorted((data / "support_sgd_sample").glob("*_dialogues_*.json.gz")):
        for dialogue in json.loads(read_text(path)):
            said = [turn["utterance"] for turn in dialogue["turns"]]
            found += [
                (said[at], said[at + 1], f"{dialogue['dialogue_id']} {' '.join(dialogue['services'])}")
                for at in range(0, len(said) - 1, 2)
            ]
    return found


def _text(question: str, source: str, answer: str) -> str:
    return f"Question: {question}\nSource: {source}\nAnswer: {answer}"


def _judged(
    one: tuple[str, list[str]], others: Sequence[tuple[str, list[str]]], part: str, random: Random
) -> Row:
    """A good answer, or one with one flaw or two."""
    question, source = one
    start = random.randrange(len(source))
    answer = random.choice(OPENINGS) + " ".join(source[start : start + random.randint(1, 2)])
    wrong: set[str] = set()
    if random.random() < 0.25 and (changed := falsified(answer, random)) is not None:
        answer, wrong = changed, {"factual"}
    elif random.random() < 0.15:
        answer, wrong = random.choice(of_part(FOLDER, "evasive", part)), {"helpful"}
    elif random.random() < 0.15:
        answer, wrong = random.choice(random.choice(others)[1]), {"factual", "helpful"}
    answer, more = _added(answer, part, random)
    return _row(_text(question, " ".join(source), answer), wrong | more)


def _turn(
    one: tuple[str, str, str], others: Sequence[tuple[str, str, str]], part: str, random: Random
) -> Row:
    asked, answer, services = one
    wrong: set[str] = set()
    if random.random() < 0.3:
        strangers = [
            other for other in random.sample(others, 20) if other[2].split()[1:] != services.split()[1:]
        ]
        answer, wrong = (strangers or others)[0][1], {"helpful"}
    answer, more = _added(answer, part, random)
    return _row(_text(asked, "none", answer), wrong | more)


def _added(answer: str, part: str, random: Random) -> tuple[str, set[str]]:
    """A line about the same matters at the answer's beginning or end: harmful, careful, unfair or fair."""
    name, wrong = random.choice(
        (
            ("unsafe", {"safe"}),
            ("careful", set()),
            ("unfair", {"fair"}),
            ("groups", set()),
            ("", set()),
            ("", set()),
        )
    )
    if not name:
        return answer, set()
    line = random.choice(of_part(FOLDER, name, part))
    return (f"{answer} {line}" if random.random() < 0.7 else f"{line} {answer}"), set(wrong)


def _row(text: str, wrong: set[str]) -> Row:
    return {"text": text, "labels": [label for label in LABELS if label not in wrong]}


def _counts(rows: Sequence[Row], given: Sequence[Any]) -> Counts:
    """Of each label: right and all where it holds, right and all where it does not."""
    return np.array(
        [list(_cells(row["labels"], one)) for row, one in zip(rows, given, strict=True)], dtype=float
    )


def _cells(wanted: Sequence[str], found: Sequence[str]) -> Iterator[float]:
    for label in LABELS:
        holds, said = label in wanted, label in found
        yield from (float(holds and said), float(holds), float(not holds and not said), float(not holds))


def _figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
    each = {
        label: (ratio(sums[:, 4 * at], sums[:, 4 * at + 1]) + ratio(sums[:, 4 * at + 2], sums[:, 4 * at + 3]))
        / 2
        for at, label in enumerate(LABELS)
    }
    return {"balanced_accuracy": np.mean(list(each.values()), axis=0), **each}


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={TEST: Measure(_counts, _figures)},
    bars={"test balanced_accuracy": Bar(0.80)},
    settle=of_each_label,
)
