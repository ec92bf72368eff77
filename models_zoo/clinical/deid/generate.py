"""Clinical sentences and notes with identifiers whose places are known, from templates and a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from importlib.resources import files
from random import Random

from models_zoo.clinical.deid import lexicon as words
from models_zoo.clinical.deid.labels import Label

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(slots=True, frozen=True)
class Entity:
    """A labelled stretch of text: character offsets, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(slots=True, frozen=True)
class Example:
    """A text and what in it identifies a person; `template` groups texts of one make for the split."""

    text: str
    entities: tuple[Entity, ...]
    template: str


def templates() -> list[str]:
    """All sentence templates, those without identifiers last."""
    folder = files("models_zoo.clinical.deid")
    lines = [
        folder.joinpath(name).read_text("utf-8").splitlines() for name in ("templates.txt", "negatives.txt")
    ]
    return [line for part in lines for line in part if line and not line.startswith("#")]


def part_of(template: str) -> str:
    """The part (train, validation or test) of everything made from one template: 70/10/20 by its hash."""
    bucket = int(sha256(template.encode()).hexdigest(), 16) % 10
    return "test" if bucket < 2 else "validation" if bucket == 2 else "train"


def fill(template: str, random: Random) -> Example:
    """Fill the slots of one template. Raises KeyError for a slot that this module does not know."""
    text, entities, at = "", [], 0
    for slot in _SLOT.finditer(template):
        text += template[at : slot.start()]
        label, make = SLOTS[slot.group(1)]
        value = make(random)
        if label is not None:
            entities.append(Entity(len(text), len(text) + len(value), label.value))
        text, at = text + value, slot.end()
    return Example(text + template[at:], tuple(entities), template)


def note(pool: Sequence[str], random: Random, lines: int) -> Example:
    """Several filled templates of `pool` joined into one note, by line breaks or by spaces."""
    return join(
        [fill(random.choice(pool), random) for _ in range(lines)], random.choice(("\n", "\n", " ", "\n\n"))
    )


def join(parts: Sequence[Example], separator: str) -> Example:
    """One text of several, with their entities moved along. The parts come from one part of the split."""
    text, entities = "", []
    for index, part in enumerate(parts):
        text += separator if index else ""
        entities += [Entity(e.start + len(text), e.end + len(text), e.label) for e in part.entities]
        text += part.text
    return Example(text, tuple(entities), parts[0].template)


def _composed(random: Random) -> str:
    return "".join(
        random.choice(words.SYLLABLES) for _ in range(random.randint(1, 2))
    ).capitalize() + random.choice(words.ENDINGS)


def given(random: Random) -> str:
    return random.choice(words.GIVEN) if random.random() < 0.75 else _composed(random)


def surname(random: Random) -> str:
    return random.choice(words.SURNAMES).replace("-", " ") if random.random() < 0.5 else _composed(random)


def patient(random: Random) -> str:
    middle = random.choice(("", "", f" {random.choice('ABCDEFGHJKLMNPRSTW')}.", f" {given(random)}"))
    return f"{given(random)}{middle} {surname(random)}"


def doctor(random: Random) -> str:
    first = given(random)
    return f"{first[0]}. {surname(random)}" if random.random() < 0.3 else f"{first} {surname(random)}"


def _date(random: Random) -> str:
    day = date(1930, 1, 1) + timedelta(days=random.randrange(36000))
    style = random.choice(_DATE_STYLES)
    return style(day)


_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_DATE_STYLES: tuple[Callable[[date], str], ...] = (
    lambda d: d.isoformat(),
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.month:02d}/{d.day:02d}/{d.year % 100:02d}",
    lambda d: f"{d.day:02d}.{d.month:02d}.{d.year}",
    lambda d: f"{d:%B} {d.day}, {d.year}",
    lambda d: f"{d.day} {d:%B} {d.year}",
    lambda d: f"{d.day}-{d:%b}-{d.year}",
    lambda d: f"{d.day:02d}/{d.month:02d}/{d.year}",
    lambda d: f"{d:%B} {d.day}",
    lambda d: f"{d.month}/{d.day}",
    lambda d: f"{d.day}{_ORDINALS.get(d.day % 10 if d.day // 10 != 1 else 0, 'th')} of {d:%B}",
)


