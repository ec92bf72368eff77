"""Presidio's pattern recognisers, chosen and completed for clinical notes.

They run alone: no spaCy model, no analyzer engine and no network (Presidio's own e-mail and URL recognisers
would fetch the public suffix list, so both are plain patterns here; an internal mail host has no public
suffix anyway). Importing Presidio imports spaCy and with it torch: never import this module in a web process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    DateRecognizer,
    IbanRecognizer,
    IpRecognizer,
    PhoneRecognizer,
)

from models_zoo.clinical.deid.labels import PRESIDIO
from models_zoo.clinical.deid.scrub import Found

# Presidio scores a bare "4/12" at 0.1: in notes that is muscle power or a dose as often as a date.
MIN_SCORE = 0.2

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d{2}"
_ID_WORDS = (
    r"MRN|M\.R\.N\.|medical record(?: number| no\.?)?|patient id|record(?: no\.?| number)?|acct|account"
    r"|account number|visit id|encounter(?: id| no\.?)?|policy|member id|insurance id"
    r"|group(?: no\.?| number)?|NHS(?: no\.?| number)?|SSN|serial(?: no\.?| number)?|specimen"
    r"|licen[cs]e(?: no\.?| number)?|case(?: no\.?| number)|pathology no\.?"
)
# Letters, then groups of digits and letters of which each begins with a digit: "AB 123-456", "KX01346".
_ID_VALUE = r"(?=[A-Z\d])(?=[A-Z-]{0,6}[\s-]?\d)[A-Z]{0,6}[\s-]?\d[\dA-Z]*(?:[ -]\d[\dA-Z]*){0,4}"

PATTERNS: dict[str, tuple[str, ...]] = {
    "EMAIL_ADDRESS": (r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*",),
    "PHONE_NUMBER": (r"(?<!\w)(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\) ?|\d{2,5}[ .-])\d{3,4}[ .-]\d{4}(?!\w)",),
    "URL": (r"https?://[^\s<>\"')]+", r"\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"')]*)?"),
    "ID": (
        # The word that announces an identifier stays, what follows it goes if there is a digit in it.
        rf"(?i)(?<=\b(?:{_ID_WORDS})\s{{0,2}}[:#=.-]{{0,2}}\s{{0,2}}){_ID_VALUE}",
        r"\bMRN-?\d{4,}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\b\d{3} \d{3} \d{4}\b",
        r"\b[A-Z]{0,4}\d{7,14}\b",
    ),
    "DATE_TIME": (
        rf"(?i)\b{_DAY}[ -](?:of )?{_MONTH}(?:,?[ -]{_YEAR})?\b",
        rf"(?i)\b{_MONTH} {_DAY}(?:,? {_YEAR})?\b",
        rf"(?i)\b{_MONTH} {_YEAR}\b",
        rf"\b(?<=(?:in|since|until|from|dx) ){_YEAR}\b",
    ),
    "AGE": (
        r"(?i)\b\d{1,3}(?=[ -]?(?:years?|yrs?|y)[ -]?(?:old|o\b|/o))",
        r"(?i)(?<=\b(?:aged|age|age of) )\d{1,3}\b",
        r"\b\d{2,3}(?= ?y/?o\b)",
        r"\b\d{2}(?=[MF]\b)",
    ),
    "ZIP_CODE": (r"(?<=\b[A-Z]{2} )\d{5}(?:-\d{4})?\b",),
    "STREET_ADDRESS": (
        r"\b\d{1,5} (?:[A-Z][\w'-]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl"
        r"|Boulevard|Blvd|Way|Terrace|Crescent)\b\.?(?:,? (?:Apt|Suite|Unit)\.? ?\w+)?",
    ),
}


def recognisers() -> list[LocalRecognizer]:
    """The recognisers, built once by whoever keeps them; they hold no state between texts."""
    own = [_own(entity, patterns) for entity, patterns in PATTERNS.items()]
    ready = [
        DateRecognizer(),
        CreditCardRecognizer(),
        IbanRecognizer(),
        IpRecognizer(),
        PhoneRecognizer(leniency=2),
    ]
    return [*own, *ready]


def find_patterns(text: str, using: Iterable[LocalRecognizer]) -> Iterator[Found]:
    """Everything in the text that looks like an identifier by its form alone, names excepted."""
    for recogniser in using:
        for result in recogniser.analyze(text, recogniser.supported_entities, None) or ():
            if result.score >= MIN_SCORE:
                yield Found(result.start, result.end, PRESIDIO[result.entity_type].value, "pattern")


def _own(entity: str, patterns: Iterable[str]) -> PatternRecognizer:
    return PatternRecognizer(
        supported_entity=entity,
        patterns=[Pattern(f"{entity} {i}", regex, 0.6) for i, regex in enumerate(patterns)],
        # Patterns say themselves what case they want; Presidio would ignore case in all of them.
        global_regex_flags=0,
    )
