"""Keys and access tokens that this process has checked: a request with one of them costs one Valkey round trip and
no query.

What is remembered counts only while its epoch in Valkey is the one under which it was checked (see
`rootstock.rates`), so a revocation holds at once in every process. Without Valkey every request is checked in the
database.
"""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.idp.oidc.models import Token
from django.db import transaction
from django.utils import timezone

from rootstock import rates
from rootstock.accounts import selectors
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.accounts.selectors import Checked
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import KEY_MARK, prefix_of, token_hash

_TTL_S = 30.0  # bounds what a lost deletion of an epoch can do
_MOST = 10_000
_USED_EVERY_S = 60.0


@dataclass(slots=True)
class _Known:
    checked: Checked
    epoch: str
    until: float
    noted_at: float


_known: dict[str, _Known] = {}


def token_verify(token: str) -> tuple[Checked, rates.Taken | None] | None:
    """What a live key or access token stands for, and what became of its rate (None: Valkey is away)."""
    digest = token_hash(token)
    named = prefix_of(token) if token.startswith(KEY_MARK) else digest
    if named is None:
        return None
    known = _known.get(digest)
    if known is None:
        return _check(token, digest, named)
    taken = rates.take(_quota(known.checked), epoch_of=named)
    if taken is None or not _holds(known, taken.epoch):
        _known.pop(digest, None)
        return _check(token, digest, named, taken)
    _note_use(known)
    return known.checked, taken


def api_key_changed(key: ApiKey) -> None:
    """Forget the key everywhere; whoever changes keys by a queryset's `update` calls this."""
    _forget(key.prefix)


def api_key_saved(sender: object, instance: ApiKey, created: bool = False, **kwargs: Any) -> None:
    """A key that was saved or deleted."""
    if not created:
        api_key_changed(instance)


def access_token_deleted(sender: object, instance: Token, **kwargs: Any) -> None:
    """An access token that was revoked, or whose client was."""
    _forget(instance.hash)


def machine_client_saved(
    sender: object, instance: MachineClient, created: bool = False, **kwargs: Any
) -> None:
    """A client that was saved or deleted: its tokens are checked anew."""
    if not created:
        for digest in Token.objects.filter(client=instance.client_id).values_list("hash", flat=True):
            _forget(digest)


def maker_changed(organisation: UUID, user_id: int) -> None:
    """A member came, left, has another role or was switched off or on: what they made is checked anew."""
    with tenant(organisation):
        for key in ApiKey.objects.filter(created_by=user_id, revoked_at=None):
            api_key_changed(key)
        for machine in MachineClient.objects.filter(created_by=user_id, revoked_at=None):
            machine_client_saved(MachineClient, machine)


def _forget(named: str) -> None:
    """Now, and once the change is visible to whoever reads it meanwhile."""
    rates.epoch_end(named)
    transaction.on_commit(lambda: rates.epoch_end(named))


def _quota(checked: Checked) -> rates.Quota:
    holder = checked.holder
    kind = "key" if isinstance(holder, ApiKey) else "client"
    return rates.quota(kind, holder.pk, holder.rate_per_minute)


def _holds(known: _Known, epoch: str) -> bool:
    expires_at = known.checked.expires_at
    expired = expires_at is not None and expires_at < timezone.now()
    return known.epoch == epoch and known.until > time.monotonic() and not expired


def _check(
    token: str, digest: str, named: str, taken: rates.Taken | None = None
) -> tuple[Checked, rates.Taken | None] | None:
    """Ask the database. Remembered only under an epoch that was there before the question."""
    epoch = taken.epoch if taken else rates.epoch_read(named)
    find = selectors.key_by_token if token.startswith(KEY_MARK) else selectors.client_by_token
    checked = find(token)
    if checked is None:
        return None
    taken = taken or rates.take(_quota(checked), epoch_of=named)
    if taken is not None and taken.epoch == epoch:
        _remember(digest, _Known(checked, epoch, time.monotonic() + _TTL_S, time.monotonic()))
    return checked, taken


def _remember(digest: str, known: _Known) -> None:
    while len(_known) >= _MOST:
        _known.pop(next(iter(_known)), None)
    _known[digest] = known


def _note_use(known: _Known) -> None:
    if time.monotonic() - known.noted_at > _USED_EVERY_S:
        known.noted_at = time.monotonic()
        selectors.used(known.checked.holder)
