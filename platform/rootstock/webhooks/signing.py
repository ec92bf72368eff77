"""The secrets of an endpoint: made here, kept sealed, read only to sign."""

import base64
import os

from rootstock.webhooks.models import WebhookEndpoint


def secret_new() -> str:
    """A fresh secret in the form that Standard Webhooks gives it: 256 random bits."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """Those that sign now: the current one, and during a rotation's overlap the previous."""
    return [endpoint.secret, *([endpoint.previous_secret] if endpoint.overlap_until else [])]
