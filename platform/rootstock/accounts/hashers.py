"""How secrets of machine clients are hashed: they have 256 random bits, so a plain hash is enough, as for API keys."""

from typing import Any

from django.contrib.auth.hashers import BasePasswordHasher
from django.utils.crypto import constant_time_compare

from rootstock.accounts.tokens import token_hash


class RandomSecretHasher(BasePasswordHasher):
    """SHA-256, never for what a person chose. Listed after Django's own, so it is used only where it is named."""

    algorithm = "random_sha256"

    def salt(self) -> str:
        """None is needed."""
        return ""

    def encode(self, password: str, salt: str) -> str:
        """The form that is stored."""
        return f"{self.algorithm}${token_hash(password)}"

    def decode(self, encoded: str) -> dict[str, Any]:
        """Its parts."""
        algorithm, _, digest = encoded.partition("$")
        return {"algorithm": algorithm, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        """Compare in constant time."""
        return constant_time_compare(encoded, self.encode(password, ""))

    def safe_summary(self, encoded: str) -> dict[Any, Any]:
        """Nothing of the hash."""
        return {"algorithm": self.algorithm}

    def harden_runtime(self, password: str, encoded: str) -> None:
        """There is nothing to even out."""
