"""De-identification without a model: generator, scrubber, known identifiers, patterns, split, figures."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.clinical.deid.generate import Entity, Example, fill, part_of, templates
from models_zoo.clinical.deid.known import Known, find_known
from models_zoo.clinical.deid.labels import Label
from models_zoo.clinical.deid.measure import counted, measure
from models_zoo.clinical.deid.scrub import Found, covered, merge, scrub
from models_zoo.zoo import deid
from models_zoo.zoo.deid.data import AMOUNTS, PRESIDIO_FILE, Amounts, clinical, presidio_part, read_presidio
from models_zoo.zoo.deid.task import TASK

DATA = Path(os.environ.get("ROOTSTOCK_DATA", "../shared/data"))
LABELS = [label.value for label in Label]

spans = st.builds(
    Found, st.integers(-3, 60), st.integers(-3, 60), st.sampled_from(LABELS), st.sampled_from(["a", "b", "c"])
)
texts = st.text("ab Z1.,-\n\u00e9\u0308\U0001f600", max_size=50)


def test_it_works() -> None:
    text = "Seen by Dr. Ada Lovelace on 2024-03-01."
    found = [Found(12, 15, "NAME", "a"), Found(16, 20, "NAME", "b"), Found(28, 38, "DATE", "a")]
    result = scrub(text, found)
    assert result.text == "Seen by Dr. [NAME] on [DATE]."
    assert [(r.start, r.end, r.label, r.sources) for r in result.redactions] == [
        (12, 18, "NAME", ("a", "b")),
        (22, 28, "DATE", ("a",)),
    ]


@given(texts, st.lists(spans, max_size=12))
def test_nothing_found_survives_and_the_rest_is_kept(text: str, found: list[Found]) -> None:
    merged = merge(text, found)
    assert all(0 <= m.start < m.end <= len(text) for m in merged)
    assert all(left.end <= right.start for left, right in itertools.pairwise(merged))
    for stretch in found:
        start, end = max(0, stretch.start), min(len(text), stretch.end)
        assert start >= end or covered(start, end, text, merged)
    result = scrub(text, found)
    kept, at = "", 0
    for redaction in result.redactions:
        assert result.text[redaction.start : redaction.end] == f"[{redaction.label}]"
        kept, at = kept + result.text[at : redaction.start] + "\0", redaction.end
    kept += result.text[at:]
    expected, at = "", 0
    for stretch in merged:
        expected, at = expected + text[at : stretch.start] + "\0", stretch.end
    assert kept == expected + text[at:]


@given(texts, st.lists(spans, max_size=8))
def test_order_does_not_matter(text: str, found: list[Found]) -> None:
    assert merge(text, found) == merge(text, found[::-1])


def test_half_a_word_takes_the_whole_word() -> None:
    assert scrub("Mr. Okafor left", [Found(4, 7, "NAME", "a")]).text == "Mr. [NAME] left"


def test_two_lines_stay_two() -> None:
    text = "Ann\nBob"
    assert scrub(text, [Found(0, 3, "NAME", "a"), Found(4, 7, "NAME", "a")]).text == "[NAME]\n[NAME]"


@pytest.mark.parametrize(
    ("known", "text", "left"),
    [
        (
            Known("NAME", "Will Frost"),
            "Mr Frost will walk. WILL FROST will.",
            "Mr [NAME] will walk. [NAME] will.",
        ),
        (Known("NAME", "Meera Chandrasekaran"), "chandrasekaran, MEERA", "[NAME]"),
        (Known("NAME", "Al"), "Also Al", "Also [NAME]"),
        (Known("ID", "1234567"), "MRN 123-4567 or 123 4567, not 91234567", "MRN [ID] or [ID], not 91234567"),
        (Known("CONTACT", "07700 900123"), "ring 07700-900-123", "ring [CONTACT]"),
        (Known("CONTACT", "a.b@c.org"), "to A.B@c.org now", "to [CONTACT] now"),
        (Known("DATE", "1950-03-07"), "born 7 March 1950, 07/03/1950, 3/7/50", "born [DATE]"),
        (Known("DATE", "1950-03-07"), "Mar 7th and 1950-03-07; 17/03/1950", "[DATE] and [DATE]; 17/03/1950"),
        (Known("LOCATION", "Quay Lane (top)"), "at QUAY LANE (TOP).", "at [LOCATION]."),
    ],
)
def test_known_identifiers(known: Known, text: str, left: str) -> None:
    assert scrub(text, find_known(text, [known])).text == left


def test_every_template_fills() -> None:
    random = Random(5)
    for template in templates():
        example = fill(template, random)
        assert "{" not in example.text
        for entity in example.entities:
            assert example.text[entity.start : entity.end].strip()
            assert entity.label in LABELS


def test_parts_share_no_template() -> None:
    made = {part: {e.template for e in clinical(part, Random(1), Amounts(300, 0))} for part in AMOUNTS}
    assert not made["train"] & made["test"]
    assert not made["train"] & made["validation"]
    assert set().union(*made.values()) == set(templates())
    assert {part_of(template) for template in made["test"]} == {"test"}


@pytest.mark.skipif(
    not (DATA / PRESIDIO_FILE).exists(), reason=f"public data set not here: {DATA / PRESIDIO_FILE}"
)
def test_no_part_shares_a_template() -> None:
    for part in ("validation", "test_presidio", "test_clinical"):
        for row in TASK.examples(DATA, part):
            assert all(left[1] <= right[0] for left, right in itertools.pairwise(row["spans"]))
            assert all(0 <= start < end <= len(row["text"]) for start, end, _ in row["spans"])
    sentences = read_presidio(DATA / PRESIDIO_FILE)
    made = [{e.template for _, e in presidio_part(sentences, part)} for part in AMOUNTS]
    assert not made[0] & made[1]
    assert not made[0] & made[2]


def test_figures() -> None:
    example = Example("Ann met Bob", (Entity(0, 3, "NAME"), Entity(8, 11, "NAME")), "")
    figures = measure([example], [[Found(0, 3, "NAME", "a"), Found(4, 7, "NAME", "a")]])
    # "Ann met" has become one stretch: three of its six letters are right.
    assert (figures.recall, figures.precision, figures.clean) == (0.5, 0.5, 0.0)
    assert figures.missed == (("NAME", "Bob"),)
    assert counted(example, [Found(0, 3, "NAME", "a"), Found(4, 7, "NAME", "a")]) == (2, 1, 3, 6, 0, 1)


PATTERN_CASES = """
import json, socket, sys
def refuse(*arguments, **named):
    raise OSError("no network")
