"""What the pages of records show: bands in words, the rows of the NEWS2 card, charts, notes as chips."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.ehr.models import Event, EventKind, Note, NoteState, Patient, RiskScore
from apps.ehr.selectors import Shown
from models_zoo.clinical.news2 import MEASURED, Parameter
from rootstock.console.charts import Chart, Series
from rootstock.console.lists import Filter
from rootstock.privacy.fields import is_erased

BAND_WORDS = {"low": "Low", "low_medium": "Low–medium", "medium": "Medium", "high": "High"}
BAND_TONES = {"low": "ok", "low_medium": "info", "medium": "warn", "high": "error"}
PARAMETER_WORDS = {
    Parameter.RESPIRATION: "Respiration rate",
    Parameter.SATURATION: "Oxygen saturation",
    Parameter.OXYGEN: "Air or oxygen",
    Parameter.SYSTOLIC: "Systolic pressure",
    Parameter.PULSE: "Pulse",
    Parameter.CONSCIOUSNESS: "Consciousness",
    Parameter.TEMPERATURE: "Temperature",
}
ACVPU = {
    "A": "Alert",
    "C": "New confusion",
    "V": "Responds to voice",
    "P": "Responds to pain",
    "U": "Unresponsive",
}
UNITS = {"/min": "/min", "%": "%", "mm[Hg]": "mmHg", "Cel": "°C"}
KIND_TONES = {
    "encounter": "accent",
    "condition": "warn",
    "medication": "info",
    "allergy": "error",
    "person": "ok",
}
# Stands for what was removed; the chip beside it says what it was.
REMOVED = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(slots=True, frozen=True)
class Badge:
    """NEWS2 as one pill. With inputs missing the number is a lower bound."""

    tone: str
    text: str
    note: str


@dataclass(slots=True, frozen=True)
class BoardRow:
    """One line of the ward board."""

    patient: Patient
    age: str
    badge: Badge
    number: str

    @property
    def pk(self) -> UUID:
        """The patient's id."""
        return self.patient.pk


@dataclass(slots=True, frozen=True)
class NewsLine:
    """One row of the NEWS2 card. `points` is None where the input is missing."""

    name: str
    value: str
    points: int | None
    tone: str
    reason: str


@dataclass(slots=True, frozen=True)
class NoteView:
    """A note as it is shown: its text with a chip for each thing removed."""

    note: Note
    ready: bool
    text: str
    spans: list[dict[str, Any]]
    counts: list[tuple[str, int]]


def board_row(shown: Shown) -> BoardRow:
    """A patient on the ward board."""
    identifiers = list(shown.patient.identifiers.all())
    number = next((i for i in identifiers if i.type == "MR"), identifiers[0] if identifiers else None)
    return BoardRow(shown.patient, age(shown.patient), badge(shown.risk), number.value if number else "")


def badge(risk: RiskScore | None) -> Badge:
    """The newest score in a few words."""
    if risk is None:
        return Badge("neutral", "Not scored", "no vital signs")
    if risk.not_applicable:
        return Badge("neutral", "Not applicable", risk.not_applicable)
    word, missing = BAND_WORDS[risk.band], len(risk.missing)
    if not missing:
        return Badge(BAND_TONES[risk.band], f"{word} · {risk.total}", "all inputs measured")
    # A low band that rests on missing inputs is no all-clear and is not shown in its colour.
    tone = BAND_TONES[risk.band] if risk.band in ("medium", "high") else "neutral"
    text = f"{word} · {risk.total}" if risk.band == "high" else f"{word} or higher · {risk.total}+"
    return Badge(tone, text, f"{missing} of 7 inputs missing")


def age(patient: Patient, today: date | None = None) -> str:
    """Whole years, until death where there was one."""
    if patient.birth_date is None:
        return ""
    now = patient.died_at.date() if patient.died_at else today or timezone.now().date()
    born = patient.birth_date
    return str(now.year - born.year - ((now.month, now.day) < (born.month, born.day)))


def news_lines(risk: RiskScore) -> list[NewsLine]:
    """All seven rows, the missing ones too."""
    return [_news_line(risk, parameter) for parameter in Parameter]


def _news_line(risk: RiskScore, parameter: Parameter) -> NewsLine:
    points, given = risk.points.get(parameter.value), risk.inputs.get(parameter.value)
    reason = risk.refused.get(parameter.value, "") or (
        "" if points is not None else "not measured in this round"
    )
    tone = "neutral" if points is None else ("ok", "info", "warn", "error")[points]
    return NewsLine(PARAMETER_WORDS[parameter], _value(parameter, given), points, tone, reason)


def _value(parameter: Parameter, given: dict[str, Any] | None) -> str:
    if given is None:
        return ""
    if parameter is Parameter.OXYGEN:
        return "Oxygen" if given["value"] else "Air"
    if parameter is Parameter.CONSCIOUSNESS:
        return ACVPU[given["value"]]
    return f"{given['value']:g} {UNITS[given['unit']]}"


def charts(scores: Sequence[RiskScore]) -> list[Chart]:
    """NEWS2 and the vital signs over the rounds; a sign that was never measured has no chart."""
    if len(scores) < 2:
        return []
    labels = [score.at for score in scores]
    total = Series("NEWS2", [None if score.not_applicable else score.total for score in scores], "high")
    found = [
        Chart(
            "news2",
            "NEWS2 by round",
            labels,
            [total],
            note="Lower bound where inputs are missing.",
            small=True,
        )
    ]
    drawn = (_vital_chart(parameter, scores, labels) for parameter in MEASURED)
    return [*found, *(chart for chart in drawn if chart)]


def _vital_chart(parameter: Parameter, scores: Sequence[RiskScore], labels: list[datetime]) -> Chart | None:
    values = [(score.inputs.get(parameter.value) or {}).get("value") for score in scores]
    if not any(value is not None for value in values):
        return None
    name = PARAMETER_WORDS[parameter]
    unit = UNITS[MEASURED[parameter].unit]
    return Chart(
        parameter.value,
        name,
        labels,
        [Series(name, values, "accent")],
        unit=unit,
        small=True,
        label_title="Round",
    )


def note_view(note: Note) -> NoteView:
    """A ready note with chips; a withheld one without any text."""
    if note.state != NoteState.READY:
        return NoteView(note, False, "", [], [])
    if is_erased(note.text):
        return NoteView(note, True, note.text, [], [])
    text, spans, at = "", [], 0
    for redaction in note.redactions:
        text += note.text[at : redaction["start"]]
        spans.append({"start": len(text), "end": len(text) + len(REMOVED), "label": redaction["label"]})
        text, at = text + REMOVED, redaction["end"]
    labels = [redaction["label"] for redaction in note.redactions]
    counts = [(name.lower(), labels.count(name)) for name in sorted(set(labels))]
    return NoteView(note, True, text + note.text[at:], spans, counts)


def event_tone(event: Event) -> str:
    """The mark of an event on the timeline."""
    return KIND_TONES.get(event.kind, "neutral")


def event_value(event: Event) -> str:
    """Value with unit, or the answer's words without its code."""
    if event.number is not None and not event.text:
        return f"{event.number:g} {UNITS.get(event.unit, event.unit)}".strip()
    return event.text.split(" [")[0]


def kind_filters(kind: str) -> list[Filter]:
    """The chips above a timeline."""
    kinds = [Filter(word.label, f"kind={word.value}", kind == word.value) for word in EventKind]
    return [Filter("All", "", not kind), *kinds]
