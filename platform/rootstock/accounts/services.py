"""Writes: organisations, members, API keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from rootstock.accounts.models import ApiKey, Membership, Organisation, Role, User
from rootstock.accounts.roles import SCOPES
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import new_token
from rootstock.errors import Conflict, InvalidInput, NotFound


def organisation_create(*, name: str, slug: str | None = None) -> Organisation:
    """Create a tenant."""
    if not name.strip():
        raise InvalidInput.field("name", "must not be empty")
    wanted = slug or slugify(name)
    if Organisation.objects.filter(slug=wanted).exists():
        raise Conflict(f"an organisation {wanted} exists already")
    return Organisation.objects.create(name=name.strip(), slug=wanted)


def user_create(*, username: str, password: str, email: str = "", full_name: str = "") -> User:
    """Create a person who can sign in."""
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict(f"a user {username} exists already")
    first, _, last = full_name.partition(" ")
    user = User(username=username, email=email, first_name=first, last_name=last)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput.field("password", " ".join(error.messages)) from None
    user.set_password(password)
    user.save()
    return user


def member_add(*, organisation: Organisation, user: User, role: str) -> Membership:
    """Give a person a role in an organisation, or change the role they have."""
    if role not in Role.values:
        raise InvalidInput.field("role", f"must be one of {', '.join(Role.values)}")
    with tenant(organisation):
        membership, _ = Membership.objects.update_or_create(
            organisation=organisation, user=user, defaults={"role": role}
        )
    return membership


def api_key_create(
    *,
    organisation: Organisation,
    name: str,
    scopes: Sequence[str],
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key. The token is returned once and cannot be read again."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInput.field(
            "scopes", f"unknown: {', '.join(unknown)}" if unknown else "must not be empty"
        )
    token, prefix, digest = new_token()
    with tenant(organisation):
        key = ApiKey.objects.create(
            organisation=organisation,
            name=name,
            prefix=prefix,
            hash=digest,
            scopes=sorted(set(scopes)),
            created_by=created_by,
            expires_at=expires_at,
        )
    return key, token


@transaction.atomic
def api_key_revoke(*, organisation: Organisation, key_id: UUID) -> ApiKey:
    """Revoke a key from now on."""
    with tenant(organisation):
        key = ApiKey.objects.filter(pk=key_id).first()
        if key is None:
            raise NotFound("no such API key")
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
    return key
