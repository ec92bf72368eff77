from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.clinical.news2 import (
    MEASURED,
    MOST_POINTS,
    Band,
    Consciousness,
    ImplausibleValue,
    Observations,
    Parameter,
    band_of,
    chart_value,
    news2,
)
from models_zoo.clinical.units import Quantity, UnitError

WELL = Observations(
    respiration_rate=Decimal(16),
    oxygen_saturation=Decimal(98),
    supplemental_oxygen=False,
    systolic_pressure=Decimal(125),
    pulse=Decimal(70),
    consciousness=Consciousness.ALERT,
    temperature=Decimal("36.8"),
)

# Both sides of every boundary of the RCP chart, written out by hand from the printed chart.
CHART = [
    ("respiration_rate", "8 3, 9 1, 11 1, 12 0, 20 0, 21 2, 24 2, 25 3"),
    ("oxygen_saturation", "91 3, 92 2, 93 2, 94 1, 95 1, 96 0, 100 0"),
    ("systolic_pressure", "90 3, 91 2, 100 2, 101 1, 110 1, 111 0, 219 0, 220 3"),
    ("pulse", "40 3, 41 1, 50 1, 51 0, 90 0, 91 1, 110 1, 111 2, 130 2, 131 3"),
    ("temperature", "35.0 3, 35.1 1, 36.0 1, 36.1 0, 38.0 0, 38.1 1, 39.0 1, 39.1 2"),
]
CASES = [(name, *pair.split()) for name, row in CHART for pair in row.split(", ")]


def test_it_works() -> None:
    ill = Observations(
        Decimal(25), Decimal(93), True, Decimal(95), Decimal(115), Consciousness.CONFUSION, Decimal("38.5")
    )
    score = news2(ill)
    assert score.total == 3 + 2 + 2 + 2 + 2 + 3 + 1
    assert score.band is Band.HIGH
    assert score.red == (Parameter.RESPIRATION, Parameter.CONSCIOUSNESS)
    assert score.complete
    assert score.highest_possible == score.total


@pytest.mark.parametrize(("name", "value", "points"), CASES)
def test_every_boundary_of_the_chart(name: str, value: str, points: str) -> None:
    score = news2(replace(WELL, **{name: Decimal(value)}))
    assert score.points[Parameter(name)] == int(points)
    assert score.total == int(points)


@pytest.mark.parametrize(
    ("saturation", "oxygen", "points"),
    [
        (83, False, 3), (84, False, 2), (85, False, 2), (86, False, 1), (87, True, 1), (88, True, 0),
        (92, False, 0), (93, False, 0), (100, False, 0), (93, True, 1), (94, True, 1), (95, True, 2),
        (96, True, 2), (97, True, 3), (100, True, 3),
    ],
)  # fmt: skip
def test_saturation_scale_2(saturation: int, oxygen: bool, points: int) -> None:
    score = news2(
        replace(WELL, oxygen_saturation=Decimal(saturation), supplemental_oxygen=oxygen, scale_2=True)
    )
    assert score.points[Parameter.SATURATION] == points
    assert score.points[Parameter.OXYGEN] == (2 if oxygen else 0)


def test_scale_2_above_target_needs_to_know_about_oxygen() -> None:
    unknown = replace(WELL, oxygen_saturation=Decimal(95), supplemental_oxygen=None, scale_2=True)
    assert news2(unknown).missing == (Parameter.SATURATION, Parameter.OXYGEN)
    below = replace(unknown, oxygen_saturation=Decimal(90))
    assert news2(below).missing == (Parameter.OXYGEN,)


@pytest.mark.parametrize("state", [s for s in Consciousness if s is not Consciousness.ALERT])
def test_anything_but_alert_is_red(state: Consciousness) -> None:
    score = news2(replace(WELL, consciousness=state))
    assert (score.total, score.band, score.red) == (3, Band.LOW_MEDIUM, (Parameter.CONSCIOUSNESS,))


