"""Documents to hide orders in: BIPIA's training contexts, and notes, dialogues and abstracts that may ship."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

from models_zoo.zoo.files import read_csv, read_lines, read_text
from models_zoo.zoo.guard.lines import FOLDER
from models_zoo.zoo.own import of_part, part_of

_BREAK = re.compile(r"\n|(?<=\.) ")
LONGEST = 1400  # characters: about what is read in one piece
OTHERS = 500  # documents beside BIPIA's


def contexts(data: Path, part: str) -> list[str]:
    """BIPIA's e-mails, tables and code of the part, each once."""
    folder = data / "support_bipia"
    mails = [str(row["context"]) for row in read_lines(folder / "email_train.jsonl")]
    tables = [str(row["context"]) for row in read_lines(folder / "table_train.jsonl.gz")]
    codes = ["\n".join([*row["error"], *row["context"]]) for row in read_lines(folder / "code_train.jsonl")]
    found = dict.fromkeys(text.strip() for text in [*mails, *tables, *codes])
    return [cropped(text) for text in found if text and part_of(text) == part]


def others(data: Path, part: str, most: int | None = OTHERS) -> list[str]:
    """Notes and dialogues of MTS-Dialog and ACI-Bench and abstracts of PubMedQA, of the part; None: all of them."""
    sections = read_csv(data / "ehr_mts_dialog" / "MTS-Dialog-TrainingSet.csv.gz")
    visits = read_csv(data / "ehr_aci_bench" / "train.csv.gz")
    studies = json.loads(read_text(data / "ehr_pubmedqa" / "pqal_cv500.json.gz")).values()
    texts = [row["dialogue"] for row in sections] + [row["note"] for row in visits]
    texts += ["\n".join(study["CONTEXTS"]) for study in studies]
    found = sorted({text.strip() for text in texts if len(text) > 200 and part_of(text.strip()) == part})
    Random(f"{part}:others").shuffle(found)
    return [cropped(text) for text in found[:most]]


def cropped(text: str) -> str:
    """The first lines of a text."""
    return text if len(text) <= LONGEST else text[: max(text.rfind("\n", 0, LONGEST), LONGEST // 2)]


def inserted(document: str, line: str, random: Random) -> str:
    """The document with a line at its beginning, its end, or between two of its lines or sentences."""
    place = random.choice(("start", "middle", "end"))
    gap = random.choice(("\n", "\n\n", " "))
    if place == "start":
        return f"{line}{gap}{document}"
    breaks = [match.end() for match in _BREAK.finditer(document)]
    if place == "end" or not breaks:
        return f"{document}{gap}{line}"
    at = random.choice(breaks)
    return f"{document[:at]}{line}{gap}{document[at:]}"


def for_readers(document: str, part: str, random: Random) -> str:
    """The document with a line or two for the people who read it."""
    for _ in range(random.randint(1, 2)):
        document = inserted(document, random.choice(of_part(FOLDER, "readers", part)), random)
    return document
