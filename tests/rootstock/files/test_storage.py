"""Where files lie: a bucket instead of a folder, and settings that are refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.errors import STORAGE_AWAY
from rootstock.jobs.artefacts import artefacts_expire
from rootstock.jobs.models import Job, JobArtefact
from rootstock.jobs.retry import domain_error
from rootstock.operations import preparation
from rootstock.operations.preflight import Refusal
from rootstock.variables import clamd, file_storage
from tests.rootstock.files.test_api import CSV, upload

pytestmark = pytest.mark.everybody


def test_a_bucket_holds_the_files(world, s3, stored, django_capture_on_commit_callbacks) -> None:
    api = world.api("files:read", "files:write")
    file = upload(api).json()
    assert file["state"] == "clean"
    assert list(stored.rglob("*")) == []
    content = api.get(f"/files/{file['id']}/content")
    assert b"".join(content.streaming_content) == CSV
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"/files/{file['id']}").status_code == 204


@pytest.fixture(params=["no answer", "a refusal"])
def breaks(request, s3, settings, monkeypatch) -> Callable[[], None]:
    """Makes the bucket fail from then on."""

    def broken() -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        if request.param == "no answer":
            monkeypatch.setenv("ROOTSTOCK_S3_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("ROOTSTOCK_FILES", "s3://uploads/forbidden")
        settings.STORAGES = {
            **settings.STORAGES,
            "default": file_storage("ROOTSTOCK_FILES", settings.VAR_DIR / "files"),
        }

    return broken


@pytest.mark.slow
def test_a_bucket_that_fails_stops_nothing_that_is_committed(
    world, breaks, django_capture_on_commit_callbacks
) -> None:
    api = world.api("files:read", "files:write")
    file, hooks = upload(api).json(), []
    breaks()
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"/files/{file['id']}").status_code == 204
        transaction.on_commit(lambda: hooks.append("run"))
    assert hooks == ["run"]


def test_a_bucket_that_fails_is_a_service_that_is_away(world, breaks) -> None:
    breaks()
    answer = upload(world.api("files:read", "files:write"))
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "2")
    with pytest.raises(STORAGE_AWAY) as told:
        default_storage.save("a", ContentFile(b"x"))
    assert domain_error(told.value, Job(kind="files.scan")).permanent is False


@pytest.mark.slow
def test_a_bucket_that_fails_stops_the_start(s3, breaks, monkeypatch, settings) -> None:
    preparation._reach_bucket()
    breaks()
    with pytest.raises(
        Refusal, match=r"cannot reach the bucket uploads \(ROOTSTOCK_FILES, ROOTSTOCK_S3_ENDPOINT\): "
    ):
        preparation._reach_bucket()


def test_artefacts_expire_though_the_bucket_fails(world, breaks) -> None:
    organisation, past = world.organisation, timezone.now() - timedelta(days=1)
    with tenant(organisation):
        job = Job.objects.create(organisation=organisation, kind="files.scan")
        for name in ("a.csv", "b.csv"):
            JobArtefact.objects.create(
                organisation=organisation, job=job, name=name, content_type="text/csv", size=1, sha256="",
                path=f"jobs/{organisation.pk}/{job.pk}/{name}", expires_at=past,
            )  # fmt: skip
    breaks()
    assert artefacts_expire() == 2


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