@pytest.mark.parametrize(
    ("total", "red", "band"),
    [
        (0, False, Band.LOW), (4, False, Band.LOW), (3, True, Band.LOW_MEDIUM), (4, True, Band.LOW_MEDIUM),
        (5, False, Band.MEDIUM), (6, True, Band.MEDIUM), (7, False, Band.HIGH), (20, True, Band.HIGH),
    ],
)  # fmt: skip
def test_bands(total: int, red: bool, band: Band) -> None:
    assert band_of(total, red=red) is band


def test_nothing_measured_scores_nothing_and_says_so() -> None:
    score = news2(Observations())
    assert score.missing == tuple(Parameter)
    assert (score.total, score.highest_possible, score.certain) == (0, 20, False)
    assert score.points == {}


@pytest.mark.parametrize(
    ("parameter", "value", "unit", "expected"),
    [
        (Parameter.TEMPERATURE, "98.6", "[degF]", "37.0"),
        (Parameter.TEMPERATURE, "310.15", "K", "37.0"),
        (Parameter.SYSTOLIC, "16", "kPa", "120.0"),
        (Parameter.SATURATION, "0.97", "1", "97.0"),
        (Parameter.PULSE, "1.2", "Hz", "72.0"),
        (Parameter.RESPIRATION, "18", "{breaths}/min", "18.0"),
    ],
)
def test_units_are_converted(parameter: Parameter, value: str, unit: str, expected: str) -> None:
    assert round(chart_value(parameter, Quantity(Decimal(value), unit)), 1) == Decimal(expected)


@pytest.mark.parametrize(
    ("parameter", "value", "unit", "words"),
    [
        (Parameter.TEMPERATURE, "37", "", "temperature: the unit is missing"),
        (Parameter.TEMPERATURE, "37", "mm[Hg]", "'mm[Hg]' cannot be converted to Cel"),
        (Parameter.PULSE, "70", "cel", "cannot be converted to /min"),
        (Parameter.PULSE, "NaN", "/min", "not a finite number"),
    ],
)
def test_wrong_units_say_what_is_wanted(parameter: Parameter, value: str, unit: str, words: str) -> None:
    with pytest.raises(UnitError) as caught:
        chart_value(parameter, Quantity(Decimal(value), unit))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("parameter", "value", "unit"),
    [
        (Parameter.TEMPERATURE, "98.6", "Cel"),
        (Parameter.SATURATION, "101", "%"),
        (Parameter.PULSE, "-1", "/min"),
        (Parameter.SYSTOLIC, "0", "mm[Hg]"),
    ],
)
def test_implausible_values_are_refused(parameter: Parameter, value: str, unit: str) -> None:
    with pytest.raises(ImplausibleValue):
        chart_value(parameter, Quantity(Decimal(value), unit))
    with pytest.raises(ImplausibleValue):
        news2(replace(WELL, **{parameter.value: Decimal(value)}))


def measured(parameter: Parameter) -> st.SearchStrategy[Decimal]:
    rule = MEASURED[parameter]
    return st.decimals(rule.lowest, rule.highest, places=2)


observations = st.builds(
    Observations,
    supplemental_oxygen=st.none() | st.booleans(),
    consciousness=st.none() | st.sampled_from(Consciousness),
    scale_2=st.booleans(),
    **{p.value: st.none() | measured(p) for p in MEASURED},
)


@given(observations)
def test_the_parts_add_up(given_set: Observations) -> None:
    score = news2(given_set)
    assert score.total == sum(score.points.values())
    assert set(score.points) | set(score.missing) == set(Parameter)
    assert not set(score.points) & set(score.missing)
    assert all(0 <= value <= MOST_POINTS[p] for p, value in score.points.items())
    assert 0 <= score.total <= score.highest_possible <= 20
    assert score.band is band_of(score.total, red=3 in score.points.values())


@given(observations, st.sampled_from(list(Parameter)))
def test_taking_a_value_away_never_raises_the_score(given_set: Observations, gone: Parameter) -> None:
    before, after = news2(given_set), news2(replace(given_set, **{gone.value: None}))
    assert gone in after.missing
    assert after.total <= before.total <= after.highest_possible
