"""Writes on versions: where they are kept, and their retirement."""

import hashlib

from django.db.models import Q
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput
from rootstock.privacy.persons import name_of
from rootstock.registry.aliases import reason_given
from rootstock.registry.models import AdapterVersion, Alias, Keep, Promotion
from rootstock.registry.selectors import Reference, version_named
from rootstock.webhooks.services import event_emit

MIB = 2**20
DESCRIBED = 2_000  # characters of each text


def version_retire(*, organisation: Organisation, reference: Reference, reason: str) -> AdapterVersion:
    """Serve a version no longer. Raises Conflict while an alias names it or a promotion of it is open."""
    with tenant(organisation):
        version = version_locked(reference)
        if version.retired_at:
            raise Conflict(f"{version.reference} is retired already")
        _refuse_in_use(version)
        version.retired_at, version.retired_by = timezone.now(), name_of()
        version.retired_because, version.keep = reason_given(reason), Keep.WHEN_ASKED
        version.save(update_fields=["retired_at", "retired_by", "retired_because", "keep"])
        version_record(version, "retired", reason=version.retired_because)
        event_emit(organisation=organisation, type="adapter.retired", data={"adapter": version.reference})
    return version


def version_restore(*, organisation: Organisation, reference: Reference, reason: str) -> AdapterVersion:
    """Let a retired version be served again; why stays on the audit trail."""
    with tenant(organisation):
        version = version_locked(reference)
        if not version.retired_at:
            raise Conflict(f"{version.reference} is not retired")
        version.retired_at, version.retired_by, version.retired_because = None, "", ""
        version.save(update_fields=["retired_at", "retired_by", "retired_because"])
        version_record(version, "restored", reason=reason_given(reason))
    return version


def version_describe(
    *, organisation: Organisation, reference: Reference, purpose: str, limits: str, licence: str
) -> AdapterVersion:
    """Say what a version is for, where it should not be used, and its licence. Its files stay as they are."""
    told = {"purpose": purpose.strip(), "limits": limits.strip(), "licence": licence.strip()}
    for name, text in told.items():
        if len(text) > DESCRIBED:
            raise InvalidInput.field(name, f"must have at most {DESCRIBED} characters")
    with tenant(organisation):
        version = version_locked(reference)
        changed = [name for name, text in told.items() if version.card.get(name, "") != text]
        version.card = version.card | told
        version.save(update_fields=["card"])
        version_record(version, "described", changed=changed, **_digests(told))
    return version


def version_locked(reference: Reference) -> AdapterVersion:
    """The version, until the end of the transaction nobody else's. Inside `tenant()`."""
    found = version_named(reference, "adapter")
    rows = AdapterVersion.objects.select_for_update(of=("self",))
    return rows.select_related("base", "dataset", "parent").defer("dataset__report").get(pk=found.pk)


def _refuse_in_use(version: AdapterVersion) -> None:
    used = Alias.objects.filter(Q(current=version) | Q(canary=version) | Q(shadow=version))
    if alias := used.order_by("name").first():
        raise Conflict(f"{alias.name} serves {version.reference}: move it first")
    if Promotion.objects.filter(version=version, state=Promotion.State.OPEN).exists():
        raise Conflict(f"a promotion of {version.reference} is open: decide on it first")


def _digests(told: dict[str, str]) -> dict[str, str]:
    """Of what a card says now, so that the trail shows whether a text is still the one that was there."""
    return {f"{name}_sha256": hashlib.sha256(text.encode()).hexdigest() for name, text in told.items()}


def version_record(version: AdapterVersion, done: str, **data: str | list[str]) -> None:
    audit_record(
        organisation=version.organisation_id,
        action=f"adapter.{done}",
        object_type="adapter",
        object_id=version.pk,
        data={"adapter": version.reference, **data},
    )
