"""Two-factor sign-in: who must set it up, and how its secrets are stored."""

import base64
import hashlib

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings

from rootstock.accounts.models import Organisation, User


def is_enrolled(user: User) -> bool:
    """Whether the person has a second factor or a passkey."""
    return bool(
        Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exists()
    )


def must_enrol(user: User, organisation: Organisation | None) -> bool:
    """Whether the installation or the organisation asks for two factors and the person has none."""
    if settings.MFA == "off":
        return False
    asked = settings.MFA == "required" or (organisation is not None and organisation.mfa_required)
    return asked and not is_enrolled(user)


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Shared secrets are encrypted at rest: who reads the table cannot make codes."""

    def encrypt(self, text: str) -> str:
        """Under the newest secret key."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Under any secret key still known."""
        return _box().decrypt(encrypted_text.encode()).decode()

    def get_totp_issuer(self) -> str:
        """What authenticator apps show."""
        return "Rootstock"


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mfa:" + key.encode()).digest())) for key in keys]
    )
