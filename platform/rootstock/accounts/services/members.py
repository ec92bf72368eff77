"""Writes: who belongs to an organisation, and with which role."""

from uuid import UUID

from django.db import transaction

from rootstock.accounts.actors import current_actor
from rootstock.accounts.lockout import forget_failures
from rootstock.accounts.models import ApiKey, MachineClient, Membership, Organisation, Role, User
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.selectors import memberships_of
from rootstock.accounts.services.checks import check_role
from rootstock.accounts.services.clients import clients_revoke_of
from rootstock.accounts.services.keys import api_keys_revoke_of
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.verified import maker_changed
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, Forbidden, NotFound
from rootstock.webhooks.outbox import event_emit


def member_add(*, organisation: Organisation, user: User, role: str) -> Membership:
    """Give a person a role in an organisation, or change the role they have."""
    check_role(role)
    with tenant(organisation):
        membership, made = Membership.objects.update_or_create(
            organisation=organisation, user=user, defaults={"role": role}
        )
        _record(membership, "member.added" if made else "member.role_changed", to=role)
        _emit(membership, "person.joined" if made else "person.role_changed")
    return membership


def check_may_grant(role: str, granted: frozenset[str] | None) -> None:
    """A key or a machine client gives no role that may do more than itself; people with people:write give any."""
    if granted is not None and not ROLE_SCOPES[role] <= granted:
        raise Forbidden(f"a key cannot give a role that may do more than the key: {role}")


@transaction.atomic
def member_role_change(
    *, organisation: Organisation, membership_id: UUID, role: str, granted: frozenset[str] | None = None
) -> Membership:
    """Change a member's role. Nobody changes their own; one administrator always remains."""
    check_may_grant(check_role(role), granted)
    with tenant(organisation):
        membership = _locked(organisation, membership_id)
        if current_actor().kind == "person" and current_actor().id == str(membership.user_id):
            raise Forbidden("nobody changes their own role; another administrator can")
        if membership.role == role:
            return membership
        if membership.role == Role.ADMINISTRATOR:
            _check_another_administrator(membership)
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        _record(membership, "member.role_changed", **{"from": before, "to": role})
        _emit(membership, "person.role_changed")
    return membership


@transaction.atomic
def member_remove(*, organisation: Organisation, membership_id: UUID, revoke_keys: bool = True) -> int:
    """Take a person out of the organisation, from the next request on. One administrator always remains.

    The keys and machine clients that they made end with them unless told otherwise; returns how many ended. Those
    that stay may do no more from then on than their maker could at the end.
    """
    with tenant(organisation):
        membership = _locked(organisation, membership_id)
        if membership.role == Role.ADMINISTRATOR:
            _check_another_administrator(membership)
        ended = _end_keys(organisation, membership.user_id) if revoke_keys else _keep_keys(membership)
        _record(membership, "member.removed", role=membership.role, keys_revoked=ended)
        _emit(membership, "person.removed")
        membership.delete()
    return ended


@transaction.atomic
def member_unlock(*, organisation: Organisation, membership_id: UUID) -> int:
    """Forget a member's failed sign-ins, so that they may try again at once; returns how many were forgotten."""
    with tenant(organisation):
        membership = _locked(organisation, membership_id)
        forgotten = forget_failures(membership.user)
        _record(membership, "member.unlocked", failures=forgotten)
    return forgotten


def person_switched(*, user: User) -> None:
    """A person was switched off or on: each of their organisations is told."""
    for membership in memberships_of(user):
        _emit(membership, "person.activated" if user.is_active else "person.deactivated")


def _emit(membership: Membership, event: str) -> None:
    maker_changed(membership.organisation_id, membership.user_id)
    data = {"member": str(membership.pk), "user": membership.user_id}
    event_emit(organisation=membership.organisation_id, type=event, data=data)


def _end_keys(organisation: Organisation, user_id: int) -> int:
    keys = api_keys_revoke_of(organisation=organisation, user_id=user_id)
    return keys + clients_revoke_of(organisation=organisation, user_id=user_id)


def _keep_keys(membership: Membership) -> int:
    for kind in (ApiKey, MachineClient):
        for holder in kind.objects.filter(created_by=membership.user_id, revoked_at=None):
            holder.scopes = sorted(ROLE_SCOPES[membership.role].intersection(holder.scopes))
            holder.save(update_fields=["scopes"])
    return 0


def _locked(organisation: Organisation, membership_id: UUID) -> Membership:
    """The membership; the organisation's row is locked, so that two changes at once see each other."""
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    found = Membership.objects.select_related("user").filter(pk=membership_id).first()
    if found is None:
        raise NotFound("no such member")
    return found


def _check_another_administrator(membership: Membership) -> None:
    others = Membership.objects.filter(role=Role.ADMINISTRATOR, user__is_active=True).exclude(
        pk=membership.pk
    )
    if not others.exists():
        raise Conflict("this is the last administrator: make somebody else one first")


def _record(membership: Membership, action: str, **data: object) -> None:
    audit_record(
        organisation=membership.organisation_id,
        action=action,
        object_type="membership",
        object_id=membership.pk,
        data={"user": membership.user_id} | data,
    )
