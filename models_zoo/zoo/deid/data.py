"""What the adapter learns: Presidio's research sentences, generated clinical notes, and sentences that are no notes.

The first two are split by template: no sentence of the test part has a make that the training part contains. The
training templates of Presidio's sentences are also filled again with names and numbers of our own.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

from models_zoo.clinical.deid.generate import Entity, Example, fill, join, part_of, templates
from models_zoo.clinical.deid.labels import PRESIDIO
from models_zoo.zoo.deid.values import WIDE

PRESIDIO_FILE = Path("ehr_deid_presidio") / "synth_v2_dev.json.gz"

# Presidio's slot -> ours, to fill its templates anew. One with any other slot is not refilled.
_REFILL: Mapping[str, tuple[str, ...]] = {
    "PERSON": ("anyone", "patient"),
    "STREET_ADDRESS": ("street", "street", "street", "address", "corner"),
    "GPE": ("place",),
    "ZIP_CODE": ("zip",),
    "ORGANIZATION": ("employer", "employer", "hospital", "clinic"),
    "DATE_TIME": ("when",),
    "PHONE_NUMBER": ("phone",),
    "EMAIL_ADDRESS": ("email",),
    "DOMAIN_NAME": ("url",),
    "CREDIT_CARD": ("card",),
    "IBAN_CODE": ("iban",),
    "IP_ADDRESS": ("ip",),
    "US_SSN": ("ssn",),
    "US_DRIVER_LICENSE": ("licence",),
    "AGE": ("age",),
    "TITLE": ("title", "job"),
    "NRP": ("nation",),
}
# In an address of several slots STREET_ADDRESS is a part of it: the number and the street in the first line, then a
# flat, and behind the country what is written there for a code.
_ADDRESS = (
    ("{{STREET_ADDRESS}} {{STREET_ADDRESS}} {{STREET_ADDRESS}}", "{building} {street_name} {unit}"),
    ("{{STREET_ADDRESS}} {{STREET_ADDRESS}}", "{building} {street_name}"),
    ("{{GPE}} {{STREET_ADDRESS}}", "{place} {zip}"),
    ("{{STREET_ADDRESS}} St.", "{street_word} St."),
    ("{{STREET_ADDRESS}} street", "{street_word} street"),
    ("\n {{STREET_ADDRESS}}\n", "\n {unit}\n"),
)


@dataclass(slots=True, frozen=True)
class Amounts:
    """How many examples of each kind are made for a part."""

    sentences: int
    notes: int
    refills: int = 0
    general: int = 0


AMOUNTS: Mapping[str, Amounts] = {
    "train": Amounts(sentences=3000, notes=2500, refills=25, general=15),
    "validation": Amounts(sentences=200, notes=60),
    "test": Amounts(sentences=400, notes=150),
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
        for _ in range(times):
            ours = masked
            for presidio, parts in _ADDRESS:
                ours = ours.replace(presidio, parts)
            ours = re.sub(r"\{\{(\w+)\}\}", lambda slot: _our_slot(slot.group(1), random), ours)
            if _fillable(ours):
                yield fill(ours, random, WIDE)


def general(random: Random, times: int) -> Iterator[Example]:
    """The sentences of `general.txt`, each filled `times`."""
    lines = files("models_zoo.zoo.deid").joinpath("general.txt").read_text("utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            template = line.replace("\\n", "\n")
            yield from (fill(template, random, WIDE) for _ in range(times if "{" in template else 5))


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
    return bool(names) and template.count("{") == len(names) and all(name in WIDE for name in names)
