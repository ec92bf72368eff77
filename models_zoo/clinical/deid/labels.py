"""What a redactor removes, and how other label sets map onto it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Label(StrEnum):
    """Kinds of identifiers, after the HIPAA Safe Harbor list (45 CFR 164.514(b)(2)), merged to seven."""

    NAME = "NAME"
    DATE = "DATE"
    AGE = "AGE"
    CONTACT = "CONTACT"
    ID = "ID"
    LOCATION = "LOCATION"
    ORGANISATION = "ORGANISATION"


# Presidio's entity names, in its data sets and in its recognisers. Titles (Dr.) and nationality, religion
# or political group (NRP) are not identifiers of a person in that list and are left in the text.
PRESIDIO: Mapping[str, Label] = {
    "PERSON": Label.NAME,
    "DATE_TIME": Label.DATE,
    "AGE": Label.AGE,
    "PHONE_NUMBER": Label.CONTACT,
    "EMAIL_ADDRESS": Label.CONTACT,
    "DOMAIN_NAME": Label.CONTACT,
    "URL": Label.CONTACT,
    "CREDIT_CARD": Label.ID,
    "IBAN_CODE": Label.ID,
    "IP_ADDRESS": Label.ID,
    "US_SSN": Label.ID,
    "US_DRIVER_LICENSE": Label.ID,
    "ID": Label.ID,
    "STREET_ADDRESS": Label.LOCATION,
    "GPE": Label.LOCATION,
    "ZIP_CODE": Label.LOCATION,
    "ORGANIZATION": Label.ORGANISATION,
}
