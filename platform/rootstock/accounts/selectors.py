"""Reads that happen before a tenant is known: a key by its token, a person's memberships."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from rootstock.accounts.models import ApiKey, Invitation, Membership, User
from rootstock.accounts.tenancy import set_local, tenant
from rootstock.accounts.tokens import prefix_of, token_hash, token_matches

KEY_PREFIX_SETTING = "rootstock.api_key_prefix"
USER_SETTING = "rootstock.user"
_LAST_USED_STEP = timedelta(minutes=1)


def api_key_by_token(token: str) -> ApiKey | None:
    """The live key whose token this is, with its organisation; notes its use about once a minute."""
    prefix = prefix_of(token)
    if prefix is None:
        return None
    with transaction.atomic():
        set_local(KEY_PREFIX_SETTING, prefix)
        key = ApiKey.objects.select_related("organisation").filter(prefix=prefix).first()
        set_local(KEY_PREFIX_SETTING, "")
    now = timezone.now()
    if key is None or not token_matches(token, key.hash) or key.revoked_at or (key.expires_at or now) < now:
        return None
    if key.last_used_at is None or now - key.last_used_at > _LAST_USED_STEP:
        api_key_used(key)
    return key


def api_key_used(key: ApiKey) -> None:
    """Note when the key was used last."""
    with tenant(key.organisation_id):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())


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
