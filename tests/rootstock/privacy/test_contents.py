"""Files and data sets about a person: encrypted, exported, erased, under holds and retention; adapters are named."""

import io
import json
import random
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from models_zoo.llm.card import ADAPTER_CARD_FILE, ADAPTER_CONFIG_FILE, ADAPTER_FILE, AdapterCard, write_card
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict
from rootstock.files.models import StoredFile
from rootstock.files.sweeping import files_sweep
from rootstock.ids import uuid7
from rootstock.jobs.models import Job
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.retention import retention_enforce
from rootstock.privacy.streams import PIECE
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.datasets import services
from rootstock.registry.datasets.reading import canonical_line
from rootstock.registry.models import AdapterVersion, Dataset
from rootstock.registry.services import adapter_register
from tests.fixtures.jobs import run_job
from tests.rootstock.files.conftest import stored as stored
from tests.rootstock.privacy.conftest import CUSTOMER, Planted, talk
from tests.rootstock.privacy.test_export import export
from tests.rootstock.privacy.test_retention import LONG_AGO, rule

pytestmark = pytest.mark.everybody

LETTER = b"Dear Ada Lovelace of Ockham Park, your parcel is lost.\n"
EXAMPLE = {
    "messages": [
        {"role": "user", "content": "I am Ada Lovelace"},
        {"role": "assistant", "content": "Good morning"},
    ]
}
LINES = json.dumps(EXAMPLE).encode()


@pytest.fixture
def subject(planted: Planted, stored: Path) -> dict[str, Any]:
    """A customer, known by a conversation."""
    talk(planted.organisation)
    return planted.find(CUSTOMER)


def send(planted: Planted, content: bytes = LETTER, **form: Any) -> Any:
    """Upload an attachment."""
    name = "Ada Lovelace.txt" if form else "note.txt"
    file = SimpleUploadedFile(name, content)
    return planted.api.upload("/files", purpose="attachment", file=file, **form)


def teach(planted: Planted, *subjects: dict[str, Any], content: bytes = LINES) -> Any:
    """Upload a data set that holds these persons."""
    file = SimpleUploadedFile("a.jsonl", content)
    ids = [subject["id"] for subject in subjects]
    return planted.api.upload("/datasets", name="desk", file=file, subject_ids=ids)


def adapter_on(planted: Planted, dataset: str) -> AdapterVersion:
    """An adapter that was trained on a data set."""
    card = base_card()
    assert card
    with tenant(planted.organisation) as owner:
        return AdapterVersion.objects.create(
            organisation_id=owner,
            name="desk",
            digest="ab" * 32,
            base=base_registered(card),
            dataset_id=dataset,
        )


def plain(stored: Path) -> bytes:
    """Everything in storage."""
    return b"".join(path.read_bytes() for path in stored.rglob("*") if path.is_file())


