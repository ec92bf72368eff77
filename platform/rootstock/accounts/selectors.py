"""Reads that happen before a tenant is known: a key or token by its text, a person's memberships."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.idp.oidc.models import Token
from django.db import transaction
from django.utils import timezone

from rootstock.accounts.models import ApiKey, Invitation, MachineClient, Membership, User
from rootstock.accounts.refusals import refusal_record
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.tenancy import set_local, tenant
from rootstock.accounts.tokens import prefix_of, token_hash, token_matches

KEY_PREFIX_SETTING = "rootstock.api_key_prefix"
CLIENT_SETTING = "rootstock.machine_client"
USER_SETTING = "rootstock.user"
_LAST_USED_STEP = timedelta(minutes=1)


@dataclass(slots=True, frozen=True)
class Checked:
    """A live key or access token: who holds it, and what it may do until when."""

    holder: ApiKey | MachineClient
    scopes: frozenset[str]
    expires_at: datetime | None


def key_by_token(token: str) -> Checked | None:
    """The live key whose token this is, with its organisation; notes its use about once a minute."""
    prefix = prefix_of(token)
    if prefix is None:
        return None
    with transaction.atomic():
        set_local(KEY_PREFIX_SETTING, prefix)
        key = ApiKey.objects.select_related("organisation", "created_by").filter(prefix=prefix).first()
        set_local(KEY_PREFIX_SETTING, "")
    if key is None:
        return None
    if key.state != "live" or not token_matches(token, key.hash):
        refusal_record(key)
        return None
    return _checked(key, frozenset(key.scopes), key.expires_at)


def client_by_token(token: str) -> Checked | None:
    """The machine client whose live access token this is; notes its use about once a minute."""
    with transaction.atomic():
        found = Token.objects.valid().by_value(token).filter(type=Token.Type.ACCESS_TOKEN, user=None).first()
        machine = client_by_id(found.client_id) if found else None
    if found is None or machine is None or machine.revoked_at:
        return None
    return _checked(machine, frozenset(found.get_scopes()) & frozenset(machine.scopes), found.expires_at)


def maker_role(holder: ApiKey | MachineClient) -> str | None:
    """The role of the member who made the key or client; None: nobody known did, or they have left."""
    if holder.created_by_id is None:
        return None
    with tenant(holder.organisation_id):
        return Membership.objects.filter(user=holder.created_by_id).values_list("role", flat=True).first()


def maker_is_off(holder: ApiKey | MachineClient) -> bool:
    """Whether the member who made the key or client may not sign in now."""
    maker = holder.created_by
    return maker is not None and not maker.is_active and maker_role(holder) is not None


def _checked(
    holder: ApiKey | MachineClient, scopes: frozenset[str], expires_at: datetime | None
) -> Checked | None:
    """Nobody's machine may do more than they may themselves now."""
    if maker_is_off(holder):
        refusal_record(holder, "maker_switched_off")
        return None
    _note_use(holder)
    role = maker_role(holder)
    return Checked(holder, scopes if role is None else scopes & ROLE_SCOPES[role], expires_at)


def client_by_id(client_id: str) -> MachineClient | None:
    """The machine client behind allauth's, with both and its organisation."""
    with transaction.atomic():
        set_local(CLIENT_SETTING, client_id)
        found = (
            MachineClient.objects.select_related("organisation", "client", "created_by")
            .filter(client=client_id)
            .first()
        )
        set_local(CLIENT_SETTING, "")
    return found


def used(holder: ApiKey | MachineClient) -> None:
    """Note when the key or client was used last."""
    with tenant(holder.organisation_id):
        type(holder).objects.filter(pk=holder.pk).update(last_used_at=timezone.now())


def _note_use(holder: ApiKey | MachineClient) -> None:
    if holder.last_used_at is None or timezone.now() - holder.last_used_at > _LAST_USED_STEP:
        used(holder)


def memberships_of(user: User) -> list[Membership]:
    """A person's memberships in every organisation, by its name."""
    with transaction.atomic():
        set_local(USER_SETTING, str(user.pk))
        found = list(
            Membership.objects.select_related("organisation", "user")
            .filter(user=user)
            .order_by("organisation__name")
        )
        set_local(USER_SETTING, "")
    return found


INVITATION_SETTING = "rootstock.invitation"
INVITED_SETTING = "rootstock.invited"


def invitation_by_token(token: str) -> Invitation | None:
    """The open invitation whose token this is, with its organisation."""
    digest = token_hash(token)
    with transaction.atomic():
        set_local(INVITATION_SETTING, digest)
        found = Invitation.objects.select_related("organisation", "invited_by").filter(hash=digest).first()
        set_local(INVITATION_SETTING, "")
    return found if found and found.state == "open" else None


def open_invitations_to(email: str) -> list[Invitation]:
    """What is offered to an address, in every organisation."""
    address = email.strip().lower()
    with transaction.atomic():
        set_local(INVITED_SETTING, address)
        found = list(
            Invitation.objects.select_related("organisation").filter(
                email=address, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
            )
        )
        set_local(INVITED_SETTING, "")
    return found
