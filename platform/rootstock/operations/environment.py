"""What every process of Rootstock needs in its environment, wherever it was started from."""

import os

from django.conf import settings


def environment() -> dict[str, str]:
    """To be added to the parent's own."""
    root = settings.BASE_DIR
    return {
        "PYTHONPATH": f"{root / 'platform'}{os.pathsep}{root}",
        "DJANGO_SETTINGS_MODULE": "rootstock.settings",
        "ROOTSTOCK_VAR": str(settings.VAR_DIR),
    }
