"""Writes: invitations."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from rootstock.accounts import mail
from rootstock.accounts.models import Invitation, Membership, Organisation, User
from rootstock.accounts.services.checks import check_each, check_role
from rootstock.accounts.services.members import check_may_grant, member_add
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import new_secret
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.webhooks.outbox import event_emit


@transaction.atomic
def invitation_create(
    *,
    organisation: Organisation,
    email: str,
    role: str,
    invited_by: User | None = None,
    granted: frozenset[str] | None = None,
) -> tuple[Invitation, str]:
    """Offer a role to an address. The token is returned once and cannot be read again."""
    address = check_each(email=lambda: _address(email), role=lambda: check_role(role))["email"]
    check_may_grant(role, granted)
    token, digest = new_secret()
    with tenant(organisation):
        Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
        _make_room(address)
        invitation = Invitation.objects.create(
            organisation=organisation,
            email=address,
            role=role,
            hash=digest,
            invited_by=invited_by,
            expires_at=_expiry(),
        )
        _record(invitation, "invitation.created", role=role)
        event_emit(organisation=organisation, type="person.invited", data={"invitation": str(invitation.pk)})
    return invitation, token


@transaction.atomic
def invitation_renew(*, organisation: Organisation, invitation_id: UUID) -> tuple[Invitation, str]:
    """A fresh token and a fresh term, to send it again. The token sent before stops working."""
    with tenant(organisation):
        invitation = _pending(invitation_id)
        token, invitation.hash = new_secret()
        invitation.expires_at, invitation.mailed = _expiry(), False
        invitation.save(update_fields=["hash", "expires_at", "mailed"])
        _record(invitation, "invitation.renewed")
    return invitation, token


@transaction.atomic
def invitation_revoke(*, organisation: Organisation, invitation_id: UUID) -> Invitation:
    """Take the offer back."""
    with tenant(organisation):
        invitation = _pending(invitation_id)
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        _record(invitation, "invitation.revoked")
    return invitation


@transaction.atomic
def invitation_accept(*, invitation: Invitation, user: User) -> Membership:
    """Join with the role that was offered. An invitation works once."""
    with tenant(invitation.organisation_id):
        found = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if found.state != "open" or found.hash != invitation.hash:
            raise Conflict("this invitation has been used, revoked or replaced, or it has expired")
        if Membership.objects.filter(user=user).exists():
            raise Conflict("you belong to this organisation already")
        membership = member_add(organisation=invitation.organisation, user=user, role=found.role)
        found.accepted_at, found.accepted_by = timezone.now(), user
        found.save(update_fields=["accepted_at", "accepted_by"])
        _record(found, "invitation.accepted", user=user.pk)
    return membership


def invitation_send(*, invitation: Invitation, link: str) -> bool:
    """Mail the link; False when no mail is configured or the mail server refuses it, so that it has to be handed on.

    Who opens a link that was mailed has shown that the address is theirs: whoever sent it must not be told it too.
    """
    if not mail.send_invitation(invitation, link):
        return False
    with tenant(invitation.organisation_id):
        Invitation.objects.filter(pk=invitation.pk, hash=invitation.hash).update(mailed=True)
    return True


def _address(email: str) -> str:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidInput.field("email", "is not an e-mail address") from None
    return address


def _make_room(address: str) -> None:
    """One open invitation for an address; a lapsed one gives way. Members are not invited."""
    if Membership.objects.filter(user__email__iexact=address).exists():
        raise Conflict("a member with this address is here already")
    for former in Invitation.objects.filter(email=address, accepted_at=None, revoked_at=None):
        if former.state == "open":
            raise Conflict("this address has an open invitation already: send it again or revoke it")
        former.revoked_at = timezone.now()
        former.save(update_fields=["revoked_at"])


def _pending(invitation_id: UUID) -> Invitation:
    found = Invitation.objects.select_for_update().filter(pk=invitation_id).first()
    if found is None:
        raise NotFound("no such invitation")
    if found.state in ("accepted", "revoked"):
        raise Conflict(f"this invitation is {found.state}")
    return found


def _expiry() -> datetime:
    return timezone.now() + timedelta(hours=settings.INVITATION_HOURS)


def _record(invitation: Invitation, action: str, **data: object) -> None:
    audit_record(
        organisation=invitation.organisation_id,
        action=action,
        object_type="invitation",
        object_id=invitation.pk,
        data=data,
    )
