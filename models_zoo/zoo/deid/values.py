"""Values for the slots of sentences that are no notes: wider than those of the notes, and more slots."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

from models_zoo.clinical.deid import lexicon
from models_zoo.clinical.deid.labels import Label
from models_zoo.clinical.deid.slots import SLOTS, Slot, digits, one_of
from models_zoo.clinical.deid.slots import given as note_given
from models_zoo.clinical.deid.slots import surname as note_surname
from models_zoo.zoo.deid import patterns, words
from models_zoo.zoo.deid.patterns import LETTERS, drawn, pattern, zip_code

_PART = re.compile(r"\{(\w+)\}")


def _shaped(shape: str, random: Random, parts: Mapping[str, Callable[[Random], str]]) -> str:
    return _PART.sub(lambda part: parts[part.group(1)](random), shape)


def given(random: Random) -> str:
    """A first name: of the long list or of the notes' lexicon."""
    return random.choice(words.GIVEN) if random.random() < 0.6 else note_given(random)


def surname(random: Random) -> str:
    """A last name, at times a double one."""
    if random.random() < 0.05:
        return f"{random.choice(words.SURNAMES)}-{random.choice(words.SURNAMES)}"
    plain = random.choice(words.SURNAMES) if random.random() < 0.6 else note_surname(random)
    if random.random() < 0.07:
        return f"{random.choice(words.PARTICLES).replace('-', ' ')} {plain}"
    return plain


def person(random: Random) -> str:
    """A name as people write it: with or without a middle name or letter, now and then in another order."""
    first, last = given(random), surname(random)
    middle = random.choice(("", "", "", f" {random.choice(LETTERS)}.", f" {given(random)}"))
    if random.random() < 0.04:
        return f"{first[0]}. {last}"
    return f"{first}{middle} {last}"


def anyone(random: Random) -> str:
    """How somebody is called in a sentence: by the whole name, or by a part of it."""
    name = random.choice((person, person, given, surname))(random)
    chance = random.random()
    return name.lower() if chance < 0.05 else name.upper() if chance < 0.08 else name


def city(random: Random) -> str:
    """A place: known, or of our making."""
    chance = random.random()
    if chance < 0.7:
        return random.choice(words.CITIES)
    made = note_surname(random).replace(" ", "")
    if chance < 0.78:
        return f"{random.choice(words.CITY_FIRST)} {made}"
    made += random.choice(words.CITY_ENDINGS)
    if chance < 0.85:
        return f"{made} {random.choice(words.CITY_MIDDLE)} {_long(random)}"
    return random.choice(
        (
            made,
            made,
            f"{made}-{_long(random)}",
            f"{made} ({_long(random)})",
            f"{made} {random.choice('KVNSØ')}",
        )
    )


def place(random: Random) -> str:
    """A city, a country or a region, now and then in capitals."""
    made = random.choice((city, city, country, country, one_of(words.STATES)))(random)
    return made.upper() if random.random() < 0.08 else made


def country(random: Random) -> str:
    """Without its article, which is no part of what identifies."""
    return random.choice(words.COUNTRIES).removeprefix("the ")


def _unit(random: Random) -> str:
    return f"{random.choice(('Apt.', 'Apt', 'Suite', 'Unit', 'Flat', 'No.', '#'))} {random.randint(1, 999)}"


def _long(random: Random) -> str:
    return random.choice((note_surname(random).replace(" ", ""), random.choice(words.STREET_NAMES[:30])))


_STREET: Mapping[str, Callable[[Random], str]] = {
    "n": lambda random: str(random.randint(1, random.choice((99, 999, 9999, 99999)))),
    "m": lambda random: str(random.randint(1, 99)),
    "letter": one_of("abcABCDE"),
    "unit": _unit,
    "name": lambda random: random.choice((random.choice(words.STREET_NAMES), surname(random))),
    "long": _long,
    "kind": one_of(words.STREET_KINDS),
    "given": given,
    "surname": surname,
}


def street(random: Random) -> str:
    """A street and number as one of several countries writes them."""
    return _shaped(random.choice(words.STREET_FORMS), random, _STREET).replace("\\n", "\n")


def street_name(random: Random) -> str:
    """A street without its number."""
    name = random.choice((random.choice(words.STREET_NAMES), surname(random)))
    return f"{name} {random.choice(words.STREET_KINDS)}"


def address(random: Random) -> str:
    """A whole address in one line or in several."""
    gap = random.choice((", ", ", ", "\n", "\n ", " "))
    unit = random.choice(("", "", f"{gap}{_unit(random)}"))
    town = random.choice(
        (f"{zip_code(random)} {city(random)}", f"{city(random)} {zip_code(random)}",
         f"{city(random)}, {random.choice(words.STATE_CODES)} {digits(random, 5)}")
    )  # fmt: skip
    return f"{street(random)}{unit}{gap}{town}{random.choice(('', f'{gap}{country(random)}'))}"


def corner(random: Random) -> str:
    """A place that two streets tell."""
    return f"the corner of {street_name(random)} and {street_name(random)}"


def _coined(random: Random) -> str:
    first, last = random.choice(words.COINED_FIRST), random.choice(words.COINED_LAST)
    return random.choice(
        (first + last, first + last.capitalize(), first + random.choice(words.COINED_FIRST).lower())
    )


def _two_words(random: Random) -> str:
    head = random.choice((_coined(random), random.choice(words.COINED_FIRST), surname(random), city(random)))
    between = f" {random.choice(words.COINED_FIRST)}" if random.random() < 0.2 else ""
    return f"{head}{between} {random.choice(words.TRADE)}"


