"""Keys of persons and of indexes, as they are stored: wrapped under a master key.

A person whose data is held is a *subject*: a type such as `ehr.patient` and a reference that only its blind index
remembers. Everything encrypted of a subject is under the one data key of its `SubjectKey`; when that is overwritten,
nothing of it can be read again.
"""

import hashlib
import os
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import models

from rootstock.accounts.tenancy import TenantModel
from rootstock.errors import Conflict
from rootstock.privacy import keyring


def key_binding(kind: str, organisation: UUID, row: UUID, type: str = "") -> bytes:
    """What a wrapped key is bound to: in another row, or another organisation's, it does not open."""
    return f"rootstock:{kind}:{organisation}:{row}:{type}".encode()


def fingerprint_of(secret: bytes) -> str:
    """Names a data key without telling anything about it."""
    return hashlib.sha256(b"rootstock key fingerprint" + secret).hexdigest()[:32]


class IndexKey(TenantModel):
    """The organisation's key of blind indexes. A rotation of the master key wraps it anew and does not change it."""

    wrapped = models.BinaryField()
    master_key = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="privacy_one_index_key")]

    @classmethod
    def make(cls, organisation: UUID) -> "IndexKey":
        """A new one, not yet stored."""
        row = cls(organisation_id=organisation)
        row.wrapped, row.master_key = keyring.wrap(os.urandom(keyring.KEY_BYTES), row.binding())
        return row

    def binding(self) -> bytes:
        """What the wrapped key is bound to."""
        return key_binding("index", self.organisation_id, self.pk)

    def secret(self) -> bytes:
        """The key itself."""
        return keyring.unwrap(bytes(self.wrapped), self.master_key, self.binding())


class SubjectKey(TenantModel):
    """A person's data key, wrapped. Destroyed: overwritten, with the reference gone, and the row as the stone."""

    type = models.CharField(max_length=40)
    reference_index = models.BinaryField(max_length=32, null=True)
    wrapped = models.BinaryField()
    master_key = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "type", "reference_index"], name="privacy_one_key_per_subject"
            )
        ]
        indexes = [models.Index(fields=["organisation", "master_key"], name="privacy_keys_by_master")]

    _cipher: AESGCM | None = None

    @classmethod
    def make(cls, organisation: UUID, type: str, reference_index: bytes | None) -> "SubjectKey":
        """A new key, not yet stored."""
        row = cls(organisation_id=organisation, type=type, reference_index=reference_index)
        secret = os.urandom(keyring.KEY_BYTES)
        row.wrapped, row.master_key = keyring.wrap(secret, row.binding())
        row.fingerprint, row._cipher = fingerprint_of(secret), AESGCM(secret)
        return row

    @property
    def is_destroyed(self) -> bool:
        """Nothing under this key can be read any more."""
        return self.destroyed_at is not None

    def binding(self) -> bytes:
        """What the wrapped key is bound to."""
        return key_binding("subject", self.organisation_id, self.pk, self.type)

    def cipher(self) -> AESGCM:
        """Seals and opens this person's values. It lives as long as this object, never longer."""
        if self.is_destroyed:
            raise Conflict("the person's data was erased; nothing can be added to it")
        if self._cipher is None:
            secret = keyring.unwrap(bytes(self.wrapped), self.master_key, self.binding())
            self._cipher = AESGCM(secret)
        return self._cipher

    def forget(self) -> None:
        """Drop the opened key from this object."""
        self._cipher = None
