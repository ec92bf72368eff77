#!/usr/bin/env python
"""Rootstock's command line. `platform/` is a source root: it is put on the path here and never a package."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run a Django management command."""
    sys.path.insert(0, str(Path(__file__).resolve().parent / "platform"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("rootstock: Django is not installed here: run make install, then .venv/bin/python manage.py")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"rootstock: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
