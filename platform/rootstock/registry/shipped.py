"""Adapters that come with Rootstock, and what a site made of them for its own base."""

from pathlib import Path

from django.conf import settings

from models_zoo.llm.card import ADAPTER_CONFIG_FILE


def retrained_folder(fingerprint: str, name: str) -> Path:
    """Where `manage.py retrain` puts an adapter for the base of this fingerprint."""
    return Path(settings.VAR_DIR) / "retrained" / fingerprint[:16] / name


def shipped_folder(fingerprint: str, name: str, folder: Path) -> Path:
    """The adapter that was retrained for this base, or the one in `folder` that comes with Rootstock."""
    own = retrained_folder(fingerprint, name)
    return own if (own / ADAPTER_CONFIG_FILE).is_file() else folder
