"""Personal data that shows by its form alone: which kinds a text holds, never what it holds.

Names and addresses have no form; a model finds them (`models_zoo.clinical.deid`). Every pattern is bounded, so that
the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.,-])[2-6]\d(?:[ -]?\d){11,17}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w+./-])(?:\+\d(?:[ ()./-]{0,2}\d){7,14}"  # international
    r"|(?:\(\d{2,5}\) ?|0\d{1,4}[ /-]|\d{3}[ .-])\d{3,4}[ .-]\d{3,5})(?![\w-])"
)


def kinds_in(text: str) -> set[str]:
    """Of e-mail, iban, card and phone, those that the text holds."""
    return {kind for kind, finds in _FINDERS.items() if finds(text)}


def _emails(text: str) -> bool:
    return "@" in text and _EMAIL.search(text) is not None


def _ibans(text: str) -> bool:
    return any(_is_iban(found.group()) for found in _IBAN.finditer(text))


def _is_iban(written: str) -> bool:
    """ISO 7064's check: letters count from 10, the number leaves 1 of 97."""
    code = written.replace(" ", "")
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in code[4:] + code[:4])) % 97 == 1


def _cards(text: str) -> bool:
    return any(_is_card(re.sub(r"\D", "", found.group())) for found in _CARD.finditer(text))


def _is_card(digits: str) -> bool:
    """ISO/IEC 7812's check (Luhn, 1960)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(int(digit) for digit in digits[-1::-2]) + sum(one - 9 if one > 9 else one for one in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def _phones(text: str) -> bool:
    return _PHONE.search(_CARD.sub(" ", _IBAN.sub(" ", text))) is not None


_FINDERS: dict[str, Callable[[str], bool]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "phone": _phones,
}
