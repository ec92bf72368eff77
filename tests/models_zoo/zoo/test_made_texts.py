"""Texts of our own making that are trained on: harmless documents, and sentences with identifiers."""

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from models_zoo.clinical.deid.generate import Example, fill
from models_zoo.zoo.deid.data import general, refilled
from models_zoo.zoo.deid.values import WIDE
from models_zoo.zoo.guard.harmless import composed, excerpt, with_asides
from models_zoo.zoo.own import lines, of_part, part_of
from models_zoo.zoo.tasks import TRAIN, VALIDATION

seeds = st.integers(0, 300)
NONE = Example("", (), "")  # only the template beside it is looked at


@given(seeds)
def test_a_composed_document_has_several_lines_and_no_slot(seed: int) -> None:
    found = composed(Random(seed))
    assert len(found.split()) > 8
    assert not re.search(r"\{\w*\}", found)
    assert composed(Random(seed)) == found


@given(seeds)
def test_an_excerpt_is_of_its_document(seed: int) -> None:
    table = "\n".join(["| heading |", *(f"| {number} |" for number in range(12))])
    found = excerpt(table, Random(seed)).split("\n")
    assert found[0] == "| heading |"
    assert len(found) >= 3
    assert "\n".join(found[1:]) in table
    text = "One. Two! Three? Four. Five."
    assert excerpt(text, Random(seed)) in text


@given(seeds)
def test_lines_for_readers_are_added_and_nothing_is_lost(seed: int) -> None:
    found = with_asides("alpha\nbeta\ngamma", Random(seed))
    assert len(found) > len("alpha\nbeta\ngamma")
    assert re.search(r"alpha.*beta.*gamma", found, re.DOTALL)


def test_lines_for_readers_of_other_parts_are_not_learned() -> None:
    others = [line for line in lines("guard", "readers") if part_of(line) != TRAIN]
    made = "\n".join(with_asides("x", Random(seed)) for seed in range(400))
    assert not [line for line in others if line in made]
    assert of_part("guard", "readers", VALIDATION)


@given(seeds, st.sampled_from(sorted(WIDE)))
def test_every_slot_makes_a_value_where_it_says(seed: int, slot: str) -> None:
    found = fill(f"<{{{slot}}}>", Random(seed), WIDE)
    value = found.text[1:-1]
    assert value
    assert value == value.strip()
    assert [found.text[e.start : e.end] for e in found.entities] == ([] if WIDE[slot][0] is None else [value])


def test_general_sentences_are_filled() -> None:
    made = list(general(Random(0), 1))
    assert len(made) > 250
    assert not [one.text for one in made if re.search(r"\{\w*\}", one.text)]
    assert [one for one in made if not one.entities]


def test_an_address_of_presidio_is_refilled_by_its_parts() -> None:
    made = next(iter(refilled([("{{STREET_ADDRESS}} {{STREET_ADDRESS}}\n {{GPE}}", NONE)], Random(1), 1)))
    number, street, place = (made.text[e.start : e.end] for e in made.entities)
    assert number.isdigit()
    assert made.text == f"{number} {street}\n {place}"
    assert not list(refilled([("{{NOT_KNOWN}}", NONE)], Random(1), 3))
