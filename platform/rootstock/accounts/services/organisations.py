"""Writes: organisations and their settings."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from rootstock.accounts.models import Membership, Organisation, User
from rootstock.accounts.services.checks import check_each, check_name
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, Forbidden, InvalidInput


def organisation_create(*, name: str, slug: str | None = None) -> Organisation:
    """Create a tenant."""
    named = check_name(name, 120)
    wanted = slug or slugify(named)
    if Organisation.objects.filter(slug=wanted).exists():
        raise Conflict(f"an organisation {wanted} exists already")
    return Organisation.objects.create(name=named, slug=wanted)


@transaction.atomic
def organisation_update(
    *, organisation: Organisation, name: str, session_hours: int | None, mfa_required: bool
) -> Organisation:
    """Change the settings. Hours of None follow the installation's."""
    wanted = check_each(
        name=lambda: check_name(name, 120),
        session_hours=lambda: _check_hours(session_hours),
        mfa_required=lambda: _check_mfa(mfa_required),
    )
    changed = [field for field, value in wanted.items() if getattr(organisation, field) != value]
    if not changed:
        return organisation
    for field in changed:
        setattr(organisation, field, wanted[field])
    organisation.save(update_fields=changed)
    audit_record(
        organisation=organisation,
        action="organisation.changed",
        object_type="organisation",
        object_id=organisation.pk,
        data={field: wanted[field] for field in changed},
    )
    return organisation


@transaction.atomic
def organisation_switch(*, user: User, memberships: list[Membership], organisation_id: UUID | None) -> None:
    """Act in another of the person's organisations, now and after the next sign-in. Its trail tells that they came."""
    if organisation_id is None or organisation_id not in {one.organisation_id for one in memberships}:
        raise Forbidden("you are not a member of that organisation")
    User.objects.filter(pk=user.pk).update(last_organisation_id=organisation_id)
    audit_record(
        organisation=organisation_id, action="person.switched_to", object_type="person", object_id=user.pk
    )


def _check_hours(session_hours: int | None) -> int | None:
    most = settings.SESSION_HOURS
    if session_hours is not None and not 1 <= session_hours <= most:
        raise InvalidInput.field("session_hours", f"must be between 1 and {most}, the installation's own")
    return session_hours


def _check_mfa(mfa_required: bool) -> bool:
    if mfa_required and settings.MFA == "off":
        raise InvalidInput.field("mfa_required", "two-factor sign-in is switched off in this installation")
    return mfa_required
