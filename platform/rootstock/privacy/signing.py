"""The installation's signature under certificates: Ed25519 (RFC 8032) over canonical JSON."""

import base64
import binascii
import json
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

ALGORITHM = "Ed25519 over the document as UTF-8 JSON with sorted keys and no spaces"


@cache
def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.SIGNING_KEY))


def public_key() -> str:
    """What verifies this installation's signatures, base64."""
    return base64.b64encode(_private_key().public_key().public_bytes_raw()).decode()


def canonical(document: Any) -> bytes:
    """The bytes that are signed."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def sign(document: Any) -> str:
    """The signature, base64."""
    return base64.b64encode(_private_key().sign(canonical(document))).decode()


def is_signed(document: Any, signature: str, key: str) -> bool:
    """Whether the holder of `key` (base64) signed exactly this document."""
    try:
        verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        verifier.verify(base64.b64decode(signature, validate=True), canonical(document))
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        return False
    return True
