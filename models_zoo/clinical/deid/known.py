"""Finding the identifiers of one person that are already known from the record's own header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from models_zoo.clinical.deid.labels import Label
from models_zoo.clinical.deid.scrub import Found, Scrubbed


def _split(text: str) -> list[str]:
    return text.split()


# Given names and surnames that are words too: removed as "Will" and "WILL", left alone as "will".
ALSO_WORDS = frozenset(
    _split("""
will may grace hope faith june april rose ivy violet mark bill rich frank pat drew chase art dale glen black
stone rivers woods day long short cross price love bishop fields lamb hardy best strong winter summers snow
frost bloom hill hall young king white green brown park page bell august
""")
)
_MONTHS = _split("January February March April May June July August September October November December")


@dataclass(slots=True, frozen=True)
class Known:
    """An identifier from the record: what kind it is and how it is written there."""

    label: str
    value: str


def find_known(text: str, identifiers: Sequence[Known]) -> Iterator[Found]:
    """Every place where one of the identifiers stands as whole words.

    Names match in any case (those of ALSO_WORDS only capitalised), identifiers and phone numbers with any
    separators between their characters, dates of the form YYYY-MM-DD in the usual ways of writing them.
    Values of one character are ignored.
    """
    for known in identifiers:
        for pattern in _patterns(known):
            for match in pattern.finditer(text):
                yield Found(match.start(), match.end(), known.label, "record")


def survivors(scrubbed: Scrubbed, identifiers: Sequence[Known]) -> list[Found]:
    """Identifiers that are still in a scrubbed text. Of a person named Date, `[DATE]` is no trace."""
    places = scrubbed.redactions
    left = find_known(scrubbed.text, identifiers)
    return [found for found in left if not any(p.start <= found.start and found.end <= p.end for p in places)]


def _patterns(known: Known) -> Iterator[re.Pattern[str]]:
    value = known.value.strip()
    if len(value) < 2:
        return
    if known.label == Label.NAME:
        yield from (_name(part) for part in {value, *value.split()} if len(part) > 1)
    elif known.label == Label.DATE:
        yield from _dates(value)
    elif known.label in (Label.ID, Label.CONTACT) and (loose := _loose(value)):
        yield loose
    else:
        yield _literal(re.escape(value))


def _literal(body: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){body}(?!\w)", flags)


def _name(value: str) -> re.Pattern[str]:
    body = r"[\s,]+".join(re.escape(part) for part in value.split())
    if value.lower() in ALSO_WORDS:
        return _literal(f"(?:{re.escape(value.capitalize())}|{re.escape(value.upper())})", 0)
    return _literal(body)


def _loose(value: str) -> re.Pattern[str] | None:
    characters = re.sub(r"[\W_]", "", value)
    if len(characters) < 4 or "@" in value:
        return None
    return _literal(r"[\s().+-]*".join(re.escape(character) for character in characters))


def _dates(value: str) -> Iterator[re.Pattern[str]]:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        yield _literal(re.escape(value))
        return
    d, m, year = rf"0?{day.day}", rf"0?{day.month}", rf"(?:{day.year}|{day.year % 100:02d})"
    name = _MONTHS[day.month - 1]
    month = rf"{name[:3]}(?:{name[3:]})?\.?" if name[3:] else name
    for body in (rf"{d}[./-]{m}[./-]{year}", rf"{m}[./-]{d}[./-]{year}", rf"{day.year}[./-]{m}[./-]{d}"):
        yield _literal(body)
    yield _literal(rf"{d}(?:st|nd|rd|th)?[ -](?:of )?{month}(?:,?[ -]{year})?")
    yield _literal(rf"{month}[ -]{d}(?:st|nd|rd|th)?(?:,? {year})?")
