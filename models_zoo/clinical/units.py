"""UCUM units of bedside vital signs, converted to the unit in which a chart is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException

_KPA_TO_MMHG = Decimal("7.500617")

Convert = Callable[[Decimal], Decimal]


class UnitError(ValueError):
    """The unit is missing or cannot be converted; the message names the units that can."""


@dataclass(slots=True, frozen=True)
class Quantity:
    """A number with its UCUM code, as FHIR's Quantity.value and Quantity.code (or .unit) give it."""

    value: Decimal
    unit: str


def _same(value: Decimal) -> Decimal:
    return value


def _fahrenheit(value: Decimal) -> Decimal:
    return (value - 32) * 5 / 9


def _kelvin(value: Decimal) -> Decimal:
    return value - Decimal("273.15")


def _per_second(value: Decimal) -> Decimal:
    return value * 60


def _kilopascal(value: Decimal) -> Decimal:
    return value * _KPA_TO_MMHG


def _fraction(value: Decimal) -> Decimal:
    return value * 100


def _millilitres(value: Decimal) -> Decimal:
    return value / 1000


_RATE: Mapping[str, Convert] = {
    "/min": _same, "1/min": _same, "{breaths}/min": _same, "{beats}/min": _same, "bpm": _same,
    "breaths/min": _same, "beats/min": _same, "beats/minute": _same, "breaths/minute": _same,
    "/s": _per_second, "Hz": _per_second,
}  # fmt: skip

# Chart unit -> UCUM code (and the printed spellings that senders use) -> conversion.
CONVERSIONS: Mapping[str, Mapping[str, Convert]] = {
    "/min": _RATE,
    "%": {"%": _same, "{%}": _same, "1": _fraction},
    "mm[Hg]": {"mm[Hg]": _same, "mmHg": _same, "mm Hg": _same, "kPa": _kilopascal},
    "Cel": {
        "Cel": _same, "°C": _same, "C": _same, "degC": _same,
        "[degF]": _fahrenheit, "°F": _fahrenheit, "degF": _fahrenheit, "K": _kelvin,
    },
    "L/min": {"L/min": _same, "l/min": _same, "mL/min": _millilitres},
}  # fmt: skip


def convert(quantity: Quantity, target: str) -> Decimal:
    """Give the quantity's value in `target`, one of the chart units in CONVERSIONS.

    Raises UnitError for a unit that is empty, unknown or of another dimension, and for a value that is
    not a finite number. Case matters, as it does in UCUM (`K` is kelvin, `k` is kilo).
    """
    if not quantity.value.is_finite():
        raise UnitError(f"{quantity.value} is not a finite number")
    known = CONVERSIONS[target]
    if not quantity.unit:
        raise UnitError(f"the unit is missing; expected one of {', '.join(known)}")
    if quantity.unit not in known:
        raise UnitError(
            f"{quantity.unit!r} cannot be converted to {target}; expected one of {', '.join(known)}"
        )
    try:
        return known[quantity.unit](quantity.value)
    except DecimalException as problem:
        raise UnitError(f"{quantity.value} {quantity.unit} is outside what can be computed") from problem
