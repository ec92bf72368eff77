"""Texts of our own making that are trained on: sentences with identifiers."""

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from models_zoo.clinical.deid.generate import Example, fill
from models_zoo.zoo.deid.data import general, refilled
from models_zoo.zoo.deid.values import WIDE

seeds = st.integers(0, 300)
NONE = Example("", (), "")  # only the template beside it is looked at


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
