"""Export of one person's data: an archive with a manifest, that expires and goes with an erasure."""

import hashlib
import io
import json
import secrets
import tracemalloc
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.support.models import Conversation, Turn
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, InvalidInput
from rootstock.jobs.services import job_cancel
from rootstock.privacy.models import PrivacyRequest
from rootstock.privacy.requests import archive_keep
from rootstock.privacy.tasks import expire_archives
from tests.fixtures.jobs import run_job
from tests.rootstock.privacy.conftest import ACCOUNT, CUSTOMER, SAID, Planted, admit, pay, talk


def export(planted: Planted, reference: str) -> tuple[str, Any]:
    """The archive's path, and the archive."""
    request = planted.ask(planted.find(reference), "export")
    assert request["state"] == "running"
    run_job(planted.organisation.pk, request["job_id"])
    path = f"/privacy/requests/{request['id']}"
    done = planted.api.get(path).json()
    assert done["state"] == "done"
    answer = planted.api.get(f"{path}/archive")
    assert answer.status_code == 200
    content = answer.getvalue()
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (
        done["archive_sha256"],
        done["archive_bytes"],
    )
    return path, zipfile.ZipFile(io.BytesIO(content))


def checked(archive: Any) -> dict[str, Any]:
    """Every file by name, after the manifest has been compared with it."""
    manifest = json.loads(archive.read("manifest.json"))
    assert {file["name"] for file in manifest["files"]} | {"manifest.json"} == set(archive.namelist())
    for file in manifest["files"]:
        body = archive.read(file["name"])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file["bytes"], file["sha256"])
        assert len(json.loads(body)) == file["rows"]
    return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def test_it_works(planted: Planted) -> None:
    talk(planted.organisation)
    talk(planted.organisation, customer="somebody else", text="Not about her")
    path, archive = export(planted, CUSTOMER)
    found = checked(archive)
    assert [turn["text"] for turn in found["support.turns.json"]][1] == SAID
    assert [row["customer"] for row in found["support.conversations.json"]] == [CUSTOMER]
    assert "Not about her" not in json.dumps(found)
    assert planted.world.api("privacy:read").get(f"{path}/archive").status_code == 403
    stranger = planted.world.api("privacy:write", organisation=planted.world.other)
    assert stranger.get(f"{path}/archive").status_code == 404


def test_accounts_and_patients(planted: Planted) -> None:
    pay(planted.organisation, (ACCOUNT, "one"), ("two", ACCOUNT), ("two", "three"))
    made = admit(planted.organisation)
    assert len(checked(export(planted, ACCOUNT)[1])["fraud.payments.json"]) == 2
    found = checked(export(planted, made.person.mrn)[1])
    assert found["ehr.person.json"][0]["header"]["family"] == made.person.family
    assert {row["value"] for row in found["ehr.identifiers.json"]} >= {made.person.mrn}
    assert len(found["ehr.events.json"]) == made.events


def test_it_expires(planted: Planted) -> None:
    talk(planted.organisation)
    path, _ = export(planted, CUSTOMER)
    with tenant(planted.organisation):
        PrivacyRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        place = PrivacyRequest.objects.get().archive_key
    assert expire_archives() >= 1
    assert not default_storage.exists(place)
    assert planted.api.get(f"{path}/archive").status_code == 404


def test_a_failed_one_does_not_stand_in_the_way(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    first = planted.ask(subject, "export")
    again = {"subject_id": subject["id"], "action": "export", "ground": "person_asked"}
    assert planted.api.post("/privacy/requests", again).status_code == 409
    job_cancel(organisation=planted.organisation, job_id=first["job_id"])
    assert planted.api.post("/privacy/requests", again).status_code == 201
    assert planted.api.get(f"/privacy/requests/{first['id']}").json()["state"] == "failed"


def test_a_request_ends_with_its_job(planted: Planted) -> None:
    talk(planted.organisation)
    request = planted.ask(planted.find(CUSTOMER), "export")

    def broken(job: Any) -> Any:
        raise InvalidInput("it cannot be read")

    run_job(planted.organisation.pk, request["job_id"], broken)
    with tenant(planted.organisation):
        ended = PrivacyRequest.objects.get(pk=request["id"])
    assert (ended.state, bool(ended.finished_at)) == ("failed", True)


def test_an_attempt_that_comes_too_late_leaves_nothing(planted: Planted) -> None:
    talk(planted.organisation)
    request = planted.ask(planted.find(CUSTOMER), "export")
    job_cancel(organisation=planted.organisation, job_id=request["job_id"])
    place = f"exports/{planted.organisation.pk}/{request['id']}/late"
    with pytest.raises(Conflict, match="ended meanwhile"):
        archive_keep(
            organisation=planted.organisation.pk, request_id=request["id"], key=place, sealed=io.BytesIO(b"x"),
            size=1, sha256="",
        )  # fmt: skip
    assert not default_storage.exists(place)
    assert planted.api.get(f"/privacy/requests/{request['id']}").json()["state"] == "failed"


def test_looking_at_a_request_writes_nothing(planted: Planted) -> None:
    talk(planted.organisation)
    request = planted.ask(planted.find(CUSTOMER), "export")
    browser = planted.world.browser(planted.world.owner)
    path = f"/privacy/requests/{request['id']}/"
    browser.get(path)  # that its note was read is on the trail, once a minute
    with CaptureQueriesContext(connection) as seen:
        assert browser.get(path).status_code == 200
    written = [query["sql"] for query in seen if query["sql"].startswith(("UPDATE", "DELETE", "INSERT"))]
    assert written == []


@pytest.mark.slow
def test_a_large_one_takes_little_memory(planted: Planted) -> None:
    conversation, size, many = talk(planted.organisation), 100_000, 400
    with tenant(planted.organisation) as owner:
        started = Conversation.objects.get(pk=conversation)
        for number in range(3, 3 + many):
            Turn.objects.create(
                organisation_id=owner, conversation=started, person=started.person, number=number,
                role="user", text=secrets.token_hex(size // 2),
            )  # fmt: skip
    request = planted.ask(planted.find(CUSTOMER), "export")
    tracemalloc.start()
    try:
        run_job(planted.organisation.pk, request["job_id"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    done = planted.api.get(f"/privacy/requests/{request['id']}").json()
    assert done["archive_bytes"] > size * many / 4
    assert peak < size * many / 2


def test_an_erasure_takes_it_along(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    path, _ = export(planted, CUSTOMER)
    with tenant(planted.organisation):
        place = PrivacyRequest.objects.get(subject=subject["id"], action="export").archive_key
    assert default_storage.exists(place)
    planted.erase(subject)
    assert not default_storage.exists(place)
    answer = planted.api.get(f"{path}/archive")
    assert answer.status_code == 404
    assert "erased" in answer.json()["detail"]
