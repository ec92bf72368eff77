"""The secrets of an endpoint: made here, kept sealed under the master key, opened only to sign."""

import base64
import os
from uuid import UUID

from rootstock.privacy import keyring
from rootstock.webhooks.models import WebhookEndpoint


def secret_new() -> str:
    """A fresh secret in the form that Standard Webhooks gives it: 256 random bits."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def sealed(endpoint: UUID, secret: str) -> str:
    """The stored form: the master key's id and the ciphertext, which opens for this endpoint alone."""
    wrapped, key = keyring.wrap(secret.encode(), _binding(endpoint))
    return f"{key}:{base64.b64encode(wrapped).decode()}"


def opened(endpoint: UUID, stored: str) -> str:
    """The inverse of `sealed`. Raises Tampered, or InternalError for a master key that is not here."""
    key, _, wrapped = stored.partition(":")
    return keyring.unwrap(base64.b64decode(wrapped), key, _binding(endpoint)).decode()


def master_key_of(stored: str) -> str:
    """The id of the master key that sealed a secret."""
    return stored.partition(":")[0]


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """Those that sign now: the current one, and during a rotation's overlap the previous."""
    stored = [endpoint.secret, *([endpoint.previous_secret] if endpoint.overlap_until else [])]
    return [opened(endpoint.pk, one) for one in stored]


def secrets_renew(endpoint: WebhookEndpoint) -> bool:
    """Seal again what an older master key sealed, and drop a secret whose overlap is over. True where it changed.

    A secret whose master key is not here stays as it is: it holds up no other, and the key may come back.
    """
    before = (endpoint.secret, endpoint.previous_secret)
    if not endpoint.overlap_until:
        endpoint.previous_secret = ""
    ring = keyring.ring()
    for name in ("secret", "previous_secret"):
        stored = getattr(endpoint, name)
        key = ring.get(master_key_of(stored))
        if key is not None and key is not ring.active:
            setattr(endpoint, name, sealed(endpoint.pk, opened(endpoint.pk, stored)))
    return before != (endpoint.secret, endpoint.previous_secret)


def _binding(endpoint: UUID) -> bytes:
    return f"webhooks.endpoint.secret:{endpoint}".encode()
