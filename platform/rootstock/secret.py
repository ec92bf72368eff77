"""A secret for one machine, made once. Production gives its own by ROOTSTOCK_SECRET_KEY."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def local_secret(path: Path) -> str:
    """The secret in `path`, written there (readable by the owner alone) on first use."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"ROOTSTOCK_VAR: cannot write {path}: {error.strerror}") from None
    value = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(value)
    return value
