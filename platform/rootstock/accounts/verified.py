"""Keys that this process has checked: a request with one of them costs one Valkey round trip and no query.

A remembered key counts only while its epoch in Valkey is the one under which it was checked (see `rootstock.rates`),
so a revocation holds at once in every process. Without Valkey every request is checked in the database.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from rootstock import rates
from rootstock.accounts import selectors
from rootstock.accounts.models import ApiKey
from rootstock.accounts.tokens import prefix_of, token_hash

_TTL_S = 30.0  # bounds what a lost deletion of an epoch can do
_MOST = 10_000
_USED_EVERY_S = 60.0


@dataclass(slots=True)
class _Known:
    key: ApiKey
    epoch: str
    until: float
    noted_at: float


_known: dict[str, _Known] = {}


def api_key_verify(token: str) -> tuple[ApiKey, rates.Taken | None] | None:
    """The live key whose token this is, and what became of its rate (None: Valkey is away)."""
    prefix = prefix_of(token)
    if prefix is None:
        return None
    digest = token_hash(token)
    known = _known.get(digest)
    if known is None:
        return _check(token, digest, prefix)
    taken = rates.take(_quota(known.key), epoch_of=prefix)
    if taken is None or not _holds(known, taken.epoch):
        _known.pop(digest, None)
        return _check(token, digest, prefix, taken)
    _note_use(known)
    return known.key, taken


def api_key_changed(key: ApiKey) -> None:
    """Forget the key everywhere: now, and once the change is visible to whoever reads it meanwhile."""
    rates.epoch_end(key.prefix)
    transaction.on_commit(lambda: rates.epoch_end(key.prefix))


def api_key_saved(sender: object, instance: ApiKey, created: bool = False, **kwargs: Any) -> None:
    """A key that was saved or deleted; whoever changes keys by a queryset's `update` calls `api_key_changed`."""
    if not created:
        api_key_changed(instance)


def _quota(key: ApiKey) -> rates.Quota:
    return rates.quota("key", key.pk, key.rate_per_minute)


def _holds(known: _Known, epoch: str) -> bool:
    expired = known.key.expires_at is not None and known.key.expires_at < timezone.now()
    return known.epoch == epoch and known.until > time.monotonic() and not expired


def _check(
    token: str, digest: str, prefix: str, taken: rates.Taken | None = None
) -> tuple[ApiKey, rates.Taken | None] | None:
    """Ask the database. Remembered only under an epoch that was there before the question."""
    epoch = taken.epoch if taken else rates.epoch_read(prefix)
    key = selectors.api_key_by_token(token)
    if key is None:
        return None
    taken = taken or rates.take(_quota(key), epoch_of=prefix)
    if taken is not None and taken.epoch == epoch:
        _remember(digest, _Known(key, epoch, time.monotonic() + _TTL_S, time.monotonic()))
    return key, taken


def _remember(digest: str, known: _Known) -> None:
    while len(_known) >= _MOST:
        _known.pop(next(iter(_known)), None)
    _known[digest] = known


def _note_use(known: _Known) -> None:
    if time.monotonic() - known.noted_at > _USED_EVERY_S:
        known.noted_at = time.monotonic()
        selectors.api_key_used(known.key)
