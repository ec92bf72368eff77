"""Rows that were there before encryption: migrated forwards in a database of their own, and read back."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

SCRIPT = Path(__file__).with_name("conversion_script.py")


@pytest.fixture
def old_database(services: None):
    """Addresses of a fresh database, for application and owner."""
    from django.conf import settings

    from rootstock import embedded

    found = embedded.urls(Path(settings.VAR_DIR))
    with psycopg.connect(found.database_admin_url, autocommit=True) as owner:
        owner.execute("DROP DATABASE IF EXISTS conversion WITH (FORCE)")
        owner.execute("CREATE DATABASE conversion")
    yield {
        "DATABASE_URL": _named(found.database_url),
        "DATABASE_ADMIN_URL": _named(found.database_admin_url),
    }
    with psycopg.connect(found.database_admin_url, autocommit=True) as owner:
        owner.execute("DROP DATABASE conversion WITH (FORCE)")


def _named(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path="/conversion"))


def test_it_works(old_database: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, **old_database, "DJANGO_SETTINGS_MODULE": "rootstock.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["fraud", "support", "ehr", "stored"]
