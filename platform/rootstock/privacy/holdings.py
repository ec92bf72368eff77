"""What each vertical says of the personal data it holds: `apps/<name>/privacy.py`, named in settings.VERTICALS.

The functions take a `SubjectKey` or an organisation and are called inside `tenant()`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from rootstock.errors import NotFound
from rootstock.privacy.keys import SubjectKey


@dataclass(slots=True, frozen=True)
class Kind:
    """A kind of data about a person."""

    name: str
    label: str
    count: Callable[[SubjectKey], int]
    export: Callable[[SubjectKey], Iterable[dict[str, Any]]]


def nothing(key: SubjectKey) -> None:
    """No more than the key has to go."""
    return


@dataclass(slots=True, frozen=True)
class SubjectType:
    """A kind of person: how one is found, what is held, and what an erasure must do beside destroying the key."""

    name: str
    label: str
    reference: str  # what to search by, for people
    find: Callable[[UUID, str], Iterable[SubjectKey]]
    kinds: tuple[Kind, ...]
    # Indexes, pseudonyms and hot state; what it returns is done once more after the commit, for what a worker
    # held meanwhile.
    scrub: Callable[[SubjectKey], Callable[[], object] | None] = nothing
    url: Callable[[SubjectKey], str] | None = None


@dataclass(slots=True, frozen=True)
class Expiring:
    """A kind of data that a retention rule can delete."""

    name: str
    label: str
    counted_from: str
    # (organisation, before, at most) -> how many were deleted; whatever is under a legal hold is left
    delete: Callable[[UUID, datetime, int], int]
    batch: int = 200


@dataclass(slots=True, frozen=True)
class Holdings:
    """Everything that one vertical holds."""

    subjects: tuple[SubjectType, ...] = ()
    expiring: tuple[Expiring, ...] = ()


def holdings() -> list[Holdings]:
    """Of every vertical."""
    return [import_string(vertical.privacy) for vertical in settings.VERTICALS.values() if vertical.privacy]


def subject_types() -> dict[str, SubjectType]:
    """Every kind of person, by name."""
    return {found.name: found for held in holdings() for found in held.subjects}


def subject_type(name: str) -> SubjectType:
    """One of them. Raises NotFound."""
    found = subject_types().get(name)
    if found is None:
        raise NotFound("no such kind of person")
    return found


def expiring_kinds() -> dict[str, Expiring]:
    """Every kind of data that can expire, by name."""
    return {found.name: found for held in holdings() for found in held.expiring}
