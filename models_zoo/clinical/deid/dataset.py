"""The training set of the adapter: Presidio's research sentences and generated clinical notes.

Both are split by template: no sentence of the test part has a make that the training part contains. The
training templates of Presidio's sentences are also filled again with names and numbers of our own.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from models_zoo.clinical.deid.generate import SLOTS, Entity, Example, fill, join, part_of, templates
from models_zoo.clinical.deid.labels import PRESIDIO

PRESIDIO_FILE = Path("ehr_deid_presidio") / "synth_v2_dev.json.gz"
PARTS = ("train", "validation", "test")

# Presidio's slot -> ours, to fill its templates anew. One with any other slot is not refilled.
_REFILL: Mapping[str, tuple[str, ...]] = {
    "PERSON": ("patient", "doctor", "given", "surname", "patient_upper"),
    "STREET_ADDRESS": ("street",),
    "GPE": ("city",),
    "ZIP_CODE": ("zip",),
    "ORGANIZATION": ("employer", "hospital", "clinic"),
    "DATE_TIME": ("date", "month_year"),
    "PHONE_NUMBER": ("phone",),
    "EMAIL_ADDRESS": ("email",),
    "DOMAIN_NAME": ("url",),
    "CREDIT_CARD": ("account",),
    "IBAN_CODE": ("account",),
    "US_SSN": ("ssn",),
    "US_DRIVER_LICENSE": ("serial",),
    "AGE": ("age",),
}


@dataclass(slots=True, frozen=True)
class Amounts:
    """How many examples of each kind are made for a part."""

    sentences: int
    notes: int
    refills: int


AMOUNTS: Mapping[str, Amounts] = {
    "train": Amounts(sentences=5000, notes=6000, refills=6),
    "validation": Amounts(sentences=200, notes=60, refills=0),
    "test": Amounts(sentences=400, notes=150, refills=0),
}


def read_presidio(path: Path) -> list[tuple[str, Example]]:
    """(masked text, example) of every sentence, with our labels. Raises OSError and ValueError."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [(item["masked"], _presidio_example(item)) for item in json.load(stream)]


def presidio_part(sentences: Iterable[tuple[str, Example]], part: str) -> list[tuple[str, Example]]:
    """Those sentences whose template belongs to the part."""
    return [(masked, example) for masked, example in sentences if part_of(example.template) == part]


def clinical(part: str, random: Random, amounts: Amounts) -> Iterator[Example]:
    """Generated sentences, then notes of two to nine of them, from the part's templates alone."""
    pool = [template for template in templates() if part_of(template) == part]
    for index in range(amounts.sentences):
        yield fill(pool[index % len(pool)], random)
    for _ in range(amounts.notes):
        lines = [fill(random.choice(pool), random) for _ in range(random.randint(2, 9))]
        yield join(lines, random.choice(("\n", "\n", " ", "\n\n")))


def refilled(sentences: Iterable[tuple[str, Example]], random: Random, times: int) -> Iterator[Example]:
    """Presidio's templates filled with values of our own, `times` for each distinct template."""
    for masked in sorted({masked for masked, _ in sentences}):
        ours = re.sub(r"\{\{(\w+)\}\}", lambda slot: _our_slot(slot.group(1), random), masked)
        if _fillable(ours):
            yield from (fill(ours, random) for _ in range(times))


def build(data: Path, target: Path, seed: int = 7, scale: float = 1.0) -> dict[str, int]:
    """Write train.jsonl, validation.jsonl and the two test sets into `target`; give their sizes.

    `data` is the folder of the public data sets; `scale` shrinks the generated share (for a quick try).
    Raises FileNotFoundError naming the file of Presidio's sentences when it is not there.
    """
    sentences = read_presidio(data / PRESIDIO_FILE)
    target.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part in PARTS:
        random = Random(f"{seed}:{part}")
        mine = presidio_part(sentences, part)
        notes = list(clinical(part, random, _scaled(AMOUNTS[part], scale)))
        own = [example for _, example in mine]
        sets = {"test_presidio": own, "test_clinical": notes} if part == "test" else {part: [*own, *notes]}
        if part == "train":
            sets[part] += [_recased(e, random) for e in refilled(mine, random, AMOUNTS[part].refills)]
            random.shuffle(sets[part])
        for name, examples in sets.items():
            counts[name] = write_jsonl(target / f"{name}.jsonl", examples)
    return counts


def write_jsonl(path: Path, examples: Iterable[Example]) -> int:
    """One {"text", "spans": [[start, end, label], ...]} a line; gives the number of lines."""
    lines = [
        json.dumps(
            {"text": e.text, "spans": [[x.start, x.end, x.label] for x in e.entities]}, ensure_ascii=False
        )
        for e in examples
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def read_jsonl(path: Path) -> list[Example]:
    """What `write_jsonl` wrote; the template is not kept in the file."""
    items = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Example(i["text"], tuple(Entity(*span) for span in i["spans"]), "") for i in items]


def _presidio_example(item: Mapping[str, Any]) -> Example:
    spans = [s for s in item["spans"] if s["entity_type"] in PRESIDIO]
    entities = (
        Entity(s["start_position"], s["end_position"], PRESIDIO[s["entity_type"]].value) for s in spans
    )
    ordered = tuple(sorted(entities, key=lambda e: e.start))
    return Example(item["full_text"], ordered, f"presidio {item['template_id']}")


def _our_slot(name: str, random: Random) -> str:
    return "{" + random.choice(_REFILL.get(name, (f"unknown_{name}",))) + "}"


def _fillable(template: str) -> bool:
    names = re.findall(r"\{(\w*)\}", template)
    return bool(names) and template.count("{") == len(names) and all(name in SLOTS for name in names)


def _recased(example: Example, random: Random) -> Example:
    """One in twelve wholly in lower or upper case, as typed in a hurry; offsets must not move."""
    text = random.choice((example.text.lower(), example.text.upper()))
    if random.random() > 1 / 12 or len(text) != len(example.text):
        return example
    return Example(text, example.entities, example.template)


def _scaled(amounts: Amounts, scale: float) -> Amounts:
    return Amounts(
        max(20, int(amounts.sentences * scale)), max(5, int(amounts.notes * scale)), amounts.refills
    )
