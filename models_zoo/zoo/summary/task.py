"""MTS-Dialog (Ben Abacha et al., 2023) and ACI-Bench (Yim et al., 2023): the section of a note from a dialogue.

A whole visit is longer than a worker's context: a section is asked for from the stretch of the visit that it is about.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models_zoo.llm.scores import rouge_l
from models_zoo.zoo.files import Row, read_csv
from models_zoo.zoo.measures import means
from models_zoo.zoo.tasks import Task

MTS = {
    "train": "MTS-Dialog-TrainingSet", "validation": "MTS-Dialog-ValidationSet",
    "test_mts": "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023",
}  # fmt: skip
ACI = {"train": "train", "validation": "valid", "test_aci": "clinicalnlp_taskB_test1"}
STRETCH = 4200  # characters of a visit that are read: about 1,100 tokens
LONGEST = 1200  # characters of a section that is asked for
# of a visit's note, those that a stretch of it suffices for: whether it is the visit's end
SECTIONS = {"CHIEF COMPLAINT": False, "HISTORY OF PRESENT ILLNESS": False, "ASSESSMENT AND PLAN": True}
NAMES = {
    "GENHX": "history of present illness", "FAM/SOCHX": "family and social history", "ROS": "review of systems",
    "PASTMEDICALHX": "past medical history", "PASTSURGICAL": "past surgical history", "CC": "chief complaint",
    "EDCOURSE": "emergency department course", "OTHER_HISTORY": "other history", "GYNHX": "gynaecological history",
    "LABS": "laboratory results",
}  # fmt: skip
HEADING = re.compile(r"^[A-Z][A-Z ,/&-]{3,60}$", re.MULTILINE)
WORD = re.compile(r"\w+")


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part. Raises OSError, and KeyError for a file without the published columns."""
    rows: list[Row] = []
    if part in MTS:
        found = read_csv(data / "ehr_mts_dialog" / f"{MTS[part]}.csv.gz")
        rows += [_row(_name(one["section_header"]), one["dialogue"], one["section_text"]) for one in found]
    if part in ACI:
        for one in read_csv(data / "ehr_aci_bench" / f"{ACI[part]}.csv.gz"):
            rows += _visit(one["dialogue"], one["note"])
    return rows


def _name(header: str) -> str:
    return NAMES.get(header.strip().upper(), header.strip().lower().replace("_", " "))


def _row(section: str, dialogue: str, text: str) -> Row:
    asked = f"Write the section {section.upper()} of the note from this conversation.\n\n{dialogue.strip()}"
    said = [{"role": "user", "content": asked}, {"role": "assistant", "content": text.strip()}]
    return {"messages": said}


def _visit(dialogue: str, note: str) -> Iterator[Row]:
    for name, text in sections(note):
        if name in SECTIONS and len(text) <= LONGEST:
            yield _row(name, _stretch(dialogue, SECTIONS[name]), text)


def sections(note: str) -> list[tuple[str, str]]:
    """(heading, text) of a note whose headings are lines in capitals."""
    found = list(HEADING.finditer(note))
    ends = [one.start() for one in found[1:]] + [len(note)]
    texts = [
        (one.group().strip(), note[one.end() : end].strip()) for one, end in zip(found, ends, strict=True)
    ]
    return [(name, text) for name, text in texts if text]


def _stretch(dialogue: str, at_the_end: bool) -> str:
    """The first or last lines of a visit."""
    if len(dialogue) <= STRETCH:
        return dialogue
    if at_the_end:
        start = dialogue.find("\n", len(dialogue) - STRETCH)
        return dialogue[start + 1 :]
    return dialogue[: dialogue.rfind("\n", 0, STRETCH)]


def score(row: Row, given: Any) -> dict[str, float]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin, 2004), and the share of the answer's numbers that were said."""
    asked, wanted = (row["messages"][at]["content"] for at in (0, 1))
    ours, theirs = (WORD.findall(text.lower()) for text in (str(given), wanted))
    numbers = re.findall(r"\d+", str(given))
    said = set(re.findall(r"\d+", asked))
    return {
        "rouge_1": _overlap(ours, theirs, 1),
        "rouge_2": _overlap(ours, theirs, 2),
        "rouge_l": rouge_l(theirs, ours),
        "numbers_said": sum(one in said for one in numbers) / len(numbers) if numbers else 1.0,
    }


def _overlap(ours: Sequence[str], theirs: Sequence[str], size: int) -> float:
    one, other = (Counter(zip(*(words[at:] for at in range(size)), strict=False)) for words in (ours, theirs))
    return 2 * (one & other).total() / max(1, one.total() + other.total())


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={"test_mts": means(score), "test_aci": means(score)},
    answer_tokens=200,
)
