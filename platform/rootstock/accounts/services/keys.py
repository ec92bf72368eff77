"""Writes: API keys."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from rootstock.accounts.models import ApiKey, Organisation, User
from rootstock.accounts.services.checks import (
    check_each,
    check_future,
    check_name,
    check_rate,
    check_scopes,
)
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import new_token
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound


def api_key_create(
    *,
    organisation: Organisation,
    name: str,
    scopes: Sequence[str],
    created_by: User | None = None,
    expires_at: datetime | None = None,
    rate_per_minute: int | None = None,
    granted: Iterable[str] | None = None,
) -> tuple[ApiKey, str]:
    """Create a key. The token is returned once and cannot be read again.

    `granted` are the creator's own scopes: a key never may do more than who made it.
    """
    checked = check_each(
        name=lambda: check_name(name, 80),
        scopes=lambda: check_scopes(scopes, granted),
        expires_at=lambda: check_future(expires_at, "expires_at"),
        rate_per_minute=lambda: check_rate(rate_per_minute),
    )
    key = ApiKey(organisation=organisation, created_by=created_by, **checked)
    with tenant(organisation):
        token = _save_with_token(key)
        _record(key, "api_key.created", scopes=key.scopes, expires_at=_iso(expires_at))
    return key, token


@transaction.atomic
def api_key_rotate(
    *,
    organisation: Organisation,
    key_id: UUID,
    old_until: datetime | None = None,
    expires_at: datetime | None = None,
    created_by: User | None = None,
    granted: Iterable[str] | None = None,
) -> tuple[ApiKey, str]:
    """A new token for the same use, at once; the old one works until `old_until` (None: it ends now).

    The new key lives as long as the old one was meant to, unless `expires_at` is given.
    """
    check_future(old_until, "old_until")
    check_future(expires_at, "expires_at")
    with tenant(organisation):
        old = _locked(key_id)
        if old.state != "live":
            raise Conflict(f"this key is {old.state}; create a new one")
        new = ApiKey(
            organisation=organisation,
            name=old.name,
            scopes=check_scopes(old.scopes, granted),
            created_by=created_by,
            expires_at=expires_at or _same_lifetime(old),
            rate_per_minute=old.rate_per_minute,
            replaces=old,
        )
        token = _save_with_token(new)
        ends = old_until or timezone.now()
        old.expires_at = min(old.expires_at, ends) if old.expires_at else ends
        old.save(update_fields=["expires_at"])
        _record(new, "api_key.rotated", replaces=str(old.pk), old_until=_iso(old.expires_at))
    return new, token


@transaction.atomic
def api_key_revoke(*, organisation: Organisation, key_id: UUID) -> ApiKey:
    """Revoke a key from now on."""
    with tenant(organisation):
        key = _locked(key_id)
        if key.revoked_at is None:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            _record(key, "api_key.revoked")
    return key


def api_keys_revoke_of(*, organisation: Organisation, user_id: int) -> int:
    """Revoke every live key that a person made, or that their machines made; returns how many."""
    with tenant(organisation):
        made = ApiKey.objects.filter(created_by=user_id, revoked_at=None)
        live = [key.pk for key in made if key.state == "live"]
        for key_id in live:
            api_key_revoke(organisation=organisation, key_id=key_id)
    return len(live)


def _locked(key_id: UUID) -> ApiKey:
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound("no such API key")
    return key


def _save_with_token(key: ApiKey) -> str:
    token, key.prefix, key.hash = new_token()
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError:
        if key.replaces is None:
            raise
        raise Conflict("this key has been rotated already; rotate the newest one") from None
    return token


def _same_lifetime(old: ApiKey) -> datetime | None:
    return timezone.now() + (old.expires_at - old.created_at) if old.expires_at else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _record(key: ApiKey, action: str, **data: object) -> None:
    audit_record(
        organisation=key.organisation_id, action=action, object_type="api_key", object_id=key.pk, data=data
    )