def test_a_file_about_a_person(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    made = send(planted, subject_id=subject["id"])
    assert made.status_code == 201, made.content
    file = made.json()
    assert (file["state"], file["name"], file["subject_id"]) == ("clean", "personal.txt", subject["id"])
    assert b"Lovelace" not in plain(stored)
    content = planted.api.get(f"/files/{file['id']}/content")
    assert (content.getvalue(), content["Content-Length"]) == (LETTER, str(len(LETTER)))
    assert send(planted, subject_id=subject["id"]).status_code == 200
    assert send(planted).json()["id"] != file["id"], "the same content about nobody is another file"
    assert {"kind": "files", "label": "Files", "count": 1} in planted.find(CUSTOMER)["held"]
    with tenant(planted.organisation):
        entries = AuditEntry.objects.filter(object_id__in=[file["id"], subject["id"]])
        read = entries.get(action="support.customer.read", data__what=f"file {file['id']}")
        assert "sha256" not in entries.get(action="file.uploaded").data
    assert read.object_id == subject["id"]


def test_a_worker_checks_what_is_sealed(
    planted: Planted, subject: dict[str, Any], stored: Path, settings: Any
) -> None:
    settings.FILE_INLINE_BYTES = 0
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("noise", random.Random(1).randbytes(3 * PIECE))
    file = SimpleUploadedFile("a.zip", packed.getvalue())
    made = planted.api.upload("/files", purpose="import", file=file, subject_id=subject["id"]).json()
    assert made["state"] == "quarantined"
    with tenant(planted.organisation):
        run_job(planted.organisation.pk, StoredFile.objects.get(pk=made["id"]).job_id)
    assert planted.api.get(f"/files/{made['id']}").json()["state"] == "clean"
    assert planted.api.get(f"/files/{made['id']}/content").getvalue() == packed.getvalue()


def test_an_erasure_takes_files_along(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    file, other = send(planted, subject_id=subject["id"]).json(), send(planted, b"about nobody\n").json()
    document = planted.erase(subject)["document"]
    assert document["destroyed"]["files"] == 1
    assert document["contents"] == {"files": [file["id"]]}
    assert document["adapters"] == []
    assert planted.api.get(f"/files/{file['id']}").status_code == 404
    assert plain(stored) == b"about nobody\n"
    assert planted.api.get(f"/files/{other['id']}").status_code == 200
    assert send(planted, subject_id=subject["id"]).status_code == 409


def test_an_export_holds_the_contents(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    talk(planted.organisation, customer="somebody else")
    file = send(planted, subject_id=subject["id"]).json()
    alone = teach(planted, subject).json()
    shared = teach(planted, subject, planted.find("somebody else"), content=LINES + b"\n" + LINES).json()
    _, archive = export(planted, CUSTOMER)
    assert archive.read(f"files/{file['id']}.txt") == LETTER
    assert archive.read(f"datasets/{alone['id']}.jsonl") == canonical_line(json.loads(LINES))
    assert f"datasets/{shared['id']}.jsonl" not in archive.namelist(), "it holds another person too"
    named = json.loads(archive.read("registry.datasets.json"))
    assert [(row["id"], row["persons"]) for row in named] == [(alone["id"], 1), (shared["id"], 2)]
    assert {entry["name"] for entry in json.loads(archive.read("manifest.json"))["files"]} == {
        *archive.namelist()
    } - {"manifest.json"}
    assert b"Lovelace" not in b"".join(
        path.read_bytes() for path in (stored / "exports").rglob("*") if path.is_file()
    )


class OutsideStorage(FileSystemStorage):
    """Opens nothing while a transaction of a tenant is open: entering another one's raises RuntimeError then."""

    def _open(self, name: str, mode: str = "rb") -> Any:
        with tenant(uuid7()):
            return super()._open(name, mode)


def exported(planted: Planted) -> Job:
    """The job of an export, which has run."""
    request = planted.ask(planted.find(CUSTOMER), "export")
    run_job(planted.organisation.pk, request["job_id"])
    with tenant(planted.organisation):
        return Job.objects.get(pk=request["job_id"])


def test_an_export_reads_the_storage_outside_of_transactions(
    planted: Planted, subject: dict[str, Any], stored: Path, settings: Any
) -> None:
    send(planted, subject_id=subject["id"])
    teach(planted, subject)
    place = {"BACKEND": f"{__name__}.OutsideStorage", "OPTIONS": {"location": stored}}
    settings.STORAGES = {**settings.STORAGES, "default": place}
    assert exported(planted).state == "succeeded"


def test_an_export_during_which_a_file_is_deleted_is_made_anew(
    planted: Planted, subject: dict[str, Any], stored: Path
) -> None:
    file = send(planted, subject_id=subject["id"]).json()
    with tenant(planted.organisation):
        default_storage.delete(StoredFile.objects.get(pk=file["id"]).storage_key)
    job = exported(planted)
    assert (job.state, job.error["code"]) == ("queued", "unavailable")
    assert f"files/{file['id']}.txt was deleted meanwhile" in job.error["detail"]


def test_an_erasure_takes_data_sets_and_names_adapters(
    planted: Planted, subject: dict[str, Any], stored: Path, base: Path
) -> None:
    dataset = teach(planted, subject).json()
    assert dataset["subject_ids"] == [subject["id"]]
    adapter = adapter_on(planted, dataset["id"])
    certificate = planted.erase(subject)["document"]
    assert certificate["contents"] == {"registry.datasets": [dataset["id"]]}
    assert certificate["adapters"] == [adapter.reference]
    assert "untrained" in certificate["about_adapters"]
    assert plain(stored) == b""
    [listed] = planted.api.get("/datasets").json()["items"]
    assert listed["erased_at"]
    assert (
        planted.api.get(f"/adapters/{adapter.reference}").json()["dataset_erased_at"] == listed["erased_at"]
    )
    again = teach(planted)
    assert again.status_code == 409
    assert "destroyed with the erasure" in again.json()["detail"]
    browser = planted.world.browser(planted.world.owner)
    adapters = browser.get("/adapters/").content.decode()
    assert "Held an erased person" in adapters
    assert "Destroyed with an erasure" in browser.get("/adapters/datasets/").content.decode()
    page = browser.get(f"/privacy/certificates/{certificate['id']}/").content.decode()
    assert adapter.reference in page
    assert dataset["id"] in page


@pytest.mark.parametrize("declared", [False, True])
def test_a_data_set_does_not_come_back_by_an_upload_during_the_erasure(
    planted: Planted, subject: dict[str, Any], stored: Path, base: Path, monkeypatch: Any, declared: bool
) -> None:
    dataset, store = teach(planted, subject).json(), services.file_store

    def erased_then_stored(**given: Any) -> Any:
        planted.erase(subject)
        return store(**given)

    monkeypatch.setattr(services, "file_store", erased_then_stored)
    again = teach(planted, *([subject] if declared else []))
    assert again.status_code == 409
    with tenant(planted.organisation):
        row = Dataset.objects.get(pk=dataset["id"])
        assert row.erased_at
        assert row.file_id is None
        assert not StoredFile.objects.exists()
    assert not [path for path in stored.rglob("*") if path.is_file()]


def test_adapters_are_named_after_their_data_has_expired(
    planted: Planted, subject: dict[str, Any], stored: Path, base: Path
) -> None:
    dataset = teach(planted, subject).json()
    adapter = adapter_on(planted, dataset["id"])
    with tenant(planted.organisation):
        Dataset.objects.update(created_at=timezone.now() - LONG_AGO)
    rule(planted, "registry.datasets", 365)
    assert retention_enforce(planted.organisation) == {"registry.datasets": 1}
    document = planted.erase(subject)["document"]
    assert (document["contents"], document["adapters"]) == ({}, [adapter.reference])
    assert planted.api.get(f"/adapters/{adapter.reference}").json()["dataset_erased_at"]


def test_adapters_that_mixed_it_in_and_those_made_of_them_are_named(
    planted: Planted, subject: dict[str, Any], stored: Path, base: Path
) -> None:
    more = json.dumps(
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
    )
    other, held = teach(planted).json(), teach(planted, subject, content=more.encode()).json()
    adapter = adapter_on(planted, other["id"])
    with tenant(planted.organisation) as owner:
        adapter.card = {"data": {"mix": {"sha256": Dataset.objects.get(pk=held["id"]).sha256}}}
        adapter.save()
        child = AdapterVersion.objects.create(
            organisation_id=owner, name="child", digest="cd" * 32, base=adapter.base, parent=adapter
        )
    assert planted.erase(subject)["document"]["adapters"] == [adapter.reference, child.reference]


def test_an_adapter_names_its_data_set_or_is_not_taken(
    planted: Planted, subject: dict[str, Any], base: Path, tmp_path: Path, settings: Any
) -> None:
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    dataset = teach(planted, subject).json()["id"]
    train = {"name": "desk", "dataset_id": dataset}
    job = planted.api.post("/adapters/train", train).json()["id"]
    made = adapter_register(organisation=planted.organisation, folder=trained(tmp_path / "one"), job_id=job)
    assert str(made.dataset_id) == dataset
    assert planted.erase(subject)["document"]["adapters"] == [made.reference]
    with pytest.raises(Conflict, match="while it was trained on"):
        adapter_register(organisation=planted.organisation, folder=trained(tmp_path / "two"), job_id=job)
    refused = planted.api.post("/adapters/train", train)
    assert refused.status_code == 409
    assert "destroyed with the erasure" in refused.json()["detail"]


def trained(folder: Path) -> Path:
    """What a training leaves: weights that differ by folder, and the card."""
    card = base_card()
    assert card
    folder.mkdir()
    (folder / ADAPTER_FILE).write_bytes(folder.name.encode())
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(config))
    write_card(
        AdapterCard(name="desk", task="chat", base_fingerprint=card.fingerprint), folder / ADAPTER_CARD_FILE
    )
    return folder


def test_a_person_declared_later_counts_too(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    first = teach(planted)
    assert (first.status_code, first.json()["subject_ids"]) == (201, [])
    later = teach(planted, subject)
    assert (later.status_code, later.json()["subject_ids"]) == (200, [subject["id"]])
    planted.erase(subject)
    assert plain(stored) == b""


def test_wrong_persons_are_refused(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    nobody = {"id": "00000000-0000-7000-8000-000000000000"}
    for answer in (send(planted, subject_id=nobody["id"]), teach(planted, subject, nobody)):
        assert answer.status_code == 404
        assert "no such subject" in answer.json()["detail"]
    assert send(planted, subject_id="Ada").status_code == 422
    stranger = planted.world.api("files:write", organisation=planted.world.other)
    theirs = SimpleUploadedFile("a.txt", LETTER)
    answer = stranger.upload("/files", purpose="attachment", file=theirs, subject_id=subject["id"])
    assert answer.status_code == 404
    assert plain(stored) == b""


def test_retention_deletes_contents(
    planted: Planted, subject: dict[str, Any], stored: Path, base: Path
) -> None:
    old, new = send(planted, subject_id=subject["id"]).json(), send(planted, b"new\n").json()
    dataset = teach(planted, subject).json()
    with tenant(planted.organisation):
        StoredFile.objects.filter(pk=old["id"]).update(created_at=timezone.now() - LONG_AGO)
        Dataset.objects.update(created_at=timezone.now() - LONG_AGO)
    rule(planted, "files.attachment", 365)
    rule(planted, "registry.datasets", 365)
    assert retention_enforce(planted.organisation) == {"files.attachment": 1, "registry.datasets": 1}
    assert plain(stored) == b"new\n"
    assert planted.api.get(f"/files/{old['id']}").status_code == 404
    assert planted.api.get(f"/files/{new['id']}").status_code == 200
    with tenant(planted.organisation):
        assert AuditEntry.objects.filter(action="file.expired", object_id=old["id"]).exists()
        assert AuditEntry.objects.filter(action="dataset.expired", object_id=dataset["id"]).exists()
    answer = planted.api.post("/adapters/train", {"name": "desk", "dataset_id": dataset["id"]})
    assert "upload it again" in answer.json()["detail"]
    assert teach(planted, subject).json()["id"] == dataset["id"], "the same upload brings the content back"


def test_a_legal_hold_keeps_contents(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    file = send(planted, subject_id=subject["id"]).json()
    teach(planted, subject)
    with tenant(planted.organisation):
        long_ago = timezone.now() - LONG_AGO
        StoredFile.objects.update(created_at=long_ago, expires_at=long_ago)
        Dataset.objects.update(created_at=long_ago)
    path = f"/api/v1/privacy/subjects/{subject['id']}/hold"
    planted.api._client.put(path, {"reason": "court"}, content_type="application/json")
    before = plain(stored)
    rule(planted, "files.attachment", 365)
    rule(planted, "registry.datasets", 365)
    assert set(retention_enforce(planted.organisation).values()) == {0}
    files_sweep()
    assert planted.api.delete(f"/files/{file['id']}").status_code == 409
    assert plain(stored) == before


def test_the_key_lasts_as_long_as_anything_of_the_person(
    planted: Planted, subject: dict[str, Any], stored: Path
) -> None:
    from apps.support.models import Conversation

    file = send(planted, subject_id=subject["id"]).json()
    with tenant(planted.organisation):
        Conversation.objects.update(last_activity_at=timezone.now() - timedelta(days=400))
    rule(planted, "support.conversations", 365)
    retention_enforce(planted.organisation)
    assert planted.api.get(f"/files/{file['id']}/content").getvalue() == LETTER
    assert planted.api.delete(f"/files/{file['id']}").status_code == 204
    with tenant(planted.organisation):
        assert SubjectKey.objects.get(pk=subject["id"]).is_destroyed


def test_the_pages(planted: Planted, subject: dict[str, Any], stored: Path) -> None:
    browser = planted.world.browser(planted.world.owner)
    person = browser.get(f"/privacy/subjects/{subject['id']}/").content.decode()
    assert f"/files/?subject={subject['id']}" in person
    assert subject["id"] in browser.get("/files/", {"subject": subject["id"]}).content.decode()
    form = {"purpose": "attachment", "subject_id": subject["id"], "file": SimpleUploadedFile("a.txt", LETTER)}
    page = browser.post("/files/", form, follow=True).content.decode()
    assert "under whose key it is encrypted" in page
    assert f"/privacy/subjects/{subject['id']}/" in page
    form["file"], form["subject_id"] = SimpleUploadedFile("a.txt", LETTER), "Ada"
    assert "About a person" in browser.post("/files/", form).content.decode()
