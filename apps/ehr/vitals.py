"""From events on a timeline to sets of observations that NEWS2 can score."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from models_zoo.clinical.news2 import (
    MEASURED,
    Consciousness,
    ImplausibleValue,
    News2,
    Observations,
    Parameter,
    chart_value,
    news2,
)
from models_zoo.clinical.units import Quantity, UnitError, convert

# Values further apart than this were not taken in one round.
SET_SPAN = timedelta(minutes=60)
ADULT = 16

# A clinician's decision for scale 2 comes as a FHIR Flag with this code, active from its period's start.
SCALE_2 = "urn:rootstock:clinical//spo2-scale-2"
PREGNANCY = "SNOMED//77386006"

CODES: Mapping[str, Parameter] = {
    "LOINC//9279-1": Parameter.RESPIRATION,
    "LOINC//59408-5": Parameter.SATURATION,
    "LOINC//2708-6": Parameter.SATURATION,
    "LOINC//8480-6": Parameter.SYSTOLIC,
    "LOINC//8867-4": Parameter.PULSE,
    "LOINC//8310-5": Parameter.TEMPERATURE,
    "LOINC//8331-1": Parameter.TEMPERATURE,
    "LOINC//3151-8": Parameter.OXYGEN,
    "LOINC//3150-0": Parameter.OXYGEN,
    "SNOMED//371825009": Parameter.OXYGEN,
    "SNOMED//722742002": Parameter.OXYGEN,
    "LOINC//67775-7": Parameter.CONSCIOUSNESS,
    "LOINC//80288-4": Parameter.CONSCIOUSNESS,
    # As the United Kingdom's profiles code them.
    "SNOMED//86290005": Parameter.RESPIRATION,
    "SNOMED//431314004": Parameter.SATURATION,
    "SNOMED//271649006": Parameter.SYSTOLIC,
    "SNOMED//364075005": Parameter.PULSE,
    "SNOMED//386725007": Parameter.TEMPERATURE,
    "SNOMED//1104441000000107": Parameter.CONSCIOUSNESS,
}
_FLOW, _FRACTION = "LOINC//3151-8", "LOINC//3150-0"
_ON_AIR, _NO = "SNOMED//722742002", "SNOMED//373067005"
_WORDS: Mapping[str, Consciousness] = {
    "alert": Consciousness.ALERT,
    "mentally alert": Consciousness.ALERT,
    "confusion": Consciousness.CONFUSION,
    "confused": Consciousness.CONFUSION,
    "new confusion": Consciousness.CONFUSION,
    "acute confusion": Consciousness.CONFUSION,
    "verbal": Consciousness.VOICE,
    "voice": Consciousness.VOICE,
    "responds to voice": Consciousness.VOICE,
    "response to voice": Consciousness.VOICE,
    "responds to verbal stimuli": Consciousness.VOICE,
    "painful": Consciousness.PAIN,
    "pain": Consciousness.PAIN,
    "responds to pain": Consciousness.PAIN,
    "unresponsive": Consciousness.UNRESPONSIVE,
}


@dataclass(slots=True, frozen=True)
class Sign:
    """One event that may feed the score. `text` is the answer of a coded observation."""

    time: datetime
    code: str
    number: float | None
    unit: str
    text: str


@dataclass(slots=True, frozen=True)
class Scored:
    """One set of observations with its score, what went in, and what was refused and why."""

    at: datetime
    score: News2
    inputs: dict[str, Any]
    refused: dict[str, str]


def score_sets(signs: Iterable[Sign], scale_2_since: datetime | None) -> list[Scored]:
    """One score for every round of observations, oldest first."""
    relevant = sorted((sign for sign in signs if sign.code in CODES), key=lambda sign: sign.time)
    return [_score(group, scale_2_since) for group in _rounds(relevant)]


def not_applicable(birth: datetime | None, at: datetime, pregnant: bool) -> str:
    """Why NEWS2 does not hold for this person at this time; empty when it does."""
    if birth is not None and (at.year - birth.year) - ((at.month, at.day) < (birth.month, birth.day)) < ADULT:
        return f"NEWS2 is for people of {ADULT} or more"
    return "NEWS2 is not for pregnant people" if pregnant else ""


def _rounds(signs: Sequence[Sign]) -> list[list[Sign]]:
    rounds: list[list[Sign]] = []
    for sign in signs:
        if rounds and sign.time - rounds[-1][0].time <= SET_SPAN:
            rounds[-1].append(sign)
        else:
            rounds.append([sign])
    return rounds


def _score(group: Sequence[Sign], scale_2_since: datetime | None) -> Scored:
    values: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for sign in group:  # a later value of the round replaces an earlier one
        parameter = CODES[sign.code]
        try:
            values[parameter.value] = _value(parameter, sign)
        except (UnitError, ImplausibleValue) as problem:
            refused[parameter.value] = str(problem)
            continue
        refused.pop(parameter.value, None)
        inputs[parameter.value] = _shown(parameter, values[parameter.value], sign)
    at = group[-1].time
    scale_2 = scale_2_since is not None and scale_2_since <= at
    inputs["scale"] = 2 if scale_2 else 1
    return Scored(at, news2(Observations(**values, scale_2=scale_2)), inputs, refused)


def _value(parameter: Parameter, sign: Sign) -> Any:
    if parameter is Parameter.CONSCIOUSNESS:
        return _consciousness(sign)
    if parameter is Parameter.OXYGEN:
        return _oxygen(sign)
    if sign.number is None:
        raise ImplausibleValue(f"{parameter.value}: has no number")
    return chart_value(parameter, Quantity(Decimal(str(sign.number)), sign.unit))


def _consciousness(sign: Sign) -> Consciousness:
    answer = sign.text.split(" [")[0].strip().lower()
    if answer not in _WORDS:
        expected = "alert, confusion, voice, pain or unresponsive"
        raise ImplausibleValue(f"consciousness: {answer or 'no answer'!r} is not {expected}")
    return _WORDS[answer]


def _oxygen(sign: Sign) -> bool:
    """A flow, a fraction, or a finding that is there (or answered yes or no)."""
    if sign.code == _FRACTION:
        return _quantity(sign, "%") > 21
    if sign.code == _FLOW or sign.unit:
        return _quantity(sign, "L/min") > 0
    stated = sign.number != 0 if sign.number is not None else not sign.text.endswith(f"[{_NO}]")
    return stated != (sign.code == _ON_AIR)


def _quantity(sign: Sign, unit: str) -> Decimal:
    if sign.number is None:
        raise ImplausibleValue("supplemental_oxygen: has no value")
    return convert(Quantity(Decimal(str(sign.number)), sign.unit), unit)


def _shown(parameter: Parameter, value: Any, sign: Sign) -> dict[str, Any]:
    unit = MEASURED[parameter].unit if parameter in MEASURED else ""
    shown = (
        float(round(value, 2))
        if isinstance(value, Decimal)
        else value
        if isinstance(value, bool)
        else value.value
    )
    return {"value": shown, "unit": unit, "at": sign.time.isoformat(), "code": sign.code}
