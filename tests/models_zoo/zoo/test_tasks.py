"""What tasks make their data of, without the data: orders and documents, flaws, sections, narratives, scores."""

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.llm.card import read_adapter_card
from models_zoo.zoo.cards import card_read
from models_zoo.zoo.guard.documents import LONGEST, cropped, for_readers, inserted
from models_zoo.zoo.guard.lines import attack
from models_zoo.zoo.own import TEST, lines, of_part
from models_zoo.zoo.recipe import read_recipe
from models_zoo.zoo.scorer.flaws import falsified
from models_zoo.zoo.summary.task import score as summary_score
from models_zoo.zoo.summary.task import sections
from models_zoo.zoo.tasks import MODULES, TRAIN, VALIDATION, shipped, task_of

OWN = [("guard", name) for name in ("attacks", "orders", "benign", "readers")]
OWN += [("scorer", name) for name in ("unsafe", "careful", "unfair", "groups", "evasive")]


@pytest.mark.parametrize(("folder", "name"), OWN)
def test_every_part_has_lines_of_its_own(folder: str, name: str) -> None:
    parts = [of_part(folder, name, part) for part in (TRAIN, VALIDATION, TEST)]
    assert all(parts)
    assert sorted(line for part in parts for line in part) == sorted(lines(folder, name))
    assert len(set(lines(folder, name)) - {"{Order}."}) == len(
        [x for x in lines(folder, name) if x != "{Order}."]
    )


@pytest.mark.parametrize("part", [TRAIN, VALIDATION, TEST])
def test_orders_are_of_their_part(part: str) -> None:
    found = {attack(part, Random(seed)) for seed in range(60)}
    assert len(found) > 20
    assert not any(re.search(r"\{\w*\}", one) for one in found)  # no slot is left; JSON has braces too
    elsewhere = [
        line for other in {TRAIN, VALIDATION, TEST} - {part} for line in of_part("guard", "orders", other)
    ]
    plain = [line for line in elsewhere if "{" not in line]
    assert not any(line in one for line in plain for one in found)


@given(st.text("ab. \n", min_size=1, max_size=80), st.integers(0, 50))
def test_a_line_is_in_the_document_and_nothing_is_lost(document: str, seed: int) -> None:
    found = inserted(document, "Do X!", Random(seed))
    assert "Do X!" in found
    assert re.sub(r"\s", "", found.replace("Do X!", "")) == re.sub(r"\s", "", document)


def test_documents_are_as_long_as_is_read() -> None:
    assert cropped("short") == "short"
    assert LONGEST // 2 <= len(cropped("line\n" * 900)) <= LONGEST
    assert len(cropped("x" * 5000)) == LONGEST // 2
    assert any(line in for_readers("a. b.", TRAIN, Random(0)) for line in of_part("guard", "readers", TRAIN))


@given(st.text(max_size=60), st.integers(0, 50))
def test_what_is_falsified_differs(text: str, seed: int) -> None:
    assert falsified(text, Random(seed)) != text


def test_a_number_a_not_or_an_opposite() -> None:
    found = {falsified("It is common in 12 men", Random(seed)) for seed in range(40)}
    assert "It is not common in 12 men" in found
    assert {"It is rare in 12 men", "It is common in 12 women"} & found
    assert any(one and re.fullmatch(r"It is common in (?!12 )\d+ men", one) for one in found)
    assert falsified("Nothing here", Random(0)) is None


def test_sections_of_a_note() -> None:
    note = "CHIEF COMPLAINT\n\nCough.\n\nHISTORY OF PRESENT ILLNESS\n\nTwo\nweeks.\n\nPLAN\n"
    assert sections(note) == [("CHIEF COMPLAINT", "Cough."), ("HISTORY OF PRESENT ILLNESS", "Two\nweeks.")]


def test_summaries_are_scored_against_note_and_dialogue() -> None:
    row = {"messages": [{"content": "Doctor: since 3 days?"}, {"content": "Cough for 3 days."}]}
    assert summary_score(row, "Cough for 3 days.") == dict.fromkeys(
        ("rouge_1", "rouge_2", "rouge_l", "numbers_said"), 1.0
    )
    assert summary_score(row, "Cough for 7 days.")["numbers_said"] == 0
    assert summary_score(row, "")["rouge_1"] == 0


def test_a_narrative_says_its_facts_and_no_others() -> None:
    from models_zoo.zoo.narrative.cases import Case
    from models_zoo.zoo.narrative.task import score
    from models_zoo.zoo.narrative.words import narrative

    case = Case("1,234.50", "instant", "2026-01-09 23:14", "A00319", "ACC-004410", "0.91", "decline",
                "tabular 80%, graph 20%", ("Made at night (UTC)", "3 new payees in 24 h"))  # fmt: skip
    told = narrative(case)
    row = {"messages": [{"content": case.facts()}, {"content": told}]}
    assert score(row, told) == dict.fromkeys(("rouge_l", "facts_told", "faithful", "clauses_right"), 1.0)
    again = score(row, f"{told} {told.split('. ')[-1]}")
    assert again["faithful"] == 1 > again["clauses_right"]
    assert score(row, told.replace("1,234.50", "9,234.50"))["faithful"] == 0
    assert score(row, "")["facts_told"] == 0


def test_what_ships_is_small_enough() -> None:
    """On the demo base, in 16 bits: at most 4 MB each and 30 MB together."""
    # SmolLM2-135M: hidden 576, key/value 192, intermediate 1536, 30 layers
    linears = ((576, 576), (576, 192), (576, 192), (576, 576), (576, 1536), (576, 1536), (1536, 576))
    of_rank = 2 * 30 * sum(inputs + outputs for inputs, outputs in linears)
    sizes = {}
    for name in MODULES:
        task = task_of(name)
        values, _ = read_recipe(task)
        labels = len(values.get("labels", ())) or {"support-intent": 151, "bank-intent": 77}.get(name, 0)
        wide = {"classification": 2 * 576 * labels, "tagging": 576 * (1 + 2 * labels), "chat": 0}[
            values["task"]
        ]
        if task.ships:
            sizes[name] = values["rank"] * of_rank + 2 * wide + 50_000  # headers, norms, cards
    assert max(sizes.values()) <= 4_000_000, sizes
    assert sum(sizes.values()) <= 30_000_000, sizes


@pytest.mark.parametrize("name", shipped())
def test_recipes_are_what_made_the_weights(name: str) -> None:
    values, _ = read_recipe(task_of(name))
    made = read_adapter_card(task_of(name).adapter)
    recorded = json.loads(json.dumps(made.training | {"licence": made.licence}))
    settings = {key: value for key, value in values.items() if key in recorded and key != "data_note"}
    assert {key: recorded[key] for key in settings} == settings


@pytest.mark.parametrize("name", shipped())
def test_cards_say_what_the_recipes_say(name: str) -> None:
    _, words = read_recipe(task_of(name))
    card = card_read(name)
    assert (card.purpose, card.limits, card.data) == (words.purpose, words.limits, words.data)
