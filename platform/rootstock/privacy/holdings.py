"""What each module says of the personal data it holds: `<module>/privacy.py`, named in settings.

A vertical's is in VERTICALS and has kinds of persons of its own; the platform's are in PLATFORM_HOLDINGS and hold
data of persons of any kind. The functions take a `SubjectKey` or an organisation and are called inside `tenant()`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from rootstock.errors import NotFound
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import key_destroy, keys_locked

Again = Callable[[], object]


def nothing(key: SubjectKey) -> None:
    """No more than the key has to go."""
    return


def none(key: SubjectKey) -> Iterable[Any]:
    """There are none."""
    return ()


@dataclass(slots=True, frozen=True)
class Content:
    """A content that is no row: its path in an export's archive, and how it is opened."""

    path: str
    open: Callable[[], BinaryIO]


@dataclass(slots=True, frozen=True)
class Kind:
    """A kind of data about a person."""

    name: str
    label: str
    count: Callable[[SubjectKey], int]
    export: Callable[[SubjectKey], Iterable[dict[str, Any]]]
    contents: Callable[[SubjectKey], Iterable[Content]] = none
    # For contents, which lie in storage: the ids that a certificate names, and what an erasure does with them.
    ids: Callable[[SubjectKey], Iterable[UUID]] = none
    scrub: Callable[[SubjectKey], Again | None] = nothing
    adapters: Callable[[SubjectKey], Iterable[str]] = none  # trained on it, by name; they cannot be untrained


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
    scrub: Callable[[SubjectKey], Again | None] = nothing
    url: Callable[[SubjectKey], str] | None = None


@dataclass(slots=True, frozen=True)
class Expiring:
    """A kind of data that a retention rule can delete."""

    name: str
    label: str
    counted_from: str
    # (organisation, before, at most) -> how many were deleted; whatever is under a legal hold is left
    delete: Callable[[UUID, datetime, int], int]
    held: Callable[[], bool]  # whether there is any of it
    batch: int = 200


@dataclass(slots=True, frozen=True)
class Holdings:
    """Everything that one module holds. `everyone` are kinds of data about persons of any type."""

    subjects: tuple[SubjectType, ...] = ()
    everyone: tuple[Kind, ...] = ()
    expiring: tuple[Expiring, ...] = ()


def holdings() -> list[Holdings]:
    """Of every vertical, then of the platform."""
    verticals = [vertical.privacy for vertical in settings.VERTICALS.values() if vertical.privacy]
    return [import_string(path) for path in (*verticals, *settings.PLATFORM_HOLDINGS)]


def subject_types() -> dict[str, SubjectType]:
    """Every kind of person, by name."""
    return {found.name: found for held in holdings() for found in held.subjects}


def subject_type(name: str) -> SubjectType:
    """One of them. Raises NotFound."""
    found = subject_types().get(name)
    if found is None:
        raise NotFound("no such kind of person")
    return found


def everyones_kinds() -> list[Kind]:
    """The kinds of data about persons of any type."""
    return [kind for held in holdings() for kind in held.everyone]


def kinds_of(key: SubjectKey) -> list[Kind]:
    """The kinds of data about a person: those of the person's type, and the others of which there is some."""
    return [*subject_type(key.type).kinds, *(kind for kind in everyones_kinds() if kind.count(key))]


def key_release(key: SubjectKey) -> None:
    """Destroy the key of a person of whom nothing is left. Call it inside `tenant()`, after deleting."""
    for held in keys_locked([key.pk]):  # before counting: what is being stored now is waited for, and counts
        if not any(kind.count(held) for kind in kinds_of(held)):
            key_destroy(held)


def kind_labels() -> dict[str, str]:
    """Every kind of data about persons, by name."""
    typed = [kind for found in subject_types().values() for kind in found.kinds]
    return {kind.name: kind.label for kind in [*typed, *everyones_kinds()]}


def expiring_kinds() -> dict[str, Expiring]:
    """Every kind of data that can expire, by name."""
    return {found.name: found for held in holdings() for found in held.expiring}
