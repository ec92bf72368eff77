#!/usr/bin/env python
"""Rootstock's command line. `platform/` is a source root: it is put on the path here and never a package."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run a Django management command."""
    sys.path.insert(0, str(Path(__file__).resolve().parent / "platform"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