def _month_year(random: Random) -> str:
    day = date(1990, 1, 1) + timedelta(days=random.randrange(13000))
    return random.choice((f"{day:%B} {day.year}", f"{day:%b} {day.year}", f"{day.month:02d}/{day.year}"))


def _time(random: Random) -> str:
    return f"{random.randrange(24):02d}:{random.randrange(60):02d}"


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0123456789") for _ in range(count))


def _mrn(random: Random) -> str:
    style = random.randrange(5)
    body = _digits(random, random.randint(6, 9))
    return (body, f"{body[:3]}-{body[3:]}", f"M{body}", f"MRN-{body}", f"{random.choice('ABHKR')}{body[:6]}")[
        style
    ]


def _account(random: Random) -> str:
    letters = "".join(random.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(random.randint(0, 3)))
    return f"{letters}{_digits(random, random.randint(5, 12))}"


def _card(random: Random) -> str:
    groups = [_digits(random, 4) for _ in range(4)]
    return random.choice(("", "", " ", "-")).join(groups)


def _iban(random: Random) -> str:
    body = f"{random.choice(('GB', 'DE', 'FR', 'CH', 'NL', 'ES'))}{_digits(random, 2)}"
    bank = "".join(random.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(random.choice((0, 4))))
    return f"{body}{bank}{_digits(random, random.randint(14, 18))}"


def _phone(random: Random) -> str:
    a, b, c = (_digits(random, n) for n in (3, 3, 4))
    styles = (
        f"({a}) {b}-{c}",
        f"{a}-{b}-{c}",
        f"+1 {a} {b} {c}",
        f"0{a} {b} {c}",
        f"{a}.{b}.{c}",
        f"x{c}",
        f"+44 20 {c} {b}{a[0]}",
    )
    return random.choice(styles)


def _ascii(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower()) or "mail"


def _email(random: Random) -> str:
    top = random.choice(("org", "com", "net", "nhs.uk", "edu", "de", "example"))
    local = f"{_ascii(given(random))}{random.choice(('.', '_', ''))}{_ascii(surname(random))}"
    return f"{local}@{_ascii(_composed(random))}.{top}"


def _url(random: Random) -> str:
    host = f"{_ascii(_composed(random))}.{random.choice(('org', 'com', 'health'))}"
    return random.choice((f"https://{host}/my", f"www.{host}", f"portal.{host}", f"http://{host}"))


def _street(random: Random) -> str:
    name = random.choice(words.STREET_NAMES) if random.random() < 0.6 else _composed(random)
    unit = random.choice(
        ("", "", "", f", Apt. {random.randint(1, 40)}", f" Suite {random.randint(100, 900)}")
    )
    return f"{random.randint(1, 9800)} {name} {random.choice(words.STREET_KINDS)}{unit}"


def _city(random: Random) -> str:
    return random.choice(words.CITIES) if random.random() < 0.7 else _composed(random)


def _zip(random: Random) -> str:
    state = random.choice(("CA", "TX", "NY", "IL", "MA", "OH"))
    return random.choice(
        (
            _digits(random, 5),
            f"{state} {_digits(random, 5)}",
            f"LS{_digits(random, 1)} {_digits(random, 1)}AB",
        )
    )


def _hospital(random: Random) -> str:
    first = random.choice(words.HOSPITAL_FIRST) if random.random() < 0.6 else _city(random)
    return f"{first} {random.choice(words.HOSPITAL_KINDS)}"


def _clinic(random: Random) -> str:
    return f"{random.choice((_city, surname))(random)} {random.choice(words.CLINIC_KINDS)}"


def _employer(random: Random) -> str:
    return f"{random.choice((surname, _composed))(random)} {random.choice(words.EMPLOYER_KINDS)}"


def _dose(random: Random) -> str:
    amount = random.choice((1, 2.5, 5, 10, 20, 25, 40, 50, 75, 100, 250, 500, 1000))
    return f"{amount} {random.choice(('mg', 'mcg', 'g', 'units', 'mL'))}"


def _lab(random: Random) -> str:
    value = random.choice((f"{random.randint(1, 300)}", f"{random.uniform(0.1, 30):.1f}"))
    return f"{random.choice(words.LABS)} {value}{random.choice(('', ' ' + random.choice(words.LAB_UNITS)))}"


