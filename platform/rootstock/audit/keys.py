"""The one place where an organisation's key for keyed hashes in the audit trail comes from."""

import hmac
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from rootstock.privacy.indexes import derived_key


def organisation_key(organisation: UUID) -> bytes:
    """32 bytes, different for each organisation. They outlive a change of the secret key and of master keys."""
    return derived_key(organisation, "rootstock audit input")


def keyed_hash(organisation: UUID, value: bytes) -> bytes:
    """HMAC-SHA256 under the organisation's key: inputs have too little entropy for a plain hash."""
    return hash_under(organisation_key(organisation), value)


def hash_under(key: bytes, value: bytes) -> bytes:
    """The same for many values, with the key at hand."""
    return hmac.digest(key, value, "sha256")


def is_keyed_hash(organisation: UUID, value: bytes, digest: bytes) -> bool:
    """Whether a digest is this value's, also under the keys that were in use before they were stored."""
    return any(hmac.compare_digest(hash_under(key, value), digest) for key in _keys(organisation))


def _keys(organisation: UUID) -> Iterator[bytes]:
    yield organisation_key(organisation)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield hmac.digest(secret.encode(), b"rootstock.audit.input:" + organisation.bytes, "sha256")
