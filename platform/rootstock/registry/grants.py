"""Versions that organisations let each other use: given, taken, taken back."""

from typing import BinaryIO, cast
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.privacy.persons import name_of
from rootstock.registry.contents import adapter_discard, adapter_keys, content_locked, content_put
from rootstock.registry.identity import reference_check, version_ensure
from rootstock.registry.models import AdapterGrant, AdapterVersion, Origin
from rootstock.registry.selectors import Reference, version_named


def grant_create(*, organisation: Organisation, reference: Reference, to: str) -> AdapterGrant:
    """Let the organisation called `to` take a version of one's own."""
    receiver = Organisation.objects.filter(slug=to).first()
    if receiver is None or receiver.pk == organisation.pk:
        raise InvalidInput.field("to", "is no other organisation here")
    with tenant(organisation) as owner:
        version = version_named(reference, "adapter")
        if version.retired_at or version.origin == Origin.SHARED:
            why = "is retired" if version.retired_at else "was shared with you: only its owner gives it on"
            raise Conflict(f"adapter: {version.reference} {why}")
        grant = AdapterGrant(
            organisation_id=owner, version=version, to=receiver, name=version.name, digest=version.digest,
            base=version.base, card=version.card, bytes=version.bytes, granted_by=name_of(),
        )  # fmt: skip
        try:
            with transaction.atomic():
                grant.save(force_insert=True)
        except IntegrityError:
            raise Conflict(f"to: {to} may use {version.reference} already") from None
        _record(organisation.pk, grant, "granted", to=to)
    return grant


def grant_revoke(*, organisation: Organisation, grant_id: UUID) -> AdapterGrant:
    """Take it back: the other organisation is not served it from now on."""
    with tenant(organisation) as owner:
        rows = AdapterGrant.objects.select_for_update(of=("self",)).select_related("to")
        grant = rows.filter(pk=grant_id, organisation_id=owner).first()
        if grant is None:
            raise NotFound("no such grant")
        if grant.revoked_at:
            raise Conflict("it was taken back already")
        grant.revoked_at = timezone.now()
        grant.save(update_fields=["revoked_at"])
        _record(owner, grant, "grant_revoked", to=grant.to.slug)
    return grant


def grant_take(*, organisation: Organisation, grant_id: UUID) -> AdapterVersion:
    """Register what another organisation offers; its aliases and promotions are one's own."""
    with tenant(organisation) as receiver:
        grant = AdapterGrant.objects.select_related("base").filter(pk=grant_id, to_id=receiver).first()
        if grant is None or grant.revoked_at:
            raise NotFound("no such offer")
        found = AdapterVersion.objects.filter(digest=grant.digest).first()
    if found:
        return found
    reference_check(organisation=organisation, name=grant.name, digest=grant.digest)
    try:
        return _taken(grant, receiver)
    except BaseException:
        adapter_discard(receiver, grant.digest)
        raise


def _taken(grant: AdapterGrant, receiver: UUID) -> AdapterVersion:
    with content_locked(receiver, grant.digest):
        _copy(grant.organisation_id, receiver, grant.digest)
        version, created = version_ensure(
            receiver, name=grant.name, digest=grant.digest, base=grant.base, card=grant.card, bytes=grant.bytes,
            origin=Origin.SHARED, created_by=name_of(),
        )  # fmt: skip
        if created:
            _record(receiver, grant, "taken")
    return version


def _copy(giver: UUID, receiver: UUID, digest: str) -> None:
    """Each organisation has its own copy in storage: it goes with the organisation, and with nobody else."""
    source, target = adapter_keys(giver, digest), adapter_keys(receiver, digest)
    for name, key in source.items():
        if default_storage.exists(key):
            with default_storage.open(key) as content:
                content_put(target[name], cast(BinaryIO, content))


def _record(owner: UUID, grant: AdapterGrant, done: str, **data: str) -> None:
    audit_record(
        organisation=owner,
        action=f"adapter.{done}",
        object_type="adapter_grant",
        object_id=grant.pk,
        data={"adapter": grant.reference, **data},
    )
