"""Reads of privacy: persons by reference, what is held of them, requests, certificates."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import list_read_record
from rootstock.errors import InvalidInput, NotFound
from rootstock.privacy.holdings import SubjectType, kinds_of, subject_type, subject_types
from rootstock.privacy.models import ErasureCertificate, LegalHold, PrivacyRequest, SubjectKey

REFERENCE_LIMIT = 400


@dataclass(slots=True, frozen=True)
class Held:
    """How much of one kind is held."""

    kind: str
    label: str
    count: int


@dataclass(slots=True, frozen=True)
class Subject:
    """A person: the key, what kind of person, what is held, and the hold that lasts."""

    key: SubjectKey
    type: SubjectType
    held: list[Held]
    hold: LegalHold | None

    @property
    def state(self) -> str:
        """held, kept or erased."""
        return "erased" if self.key.is_destroyed else "held" if self.hold else "kept"


def subjects_find(*, organisation: Organisation, reference: str, type: str = "") -> list[Subject]:
    """Everybody with this reference, among all kinds of persons or one. Whoever is found is on the audit trail."""
    reference = reference.strip()
    if not 1 <= len(reference) <= REFERENCE_LIMIT:
        raise InvalidInput.field("reference", f"must have 1 to {REFERENCE_LIMIT} characters")
    types = [subject_type(type)] if type else list(subject_types().values())
    with tenant(organisation) as owner:
        found = [_subject(key, known) for known in types for key in known.find(owner, reference)]
        for known in types:
            ids = [one.key.pk for one in found if one.type is known]
            list_read_record(
                organisation=owner, subject_type=known.name, subject_ids=ids, what="reference search"
            )
    return found


def subject_get(*, organisation: Organisation, subject_id: UUID) -> Subject:
    """One person. Raises NotFound."""
    with tenant(organisation):
        key = SubjectKey.objects.filter(pk=subject_id, type__in=subject_types()).first()
        if key is None:
            raise NotFound("no such subject")
        return _subject(key, subject_type(key.type))


def _subject(key: SubjectKey, known: SubjectType) -> Subject:
    counted = [] if key.is_destroyed else kinds_of(key)
    held = [Held(kind.name, kind.label, kind.count(key)) for kind in counted]
    hold = LegalHold.objects.filter(subject=key, released_at=None).first()
    return Subject(key, known, held, hold)


def requests_of() -> QuerySet[PrivacyRequest]:
    """Requests without their notes. Call it inside `tenant()`."""
    return PrivacyRequest.objects.select_related("subject", "certificate").defer("note")


def request_get(*, organisation: Organisation, request_id: UUID) -> PrivacyRequest:
    """One request. Raises NotFound."""
    with tenant(organisation):
        rows = PrivacyRequest.objects.select_related("subject", "certificate")
        request = rows.filter(pk=request_id).first()
    if request is None:
        raise NotFound("no such request")
    return request


def subject_requests(*, organisation: Organisation, subject_id: UUID) -> list[PrivacyRequest]:
    """The requests about one person, the newest first."""
    with tenant(organisation):
        return list(requests_of().filter(subject=subject_id).order_by("-pk")[:50])


def certificate_get(*, organisation: Organisation, certificate_id: UUID) -> ErasureCertificate:
    """One certificate. Raises NotFound."""
    with tenant(organisation):
        found = ErasureCertificate.objects.filter(pk=certificate_id).first()
    if found is None:
        raise NotFound("no such certificate")
    return found
