"""What stands in the slots of the notes' templates: names, dates, numbers, places, and clinical words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from random import Random

from models_zoo.clinical.deid import lexicon as words
from models_zoo.clinical.deid.labels import Label

Slot = tuple[Label | None, Callable[[Random], str]]
"""Its label, if it identifies, and what makes a value."""


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


def digits(random: Random, count: int) -> str:
    """So many digits."""
    return "".join(random.choice("0123456789") for _ in range(count))


def _mrn(random: Random) -> str:
    style = random.randrange(5)
    body = digits(random, random.randint(6, 9))
    return (body, f"{body[:3]}-{body[3:]}", f"M{body}", f"MRN-{body}", f"{random.choice('ABHKR')}{body[:6]}")[
        style
    ]


def _account(random: Random) -> str:
    letters = "".join(random.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(random.randint(0, 3)))
    return f"{letters}{digits(random, random.randint(5, 12))}"


def _card(random: Random) -> str:
    groups = [digits(random, 4) for _ in range(4)]
    return random.choice(("", "", " ", "-")).join(groups)


def _iban(random: Random) -> str:
    body = f"{random.choice(('GB', 'DE', 'FR', 'CH', 'NL', 'ES'))}{digits(random, 2)}"
    bank = "".join(random.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(random.choice((0, 4))))
    return f"{body}{bank}{digits(random, random.randint(14, 18))}"


def _phone(random: Random) -> str:
    a, b, c = (digits(random, n) for n in (3, 3, 4))
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
            digits(random, 5),
            f"{state} {digits(random, 5)}",
            f"LS{digits(random, 1)} {digits(random, 1)}AB",
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


def one_of(options: Sequence[str]) -> Callable[[Random], str]:
    """What makes one of the options."""
    return lambda random: random.choice(options)


def _number(low: int, high: int, unit: str = "") -> Callable[[Random], str]:
    return lambda random: f"{random.randint(low, high)}{unit}"


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
    "eponym_surname": (Label.NAME, one_of(words.EPONYM_SURNAMES)),
    "eponym_given": (Label.NAME, one_of(words.EPONYM_GIVEN)),
    "date": (Label.DATE, _date),
    "month_year": (Label.DATE, _month_year),
    "year": (Label.DATE, _number(1945, 2025)),
    "title": (None, one_of(("Mr.", "Mrs.", "Ms.", "Dr.", "Professor", "Sir", "Miss"))),
    "nation": (
        None,
        one_of(("German", "Kenyan", "Thai", "Catholic", "Welsh", "Peruvian", "Jewish", "Dutch")),
    ),
    "weekday": (None, one_of(words.WEEKDAYS)),
    "time": (None, _time),
    "age": (Label.AGE, _number(1, 102)),
    "mrn": (Label.ID, _mrn),
    "account": (Label.ID, _account),
    "nhs": (Label.ID, lambda random: f"{digits(random, 3)} {digits(random, 3)} {digits(random, 4)}"),
    "ssn": (Label.ID, lambda random: f"{digits(random, 3)}-{digits(random, 2)}-{digits(random, 4)}"),
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
    "condition": (None, one_of(words.CONDITIONS)),
    "symptom": (None, one_of(words.SYMPTOMS)),
    "symptom_state": (None, one_of(words.STATES)),
    "drug": (None, one_of(words.DRUGS)),
    "dose": (None, _dose),
    "frequency": (None, one_of(words.FREQUENCIES)),
    "lab": (None, _lab),
    "lab_name": (None, one_of(words.LABS)),
    "eponym": (None, one_of(words.EPONYMS)),
    "eponym_sign": (None, one_of(words.EPONYM_SIGNS)),
    "device": (None, one_of(words.DEVICES)),
    "score": (None, one_of(words.SCORES)),
    "procedure": (None, one_of(words.PROCEDURES)),
    "organism": (None, one_of(words.ORGANISMS)),
    "roman": (None, one_of(words.ROMAN)),
    "bp": (None, lambda random: f"{random.randint(85, 200)}/{random.randint(40, 110)}"),
    "number": (None, _number(10, 140)),
    "small": (None, _number(0, 10)),
    "big": (None, _number(100, 2500)),
    "percent": (None, lambda random: f"{random.randint(20, 100)}{random.choice(('%', ' %'))}"),
    "temperature": (None, lambda random: f"{random.uniform(35, 40):.1f}"),
}
