"""The one place where an organisation's key for keyed hashes in the audit trail comes from."""

import hmac
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from django.conf import settings


@lru_cache(maxsize=1024)
def organisation_key(organisation: UUID) -> bytes:
    """32 bytes, different for each organisation, from the installation's secret."""
    purpose = b"rootstock.audit.input:" + organisation.bytes
    return hmac.digest(settings.SECRET_KEY.encode(), purpose, "sha256")


def keyed_hash(organisation: UUID, value: bytes) -> bytes:
    """HMAC-SHA256 under the organisation's key: inputs have too little entropy for a plain hash."""
    return hmac.new(organisation_key(organisation), value, sha256).digest()
