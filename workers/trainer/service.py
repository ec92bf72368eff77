"""One adaptation job: write the child's spec, follow its events, register what it made."""

import json
import logging
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.results import results_keep
from rootstock.errors import DomainError
from rootstock.jobs.reaping import WorkerLost
from rootstock.jobs.running import Cancelled, JobHandle
from rootstock.lanes.health import snapshot
from rootstock.registry.base import base_folder
from rootstock.registry.contents import adapter_fetch
from rootstock.registry.datasets.contents import dataset_copy
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.models import Dataset
from rootstock.registry.scratch import scratch_folder
from rootstock.registry.selectors import dataset_get, parent_of
from rootstock.registry.services import adapter_register
from workers.trainer.child import Child
from workers.trainer.pacing import Load, Pacer, loads_of
from workers.trainer.resuming import checkpoint_of

log = logging.getLogger(__name__)
SCRATCH = ".training-"
WINDOW = 256  # tokens of an example, where the settings do not say
PREFERENCE = "preference"  # of a data set: pairs of answers, from which a chat adapter learns


class TrainingFailed(DomainError):
    """The training process ended without a result."""

    code = "training_failed"


def train(job: JobHandle) -> dict[str, Any]:
    """Train and register an adapter; returns its reference. A cancelled job's child is dead before this returns; a
    later attempt of the same job goes on from the last checkpoint of an earlier one.

    The adapter is registered in the transaction that ends the job: a job makes one adapter, however often it was
    begun.
    """
    root = Path(settings.ADAPTERS_DIR)
    with scratch_folder(root, SCRATCH) as scratch, checkpoint_of(root, job.id) as checkpoint:
        folder, spec = scratch / "adapter", scratch / "spec.json"
        spec.write_text(json.dumps(_spec(job, folder, checkpoint)))
        done = trained(job, Child(spec, _offers(), settings.BASE_WAIT_S, settings.TRAIN_PROCESSES))
        results_keep(job)
        with job.commit() as result:
            version = adapter_register(
                organisation=job.organisation, folder=folder, job_id=job.id, created_by=job.asked_by
            )
            result |= {
                "adapter": version.reference, "digest": version.digest, "seconds": done.get("seconds"),
            }  # fmt: skip
    return result


def trained(job: JobHandle, child: Child) -> dict[str, Any]:
    """Run the child to its end. When the job is cancelled, say how long that took: the system has all of the child's
    memory back once it is gone."""
    try:
        with child:
            job.stop_with(child.end)
            return follow(job, child)
    except Cancelled:
        job.log(
            f"The training process is gone, and its memory free, {child.ending_s:.2f} s after it was asked to end."
        )
        raise


def _spec(job: JobHandle, folder: Path, checkpoint: Path) -> dict[str, Any]:
    """The child's. What the job's settings say of places and devices counts for nothing."""
    used = {role: _dataset(job, role) for role in ROLES if job.params.get(role)}
    files = {role: str(dataset_copy(dataset=dataset, folder=folder.parent)) for role, dataset in used.items()}
    main = used["dataset"]
    given = job.params["settings"]
    return {
        "overlap_tokens": given.get("max_tokens", WINDOW) // 4,  # of windows over longer texts
        **given,
        "base": str(base_folder()),
        "target": str(folder),
        "checkpoint": str(checkpoint),
        "checkpoint_s": settings.CHECKPOINT_S,
        "name": job.params["name"],
        "task": "chat" if main.task == PREFERENCE else main.task,
        "train": files.pop("dataset"),
        **files,
        "start_from": _parent(job),
        "threads": int(os.environ.get("ROOTSTOCK_THREADS", "0")) or None,
        "device": device(),
        "processes": settings.TRAIN_PROCESSES,
        "data_note": {"dataset": main.name, "sha256": main.sha256, "rows": main.rows},
    }


def _dataset(job: JobHandle, role: str) -> Dataset:
    return dataset_get(organisation=job.organisation, dataset_id=UUID(job.params[role]))


def _parent(job: JobHandle) -> str | None:
    """The folder of the version to go on from."""
    with tenant(job.organisation):
        parent = parent_of(job.params)
    return str(adapter_fetch(job.organisation.pk, parent.digest)) if parent else None


def device() -> str:
    """What trainings run on here."""
    return os.environ.get("ROOTSTOCK_DEVICE", "cpu")


def _offers() -> Path | None:
    """Where workers offer their base; on a CPU all map the same file, and need no offer."""
    return settings.RUN_DIR if device().startswith("cuda") else None


def _loads() -> list[Load] | None:
    health = snapshot()
    return loads_of([worker.engine for worker in health.workers]) if health.reachable else None


def _is_unsaid(value: object) -> bool:
    return value is None or value is False or value == {}


def follow(job: JobHandle, child: Child) -> dict[str, Any]:
    """Tell the job what the child tells, until it has ended; what it made. Raises WorkerLost or TrainingFailed."""
    done: dict[str, Any] = {}
    pace = Pacer(_loads, child.allow)
    for event in child.events():
        job.check()
        pace()
        if event is None:
            continue
        kind = event.pop("kind")
        if kind in ("base", "log"):
            job.log(event["text"])
            continue
        told = {k: v for k, v in event.items() if k != "folder" and not _is_unsaid(v)}
        if kind == "resumed":
            job.log(
                f"Goes on behind step {event['step']} of {event['steps']}, where an earlier attempt was cut off."
            )
            continue
        if kind == "step":
            job.progress(event["step"], event["steps"], f"loss {event['loss']:.3f}")
        if kind == "done":
            done, kind = event, "trained"
        job.event(kind, told)
    job.check()  # a child that was ended because somebody asked to stop has not failed
    if child.failure and child.lost:
        log.warning("the training process of job %s was lost: %s", job.id, child.ended)
        raise WorkerLost(child.failure)
    if child.failure or not done:
        raise TrainingFailed(child.failure or "the training process ended without a result")
    return done