socket.getaddrinfo = socket.socket.connect = refuse
from models_zoo.clinical.deid.recognisers import find_patterns, recognisers
from models_zoo.clinical.deid.scrub import scrub
using = recognisers()
print(json.dumps([scrub(text, find_patterns(text, using)).text for text in json.load(sys.stdin)]))
"""


@pytest.mark.slow
def test_patterns_need_no_network_and_no_spacy_model() -> None:
    """In a process without a network (name look-ups and connections refused)."""
    cases = {
        "MRN: 1234567, seen 03/05/2019.": "MRN: [ID], seen [DATE].",
        "Mail j.doe@ward.local or call (415) 555-0132": "Mail [CONTACT] or call [CONTACT]",
        "On 4 March 2021 a 67-year-old came": "On [DATE] a [AGE]-year-old came",
        "SSN 078-05-1120, see https://example.org/x": "SSN [ID], see [CONTACT]",
        "at 12 Oak Street, CA 90210": "at [LOCATION], CA [LOCATION]",
        "BP 120/80, strength 4/5, 2.5 mg BID, C5-C6, INR 2.5, O2 98 %": None,
        "Parkinson's disease, Foley catheter, Glasgow Coma Scale 15": None,
        "Sodium 140, potassium 4.1, platelets 250 x10^9/L, lactate 2.1 mmol/L": None,
    }
    done = subprocess.run(
        [sys.executable, "-c", PATTERN_CASES],
        input=json.dumps(list(cases)),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "no network" not in done.stderr
    assert json.loads(done.stdout) == [wanted or text for text, wanted in cases.items()]


def test_the_shipped_adapter_says_what_it_is() -> None:
    from models_zoo.llm.card import CONTENT_FILES, read_adapter_card

    assert sum((TASK.adapter / name).stat().st_size for name in CONTENT_FILES) <= 4_000_000
    card = read_adapter_card(TASK.adapter)
    found = (card.name, card.task, card.bidirectional, set(card.labels), card.licence)
    assert found == (deid.NAME, "tagging", True, set(LABELS), "Apache-2.0")
