"""From events to NEWS2, against scores read off the printed chart by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.ehr.fhir.timeline import happenings
from apps.ehr.generator import ROUNDS, case
from apps.ehr.scenarios import SCENARIOS
from apps.ehr.vitals import SCALE_2, Sign, not_applicable, score_sets

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def sign(code: str, number: float | None, unit: str = "", text: str = "", minutes: int = 0) -> Sign:
    return Sign(NOON + timedelta(minutes=minutes), code, number, unit, text)


@pytest.mark.parametrize("index", range(len(SCENARIOS)), ids=[s.name for s in SCENARIOS])
def test_scenarios_score_as_on_the_chart(index: int) -> None:
    made = case(index)
    events = [h for e in made.bundle["entry"] for h in happenings(e["resource"], lambda reference: None)]
    signs = [Sign(e.time, e.code.code, e.number, e.unit, e.text) for e in events if e.time]
    since = next((e.time for e in events if e.code.code == SCALE_2), None)
    scored = score_sets(signs, since)
    assert len(scored) == ROUNDS
    last = scored[-1]
    assert last.score.total == made.scenario.total
    assert last.score.band.value == made.scenario.band
    assert [parameter.value for parameter in last.score.missing] == list(made.scenario.missing)
    assert not last.refused


def test_a_later_value_of_the_round_counts() -> None:
    [scored] = score_sets(
        [sign("LOINC//8867-4", 140, "/min"), sign("LOINC//8867-4", 80, "/min", minutes=5)], None
    )
    assert scored.score.total == 0
    assert scored.at == NOON + timedelta(minutes=5)


def test_values_far_apart_are_two_rounds() -> None:
    scored = score_sets(
        [sign("LOINC//8867-4", 140, "/min"), sign("LOINC//8867-4", 80, "/min", minutes=61)], None
    )
    assert [found.score.total for found in scored] == [3, 0]


def test_a_value_that_cannot_be_read_is_missing_with_its_reason() -> None:
    signs = [
        sign("LOINC//8310-5", 98.6, "Cel"),
        sign("LOINC//8867-4", 70, "furlong"),
        sign("LOINC//8480-6", None, "mm[Hg]"),
        sign("LOINC//67775-7", None, text="sleepy [LOCAL//1]"),
    ]
    [scored] = score_sets(signs, None)
    assert set(scored.refused) == {"temperature", "pulse", "systolic_pressure", "consciousness"}
    assert "98.6 Cel is outside" in scored.refused["temperature"]
    assert "'furlong' cannot be converted" in scored.refused["pulse"]
    assert len(scored.score.missing) == 7


@pytest.mark.parametrize(
    ("code", "number", "unit", "text", "points"),
    [
        ("LOINC//3151-8", 0, "L/min", "", 0), ("LOINC//3151-8", 2, "L/min", "", 2), ("LOINC//3150-0", 21, "%", "", 0),
        ("LOINC//3150-0", 0.4, "1", "", 2), ("SNOMED//371825009", 1, "", "true", 2),
        ("SNOMED//371825009", 0, "", "false", 0), ("SNOMED//371825009", 4, "L/min", "", 2),
        ("SNOMED//371825009", None, "", "", 2), ("SNOMED//371825009", None, "", "No [SNOMED//373067005]", 0),
        ("SNOMED//371825009", None, "", "Yes [SNOMED//373066001]", 2), ("SNOMED//722742002", None, "", "", 0),
        ("SNOMED//722742002", 0, "", "false", 2),
    ],
)  # fmt: skip
def test_oxygen_in_its_forms(code: str, number: float | None, unit: str, text: str, points: int) -> None:
    [scored] = score_sets([sign(code, number, unit, text)], None)
    assert scored.score.points == {"supplemental_oxygen": points}


def test_scale_2_holds_from_its_decision_on() -> None:
    signs = [sign("LOINC//59408-5", 90, "%"), sign("LOINC//59408-5", 90, "%", minutes=120)]
    before, after = score_sets(signs, NOON + timedelta(minutes=60))
    assert (before.score.total, before.inputs["scale"]) == (3, 1)
    assert (after.score.total, after.inputs["scale"]) == (0, 2)


def test_who_news2_is_not_for() -> None:
    sixteenth = datetime(2024, 5, 1, tzinfo=UTC)
    born = datetime(2008, 5, 1, tzinfo=UTC)
    assert not_applicable(born, sixteenth - timedelta(days=1), pregnant=False).startswith(
        "NEWS2 is for people of 16"
    )
    assert not_applicable(born, sixteenth, pregnant=False) == ""
    assert "pregnant" in not_applicable(born, sixteenth, pregnant=True)
    assert not_applicable(None, sixteenth, pregnant=False) == ""
