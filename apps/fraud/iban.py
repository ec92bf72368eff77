"""Account numbers that are IBANs (ISO 13616): a wrong check digit is a typing error, and makes a new account."""

import re

# How long an IBAN is in each country of SWIFT's registry, release 99.
LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_SHAPE = re.compile(r"([A-Za-z]{2})[0-9]{2}[A-Za-z0-9 ]{11,40}")
_DIGITS = {ord(letter): str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def checked(account: str) -> str:
    """An account's number as it was given. Raises ValueError for an IBAN whose check digits do not fit.

    An IBAN is what begins with a country and two digits and is as long as that country's are, in letters of either
    case, with or without blanks. Everything else may be called as its bank likes.
    """
    shape = _SHAPE.fullmatch(account)
    if shape is None:
        return account
    number = account.replace(" ", "").upper()
    if len(number) == LENGTHS.get(shape[1].upper()) and not _fits(number):
        raise ValueError("is an IBAN whose check digits do not fit")
    return account


def _fits(number: str) -> bool:
    """ISO 7064, MOD 97-10: letters count from 10; the check digits come last and leave 1. They are 02 to 98."""
    return 2 <= int(number[2:4]) <= 98 and int((number[4:] + number[:4]).translate(_DIGITS)) % 97 == 1