def _family(random: Random) -> str:
    a, b, c = surname(random), surname(random), surname(random)
    return random.choice(
        (f"{a}-{b}", f"{a}, {b} and {c}", f"{a} and {b}", f"{a} & {b}", f"{a} {random.choice(words.FORM)}",
         f"{a}, {b} & {c}", f"{a} Group", f"{a} and Sons")
    )  # fmt: skip


def _public(random: Random) -> str:
    parts = {"city": city, "country": country, "surname": surname, "given": given}
    return _shaped(random.choice(words.PUBLIC), random, parts)


def _with_form(random: Random) -> str:
    return f"{random.choice((_coined, _two_words))(random)} {random.choice(words.FORM)}"


def _letters(random: Random) -> str:
    short = drawn("?" * random.randint(2, 4), random)
    return random.choice(
        (short, f"{short} {random.choice(words.TRADE)}", f"{random.randint(2, 99)} {surname(random)} Inc")
    )


def organisation(random: Random) -> str:
    """Companies, offices, schools, clubs: by the name of a family, coined, of known ones, or by what they do."""
    makes = (
        _family,
        _family,
        _coined,
        _two_words,
        _two_words,
        _with_form,
        _public,
        _letters,
        one_of(words.KNOWN),
    )
    made = random.choice(makes)(random).removeprefix("the ")
    chance = random.random()
    return made.lower() if chance < 0.04 else made.upper() if chance < 0.06 else made


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z]", "", name) or "mail"


_DOMAINS = lexicon.words(
    "com com com org net co.uk de fr it es ch se no dk fi nl be pl cz hu si hr pt gr com.br com.au ca ie us io info"
)


def _host(random: Random) -> str:
    first, last = random.choice(words.COINED_FIRST), random.choice(words.COINED_FIRST)
    name = random.choice(
        (first + last, (first + last).lower(), _coined(random), _plain(surname(random)).lower())
    )
    return f"{name}.{random.choice(_DOMAINS)}"


def email(random: Random) -> str:
    """Of a person or of an office."""
    first, last = _plain(given(random)), _plain(surname(random))
    number = random.choice(("", "", digits(random, 2), digits(random, 4)))
    local = random.choice(
        (first + last, f"{first}.{last}".lower(), f"{first[0]}{last}".lower() + number, f"{first}_{last}{number}",
         random.choice(("info", "office", "sales", "no-reply", "support")), f"{last}-{first}".lower(),
         f"{first.lower()}{number}")
    )  # fmt: skip
    return f"{local}@{_host(random)}"


def url(random: Random) -> str:
    """A site, with or without what comes before and after it."""
    path = random.choice(
        ("", "", "/", "/", "/about", f"/{_plain(surname(random)).lower()}", f"/p/{digits(random, 5)}")
    )
    return f"{random.choice(('http://', 'https://', 'http://www.', 'https://www.', 'www.', ''))}{_host(random)}{path}"


_TITLES = lexicon.words(
    "Mr. Mrs. Ms. Dr. Mr Mrs Ms Dr Miss Sir Madam Prof. Professor mr. mrs. Rev. Captain Sergeant Judge"
)


def _name(make: Callable[[Random], str]) -> Slot:
    return Label.NAME, make


WIDE: Mapping[str, Slot] = {
    **SLOTS,
    "given": _name(given), "surname": _name(surname), "patient": _name(person), "anyone": _name(anyone),
    "patient_upper": _name(lambda random: person(random).upper()),
    "patient_lower": _name(lambda random: person(random).lower()),
    "doctor": _name(person), "reversed": _name(lambda random: f"{surname(random)}, {given(random)}"),
    "city": (Label.LOCATION, city), "place": (Label.LOCATION, place), "country": (Label.LOCATION, country),
    "state": (Label.LOCATION, one_of((*words.STATES, *words.STATE_CODES))), "street": (Label.LOCATION, street),
    "street_name": (Label.LOCATION, street_name), "address": (Label.LOCATION, address),
    "street_word": (Label.LOCATION, surname),
    "corner": (Label.LOCATION, corner), "unit": (Label.LOCATION, _unit), "zip": (Label.LOCATION, zip_code),
    "building": (Label.LOCATION, pattern("#", "##", "###", "####", "#####")),
    "employer": (Label.ORGANISATION, organisation), "phone": (Label.CONTACT, patterns.phone),
    "email": (Label.CONTACT, email), "url": (Label.CONTACT, url), "ip": (Label.ID, patterns.ip),
    "card": (Label.ID, patterns.card), "iban": (Label.ID, patterns.iban), "licence": (Label.ID, patterns.licence),
    "serial": (Label.ID, patterns.licence), "account": (Label.ID, patterns.account),
    "date": (Label.DATE, patterns.day), "day": (Label.DATE, one_of(lexicon.WEEKDAYS)),
    "when": (Label.DATE, patterns.when), "moment": (Label.DATE, patterns.moment), "ordinal": (None, patterns.ordinal),
    "title": (None, one_of(_TITLES)), "nation": (None, one_of(words.NATIONS)), "job": (None, one_of(words.JOBS)),
    "work": (None, one_of(words.WORKS)), "event": (None, one_of(words.EVENTS)), "price": (None, patterns.price),
    "version": (None, patterns.version), "count": (None, patterns.count), "duration": (None, patterns.span),
}  # fmt: skip
