"""MELD (Poria et al., 2019): seven emotions with the conversation so far, by weighted F1. Its licence is GPL-3.0, so
weights from it are for measurement and are never committed."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from models_zoo.zoo.files import Row, read_csv, share_of
from models_zoo.zoo.measures import weighted_f1
from models_zoo.zoo.tasks import VALIDATION, Bar, Task

LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
BEFORE = 5  # turns that are read with an utterance
HELD = 0.1  # of the training dialogues, for validation


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part: the turns before, then the utterance behind a line of its own. Raises OSError and KeyError."""
    name = "dev" if part == "test" else "train"
    turns = read_csv(data / "support_meld" / f"{name}_sent_emo.csv.gz")
    rows: list[Row] = []
    for dialogue, group in groupby(turns, key=lambda turn: turn["Dialogue_ID"]):
        held = share_of(f"meld {dialogue}") < HELD
        if part == "test" or held == (part == VALIDATION):
            rows += _rows(list(group))
    return rows


def _rows(turns: list[dict[str, str]]) -> list[Row]:
    said = [f"{turn['Speaker']}: {turn['Utterance'].strip()}" for turn in turns]
    return [
        {"text": "\n".join([*said[max(0, at - BEFORE) : at], f"=> {said[at]}"]), "labels": [turn["Emotion"]]}
        for at, turn in enumerate(turns)
    ]


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test": weighted_f1(LABELS)},
    bars={"test weighted_f1": Bar(0.60)},
    ships=False,
)
