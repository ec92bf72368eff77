"""The master keys: what the keys of subjects are wrapped with. Only this module sees them.

`ROOTSTOCK_MASTER_KEYS` is `id:base64` of 32 bytes each, separated by commas; the first wraps, all of them unwrap.
Without it, outside production, a file under var/ is made once and holds the same.
"""

import base64
import binascii
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from rootstock.errors import InternalError

VARIABLE = "ROOTSTOCK_MASTER_KEYS"
KEY_BYTES = 32
VERSION, NONCE_BYTES = 1, 12
SEAL_BYTES = 1 + NONCE_BYTES + 16
"""By how much a sealed value is longer: version, nonce and tag."""
_ID = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Tampered(InternalError):
    """A ciphertext was changed, cut, or moved to another place than the one it was made for."""


def seal(cipher: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    """Version byte, random nonce, AES-256-GCM ciphertext with its tag; it opens only in its own place."""
    nonce = os.urandom(NONCE_BYTES)
    return bytes((VERSION,)) + nonce + cipher.encrypt(nonce, plain, bound_to)


def unseal(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    """The inverse of `seal`. Raises Tampered."""
    if sealed[:1] != bytes((VERSION,)):
        raise Tampered("an encrypted value has an unknown version")
    try:
        return cipher.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], bound_to)
    except (InvalidTag, ValueError):
        raise Tampered("an encrypted value was changed or belongs to another place") from None


@dataclass(frozen=True)
class MasterKey:
    """One master key. Its id is stored beside what it wrapped."""

    id: str
    secret: bytes

    @cached_property
    def cipher(self) -> AESGCM:
        """Wraps and unwraps."""
        return AESGCM(self.secret)

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


@dataclass(frozen=True)
class KeyRing:
    """The master keys in their order: the first is active."""

    keys: tuple[MasterKey, ...]

    @property
    def active(self) -> MasterKey:
        """Wraps whatever is wrapped from now on."""
        return self.keys[0]

    def get(self, key_id: str) -> MasterKey | None:
        """The key with this id."""
        return next((key for key in self.keys if key.id == key_id), None)


def parse(text: str, source: str = VARIABLE) -> KeyRing:
    """Raises ImproperlyConfigured naming the source, and never a key."""
    keys = tuple(_parse_one(part.strip(), source) for part in text.split(",") if part.strip())
    if not keys:
        raise ImproperlyConfigured(f"{source}: expected id:base64, at least one")
    if len({key.id for key in keys}) < len(keys):
        raise ImproperlyConfigured(f"{source}: an id occurs twice")
    return KeyRing(keys)


def _parse_one(part: str, source: str) -> MasterKey:
    name, colon, encoded = part.partition(":")
    if not colon or not _ID.fullmatch(name):
        raise ImproperlyConfigured(
            f"{source}: expected id:base64, the id of letters, digits, '_', '.' or '-'"
        )
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ImproperlyConfigured(f"{source}: the key {name} is not base64") from None
    if len(secret) != KEY_BYTES:
        raise ImproperlyConfigured(f"{source}: the key {name} has {len(secret)} bytes, expected {KEY_BYTES}")
    return MasterKey(name, secret)


def new_key(name: str) -> str:
    """A fresh random key in the form of the variable."""
    return f"{name}:{new_secret()}"


def new_secret() -> str:
    """32 random bytes, base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is the base64 of 32 bytes."""
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def ring() -> KeyRing:
    """The keys of this process. A file is read again as soon as it has changed; the environment cannot change."""
    source: str | Path = settings.MASTER_KEYS
    if isinstance(source, Path):
        told = source.stat()
        return _of_file(source, told.st_ino, told.st_mtime_ns)
    return _of_text(source)


@lru_cache(maxsize=1)
def _of_file(path: Path, inode: int, changed: int) -> KeyRing:
    return parse(path.read_text(), str(path))


@lru_cache(maxsize=1)
def _of_text(text: str) -> KeyRing:
    return parse(text)


def retired() -> list[str]:
    """The ids of the keys that only unwrap."""
    return [key.id for key in ring().keys[1:]]


def master_key(key_id: str) -> MasterKey:
    """The key with this id. Raises InternalError when this process was not given it."""
    found = ring().get(key_id)
    if found is None:
        raise InternalError(f"the master key {key_id} is not among {VARIABLE}")
    return found


def wrap(secret: bytes, bound_to: bytes) -> tuple[bytes, str]:
    """A data key under the active master key, and that key's id."""
    key = ring().active
    return seal(key.cipher, secret, bound_to), key.id


def unwrap(wrapped: bytes, key_id: str, bound_to: bytes) -> bytes:
    """The inverse of `wrap`. Raises Tampered, or InternalError for a master key that is not here."""
    return unseal(master_key(key_id).cipher, wrapped, bound_to)
