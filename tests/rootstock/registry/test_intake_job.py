"""The job that checks an uploaded adapter, in this process: however it ends, nothing of a refused one is left."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from django.conf import settings as site
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from models_zoo.llm.card import adapter_digest, read_card
from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import tenant
from rootstock.errors import TooLarge, Unavailable
from rootstock.files.models import StoredFile
from rootstock.files.services import file_store
from rootstock.ids import uuid7
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_cancel
from rootstock.lanes import wire
from rootstock.registry import contents, uploads
from rootstock.registry.base import base_folder
from rootstock.registry.contents import adapter_keys, upload_keys
from rootstock.registry.intake import PROBE
from rootstock.registry.leftovers import adapters_sweep
from rootstock.registry.models import AdapterUpload, AdapterVersion
from tests.fixtures.adapters import peft_files, zipped
from tests.fixtures.jobs import run_job
from workers.handlers import LaneRequest
from workers.lanes import Consumer

Answer = Callable[[LaneRequest], Any]
CONFIG = "adapter_config.json"


class Prober:
    """Answers as the test says, from where a worker would."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: {"difference": 0.5}

    def load(self, runtime: Any) -> None:
        """Nothing to load."""

    def run(self, batch: Sequence[LaneRequest]) -> list[Any]:
        """One answer each."""
        return [self.answer(request) for request in batch]


@pytest.fixture
def prober(services: Any, base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prober]:
    monkeypatch.setattr("workers.lanes._POLL_S", 0.05)  # a consumer that stops at once
    found, lane = Prober(), replace(site.LANES[PROBE], group="score")  # its keys need no base
    monkeypatch.setitem(site.LANES, PROBE, lane)
    wire.connect().delete(wire.queue_key(PROBE, "any"))
    consumer = Consumer(PROBE, lane, found, "any")
    consumer.start()
    wire.connect().set(consumer.alive, 1, ex=300)  # as the runtime does every second
    yield found
    consumer.stop()


@pytest.fixture
def world(committed_world: Any) -> Any:
    """Rows that a job's own thread sees."""
    return committed_world


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, settings: Any) -> Path:
    """Where this test's files lie."""
    options = {"location": tmp_path / "files", "file_permissions_mode": 0o600}
    kind = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": kind, "OPTIONS": options}}
    settings.FILE_INCOMING_DIR = tmp_path / "incoming"
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    (tmp_path / "files").mkdir()
    return tmp_path


def left(stored: Path) -> list[str]:
    """Every file in storage, beside the adapters and among what comes in."""
    places = [stored / name for name in ("files", "adapters", "incoming")]
    return sorted(str(p.relative_to(stored)) for place in places for p in place.rglob("*") if p.is_file())


def brought(world: Any, content: bytes) -> AdapterUpload:
    files = [SimpleUploadedFile("mine.zip", content)]
    return uploads.adapter_upload(organisation=world.organisation, name="mine", files=files)


def ended(world: Any, upload: AdapterUpload) -> AdapterUpload:
    run_job(world.organisation.pk, upload.job_id)
    return uploads.upload_get(organisation=world.organisation, upload_id=upload.pk)


def job_of(world: Any, upload: AdapterUpload) -> Job:
    with tenant(world.organisation):
        return Job.objects.get(pk=upload.job_id)


def card(**said: Any) -> bytes:
    told = {"name": "x", "task": "chat", "base_fingerprint": read_card(base_folder()).fingerprint}
    return json.dumps(told | said).encode()