def _one_of(options: Sequence[str]) -> Callable[[Random], str]:
    return lambda random: random.choice(options)


def _number(low: int, high: int, unit: str = "") -> Callable[[Random], str]:
    return lambda random: f"{random.randint(low, high)}{unit}"


Slot = tuple[Label | None, Callable[[Random], str]]

SLOTS: Mapping[str, Slot] = {
    "patient": (Label.NAME, patient),
    "patient_upper": (Label.NAME, lambda random: patient(random).upper()),
    "patient_lower": (Label.NAME, lambda random: patient(random).lower()),
    "reversed": (Label.NAME, lambda random: f"{surname(random)}, {given(random)}"),
    "doctor": (Label.NAME, doctor),
    "nurse": (Label.NAME, doctor),
    "given": (Label.NAME, given),
    "given_upper": (Label.NAME, lambda random: given(random).upper()),
    "surname": (Label.NAME, surname),
    "surname_upper": (Label.NAME, lambda random: surname(random).upper()),
    "eponym_surname": (Label.NAME, _one_of(words.EPONYM_SURNAMES)),
    "eponym_given": (Label.NAME, _one_of(words.EPONYM_GIVEN)),
    "date": (Label.DATE, _date),
    "month_year": (Label.DATE, _month_year),
    "year": (Label.DATE, _number(1945, 2025)),
    "title": (None, _one_of(("Mr.", "Mrs.", "Ms.", "Dr.", "Professor", "Sir", "Miss"))),
    "nation": (
        None,
        _one_of(("German", "Kenyan", "Thai", "Catholic", "Welsh", "Peruvian", "Jewish", "Dutch")),
    ),
    "weekday": (None, _one_of(words.WEEKDAYS)),
    "time": (None, _time),
    "age": (Label.AGE, _number(1, 102)),
    "mrn": (Label.ID, _mrn),
    "account": (Label.ID, _account),
    "nhs": (Label.ID, lambda random: f"{_digits(random, 3)} {_digits(random, 3)} {_digits(random, 4)}"),
    "ssn": (Label.ID, lambda random: f"{_digits(random, 3)}-{_digits(random, 2)}-{_digits(random, 4)}"),
    "serial": (Label.ID, _account),
    "card": (Label.ID, _card),
    "iban": (Label.ID, _iban),
    "lot": (None, _account),
    "phone": (Label.CONTACT, _phone),
    "email": (Label.CONTACT, _email),
    "url": (Label.CONTACT, _url),
    "street": (Label.LOCATION, _street),
    "city": (Label.LOCATION, _city),
    "zip": (Label.LOCATION, _zip),
    "hospital": (Label.ORGANISATION, _hospital),
    "hospital_upper": (Label.ORGANISATION, lambda random: _hospital(random).upper()),
    "clinic": (Label.ORGANISATION, _clinic),
    "employer": (Label.ORGANISATION, _employer),
    "condition": (None, _one_of(words.CONDITIONS)),
    "symptom": (None, _one_of(words.SYMPTOMS)),
    "symptom_state": (None, _one_of(words.STATES)),
    "drug": (None, _one_of(words.DRUGS)),
    "dose": (None, _dose),
    "frequency": (None, _one_of(words.FREQUENCIES)),
    "lab": (None, _lab),
    "lab_name": (None, _one_of(words.LABS)),
    "eponym": (None, _one_of(words.EPONYMS)),
    "eponym_sign": (None, _one_of(words.EPONYM_SIGNS)),
    "device": (None, _one_of(words.DEVICES)),
    "score": (None, _one_of(words.SCORES)),
    "procedure": (None, _one_of(words.PROCEDURES)),
    "organism": (None, _one_of(words.ORGANISMS)),
    "roman": (None, _one_of(words.ROMAN)),
    "bp": (None, lambda random: f"{random.randint(85, 200)}/{random.randint(40, 110)}"),
    "number": (None, _number(10, 140)),
    "small": (None, _number(0, 10)),
    "big": (None, _number(100, 2500)),
    "percent": (None, lambda random: f"{random.randint(20, 100)}{random.choice(('%', ' %'))}"),
    "temperature": (None, lambda random: f"{random.uniform(35, 40):.1f}"),
}
