"""One adaptation job: write the child's spec, follow its events, register what it made."""

import json
import logging
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from rootstock.errors import DomainError
from rootstock.jobs.reaping import WorkerLost
from rootstock.jobs.running import JobHandle
from rootstock.lanes.health import snapshot
from rootstock.registry.base import base_folder
from rootstock.registry.datasets.contents import dataset_copy
from rootstock.registry.scratch import scratch_folder
from rootstock.registry.selectors import dataset_get
from rootstock.registry.services import adapter_register
from workers.trainer.child import Child
from workers.trainer.pacing import Load, Pacer, loads_of
from workers.trainer.resuming import checkpoint_of

log = logging.getLogger(__name__)
SCRATCH = ".training-"


class TrainingFailed(DomainError):
    """The training process ended without an adapter."""

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
        with Child(spec, _offers(), settings.BASE_WAIT_S) as child:
            job.stop_with(child.end)
            done = _follow(job, child)
        with job.commit() as result:
            version = adapter_register(organisation=job.organisation, folder=folder, job_id=job.id)
            result |= {
                "adapter": version.reference, "digest": version.digest, "seconds": done.get("seconds"),
            }  # fmt: skip
    return result


def _spec(job: JobHandle, folder: Path, checkpoint: Path) -> dict[str, Any]:
    dataset = dataset_get(organisation=job.organisation, dataset_id=UUID(job.params["dataset"]))
    data = dataset_copy(dataset=dataset, folder=folder.parent)
    return {
        "base": str(base_folder()),
        "target": str(folder),
        "checkpoint": str(checkpoint),
        "checkpoint_s": settings.CHECKPOINT_S,
        "name": job.params["name"],
        "task": "chat",
        "train": str(data),
        "threads": int(os.environ.get("ROOTSTOCK_THREADS", "0")) or None,
        "device": _device(),
        "data_note": {"dataset": dataset.name, "sha256": dataset.sha256, "rows": dataset.rows},
        **job.params["settings"],
    }


def _device() -> str:
    return os.environ.get("ROOTSTOCK_DEVICE", "cpu")


def _offers() -> Path | None:
    """Where workers offer their base; on a CPU all map the same file, and need no offer."""
    return settings.RUN_DIR if _device().startswith("cuda") else None


def _loads() -> list[Load] | None:
    health = snapshot()
    return loads_of([worker.engine for worker in health.workers]) if health.reachable else None


def _follow(job: JobHandle, child: Child) -> dict[str, Any]:
    done: dict[str, Any] = {}
    pace = Pacer(_loads, child.allow)
    for event in child.events():
        job.check()
        pace()
        if event is None:
            continue
        kind = event.pop("kind")
        if kind == "base":
            job.log(event["text"])
            continue
        told = {k: v for k, v in event.items() if k != "folder" and v not in (None, {}, False)}
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
