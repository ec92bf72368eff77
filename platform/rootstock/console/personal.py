"""Filter values that name a person, as an address may hold them: sealed for one browser session, for an hour.

Nothing is stored: the key follows from the installation's secret and the session's key, so that a token says nothing
to another session, and nothing after signing out. The cipher text is bound to the table and the parameter.
"""

import base64
import binascii
import os
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import salted_hmac

MARK = "~"
LASTS_S = 3600
_NONCE, _TIME = 12, 8


def token_of(request: HttpRequest, table: str, name: str, value: str) -> str:
    """The value, sealed: what may stand in an address instead of it."""
    nonce = os.urandom(_NONCE)
    plain = int(time.time()).to_bytes(_TIME) + value.encode(errors="replace")
    sealed = nonce + _cipher(request).encrypt(nonce, plain, _bound_to(table, name))
    return MARK + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def link_to(request: HttpRequest, page: str, table: str, name: str, value: str) -> str:
    """The address of a list that is narrowed to a person, whose value stands sealed in it."""
    return f"{reverse(page)}?{name}={token_of(request, table, name, value)}"


def value_of(request: HttpRequest, table: str, name: str, text: str) -> str | None:
    """The value of a parameter, sealed or plain; None for a token that has expired or is another session's."""
    if not text.startswith(MARK):
        return text
    try:
        sealed = base64.urlsafe_b64decode(text[1:] + "=" * (-(len(text) - 1) % 4))
        plain = _cipher(request).decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(table, name))
    except (binascii.Error, ValueError, InvalidTag):
        return None
    age = time.time() - int.from_bytes(plain[:_TIME])
    return plain[_TIME:].decode() if age <= LASTS_S else None


def _cipher(request: HttpRequest) -> AESGCM:
    session = getattr(request, "session", None)
    secret = (session.session_key if session is not None else None) or ""
    return AESGCM(salted_hmac("rootstock.console.personal", secret, algorithm="sha256").digest())


def _bound_to(table: str, name: str) -> bytes:
    return f"{table}\0{name}".encode()
