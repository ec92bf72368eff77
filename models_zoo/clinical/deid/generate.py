"""Clinical sentences and notes with identifiers whose places are known, from templates and a seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from random import Random

from models_zoo.clinical.deid.slots import SLOTS, Slot

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(slots=True, frozen=True)
class Entity:
    """A labelled stretch of text: character offsets, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(slots=True, frozen=True)
class Example:
    """A text and what in it identifies a person; `template` groups texts of one make for the split."""

    text: str
    entities: tuple[Entity, ...]
    template: str


def templates() -> list[str]:
    """All sentence templates, those without identifiers last."""
    folder = files("models_zoo.clinical.deid")
    lines = [
        folder.joinpath(name).read_text("utf-8").splitlines() for name in ("templates.txt", "negatives.txt")
    ]
    return [line for part in lines for line in part if line and not line.startswith("#")]


def part_of(template: str) -> str:
    """The part (train, validation or test) of everything made from one template: 70/10/20 by its hash."""
    bucket = int(sha256(template.encode()).hexdigest(), 16) % 10
    return "test" if bucket < 2 else "validation" if bucket == 2 else "train"


def fill(template: str, random: Random, slots: Mapping[str, Slot] | None = None) -> Example:
    """Fill the slots of one template, with the values of `slots` (`SLOTS`). Raises KeyError for a slot not in there."""
    known = SLOTS if slots is None else slots
    text, entities, at = "", [], 0
    for slot in _SLOT.finditer(template):
        text += template[at : slot.start()]
        label, make = known[slot.group(1)]
        value = make(random)
        if label is not None:
            entities.append(Entity(len(text), len(text) + len(value), label.value))
        text, at = text + value, slot.end()
    return Example(text + template[at:], tuple(entities), template)


def note(pool: Sequence[str], random: Random, lines: int) -> Example:
    """Several filled templates of `pool` joined into one note, by line breaks or by spaces."""
    return join(
        [fill(random.choice(pool), random) for _ in range(lines)], random.choice(("\n", "\n", " ", "\n\n"))
    )


def join(parts: Sequence[Example], separator: str) -> Example:
    """One text of several, with their entities moved along. The parts come from one part of the split."""
    text, entities = "", []
    for index, part in enumerate(parts):
        text += separator if index else ""
        entities += [Entity(e.start + len(text), e.end + len(text), e.label) for e in part.entities]
        text += part.text
    return Example(text, tuple(entities), parts[0].template)
