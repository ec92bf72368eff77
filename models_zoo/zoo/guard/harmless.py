"""Harmless documents for training: excerpts of the public ones, forum threads, answers, and some of our own making.

What is measured on is made without this module, so that its documents stay what they were.
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from models_zoo.zoo.guard.documents import contexts, cropped, inserted, others
from models_zoo.zoo.guard.lines import FOLDER
from models_zoo.zoo.own import of_part, part_of, sections
from models_zoo.zoo.tasks import TRAIN

_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
VALUES = {
    "person": (
        "Anna",
        "Mr Osei",
        "Priya",
        "Tom",
        "Dr Lund",
        "Mei",
        "Carlos",
        "the secretary",
        "Ms Novak",
        "Jean",
    ),
    "place": (
        "Lyon",
        "Leeds",
        "the north hall",
        "Osaka",
        "Porto",
        "Building C",
        "Accra",
        "Main Street",
        "Brno",
    ),
    "day": (
        "Monday",
        "Friday",
        "12 May",
        "the end of the month",
        "tomorrow",
        "3 March",
        "next Tuesday",
        "Sunday",
    ),
    "product": (
        "kettle",
        "lamp",
        "washing machine",
        "drill",
        "printer",
        "bicycle",
        "phone",
        "heater",
        "camera",
    ),
    "link": ("https://shop.example", "www.town-library.example", "http://docs.example/start", "our website"),
    "word": ("total", "orders", "backup", "parse", "nginx", "session", "report", "users"),
    "WORD": ("TOTAL", "DATA", "BACKUP", "JAVA", "SERVER", "REPORT"),
}
OF_ANSWERS = 1500
LEAST = 0.3  # of a document that an excerpt keeps


def aside(random: Random) -> str:
    """One line of any kind, or one for readers."""
    if random.random() < 0.3:
        return random.choice(of_part(FOLDER, "readers", TRAIN))
    return _filled(random.choice(_kind(random)), random)


def with_asides(document: str, random: Random) -> str:
    """The document with one to three lines that speak to the people who read it."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
        document = inserted(document, aside(random), random)
    return document


def composed(random: Random) -> str:
    """A document of one kind: some of its lines, as a list, in paragraphs or one below the other."""
    pool = _kind(random)
    chosen = [_filled(line, random) for line in random.sample(pool, random.randint(4, min(13, len(pool))))]
    style = random.randrange(5)
    if style == 0:
        chosen = [f"{number}. {line}" for number, line in enumerate(chosen, start=1)]
    elif style == 1:
        chosen = [f"- {line}" for line in chosen]
    return random.choice(("\n", "\n", "\n\n", " ")).join(chosen)


def excerpt(document: str, random: Random) -> str:
    """A stretch of the document's lines, or sentences where it has few lines; a table keeps its heading."""
    lines = document.split("\n")
    if len(lines) < 4:
        return " ".join(_stretch(_SENTENCE.split(document), random))
    if lines[0].startswith("|"):
        return "\n".join([lines[0], *_stretch(lines[1:], random)])
    return "\n".join(_stretch(lines, random))


def _stretch(pieces: list[str], random: Random) -> list[str]:
    if len(pieces) < 3 or random.random() < 0.3:
        return pieces
    size = random.randint(max(2, int(len(pieces) * LEAST)), len(pieces))
    start = random.randint(0, len(pieces) - size)
    return pieces[start : start + size]


class Documents:
    """What training draws its documents from. Raises OSError when the public data is not there."""

    def __init__(self, data: Path, comments: list[str]) -> None:
        self._contexts = contexts(data, TRAIN)
        self._others = others(data, TRAIN, None)
        self._answers = answers(data, TRAIN)
        self._comments = comments

    def draw(self, random: Random) -> str:
        """One document, cut to what is read in one piece."""
        chance = random.random()
        if chance < 0.4:
            return excerpt(random.choice(self._contexts), random)
        if chance < 0.7:
            return excerpt(random.choice(self._others), random)
        if chance < 0.8:
            return excerpt(random.choice(self._answers), random)
        if chance < 0.88:
            comments = random.sample(self._comments, random.randint(3, 12))
            return cropped(random.choice(("\n", "\n\n", "\n> ")).join(comments))
        return composed(random)


def answers(data: Path, part: str) -> list[str]:
    """Answers of MedQuAD, most of which tell people what to do."""
    import pyarrow.parquet as parquet  # our own data; the product reads Parquet in a process of its own

    path = data / "ehr_medquad" / "medquad_with_answers.parquet"
    column = parquet.read_table(path, columns=["answer"]).column("answer")
    texts = {" ".join(text.split(" ")).strip() for text in column.to_pylist() if text}
    found = sorted(text for text in texts if len(text) > 200 and part_of(text) == part)
    Random(f"{part}:answers").shuffle(found)
    return [cropped(text) for text in found[:OF_ANSWERS]]


def _kind(random: Random) -> tuple[str, ...]:
    return random.choice(list(sections(FOLDER, "harmless").values()))


def _filled(line: str, random: Random) -> str:
    return _SLOT.sub(lambda slot: _value(slot.group(1), random), line)


def _value(name: str, random: Random) -> str:
    return str(random.randint(2, 60)) if name == "n" else random.choice(VALUES[name])
