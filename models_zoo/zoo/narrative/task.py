"""Fraud narratives from generated cases: how much of the facts is told, and whether anything else is."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from models_zoo.llm.scores import answer_scores
from models_zoo.zoo.files import Row
from models_zoo.zoo.measures import means
from models_zoo.zoo.narrative.cases import Case, cases
from models_zoo.zoo.narrative.words import narrative
from models_zoo.zoo.tasks import TRAIN, VALIDATION, Bar, Task

ASKED = "Write the narrative of this case. Say only what the facts say.\n\n"
# worlds of other seeds, and with that of other people, shops and frauds, for each part
WORLDS = {
    TRAIN: ((11, 500, 30), (12, 500, 30), (13, 300, 30)),
    VALIDATION: ((21, 200, 20),),
    "test": ((31, 250, 24),),
}
MOST = {TRAIN: 2400, VALIDATION: 100, "test": 150}
CLAUSE = re.compile(r"(?<=[.;:])\s+")
NUMBER = re.compile(r"(?:A|ACC-)?\d(?:[\d,.:-]*\d)?")


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part; nothing of `data` is read, all of it is generated."""
    found = [_row(case) for case in _cases(part)]
    step = max(1, len(found) // MOST[part])
    return found[::step][: MOST[part]]


@cache
def _cases(part: str) -> tuple[Case, ...]:
    return tuple(case for world in WORLDS[part] for case in cases(*world))


def _row(case: Case) -> Row:
    said = [
        {"role": "user", "content": ASKED + case.facts()},
        {"role": "assistant", "content": narrative(case)},
    ]
    return {"messages": said}


def score(row: Row, given: Any) -> dict[str, float]:
    """ROUGE-L; the share of numbers and accounts that should be told and are; whether none is told that is no fact;
    and of the clauses of the longer of the two narratives, those that both have."""
    facts, wanted = (row["messages"][at]["content"] for at in (0, 1))
    told, due, known = (set(NUMBER.findall(text)) for text in (str(given), wanted, facts))
    return {
        "rouge_l": answer_scores([wanted], [str(given)])["rouge_l"],
        "facts_told": len(told & due) / len(due),
        "faithful": float(all(_is_known(one, known, facts) for one in told)),
        "clauses_right": _shared_clauses(str(given), wanted),
    }


def _shared_clauses(given: str, wanted: str) -> float:
    ours, theirs = (Counter(CLAUSE.split(text.strip())) for text in (given, wanted))
    return (ours & theirs).total() / max(ours.total(), theirs.total())


def _is_known(number: str, known: set[str], facts: str) -> bool:
    return number in known or number.rstrip(".,:-") in facts


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test": means(score)},
    bars={"test faithful": Bar(0.95), "test facts_told": Bar(0.95)},
    answer_tokens=220,
)
