"""The demo's patients: what their last round of observations is, and what NEWS2 must make of it.

The points beside each value were read off the printed chart by hand; `models_zoo` has no part in them.
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Reading:
    """One value as a monitor or nurse sends it. `points` is what the printed chart gives, None if not scored."""

    code: str
    display: str
    value: float | str
    unit: str
    points: int
    system: str = "http://loinc.org"


@dataclass(slots=True, frozen=True)
class Scenario:
    """A kind of patient with the outcome that the chart prescribes."""

    name: str
    condition: tuple[str, str]
    medication: tuple[str, str]
    readings: tuple[Reading, ...]
    band: str
    missing: tuple[str, ...] = ()
    scale_2: bool = False

    @property
    def total(self) -> int:
        """The sum of the points read by hand."""
        return sum(reading.points for reading in self.readings)


def respiration(value: float, points: int) -> Reading:
    """Breaths per minute."""
    return Reading("9279-1", "Respiratory rate", value, "/min", points)


def saturation(value: float, points: int) -> Reading:
    """Per cent, by pulse oximetry."""
    return Reading("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", value, "%", points)


def oxygen(flow: float) -> Reading:
    """Litres a minute; none is room air."""
    return Reading("3151-8", "Inhaled oxygen flow rate", flow, "L/min", 2 if flow else 0)


def systolic(value: float, points: int, unit: str = "mm[Hg]") -> Reading:
    """Systolic blood pressure."""
    return Reading("8480-6", "Systolic blood pressure", value, unit, points)


def pulse(value: float, points: int) -> Reading:
    """Beats per minute."""
    return Reading("8867-4", "Heart rate", value, "/min", points)


def awake(answer: str, points: int) -> Reading:
    """ACVPU."""
    return Reading("67775-7", "Level of responsiveness", answer, "", points)


def temperature(value: float, points: int, unit: str = "Cel") -> Reading:
    """Body temperature."""
    return Reading("8310-5", "Body temperature", value, unit, points)


SCENARIOS = (
    Scenario(
        "sepsis",
        ("91302008", "Sepsis"),
        ("1665005", "ceftriaxone 2 g injection"),
        (respiration(26, 3), saturation(91, 3), oxygen(4), systolic(88, 3), pulse(132, 3), awake("Confused", 3),
         temperature(39.2, 2)),
        band="high",
    ),
    Scenario(
        "stable after surgery",
        ("413532003", "Cholecystitis"),
        ("313782", "acetaminophen 325 MG Oral Tablet"),
        (respiration(16, 0), saturation(97, 0), oxygen(0), systolic(124, 0), pulse(76, 0), awake("Alert", 0),
         temperature(36.8, 0)),
        band="low",
    ),
    Scenario(
        "chronic lung disease on scale 2",
        ("13645005", "Chronic obstructive pulmonary disease"),
        ("896188", "tiotropium inhaler"),
        (respiration(22, 2), saturation(90, 0), oxygen(2), systolic(118, 0), pulse(96, 1), awake("Alert", 0),
         temperature(37.1, 0)),
        band="medium",
        scale_2=True,
    ),
    Scenario(
        "low pressure alone",
        ("405752007", "Upper gastrointestinal bleeding"),
        ("40790", "pantoprazole 40 mg"),
        (respiration(14, 0), saturation(96, 0), oxygen(0), systolic(89, 3), pulse(84, 0), awake("Alert", 0),
         temperature(36.5, 0)),
        band="low_medium",
    ),
    Scenario(
        "incomplete round",
        ("38341003", "Hypertensive disorder"),
        ("314076", "lisinopril 10 MG Oral Tablet"),
        (respiration(18, 0), saturation(95, 1), systolic(105, 1), pulse(92, 1), temperature(98.6, 0, "[degF]")),
        band="low",
        missing=("supplemental_oxygen", "consciousness"),
    ),
    Scenario(
        "foreign units",
        ("233604007", "Pneumonia"),
        ("723", "amoxicillin 500 mg"),
        (respiration(21, 2), saturation(94, 1), oxygen(0), systolic(13.0, 2, "kPa"), pulse(112, 2),
         awake("Alert", 0), temperature(101.5, 1, "[degF]")),
        band="high",
    ),
)  # fmt: skip
