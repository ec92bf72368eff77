"""Erasure: the key is destroyed, what the key does not cover is scrubbed, and a certificate says so."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.audit.models import AuditEntry
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict
from rootstock.ids import uuid7
from rootstock.privacy import signing
from rootstock.privacy.archives import archives_drop
from rootstock.privacy.holdings import everyones_kinds, kinds_of, subject_type
from rootstock.privacy.holds import refuse_if_held
from rootstock.privacy.models import ErasureCertificate, PrivacyRequest, SubjectKey
from rootstock.privacy.subjects import key_destroy
from rootstock.webhooks.services import event_emit

METHOD = (
    "The person's data key (AES-256, unique to the person) was overwritten in the database together with the index of "
    "the person's reference. Everything encrypted under it cannot be read again. Pseudonyms, search indexes and hot "
    "state that pointed to the person were removed. Files about the person and data sets that held the person, if "
    "there were any, were deleted from storage."
)
BACKUPS = (
    "Backups made before the erasure still hold the wrapped key. They must expire by their own schedule; after "
    "restoring one, the erasures that came after it have to be repeated, from the certificates."
)
ADAPTERS = (
    "These adapters were trained on data sets that held the person. Weights cannot be untrained: whether they stay in "
    "use is to be decided, and is not decided by this erasure."
)


@dataclass(slots=True, frozen=True)
class _Destroyed:
    """What is known of a key before it goes."""

    fingerprint: str
    master_key: str
    created_at: Any
    counts: dict[str, int]
    contents: dict[str, list[str]]  # ids by kind, of what lay in storage
    adapters: list[str]


def subject_erase(organisation: Organisation, request: PrivacyRequest) -> ErasureCertificate:
    """Destroy the person's key and certify it. Call it inside `tenant()`, in the transaction of the confirmation."""
    key = SubjectKey.objects.select_for_update().get(pk=request.subject_id)
    if key.is_destroyed:
        raise Conflict("the person's data was erased already")
    refuse_if_held(key)
    before, known = _before(key), subject_type(key.type)
    for scrub in (*(kind.scrub for kind in (*known.kinds, *everyones_kinds())), known.scrub):
        if again := scrub(key):
            transaction.on_commit(again, robust=True)
    archives_drop(key)
    key_destroy(key)
    request.subject = key
    audit_record(
        organisation=organisation,
        action="subject.erased",
        object_type=key.type,
        object_id=key.pk,
        data={"request": str(request.pk), "ground": request.ground, "destroyed": before.counts}
        | ({"contents": before.contents} if before.contents else {}),
    )
    event_emit(
        organisation=organisation,
        type="privacy.subject_erased",
        data={"subject_id": str(key.pk), "request_id": str(request.pk)},
    )
    return _certify(organisation, request, before)


def _before(key: SubjectKey) -> _Destroyed:
    kinds = kinds_of(key)
    contents = {kind.name: [str(id) for id in kind.ids(key)] for kind in kinds}
    return _Destroyed(
        fingerprint=key.fingerprint,
        master_key=key.master_key,
        created_at=key.created_at,
        counts={kind.name: kind.count(key) for kind in kinds},
        contents={name: ids for name, ids in contents.items() if ids},
        adapters=[name for kind in everyones_kinds() for name in kind.adapters(key)],
    )


def _certify(organisation: Organisation, request: PrivacyRequest, before: _Destroyed) -> ErasureCertificate:
    document = _document(organisation, request, before)
    return ErasureCertificate.objects.create(
        pk=document["id"],
        organisation=organisation,
        request=request,
        document=document,
        signature=signing.sign(document),
        public_key=signing.public_key(),
    )


def _document(organisation: Organisation, request: PrivacyRequest, before: _Destroyed) -> dict[str, Any]:
    key = request.subject
    entry = AuditEntry.objects.filter(action="subject.erased", object_id=str(key.pk)).order_by("-pk").first()
    return {
        "type": "rootstock.erasure-certificate",
        "version": 1,
        "id": str(uuid7()),
        "organisation": {"id": str(organisation.pk), "name": organisation.name},
        "subject": {"id": str(key.pk), "type": key.type},
        "key": {
            "fingerprint": before.fingerprint,
            "created_at": before.created_at.isoformat(),
            "wrapped_by": before.master_key,
        },
        "destroyed": before.counts,
        "contents": before.contents,
        "adapters": before.adapters,
        "request": {
            "id": str(request.pk),
            "ground": request.ground,
            "requested_at": request.created_at.isoformat(),
            "requested_by": request.requested_by,
            "confirmed_by": request.decided_by,
        },
        "erased_at": (key.destroyed_at or timezone.now()).isoformat(),
        "audit_entry": {"id": str(entry.pk), "digest": _hex(entry.digest)} if entry else None,
        "method": METHOD,
        "backups": BACKUPS,
        **({"about_adapters": ADAPTERS} if before.adapters else {}),
    }


def _hex(digest: Any) -> str:
    return digest if isinstance(digest, str) else bytes(digest).hex()


def certificate_file(certificate: ErasureCertificate) -> dict[str, Any]:
    """The certificate as it is handed out: it can be verified without this installation."""
    return {
        "document": certificate.document,
        "signature": certificate.signature,
        "public_key": certificate.public_key,
        "algorithm": signing.ALGORITHM,
    }
