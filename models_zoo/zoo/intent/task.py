"""CLINC150 (Larson et al., 2019): 150 intents, and what is out of scope as a class with a threshold of its own."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from random import Random

from models_zoo.zoo.augment import retyped
from models_zoo.zoo.files import Row, read_lines, read_text, share_of
from models_zoo.zoo.intent.elsewhere import questions
from models_zoo.zoo.measures import accuracy
from models_zoo.zoo.tasks import VALIDATION, Bar, Task
from models_zoo.zoo.thresholds import of_least_loss

OUT = "oos"
HELD = 0.1  # of the training utterances, for validation: the published validation split is measured on
OUT_HELD = 0.3
QUESTIONS = 500  # of our own, and as many of other public data
RETYPED = 0.3
LOST = 0.001  # of in-scope utterances, for the sake of those that are not


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part. Raises OSError, and ValueError for a file that is not CLINC150's."""
    found = json.loads(read_text(data / "support_clinc150" / "data_full_train_val.json.gz"))
    if set(found) != {"train", "val", "oos_train", "oos_val"}:
        raise ValueError(
            f"support_clinc150: expected train, val, oos_train, oos_val, found {', '.join(found)}"
        )
    if part == "test_in_scope":
        return _rows(found["val"])
    if part == "test_out_of_scope":
        return _rows(found["oos_val"])
    inside, outside = _rows(found["train"]), _rows(found["oos_train"])
    if part == VALIDATION:
        return [*_held(inside, HELD), *_held(outside, OUT_HELD)]
    learned = [*_rest(inside, HELD), *_rest(outside, OUT_HELD), *_elsewhere(data)]
    return list(retyped(learned, RETYPED, Random(2)))


def _rows(pairs: list[list[str]]) -> list[Row]:
    return [{"text": text, "labels": [label]} for text, label in pairs]


def _held(rows: list[Row], share: float) -> list[Row]:
    return [row for row in rows if share_of(row["text"]) < share]


def _rest(rows: list[Row], share: float) -> list[Row]:
    return [row for row in rows if share_of(row["text"]) >= share]


def _elsewhere(data: Path) -> list[Row]:
    """Our own questions, and those of PubMedQA and BIPIA's attacks, which no assistant of this kind is for."""
    random = Random(3)
    studies = json.loads(read_text(data / "ehr_pubmedqa" / "pqal_cv500.json.gz")).values()
    asked = sorted({study["QUESTION"].lower().rstrip("?") for study in studies})
    attacks = json.loads(read_text(data / "support_bipia" / "text_attack_train.json"))
    asked += [text for kind in ("Information Retrieval", "Learning and Tutoring") for text in attacks[kind]]
    asked += [
        row["question"].removeprefix("Q: ")
        for row in read_lines(data / "support_bipia" / "email_train.jsonl")
    ]
    texts = [*questions(QUESTIONS, random), *random.sample(asked, min(QUESTIONS, len(asked)))]
    return [{"text": text, "labels": [OUT]} for text in texts]


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test_in_scope": accuracy(), "test_out_of_scope": accuracy("recall")},
    bars={"test_in_scope accuracy": Bar(0.955), "test_out_of_scope recall": Bar(0.55)},
    settle=partial(of_least_loss, early=OUT, lost=LOST),
)
