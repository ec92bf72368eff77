"""Personal data on its way through Valkey, which keeps what passes it in an append-only file.

Payloads, replies and events of a lane marked `sealed` are encrypted with a key derived from a master key, and bound
to the call that they belong to. Both ends have the master keys; who reads Valkey's file or memory has none.
"""

import base64
import binascii
import hmac
import json
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rootstock.privacy import keyring

MARK = "sealed"
Json = dict[str, Any]


@lru_cache(maxsize=16)
def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, b"rootstock transit", "sha256"))


def conceal(value: Json, call: str) -> Json:
    """The value for nobody but the other end of this call."""
    master = keyring.ring().active
    plain = json.dumps(value).encode()
    sealed = keyring.seal(_cipher(master.secret), plain, f"{call}:{master.id}".encode())
    return {MARK: f"{master.id}:{base64.b64encode(sealed).decode()}"}


def is_concealed(value: Json) -> bool:
    """Whether a value was sealed on its way."""
    return value.keys() == {MARK}


def reveal(value: Json, call: str) -> Json:
    """What was concealed; anything else as it is. Raises Tampered, also for another call's."""
    if not is_concealed(value):
        return value
    name, _, encoded = str(value[MARK]).partition(":")
    try:
        sealed = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise keyring.Tampered("a sealed message is not base64") from None
    plain = keyring.unseal(_cipher(keyring.master_key(name).secret), sealed, f"{call}:{name}".encode())
    found: Json = json.loads(plain)
    return found
