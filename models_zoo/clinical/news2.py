"""National Early Warning Score 2.

Source: Royal College of Physicians, "National Early Warning Score (NEWS) 2: Standardising the assessment
of acute-illness severity in the NHS", updated report, London, December 2017 (chart 1 and chart 2).
The score is for people of 16 or more who are not pregnant; whoever calls has to check that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from models_zoo.clinical.units import Quantity, UnitError, convert


class Parameter(StrEnum):
    """The seven rows of the chart, in its order."""

    RESPIRATION = "respiration_rate"
    SATURATION = "oxygen_saturation"
    OXYGEN = "supplemental_oxygen"
    SYSTOLIC = "systolic_pressure"
    PULSE = "pulse"
    CONSCIOUSNESS = "consciousness"
    TEMPERATURE = "temperature"


class Consciousness(StrEnum):
    """ACVPU: anything but alert scores 3; C is new confusion."""

    ALERT = "A"
    CONFUSION = "C"
    VOICE = "V"
    PAIN = "P"
    UNRESPONSIVE = "U"


class Band(StrEnum):
    """Clinical risk by chart 2: 0-4 low, a 3 in one row low-medium, 5-6 medium, 7 or more high."""

    LOW = "low"
    LOW_MEDIUM = "low_medium"
    MEDIUM = "medium"
    HIGH = "high"


class ImplausibleValue(ValueError):
    """The number cannot belong to a living person: a wrong unit or a typing error, never scored."""


@dataclass(slots=True, frozen=True)
class Measured:
    """How a numeric row is read: chart unit, charted precision, and the range that is accepted."""

    unit: str
    step: Decimal
    lowest: Decimal
    highest: Decimal


MEASURED: Mapping[Parameter, Measured] = {
    Parameter.RESPIRATION: Measured("/min", Decimal(1), Decimal(0), Decimal(120)),
    Parameter.SATURATION: Measured("%", Decimal(1), Decimal(20), Decimal(100)),
    Parameter.SYSTOLIC: Measured("mm[Hg]", Decimal(1), Decimal(20), Decimal(350)),
    Parameter.PULSE: Measured("/min", Decimal(1), Decimal(0), Decimal(350)),
    Parameter.TEMPERATURE: Measured("Cel", Decimal("0.1"), Decimal(20), Decimal(46)),
}

MOST_POINTS: Mapping[Parameter, int] = {p: 2 if p is Parameter.OXYGEN else 3 for p in Parameter}


@dataclass(slots=True, frozen=True)
class Observations:
    """One set of observations. None means not measured; it is reported and never filled in.

    Numbers are in chart units: breaths and beats per minute, per cent, mmHg, degrees Celsius.
    `scale_2` is the saturation scale for hypercapnic respiratory failure (target 88-92 %); it is a
    clinician's decision about the person and never inferred from the numbers.
    """

    respiration_rate: Decimal | None = None
    oxygen_saturation: Decimal | None = None
    supplemental_oxygen: bool | None = None
    systolic_pressure: Decimal | None = None
    pulse: Decimal | None = None
    consciousness: Consciousness | None = None
    temperature: Decimal | None = None
    scale_2: bool = False


@dataclass(slots=True, frozen=True)
class News2:
    """The score. `total` counts the rows that are known, so with anything missing it is a lower bound."""

    points: Mapping[Parameter, int]
    missing: tuple[Parameter, ...]
    total: int
    highest_possible: int
    red: tuple[Parameter, ...]
    band: Band

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def certain(self) -> bool:
        """True when no value of the missing rows could move the band."""
        return self.complete or self.band is Band.HIGH


def chart_value(parameter: Parameter, quantity: Quantity) -> Decimal:
    """Give a quantity in the chart's unit, unrounded.

    Raises UnitError for a unit that cannot be converted and ImplausibleValue outside MEASURED's range.
    """
    rule = MEASURED[parameter]
    try:
        value = convert(quantity, rule.unit)
    except UnitError as problem:
        raise UnitError(f"{parameter.value}: {problem}") from problem
    return _plausible(parameter, value)


def news2(observations: Observations) -> News2:
    """Score one set of observations.

    Values are rounded half up to the chart's precision (whole numbers, 0.1 degrees) before they are
    looked up. On scale 2 a saturation of 93 % or more needs to know about oxygen; without that the
    saturation row counts as missing. Raises ImplausibleValue outside MEASURED's range.
    """
    scored = {parameter: _points(parameter, observations) for parameter in Parameter}
    points = {parameter: value for parameter, value in scored.items() if value is not None}
    missing = tuple(parameter for parameter, value in scored.items() if value is None)
    red = tuple(parameter for parameter, value in points.items() if value == 3)
    total = sum(points.values())
    unknown = sum(MOST_POINTS[parameter] for parameter in missing)
    return News2(points, missing, total, total + unknown, red, band_of(total, red=bool(red)))


def band_of(total: int, *, red: bool) -> Band:
    """Clinical risk for an aggregate and whether any single row scored 3 (chart 2)."""
    if total >= 7:
        return Band.HIGH
    if total >= 5:
        return Band.MEDIUM
    return Band.LOW_MEDIUM if red else Band.LOW


def _points(parameter: Parameter, observations: Observations) -> int | None:
    value = getattr(observations, parameter.value)
    if value is None:
        return None
    if parameter is Parameter.OXYGEN:
        return 2 if value else 0
    if parameter is Parameter.CONSCIOUSNESS:
        return 0 if value is Consciousness.ALERT else 3
    charted = _charted(parameter, value)
    if parameter is Parameter.SATURATION and observations.scale_2:
        return _scale_2(charted, observations.supplemental_oxygen)
    return next(points for limit, points in _CHART[parameter] if charted <= limit)


def _charted(parameter: Parameter, value: Decimal) -> Decimal:
    return _plausible(parameter, value).quantize(MEASURED[parameter].step, ROUND_HALF_UP)


def _plausible(parameter: Parameter, value: Decimal) -> Decimal:
    rule = MEASURED[parameter]
    if not value.is_finite() or not rule.lowest <= value <= rule.highest:
        raise ImplausibleValue(
            f"{parameter.value}: {value} {rule.unit} is outside {rule.lowest} to {rule.highest} {rule.unit}"
        )
    return value


def _scale_2(saturation: Decimal, oxygen: bool | None) -> int | None:
    if saturation <= 92:
        return next(points for limit, points in _SCALE_2 if saturation <= limit)
    if oxygen is None:
        return None
    if not oxygen:
        return 0
    return next(points for limit, points in _SCALE_2_OXYGEN if saturation <= limit)


def _rows(*rows: tuple[str, int]) -> tuple[tuple[Decimal, int], ...]:
    return tuple((Decimal(limit), points) for limit, points in rows)


# Chart 1: (highest charted value of the column, its points), from left to right.
_CHART: Mapping[Parameter, tuple[tuple[Decimal, int], ...]] = {
    Parameter.RESPIRATION: _rows(("8", 3), ("11", 1), ("20", 0), ("24", 2), ("Infinity", 3)),
    Parameter.SATURATION: _rows(("91", 3), ("93", 2), ("95", 1), ("Infinity", 0)),
    Parameter.SYSTOLIC: _rows(("90", 3), ("100", 2), ("110", 1), ("219", 0), ("Infinity", 3)),
    Parameter.PULSE: _rows(("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), ("Infinity", 3)),
    Parameter.TEMPERATURE: _rows(("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), ("Infinity", 2)),
}
_SCALE_2 = _rows(("83", 3), ("85", 2), ("87", 1), ("92", 0))
_SCALE_2_OXYGEN = _rows(("94", 1), ("96", 2), ("Infinity", 3))
