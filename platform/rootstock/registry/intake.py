"""The job that checks an uploaded adapter: each check's outcome is told as it comes, the first refusal ends it."""

import json
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from models_zoo.llm.card import adapter_digest
from models_zoo.llm.foreign import bounded
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, InvalidInput, Unavailable
from rootstock.files.checking import file_check
from rootstock.files.contents import content_open
from rootstock.files.models import FileState, StoredFile
from rootstock.jobs.models import Job, JobState
from rootstock.jobs.running import JobHandle
from rootstock.lanes import client
from rootstock.limited import LimitBroken, ReaderLost, told_by
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.contents import adapter_discard, folder_store, keys_delete, upload_keys
from rootstock.registry.identity import reference_check
from rootstock.registry.leftovers import INTAKE
from rootstock.registry.models import AdapterUpload, Origin
from rootstock.registry.scratch import scratch_folder
from rootstock.registry.services import adapter_register
from rootstock.registry.uploads import upload_checking, upload_refuse, upload_taken

PROBE = "registry.probe"
CHECKS = ("scan", "files", "tensors", "configuration", "fit", "values", "effect")
LEAST_EFFECT = 1e-3  # of a text's unit vector: what another batch changes in bfloat16 is below it
_CHUNK = 1 << 20
_LOOK_S = 0.5

Outcome = dict[str, Any]


def intake(job: JobHandle) -> dict[str, Any]:
    """The job `adapters.intake`. Its result says what became of the upload."""
    if base_card() is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    with tenant(job.organisation):
        upload = upload_checking(UUID(job.params["upload"]))
    with scratch_folder(Path(settings.ADAPTERS_DIR), INTAKE) as scratch:
        checks = _made(job, upload, scratch)
        if checks[-1]["passed"]:
            return _taken(job, upload, checks, scratch / "adapter")
    return _refused(job, upload, checks)  # once nothing of it is left


def _made(job: JobHandle, upload: AdapterUpload, scratch: Path) -> list[Outcome]:
    """What the checks said, as far as the first that refuses; told as they come."""
    checks = list[Outcome]()
    with closing(_checks(job, upload, scratch)) as outcomes:
        for outcome in outcomes:
            checks.append(outcome)
            with job.fenced():
                AdapterUpload.objects.filter(pk=upload.pk).update(checks=checks)
            job.progress(len(checks), len(CHECKS), f"{outcome['check']}: {outcome['text']}")
            if not outcome["passed"]:
                break
    return checks


def _checks(job: JobHandle, upload: AdapterUpload, scratch: Path) -> Generator[Outcome]:
    try:
        yield _scanned(job, upload)
        for told in _verified(job, upload, scratch):
            yield _outcome(str(told["check"]), str(told["text"]), passed=told["passed"] is True)
    except LimitBroken as broken:
        yield _outcome("limits", str(broken), passed=False)
        return
    except ReaderLost:
        job.check()  # stopped: then nothing was lost
        raise
    try:
        digest = adapter_digest(scratch / "adapter")
        reference_check(organisation=job.organisation, name=upload.name, digest=digest)
    except Conflict as taken:
        yield _outcome("reference", taken.detail, passed=False)
    else:
        yield _effect(job, upload, scratch / "adapter")


def _refused(job: JobHandle, upload: AdapterUpload, checks: list[Outcome]) -> dict[str, Any]:
    with job.commit() as result:
        upload_refuse(upload, checks)
        result |= {"upload": str(upload.pk), "state": "refused", "reason": upload.reason}
    return result


def _taken(job: JobHandle, upload: AdapterUpload, checks: list[Outcome], folder: Path) -> dict[str, Any]:
    digest = adapter_digest(folder)
    try:
        with job.commit() as result:
            version = adapter_register(
                organisation=job.organisation,
                folder=folder,
                job_id=None,
                name=upload.name,
                origin=Origin.UPLOADED,
                created_by=upload.brought_by,
            )
            upload_taken(upload, checks, version)
            result |= {"upload": str(upload.pk), "state": "taken", "adapter": version.reference}
    except BaseException:
        adapter_discard(job.organisation.pk, digest)
        raise
    return result


def _scanned(job: JobHandle, upload: AdapterUpload) -> Outcome:
    """What the scanners say of each file."""
    for file_id in upload.files.values():
        _await_scan(job, UUID(file_id))
        row = file_check(organisation=job.organisation.pk, file_id=UUID(file_id), stop_with=job.stop_with)
        if not row.is_clean:
            return _outcome("scan", f"{row.name}: {row.reason}", passed=False)
    count = len(upload.files)
    return _outcome("scan", f"{count} file{'s' if count > 1 else ''} passed the scanners")


def _await_scan(job: JobHandle, file_id: UUID) -> None:
    """A file that another job looks at right now is not looked at twice. That job waits for nothing of this one."""
    while _is_scanned_elsewhere(job, file_id):
        job.check()
        time.sleep(_LOOK_S)


def _is_scanned_elsewhere(job: JobHandle, file_id: UUID) -> bool:
    with tenant(job.organisation):
        row = StoredFile.objects.filter(pk=file_id, state=FileState.QUARANTINED).first()
        if row is None or row.job_id in (None, job.id):
            return False
        return Job.objects.filter(pk=row.job_id, state=JobState.RUNNING).exists()


def _verified(job: JobHandle, upload: AdapterUpload, scratch: Path) -> Iterator[dict[str, Any]]:
    """What the limited process says, which knows the files and the base and nothing else."""
    spec = {
        "sources": {part: str(_copied(job, file_id, scratch)) for part, file_id in upload.files.items()},
        "folder": str(scratch / "adapter"),
        "base": str(base_folder()),
        "name": upload.name,
    }
    (scratch / "spec.json").write_text(json.dumps(spec))
    return told_by("models_zoo.llm.intake", str(scratch / "spec.json"), stop_with=job.stop_with)


def _copied(job: JobHandle, file_id: str, scratch: Path) -> Path:
    with tenant(job.organisation):
        row = StoredFile.objects.get(pk=UUID(file_id))
    path = scratch / file_id
    with content_open(row) as stored, path.open("wb") as copy:
        while piece := stored.read(_CHUNK):
            copy.write(piece)
    return path


def _effect(job: JobHandle, upload: AdapterUpload, folder: Path) -> Outcome:
    """A worker loads it, and its vectors must differ from the base's. It lies in storage for as long as that takes."""
    organisation, keys = job.organisation, upload_keys(job.organisation.pk, upload.pk)
    payload = {"upload": str(upload.pk), "digest": adapter_digest(folder)}
    try:
        folder_store(keys, folder)
        [told] = client.call(PROBE, [payload], organisation=organisation)
    except InvalidInput as error:
        told = {"refused": error.detail}
    finally:
        keys_delete(keys)
    return _judged(told)


def _judged(told: dict[str, Any]) -> Outcome:
    if told.get("refused"):
        return _outcome("effect", told["refused"], passed=False)
    if told["difference"] is None:
        return _outcome("effect", "it loads and tags; the base alone has no tags to compare with")
    changed = float(told["difference"])
    text = f"it changes what comes out by {changed:.4f}"
    if not changed >= LEAST_EFFECT:
        return _outcome("effect", f"{text}, expected at least {LEAST_EFFECT}", passed=False)
    return _outcome("effect", text)


def _outcome(check: str, text: str, *, passed: bool = True) -> Outcome:
    """As it is stored and shown: its words may be an uploaded file's."""
    return {"check": bounded(check, 40), "passed": passed, "text": bounded(text)}