def test_it_works(world: Any, prober: Prober, tmp_path: Path, stored: Path) -> None:
    with acting(Actor("person", str(world.owner.pk))):
        upload = brought(world, zipped(peft_files(tmp_path)))
    told = ended(world, upload)
    assert (told.state, told.reason) == ("taken", "")
    with tenant(world.organisation):
        version = AdapterVersion.objects.get()
        assert version.created_by == f"person:{world.owner.pk}"
        assert not StoredFile.objects.exists()
    kept = adapter_keys(world.organisation.pk, version.digest).values()
    assert {f"files/{key}" for key in kept if "head" not in key} == set(left(stored))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"description": "a\0"}, "description holds a NUL character"),
        ({"data": {"x": float("nan")}}, "data.x is nan, expected a finite number"),
        ({"training": float("inf")}, "training is inf, expected a finite number"),
        ({"evil\ud800": 1}, "holds a NUL character or half of a surrogate pair"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(
    world: Any, base: Path, tmp_path: Path, stored: Path, said: dict[str, Any], reason: str
) -> None:
    told = ended(world, brought(world, zipped(peft_files(tmp_path) | {"card.json": card(**said)})))
    assert told.state == "refused"
    assert reason in told.reason
    assert left(stored) == []


@pytest.mark.slow
def test_one_that_is_cancelled_while_it_is_tried_leaves_nothing(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    upload = brought(world, zipped(peft_files(tmp_path)))
    seen = list[str]()

    def cancelling(request: LaneRequest) -> dict[str, Any]:
        seen.extend(left(stored))
        job_cancel(organisation=world.organisation, job_id=upload.job_id)
        time.sleep(1.5)  # the job's own thread looks every 0.75 s
        return {"difference": 0.5}

    prober.answer = cancelling
    told = ended(world, upload)
    assert f"files/{upload_keys(world.organisation.pk, upload.pk)['card.json']}" in seen
    assert (told.state, told.checks[-1]["text"]) == ("refused", "it was stopped; upload it again")
    assert left(stored) == []


def test_one_that_cannot_be_registered_leaves_nothing(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    """Its upload's row is gone when the last step writes to it: the files had been stored as a version's by then."""
    upload = brought(world, zipped(peft_files(tmp_path)))

    def losing(request: LaneRequest) -> Any:
        with tenant(world.organisation):
            AdapterUpload.objects.filter(pk=upload.pk).delete()
        return {"difference": 0.5}

    prober.answer = losing
    run_job(world.organisation.pk, upload.job_id)
    assert job_of(world, upload).state == "failed"
    with tenant(world.organisation):
        assert not AdapterVersion.objects.exists()
        [file] = StoredFile.objects.all()
    assert left(stored) == [f"files/{file.storage_key}"]  # the sweep's, once its time is over


def test_a_refused_twin_takes_nothing_of_a_version(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    """The same content twice: the second is taken while the first is tried, which then fails."""
    content = zipped(peft_files(tmp_path))
    first, second = brought(world, content), brought(world, content)
    assert ended(world, second).state == "taken"
    kept = [path for path in left(stored) if "/adapters/" in path]

    def away(request: LaneRequest) -> Any:
        return Unavailable("no worker", retry_after=1)

    prober.answer = away
    ended(world, first)
    assert job_of(world, first).state == "queued"
    assert [path for path in left(stored) if "/adapters/" in path] == kept
    with tenant(world.organisation):
        digest = AdapterVersion.objects.get().digest
    contents.adapter_discard(world.organisation.pk, digest)
    assert [path for path in left(stored) if "/adapters/" in path] == kept


def test_a_killed_checker_is_tried_again_and_told_truthfully(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    upload = brought(world, zipped(peft_files(tmp_path)))
    for _ in range(5):
        with tenant(world.organisation):
            Job.objects.filter(pk=upload.job_id).update(not_before=None)
        with killing("models_zoo.llm.intake"):
            told = ended(world, upload)
        if told.state != "checking":
            break
        assert job_of(world, upload).state == "queued"
    assert told.checks[-1]["check"] == "job"
    assert "ended early (signal 9); this says nothing about the content" in told.reason
    assert left(stored) == []


@contextmanager
def killing(module: str) -> Iterator[None]:
    """Kill each child of this process that runs the module, while the block runs."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if module in child.cmdline():
                        child.kill()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield
    over.set()
    watcher.join()


def test_what_a_torn_write_left_is_written_again(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    files = peft_files(tmp_path) | {"card.json": card()}
    folder = tmp_path / "whole"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    keys = adapter_keys(world.organisation.pk, adapter_digest(folder))
    torn = stored / "files" / keys["adapter_model.safetensors"]
    torn.parent.mkdir(parents=True)
    torn.write_bytes(files["adapter_model.safetensors"][:1000])
    assert ended(world, brought(world, zipped(files))).state == "taken"
    assert torn.read_bytes() == files["adapter_model.safetensors"]


def test_a_large_configuration_is_refused_before_it_is_read(world: Any, base: Path, stored: Path) -> None:
    files = [SimpleUploadedFile("adapter_model.safetensors", b"x"), SimpleUploadedFile(CONFIG, b" " * 2**21)]
    with pytest.raises(
        TooLarge, match=r"adapter_config\.json is 2,097,152 bytes, expected at most 1,048,576"
    ):
        uploads.adapter_upload(organisation=world.organisation, name="mine", files=files)
    assert left(stored) == []


def test_a_file_of_the_same_content_stays_what_it_was(world: Any, tmp_path: Path, base: Path) -> None:
    """Somebody keeps a configuration under a name of their own; then it comes with an adapter."""
    config = b'{"peft_type": "LORA"}'
    own, _ = file_store(
        organisation=world.organisation, purpose="model", content=SimpleUploadedFile("my-config.json", config)
    )
    files = [SimpleUploadedFile("adapter_model.safetensors", b"x"), SimpleUploadedFile(CONFIG, config)]
    told = ended(world, uploads.adapter_upload(organisation=world.organisation, name="mine", files=files))
    assert "my-config" not in told.reason
    with tenant(world.organisation):
        assert [row.pk for row in StoredFile.objects.all()] == [own.pk]


def test_files_are_named_by_who_brings_them(world: Any, base: Path, stored: Path) -> None:
    rows = [
        file_store(
            organisation=world.organisation, purpose="adapter", content=SimpleUploadedFile(name, content)
        )[0]
        for name, content in (("one.json", b"{}"), ("two.safetensors", b"x"))
    ]
    api = world.api("adapters:write")
    body = {"name": "mine", "file_ids": [str(row.pk) for row in rows]}
    assert "one.json" in api.post("/adapters/uploads/from-files", body).json()["detail"]
    for names in (["../adapter_config.json", "x"], [CONFIG]):
        assert api.post("/adapters/uploads/from-files", body | {"names": names}).status_code == 422
    names = [CONFIG, "adapter_model.safetensors"]
    assert api.post("/adapters/uploads/from-files", body | {"names": names}).status_code == 202
    with tenant(world.organisation):
        assert AdapterUpload.objects.get().files == dict(zip(names, body["file_ids"], strict=True))


def test_what_killed_processes_left_is_swept(world: Any, base: Path, stored: Path) -> None:
    """Of an upload that has ended, in storage; a fetch and a check, whose makers are gone; a copy of no version."""
    keys = upload_keys(world.organisation.pk, world.organisation.pk)
    for key in keys.values():
        contents.content_put(key, BytesIO(b"x"))
    for name in (".fetching-1", ".intake-1", "0a1b" * 16, "b" * 64):
        (stored / "adapters" / name).mkdir(parents=True)
        (stored / "adapters" / name / "adapter_config.json").write_bytes(b"{}")
    os.utime(stored / "adapters" / ("0a1b" * 16), (0, 0))
    assert adapters_sweep() == {"uploads": 1, "unregistered": 0, "copies": 1}
    assert left(stored) == [f"adapters/{'b' * 64}/adapter_config.json"]


def test_what_was_killed_while_it_was_registered_is_swept_at_once(
    world: Any, prober: Prober, tmp_path: Path, stored: Path
) -> None:
    """Beside a version of the same organisation, whose files stay."""
    assert ended(world, brought(world, zipped(peft_files(tmp_path)))).state == "taken"
    kept = left(stored)
    for key in adapter_keys(world.organisation.pk, "c" * 64).values():
        contents.content_put(key, BytesIO(b"x"))
    assert left(stored) != kept
    assert adapters_sweep()["unregistered"] == 1
    assert left(stored) == kept


@pytest.mark.slow
def test_a_bucket_does_as_well_as_a_folder(
    world: Any, prober: Prober, s3: None, tmp_path: Path, stored: Path
) -> None:
    """Taken, fetched by who serves it, and what a killed process left there swept."""
    tried = list[Path]()

    def trying(request: LaneRequest) -> Any:
        upload, digest = UUID(request.payload["upload"]), request.payload["digest"]
        with contents.upload_fetched(world.organisation.pk, upload, digest) as folder:
            tried.append(folder)
            return {"difference": 0.5}

    prober.answer = trying
    assert ended(world, brought(world, zipped(peft_files(tmp_path)))).state == "taken"
    assert tried
    with tenant(world.organisation):
        digest = AdapterVersion.objects.get().digest
    for key in (adapter_keys(world.organisation.pk, "c" * 64), upload_keys(world.organisation.pk, uuid7())):
        contents.content_put(key["card.json"], BytesIO(b"{}"))
    assert adapters_sweep() == {"uploads": 1, "unregistered": 1, "copies": 0}
    assert default_storage.listdir(f"adapters/{world.organisation.pk}")[0] == [digest]
    assert adapter_digest(contents.adapter_fetch(world.organisation.pk, digest)) == digest
    assert [path for path in left(stored) if path.startswith("files/")] == []
