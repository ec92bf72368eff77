"""Blind indexes: equal values give equal digests, and nobody without the organisation's index key can make one.

HMAC-SHA-256 under a key of organisation and purpose, so that the same value has different indexes in two columns.
Before hashing a value is put in Unicode form NFC and stripped of outer white space; letters keep their case.
Where case must not matter (an e-mail address, a customer's name), `folded=True` compares without it.
"""

import hmac
import unicodedata
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from django.db import transaction

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.keys import IndexKey

# Index keys never change and outlive every erasure, so a process may remember them (never a subject's key).
_known: dict[UUID, bytes] = {}


def normal_form(value: str, *, folded: bool = False) -> str:
    """What is compared: NFC, stripped; without case if `folded`."""
    text = unicodedata.normalize("NFC", value).strip()
    return unicodedata.normalize("NFC", text.casefold()) if folded else text


def blind_index(
    organisation: Organisation | UUID, purpose: str, value: str, *, folded: bool = False
) -> bytes:
    """The 32 bytes that stand for a value in a search."""
    return blind_indexes(organisation, purpose, [value], folded=folded)[0]


def blind_indexes(
    organisation: Organisation | UUID, purpose: str, values: Iterable[str], *, folded: bool = False
) -> list[bytes]:
    """The indexes of several values, in their order."""
    root = _root(organisation if isinstance(organisation, UUID) else organisation.pk)
    return [digest(root, purpose, normal_form(value, folded=folded)) for value in values]


def digest(root: bytes, purpose: str, normal: str) -> bytes:
    """The index of a value in normal form under an organisation's index key."""
    key = hmac.digest(root, f"rootstock blind index {purpose}".encode(), "sha256")
    return hmac.digest(key, normal.encode(), "sha256")


def derived_key(organisation: UUID, purpose: str) -> bytes:
    """A key of the organisation for another use than blind indexes; it never changes either."""
    return hmac.digest(_root(organisation), purpose.encode(), "sha256")


def _root(organisation: UUID) -> bytes:
    found = _known.get(organisation)
    if found is None:
        with tenant(organisation):
            found = _stored(organisation).secret()
            # Only once it is committed: of two that make it at the same time one wins.
            transaction.on_commit(partial(_known.__setitem__, organisation, found))
    return found


def _stored(organisation: UUID) -> IndexKey:
    row = IndexKey.objects.first()
    if row is None:
        IndexKey.objects.bulk_create([IndexKey.make(organisation)], ignore_conflicts=True)
        row = IndexKey.objects.get()
    return row
