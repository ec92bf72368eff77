"""One training of a base: what it begins from, the child's spec, and what becomes of the result."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from models_zoo.llm.card import ModelError, read_card
from rootstock.adaptation.results import results_keep
from rootstock.jobs.running import JobHandle
from rootstock.registry.base import base_folder, base_row
from rootstock.registry.base_contents import base_discard, base_fetch, base_store, unquantized_fetch
from rootstock.registry.datasets.contents import dataset_copy
from rootstock.registry.datasets.uses import ROLES
from rootstock.registry.models import BaseModel, Dataset, TrainedBase
from rootstock.registry.scratch import scratch_folder
from rootstock.registry.selectors import dataset_get
from rootstock.registry.trained_bases import (
    Lineage,
    lineage_with,
    trained_base_named,
    trained_base_register,
)
from workers.trainer.base_child import BaseChild
from workers.trainer.resuming import checkpoint_of
from workers.trainer.service import SCRATCH, TrainingFailed, device, trained


@dataclass(slots=True, frozen=True)
class Origin:
    """The base that a training begins from. source: what that was quantized from, where it is there."""

    folder: Path
    source: Path | None
    row: BaseModel


def train(job: JobHandle) -> dict[str, Any]:
    """Train and register a base; returns its reference. Cancelling and resuming are as with an adapter's training.

    Its files are stored before the transaction that registers it and ends the job; where that fails they go again.
    """
    root = Path(settings.MODELS_DIR)
    with scratch_folder(root, SCRATCH) as scratch, checkpoint_of(root, job.id) as checkpoint:
        origin = _origin(job, scratch)
        sets = {role: _dataset(job, role) for role in ROLES if job.params.get(role)}
        spec = _spec(job, scratch, origin, sets) | {"checkpoint": str(checkpoint)}
        (scratch / "spec.json").write_text(json.dumps(spec))
        done = trained(job, BaseChild(scratch / "spec.json", processes=settings.TRAIN_PROCESSES))
        results_keep(job)
        return _registered(job, scratch, origin, sets, done)


def _origin(job: JobHandle, scratch: Path) -> Origin:
    """The served base, or the one that the job names. Its own training left what it was quantized from."""
    try:
        if job.params["base"]:
            found = trained_base_named(organisation=job.organisation, reference=job.params["base"])
            return _trained(found, base_fetch(found), scratch)
        card = read_card(base_folder())
        own = lineage_with(organisation=job.organisation, fingerprint=card.fingerprint)
        if own is not None:
            return _trained(own, base_folder(), scratch)
        source = settings.BASE_SOURCE
        return Origin(base_folder(), Path(source) if source else None, base_row(card))
    except ModelError as error:
        raise TrainingFailed(str(error)) from None


def _trained(row: TrainedBase, folder: Path, scratch: Path) -> Origin:
    return Origin(folder, unquantized_fetch(row, scratch / "source"), row.base)


def _dataset(job: JobHandle, role: str) -> Dataset:
    return dataset_get(organisation=job.organisation, dataset_id=UUID(job.params[role]))


def _spec(job: JobHandle, scratch: Path, origin: Origin, sets: dict[str, Dataset]) -> dict[str, Any]:
    name = job.params["name"]
    files = {role: str(dataset_copy(dataset=dataset, folder=scratch)) for role, dataset in sets.items()}
    return {
        "overlap_tokens": 0,  # whole conversations are read, never windows
        **job.params["settings"],
        "base": str(origin.folder),
        "source": str(origin.source) if origin.source else None,
        "target": str(scratch / "made" / name),
        "unquantized": str(scratch / f"{name}-unquantized"),
        "name": name,
        "task": "chat",
        "train": files.pop("dataset"),
        **files,
        "checkpoint_s": settings.CHECKPOINT_S,
        "threads": int(os.environ.get("ROOTSTOCK_THREADS", "0")) or None,
        "device": device(),
        "processes": settings.TRAIN_PROCESSES,
        "memory": settings.TRAIN_BYTES or None,
    }


def _registered(
    job: JobHandle, scratch: Path, origin: Origin, sets: dict[str, Dataset], done: dict[str, Any]
) -> dict[str, Any]:
    name, organisation = job.params["name"], job.organisation
    target = scratch / "made" / name
    files, size = base_store(organisation.pk, target, scratch / f"{name}-unquantized")
    told = {role: {"name": one.name, "sha256": one.sha256, "rows": one.rows} for role, one in sets.items()}
    lineage = Lineage(
        parent=origin.row,
        job_id=job.id,
        recipe=job.params["settings"]["recipe"],
        dataset_id=sets["dataset"].pk,
        data={"training": told.pop("dataset"), **told},
        settings=_kept(job.params["settings"]),
        metrics=done["metrics"],
    )
    known = lineage_with(organisation=organisation, fingerprint=done["digest"])
    try:
        with job.commit() as result:
            row = trained_base_register(
                organisation=organisation, name=name, target=target, files=files, bytes_=size, lineage=lineage,
                created_by=job.asked_by,
            )  # fmt: skip
            result |= {
                "base": row.reference,
                "fingerprint": row.base.fingerprint,
                "seconds": done.get("seconds"),
            }
    except BaseException:
        if known is None:
            base_discard(organisation.pk, done["digest"], files)
        raise
    return result


def _kept(settings: dict[str, Any]) -> dict[str, Any]:
    """Questions that are asked on the way are people's words, and no part of what was learned."""
    return {name: value for name, value in settings.items() if name != "sample_prompts"}
