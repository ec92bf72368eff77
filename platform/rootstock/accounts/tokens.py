"""The form of an API key: `rsk_<prefix>_<secret>`. The secret has 256 random bits, so a plain hash is enough."""

import hashlib
import hmac
import re
import secrets

KEY_MARK = "rsk_"
_FORM = re.compile(r"rsk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")


def new_token() -> tuple[str, str, str]:
    """A fresh (token, prefix, hash)."""
    prefix = secrets.token_hex(6)
    token = f"rsk_{prefix}_{secrets.token_urlsafe(32)}"
    return token, prefix, token_hash(token)


def token_hash(token: str) -> str:
    """SHA-256 of the token, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def prefix_of(token: str) -> str | None:
    """The prefix of a well-formed token."""
    match = _FORM.fullmatch(token)
    return match.group(1) if match else None


def token_matches(token: str, stored_hash: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(token_hash(token), stored_hash)


def new_secret() -> tuple[str, str]:
    """A fresh random secret without a prefix to find it by, and its hash."""
    secret = secrets.token_urlsafe(32)
    return secret, token_hash(secret)
