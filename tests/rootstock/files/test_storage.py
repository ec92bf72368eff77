"""Where files lie: a bucket instead of a folder, and settings that are refused."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from rootstock.variables import clamd, file_storage
from tests.rootstock.files.test_api import CSV, upload


@pytest.fixture
def s3(settings, monkeypatch) -> Iterator[None]:
    """A bucket."""
    script = Path(__file__).parent / "fake_s3.py"
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        monkeypatch.setenv("ROOTSTOCK_S3_ENDPOINT", f"http://127.0.0.1:{process.stdout.readline().strip()}")
        monkeypatch.setenv("ROOTSTOCK_FILES", "s3://uploads/rootstock")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        settings.STORAGES = {
            **settings.STORAGES,
            "default": file_storage("ROOTSTOCK_FILES", settings.VAR_DIR / "files"),
        }
        yield
        process.kill()


def test_a_bucket_holds_the_files(world, s3, stored, django_capture_on_commit_callbacks) -> None:
    api = world.api("files:read", "files:write")
    file = upload(api).json()
    assert file["state"] == "clean"
    assert list(stored.rglob("*")) == []
    content = api.get(f"/files/{file['id']}/content")
    assert b"".join(content.streaming_content) == CSV
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"/files/{file['id']}").status_code == 204


@pytest.mark.parametrize("value", ["/srv/files", "s3:/bucket", "s3://", "s3://A_B/x", "https://bucket"])
def test_a_wrong_place_for_files_stops_the_start(monkeypatch, tmp_path, value) -> None:
    monkeypatch.setenv("ROOTSTOCK_FILES", value)
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_FILES"):
        file_storage("ROOTSTOCK_FILES", tmp_path)


@pytest.mark.parametrize("value", ["clamd", "unix:", "host:port"])
def test_a_wrong_scanner_stops_the_start(monkeypatch, value) -> None:
    monkeypatch.setenv("ROOTSTOCK_CLAMD", value)
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_CLAMD"):
        clamd("ROOTSTOCK_CLAMD")
