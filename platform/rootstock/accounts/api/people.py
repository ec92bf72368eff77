"""REST: members and invitations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from ninja import Router, Schema, Status
from pydantic import ConfigDict

from rootstock.accounts import directory, services
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Invitation, Membership, Role
from rootstock.accounts.tenancy import tenant
from rootstock.idempotency.marks import claims_first
from rootstock.paging import Page, page_of, refuse_other, take_page

people_router = Router(tags=["people"])
invitations_router = Router(tags=["people"])


class MemberOut(Schema):
    """A member of the organisation."""

    id: UUID
    user_id: int
    username: str
    name: str
    email: str
    role: str
    active: bool
    joined_at: datetime

    @classmethod
    def of(cls, member: Membership) -> "MemberOut":
        """As callers see it."""
        user = member.user
        return cls(
            id=member.pk, user_id=user.pk, username=user.username, name=user.get_full_name(), email=user.email,
            role=member.role, active=user.is_active, joined_at=member.created_at,
        )  # fmt: skip


class RoleIn(Schema):
    """The role to give."""

    model_config = ConfigDict(extra="forbid")
    role: str


class InvitationIn(Schema):
    """Whom to invite, as what; `send`: by e-mail too, if a mail server is configured."""

    model_config = ConfigDict(extra="forbid")
    email: str
    role: str
    send: bool = True


class InvitationOut(Schema):
    """An invitation."""

    id: UUID
    email: str
    role: str
    state: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


class InvitationMade(InvitationOut):
    """A fresh invitation. The link is told this once, and only where it was not mailed to the address itself."""

    link: str | None
    sent: bool


@people_router.get("", response=Page[MemberOut], auth=scope("people:read"))
def list_members(
    request: ApiRequest, cursor: str | None = None, limit: int = 50, q: str = "", role: str | None = None
) -> dict[str, Any]:
    """Members, the newest first; `q` searches names and addresses."""
    refuse_other("role", role, Role.values)
    with tenant(request.auth.organisation):
        found = directory.members(q)
        rows, following = take_page(found.filter(role=role) if role else found, cursor=cursor, limit=limit)
    return page_of(rows, following, MemberOut.of)


@people_router.get("/{uuid:member_id}", response=MemberOut, auth=scope("people:read"))
def get_member(request: ApiRequest, member_id: UUID) -> MemberOut:
    """One member."""
    return MemberOut.of(directory.member_get(organisation=request.auth.organisation, membership_id=member_id))


@people_router.patch("/{uuid:member_id}", response=MemberOut, auth=scope("people:write"))
def change_role(request: ApiRequest, member_id: UUID, body: RoleIn) -> MemberOut:
    """Give a member another role. Not one's own, and the last administrator stays one."""
    member = services.member_role_change(
        organisation=request.auth.organisation,
        membership_id=member_id,
        role=body.role,
        granted=request.auth.granted,
    )
    return MemberOut.of(member)


@people_router.delete("/{uuid:member_id}", response={204: None}, auth=scope("people:write"))
def remove_member(request: ApiRequest, member_id: UUID, revoke_keys: bool = True) -> Status[None]:
    """Take a member out of the organisation. The last administrator cannot be removed.

    The keys and machine clients that they made are revoked with them, unless `revoke_keys` is false.
    """
    services.member_remove(
        organisation=request.auth.organisation, membership_id=member_id, revoke_keys=revoke_keys
    )
    return Status(204, None)


@people_router.post("/{uuid:member_id}/unlock", response={204: None}, auth=scope("people:write"))
def unlock_member(request: ApiRequest, member_id: UUID) -> Status[None]:
    """Let a member who is locked out after failed sign-ins try again."""
    services.member_unlock(organisation=request.auth.organisation, membership_id=member_id)
    return Status(204, None)


@invitations_router.get("", response=Page[InvitationOut], auth=scope("people:read"))
def list_invitations(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Invitations, newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(Invitation.objects.all(), cursor=cursor, limit=limit)
    return page_of(rows, following, InvitationOut.from_orm)


@invitations_router.post("", response={201: InvitationMade}, auth=scope("people:write"))
@claims_first
def invite(request: ApiRequest, body: InvitationIn) -> Status[dict[str, Any]]:
    """Offer a role to an address."""
    made = services.invitation_create(
        organisation=request.auth.organisation,
        email=body.email,
        role=body.role,
        invited_by=request.auth.user,
        granted=request.auth.granted,
    )
    return Status(201, _made(request, *made, send=body.send))


@invitations_router.post(
    "/{uuid:invitation_id}/renew", response={201: InvitationMade}, auth=scope("people:write")
)
@claims_first
def renew_invitation(request: ApiRequest, invitation_id: UUID, send: bool = True) -> Status[dict[str, Any]]:
    """A fresh link and term; the link before stops working."""
    made = services.invitation_renew(organisation=request.auth.organisation, invitation_id=invitation_id)
    return Status(201, _made(request, *made, send=send))


@invitations_router.post("/{uuid:invitation_id}/revoke", response=InvitationOut, auth=scope("people:write"))
def revoke_invitation(request: ApiRequest, invitation_id: UUID) -> Invitation:
    """Take an offer back."""
    return services.invitation_revoke(organisation=request.auth.organisation, invitation_id=invitation_id)


def _made(request: ApiRequest, invitation: Invitation, token: str, *, send: bool) -> dict[str, Any]:
    link = request.build_absolute_uri(reverse("join", args=[token]))
    sent = send and services.invitation_send(invitation=invitation, link=link)
    return InvitationOut.from_orm(invitation).dict() | {"link": None if sent else link, "sent": sent}
