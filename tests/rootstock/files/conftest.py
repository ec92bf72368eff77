"""A folder for the files of a test, and a virus scanner beside it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def stored(tmp_path, settings) -> Path:
    """Where this test's files lie."""
    from django.core.files.storage import storages

    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "files", "file_permissions_mode": 0o600},
        },
    }
    settings.FILE_INCOMING_DIR = tmp_path / "incoming"
    assert storages["default"].location == str(tmp_path / "files")
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def clamd(settings) -> Iterator[str]:
    """A fake clamd; the platform is told of it."""
    script = Path(__file__).parent / "fake_clamd.py"
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        settings.CLAMD = f"127.0.0.1:{process.stdout.readline().strip()}"
        yield settings.CLAMD
        process.kill()
