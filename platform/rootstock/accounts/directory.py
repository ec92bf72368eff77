"""Reads: members, invitations, keys and machine clients of an organisation."""

from uuid import UUID

from django.db.models import Q, QuerySet

from rootstock.accounts.models import ApiKey, Invitation, MachineClient, Membership, Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import NotFound


def members(search: str = "") -> QuerySet[Membership]:
    """Members with their accounts; evaluate it within `tenant()`."""
    found = Membership.objects.select_related("user")
    if search:
        found = found.filter(
            Q(user__username__icontains=search)
            | Q(user__email__icontains=search)
            | Q(user__first_name__icontains=search)
            | Q(user__last_name__icontains=search)
        )
    return found


def member_get(*, organisation: Organisation, membership_id: UUID) -> Membership:
    """One member."""
    with tenant(organisation):
        found = members().filter(pk=membership_id).first()
    if found is None:
        raise NotFound("no such member")
    return found


def live_keys_of(membership: Membership) -> int:
    """How many live keys and machine clients the member has made."""
    with tenant(membership.organisation_id):
        keys = [key for key in ApiKey.objects.filter(created_by=membership.user_id) if key.state == "live"]
        clients = MachineClient.objects.filter(created_by=membership.user_id, revoked_at=None).count()
    return len(keys) + clients


def invitation_get(*, organisation: Organisation, invitation_id: UUID) -> Invitation:
    """One invitation."""
    with tenant(organisation):
        found = (
            Invitation.objects.select_related("invited_by", "accepted_by").filter(pk=invitation_id).first()
        )
    if found is None:
        raise NotFound("no such invitation")
    return found


def key_get(*, organisation: Organisation, key_id: UUID) -> ApiKey:
    """One key."""
    with tenant(organisation):
        found = ApiKey.objects.select_related("created_by", "replaces").filter(pk=key_id).first()
    if found is None:
        raise NotFound("no such API key")
    return found


def client_get(*, organisation: Organisation, client_id: UUID) -> MachineClient:
    """One machine client."""
    with tenant(organisation):
        found = MachineClient.objects.select_related("created_by").filter(pk=client_id).first()
    if found is None:
        raise NotFound("no such machine client")
    return found
