"""The job that checks an uploaded adapter: each check's outcome is told as it comes, the first refusal ends it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from models_zoo.llm.card import adapter_digest
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, Unavailable
from rootstock.files.contents import content_open
from rootstock.files.models import StoredFile
from rootstock.files.services import file_check
from rootstock.jobs.running import JobHandle
from rootstock.lanes import client
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.contents import adapter_discard, adapter_store
from rootstock.registry.models import AdapterUpload, AdapterVersion, Origin
from rootstock.registry.scratch import scratch_folder
from rootstock.registry.services import adapter_register
from rootstock.registry.uploads import upload_checking, upload_refuse, upload_taken

SCRATCH = ".intake-"
PROBE = "registry.probe"
CHECKS = ("scan", "files", "tensors", "configuration", "fit", "values", "effect")
LEAST_EFFECT = 1e-3  # of a text's unit vector: what another batch changes in bfloat16 is below it
_CHUNK = 1 << 20

Outcome = dict[str, Any]


def intake(job: JobHandle) -> dict[str, Any]:
    """The job `adapters.intake`. Its result says what became of the upload."""
    if base_card() is None:
        raise Unavailable("no base model has been converted yet", retry_after=5)
    with tenant(job.organisation):
        upload = upload_checking(UUID(job.params["upload"]))
    with scratch_folder(Path(settings.ADAPTERS_DIR), SCRATCH) as scratch:
        checks = _made(job, upload, scratch)
        if checks[-1]["passed"]:
            return _taken(job, upload, checks, scratch / "adapter")
    return _refused(job, upload, checks)  # once nothing of it is left


def _made(job: JobHandle, upload: AdapterUpload, scratch: Path) -> list[Outcome]:
    """What the checks said, as far as the first that refuses; told as they come."""
    checks = list[Outcome]()
    for outcome in _checks(job, upload, scratch):
        checks.append(outcome)
        with job.fenced():
            AdapterUpload.objects.filter(pk=upload.pk).update(checks=checks)
        job.progress(len(checks), len(CHECKS), f"{outcome['check']}: {outcome['text']}")
        if not outcome["passed"]:
            break
    return checks


def _checks(job: JobHandle, upload: AdapterUpload, scratch: Path) -> Iterator[Outcome]:
    yield _scanned(job, upload)
    yield from _verified(job, upload, scratch)
    yield _effect(job, scratch / "adapter")


def _refused(job: JobHandle, upload: AdapterUpload, checks: list[Outcome]) -> dict[str, Any]:
    with job.commit() as result:
        upload_refuse(upload, checks)
        result |= {"upload": str(upload.pk), "state": "refused", "reason": upload.reason}
    return result


def _taken(job: JobHandle, upload: AdapterUpload, checks: list[Outcome], folder: Path) -> dict[str, Any]:
    with job.commit() as result:
        version = adapter_register(
            organisation=job.organisation,
            folder=folder,
            job_id=None,
            name=upload.name,
            origin=Origin.UPLOADED,
        )
        upload_taken(upload, checks, version)
        result |= {"upload": str(upload.pk), "state": "taken", "adapter": version.reference}
    return result


def _scanned(job: JobHandle, upload: AdapterUpload) -> Outcome:
    """What the scanners say of each file."""
    for file_id in upload.files.values():
        row = file_check(organisation=job.organisation.pk, file_id=UUID(file_id))
        if not row.is_clean:
            return _outcome("scan", f"{row.name}: {row.reason}", passed=False)
    count = len(upload.files)
    return _outcome("scan", f"{count} file{'s' if count > 1 else ''} passed the scanners")


def _verified(job: JobHandle, upload: AdapterUpload, scratch: Path) -> Iterator[Outcome]:
    """What the limited process says, which knows the files and the base and nothing else."""
    spec = scratch / "spec.json"
    sources = {part: str(_copied(job, file_id, scratch)) for part, file_id in upload.files.items()}
    spec.write_text(
        json.dumps(
            {
                "sources": sources,
                "folder": str(scratch / "adapter"),
                "base": str(base_folder()),
                "name": upload.name,
            }
        )
    )
    run = [sys.executable, "-m", "models_zoo.llm.intake", str(spec)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        job.stop_with(process.kill)
        last = None
        for line in process.stdout or ():
            last = json.loads(line)
            yield last
    job.check()
    if process.returncode and (last is None or last["passed"]):
        yield _outcome("limits", "it could not be checked within 512 MB of memory and 120 s", passed=False)


def _copied(job: JobHandle, file_id: str, scratch: Path) -> Path:
    with tenant(job.organisation):
        row = StoredFile.objects.get(pk=UUID(file_id))
    path = scratch / file_id
    with content_open(row) as stored, path.open("wb") as copy:
        while piece := stored.read(_CHUNK):
            copy.write(piece)
    return path


def _effect(job: JobHandle, folder: Path) -> Outcome:
    """A worker loads it, and its vectors must differ from the base's."""
    digest = adapter_digest(folder)
    known = _is_registered(job, digest)
    adapter_store(job.organisation.pk, digest, folder)
    try:
        [told] = client.call(PROBE, [{"digest": digest}], organisation=job.organisation)
    except InvalidInput as error:
        told = {"refused": error.detail}
    except BaseException:
        _forget(job, digest, known)
        raise
    outcome = _judged(told)
    if not outcome["passed"]:
        _forget(job, digest, known)
    return outcome


def _judged(told: dict[str, Any]) -> Outcome:
    if told.get("refused"):
        return _outcome("effect", told["refused"], passed=False)
    if told["difference"] is None:
        return _outcome("effect", "it loads and tags; the base alone has no tags to compare with")
    changed = float(told["difference"])
    text = f"it changes what comes out by {changed:.4f}"
    if changed < LEAST_EFFECT:
        return _outcome("effect", f"{text}, expected at least {LEAST_EFFECT}", passed=False)
    return _outcome("effect", text)


def _is_registered(job: JobHandle, digest: str) -> bool:
    with tenant(job.organisation):
        return AdapterVersion.objects.filter(digest=digest).exists()


def _forget(job: JobHandle, digest: str, known: bool) -> None:
    if not known:
        adapter_discard(job.organisation.pk, digest)


def _outcome(check: str, text: str, *, passed: bool = True) -> Outcome:
    return {"check": check, "passed": passed, "text": text}
