"""Uploads, downloads, deletion; quota, tenants, permissions, and uploads that break off."""

import hashlib
import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Unavailable
from rootstock.files import checking, sweeping
from rootstock.files.models import StoredFile
from rootstock.ids import uuid7
from rootstock.jobs.models import Job, JobArtefact
from rootstock.webhooks.models import WebhookEndpoint, WebhookEvent
from tests.rootstock.files import hostile as h
from tests.rootstock.files.hostile import EICAR

pytestmark = pytest.mark.everybody

CSV = b"name,amount\nkestrel,3\n"


@pytest.fixture
def api(world):
    return world.api("files:read", "files:write")


def upload(api, content: bytes = CSV, name: str = "a.csv", purpose: str = "import"):
    return api.upload("/files", purpose=purpose, file=SimpleUploadedFile(name, content))


def actions(world) -> list[str]:
    with tenant(world.organisation):
        found = AuditEntry.objects.filter(object_type="file").order_by("id")
        return [action.removeprefix("file.") for action in found.values_list("action", flat=True)]


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_it_works(world, api, stored) -> None:
    answer = upload(api, name="../../Q3 report.csv")
    assert answer.status_code == 201, answer.content
    file = answer.json()
    assert (file["state"], file["type"], file["name"]) == ("clean", "text/csv", "Q3 report.csv")
    assert file["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert [check["name"] for check in file["checks"]] == ["type", "text", "table", "viruses"]
    skipped = {"name": "viruses", "passed": None, "text": "not checked: no virus scanner is configured"}
    assert file["checks"][-1] == skipped
    assert "Not made" in world.browser(world.owner).get(f"/files/{file['id']}/").content.decode()
    assert api.get("/files", purpose="import", state="clean").json()["items"][0]["id"] == file["id"]
    content = api.get(f"/files/{file['id']}/content")
    assert b"".join(content.streaming_content) == CSV
    assert content["Content-Disposition"] == 'attachment; filename="Q3 report.csv"'
    assert content["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert content["X-Content-Type-Options"] == "nosniff"
    assert api.delete(f"/files/{file['id']}").status_code == 204
    assert api.get(f"/files/{file['id']}").status_code == 404
    assert actions(world) == ["uploaded", "downloaded", "deleted"]


def test_the_content_goes_with_its_row(world, api, stored, django_capture_on_commit_callbacks) -> None:
    file = upload(api).json()
    [path] = [path for path in stored.rglob("*") if path.is_file()]
    assert path.stat().st_mode & 0o777 == 0o600
    with django_capture_on_commit_callbacks(execute=True):
        api.delete(f"/files/{file['id']}")
    assert contents(stored) == []


def test_the_same_content_is_the_same_file_for_each_purpose(api, stored) -> None:
    first, again = upload(api), upload(api, name="b.csv")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = upload(api, purpose="knowledge")
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    assert len(contents(stored)) == 2


def test_a_refused_file_is_kept_unreadable_for_a_while(
    world, api, stored, django_capture_on_commit_callbacks
) -> None:
    with tenant(world.organisation):
        WebhookEndpoint.objects.create(
            organisation=world.organisation, url="https://hooks.example/", events=["file.refused"], secret="s"
        )
    file = upload(api, h.zip_link(), "a.zip").json()
    assert file["state"] == "refused"
    assert "a link or a device" in file["reason"]
    assert api.get(f"/files/{file['id']}/content").status_code == 409
    assert actions(world) == ["uploaded", "refused"]
    with tenant(world.organisation):
        assert WebhookEvent.objects.get().data["file"] == file["id"]
        StoredFile.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert sweeping.files_sweep()["expired"] == 1
    assert contents(stored) == []
    assert actions(world)[-1] == "purged"


def test_markup_is_handed_out_as_bytes(api) -> None:
    file = upload(api, b"<!doctype html><p>Hi", "a.html", "knowledge").json()
    answer = api.get(f"/files/{file['id']}/content")
    assert answer["Content-Type"] == "application/octet-stream"


def test_a_large_file_waits_for_a_worker(world, api, settings) -> None:
    settings.FILE_INLINE_BYTES = 10
    file = upload(api).json()
    assert file["state"] == "quarantined"
    assert api.get(f"/files/{file['id']}/content").status_code == 409
    with tenant(world.organisation):
        job = Job.objects.get(kind="files.scan")
        assert job.params == {"file": file["id"]}
    checked = checking.file_check(organisation=world.organisation, file_id=file["id"])
    assert checked.state == "clean"


def test_what_is_left_in_quarantine_is_queued_again(world, api, settings) -> None:
    settings.FILE_INLINE_BYTES = 10
    upload(api)
    with tenant(world.organisation):
        StoredFile.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert sweeping.files_sweep()["queued"] == 0, "its job waits still"
    with tenant(world.organisation):
        Job.objects.update(state="failed")
    assert sweeping.files_sweep()["queued"] == 1


@pytest.mark.parametrize(
    ("ended", "days", "reason"),
    [
        ([("failed", "unavailable")] * 9, 0, None),
        ([("failed", "worker_lost")] * 2, 0, None),
        ([("failed", "worker_lost")] * 3, 0, "its check failed 3 times"),
        ([("cancelled", "")], 0, "its check was cancelled"),
        ([("failed", "unavailable")], 4, "it could not be checked within 3 days"),
    ],
)
def test_what_cannot_be_checked_is_refused_at_last(world, api, settings, ended, days, reason) -> None:
    settings.FILE_INLINE_BYTES = 10
    file = upload(api).json()
    with tenant(world.organisation):
        StoredFile.objects.update(created_at=timezone.now() - timedelta(hours=1, days=days), job_id=None)
        Job.objects.all().delete()
        for state, code in ended:
            Job.objects.create(
                organisation=world.organisation, kind="files.scan", state=state, error={"code": code},
                params={"file": file["id"]},
            )  # fmt: skip
    assert sweeping.files_sweep()["queued"] == (0 if reason else 1)
    shown = api.get(f"/files/{file['id']}").json()
    assert shown["state"] == ("refused" if reason else "quarantined")
    assert shown["reason"].startswith(reason or "")
    if reason:
        assert actions(world) == ["uploaded", "refused"]


def test_an_organisation_at_its_limit_of_jobs_holds_up_no_other(world, api, settings) -> None:
    settings.FILE_INLINE_BYTES = 10
    other = world.api("files:read", "files:write", organisation=world.other)
    for one in (api, other):
        upload(one)
        upload(one, b"c,d\nnot,yet\n")
    long_ago = timezone.now() - timedelta(hours=1)
    with tenant(world.organisation):
        StoredFile.objects.update(created_at=long_ago)
        StoredFile.objects.filter(pk__in=StoredFile.objects.all()[:1]).update(expires_at=long_ago)
        Job.objects.update(state="failed")
        Job.objects.create(organisation=world.organisation, kind="files.scan")
    with tenant(world.other):
        StoredFile.objects.update(created_at=long_ago)
        Job.objects.update(state="failed")
    settings.JOBS_QUEUED = 1
    assert sweeping.files_sweep() == {"given_up": 0, "abandoned": 0, "queued": 1, "expired": 1}


@pytest.mark.parametrize(
    ("purpose", "name", "status", "field"),
    [("party", "a.csv", 422, "purpose"), ("", "a.csv", 422, "purpose")],
)
def test_bad_requests_name_the_field(api, purpose, name, status, field) -> None:
    answer = upload(api, name=name, purpose=purpose)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == field


def test_a_missing_file_and_bad_filters(api) -> None:
    assert api.upload("/files", purpose="import").status_code == 422
    assert api.get("/files", state="lost").status_code == 422
    assert api.get("/files", purpose="party").status_code == 422


def test_sizes_and_quota(world, api, settings, stored) -> None:
    settings.FILE_MAX_BYTES = 100
    answer = upload(api, b"a,b\n" * 30)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["field"] == "file"
    settings.FILE_QUOTA_BYTES = len(CSV) + 5
    assert upload(api).status_code == 201
    answer = upload(api, b"x,y\n1,2\n")
    assert answer.status_code == 409
    assert "used up" in answer.json()["detail"]
    assert len(contents(stored)) == 1
    assert list(Path(settings.FILE_INCOMING_DIR).iterdir()) == []


def test_uploads_may_be_larger_than_other_requests(world, api, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 200
    big = b"a,b\n" * 200
    assert upload(api, big).status_code == 201
    assert api.post("/files", b"x" * 300).status_code == 413
    answer = world.api("adapters:write").post("/adapters/train", b"x" * 300)
    assert answer.status_code == 413
    settings.FILE_MAX_BYTES = 300
    assert upload(api, b"x" * 70_000).status_code == 413


def test_permissions_and_other_tenants(world, api) -> None:
    file = upload(api).json()["id"]
    assert upload(world.api("files:read")).status_code == 403
    assert world.api("files:read").delete(f"/files/{file}").status_code == 403
    assert world.api("jobs:read").get("/files").status_code == 403
    assert Client().get(f"/api/v1/files/{file}/content").status_code == 401
    elsewhere = world.api("files:read", "files:write", organisation=world.other)
    assert elsewhere.get("/files").json()["items"] == []
    for path in (f"/files/{file}", f"/files/{file}/content"):
        assert elsewhere.get(path).status_code == 404
    assert elsewhere.delete(f"/files/{file}").status_code == 404
    assert upload(elsewhere).status_code == 201


def test_a_file_that_a_data_set_is_made_of_stays(world) -> None:
    api = world.api("adapters:write", "files:read", "files:write")
    line = b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}'
    api.upload("/datasets", name="desk", file=SimpleUploadedFile("whatever.txt", line))
    [file] = api.get("/files", purpose="dataset").json()["items"]
    assert (file["name"], file["state"]) == ("desk.jsonl", "clean")
    answer = api.delete(f"/files/{file['id']}")
    assert answer.status_code == 409
    assert "in use" in answer.json()["detail"]


class BrokenOff(io.BytesIO):
    """A client that goes away in the middle of its upload."""

    def read(self, size: int = -1) -> bytes:
        found = super().read(min(size, 1000) if size > 0 else size)
        if self.tell() > 5000:
            raise OSError("the client has gone")
        return found


def test_an_upload_that_breaks_off_leaves_nothing(world, settings, stored) -> None:
    head = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nimport\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    )
    client = Client(raise_request_exception=False)
    answer = client.generic(
        "POST", "/api/v1/files", head, content_type="multipart/form-data; boundary=b",
        headers={"authorization": f"Bearer {world.key('files:write')}"},
        **{"wsgi.input": BrokenOff(head + b"a,b\n" * 10_000), "CONTENT_LENGTH": "40200"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert answer.json()["detail"] == "body: ended in the middle"
    with tenant(world.organisation):
        assert StoredFile.objects.count() == 0
    assert contents(stored) == []
    assert list(Path(settings.FILE_INCOMING_DIR).iterdir()) == []


def test_what_a_killed_process_left_is_swept(world, api, stored) -> None:
    upload(api)
    with tenant(world.organisation):
        StoredFile.objects.update(state="uploading", created_at=timezone.now() - timedelta(hours=2))
    assert sweeping.files_sweep() == {"given_up": 0, "abandoned": 1, "queued": 0, "expired": 0}
    old = timezone.now().timestamp() - 90_000
    [orphan] = [path for path in stored.rglob("*") if path.is_file()]  # its row is gone, not committed here
    assert sweeping.orphans_sweep() == 0, "too young"
    os.utime(orphan, (old, old))
    assert sweeping.orphans_sweep() == 1
    assert contents(stored) == []


def test_what_jobs_and_exports_left_is_swept(world, stored) -> None:
    organisation, old = world.organisation.pk, timezone.now().timestamp() - 90_000
    left = [f"jobs/{organisation}/{uuid7()}/{uuid7().hex}", f"exports/{organisation}/{uuid7()}/{uuid7().hex}"]
    kept = f"jobs/{organisation}/{uuid7()}/{uuid7().hex}"
    with tenant(world.organisation):
        job = Job.objects.create(organisation=world.organisation, kind="files.scan")
        JobArtefact.objects.create(
            organisation=world.organisation, job=job, name="report.csv", content_type="text/csv", path=kept,
            size=1, sha256="", expires_at=timezone.now(),
        )  # fmt: skip
    for key in (*left, kept, "jobs/notes.txt", "else/where/is/it"):
        default_storage.save(key, ContentFile(b"x"))
        os.utime(stored / key, (old, old))
    assert sweeping.orphans_sweep() == 2
    assert [default_storage.exists(key) for key in (*left, kept)] == [False, False, True]


def test_viruses_are_found_and_a_scanner_that_is_away_keeps_the_file_in_quarantine(
    world, api, clamd, settings
) -> None:
    assert upload(api).json()["checks"][-1] == {"name": "viruses", "passed": True, "text": "nothing found"}
    found = upload(api, b"a,b\n1," + EICAR).json()
    assert (found["state"], found["reason"]) == ("refused", "the virus scanner found Eicar-Signature")
    for content in (b"too much,b\n", b"at once too much,b\n" + b"1,2\n" * 200_000):
        large = upload(api, content).json()
        assert (large["state"], large["reason"][:41]) == (
            "refused",
            "it is larger than the virus scanner takes",
        )
    settings.CLAMD = "127.0.0.1:9"
    waiting = upload(api, b"c,d\n").json()
    assert waiting["state"] == "quarantined"
    with pytest.raises(Unavailable):
        checking.file_check(organisation=world.organisation, file_id=waiting["id"])
    settings.CLAMD = clamd
    assert checking.file_check(organisation=world.organisation, file_id=waiting["id"]).state == "clean"
