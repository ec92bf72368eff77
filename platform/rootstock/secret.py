"""Secrets for one machine, made once. Production gives its own by the environment."""

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def _token() -> str:
    return secrets.token_urlsafe(48)


def local_secret(path: Path, make: Callable[[], str] = _token) -> str:
    """The secret in `path`, written there (readable by the owner alone) on first use."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _publish(path, make())
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"ROOTSTOCK_VAR: cannot write {path}: {error.strerror}") from None


def _publish(path: Path, value: str) -> None:
    """Whole or not at all: of two first starts one wins, and nobody reads a file that is still empty."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(value)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
