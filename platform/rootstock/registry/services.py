"""Writes: data sets, and the adapters that trainings make."""

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone

from models_zoo.llm.adapter_files import read_lora_config
from models_zoo.llm.card import (
    ADAPTER_CONFIG_FILE,
    AdapterCard,
    AdapterError,
    BaseCard,
    adapter_digest,
    read_adapter_card,
)
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, DomainError, InvalidInput
from rootstock.files.models import StoredFile
from rootstock.files.services import file_check, file_open, file_remove, file_store
from rootstock.files.uploads import Upload, digest_of
from rootstock.jobs.models import Job
from rootstock.paging import refuse_other
from rootstock.privacy.persons import name_of
from rootstock.privacy.subjects import subjects_locked
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.contents import adapter_store
from rootstock.registry.datasets import EXAMPLES, check_stream
from rootstock.registry.models import AdapterVersion, Dataset, DatasetPerson, Origin
from rootstock.registry.selectors import version_named
from rootstock.webhooks.services import event_emit

DATA_ROLES = ("dataset", "evaluation", "mix", "replay")  # of a training's data sets, in its job's parameters
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


def dataset_create(
    *,
    organisation: Organisation,
    name: str,
    content: Upload,
    task: str = "chat",
    is_test: bool = False,
    subject_ids: Collection[UUID] = (),
    created_by: User | None = None,
) -> tuple[Dataset, bool]:
    """Store a data set, and which persons it holds: it is destroyed with the erasure of any of them.

    A test set is frozen: nothing is trained on it. The same content again, by whatever name, gives the row that is
    there, with these persons too, and False; Conflict where that is for training and this for testing, or vice versa.
    """
    check_name(name)
    refuse_other("task", task, EXAMPLES)
    rows = check_stream(cast(BinaryIO, content.file), task)
    content.seek(0)
    content.name = f"{name}.jsonl"  # it is what it was checked to be, whatever it was called
    with tenant(organisation):
        subjects_locked(subject_ids, "subject_ids")
        _refuse_erased(Dataset.objects.filter(sha256=digest_of(content)).first())
    file, is_new = _stored(organisation, content, created_by)
    try:
        about = {"name": name, "task": task, "is_test": is_test, "rows": rows}
        return _row_ensure(organisation, about, file, subject_ids)
    except DomainError:
        if is_new:  # a person was erased meanwhile: what was uploaded goes too
            with tenant(organisation):
                file_remove(file, "erased")
        raise


def _row_ensure(
    organisation: Organisation, about: dict[str, Any], file: StoredFile, subject_ids: Collection[UUID]
) -> tuple[Dataset, bool]:
    with tenant(organisation) as owner:
        persons = subjects_locked(subject_ids, "subject_ids")
        row, created = Dataset.objects.select_for_update().get_or_create(
            organisation=organisation,
            sha256=file.sha256,
            defaults=about | {"bytes": file.bytes, "file": file},
        )
        _refuse_erased(row)
        _refuse_other_use(row, about)
        if row.file_id is None:
            row.file = file
            row.save(update_fields=["file"])
        held = [DatasetPerson(organisation_id=owner, dataset=row, subject=key) for key in persons]
        DatasetPerson.objects.bulk_create(held, ignore_conflicts=True)
        prefetch_related_objects([row], "persons")
        if created:
            data = {"dataset": str(row.pk)}
            event_emit(organisation=organisation, type="dataset.created", data=data)
            audit_record(
                organisation=organisation, action="dataset.created", object_type="dataset", object_id=row.pk
            )
    return row, created


def _refuse_erased(row: Dataset | None) -> None:
    if row and row.erased_at:
        raise Conflict("file: this content was destroyed with the erasure of a person whom it held")


def _refuse_other_use(row: Dataset, about: dict[str, Any]) -> None:
    if (row.task, row.is_test) != (about["task"], about["is_test"]):
        use = "a test set" if row.is_test else "training data"
        raise Conflict(f"file: this content is {use} for {row.task} already ({row.name})")


def dataset_empty(dataset: Dataset, done: str) -> None:
    """Delete a data set's content; the row stays, and says so. Call it inside `tenant()`."""
    file, dataset.file = dataset.file, None
    if done == "erased":
        dataset.erased_at = timezone.now()
    dataset.evaluations.update(samples=[])
    dataset.save(update_fields=["file", "erased_at"])
    audit_record(
        organisation=dataset.organisation_id,
        action=f"dataset.{done}",
        object_type="dataset",
        object_id=dataset.pk,
    )
    if file:
        file_remove(file, done)


def _stored(organisation: Organisation, content: Upload, created_by: User | None) -> tuple[StoredFile, bool]:
    """The upload as a clean file, and whether it is new. A data set is small enough to be checked at once."""
    file, is_new = file_store(
        organisation=organisation, purpose="dataset", content=content, uploaded_by=created_by
    )
    file = file_check(organisation=organisation, file_id=file.pk)
    if not file.is_clean:
        raise InvalidInput.field("file", f"was refused: {file.reason}")
    return file, is_new


def dataset_copy(*, dataset: Dataset, folder: Path) -> Path:
    """The data set's content as a file in `folder`, for a program that reads files."""
    file_id = dataset_file(dataset)
    _, stored = file_open(organisation=dataset.organisation_id, file_id=file_id, done="used")
    path = folder / f"{dataset.sha256}.jsonl"
    with stored, path.open("wb") as copy:
        shutil.copyfileobj(stored, copy)
    return path


def dataset_file(dataset: Dataset) -> UUID:
    """The file with the content. Raises Conflict or InvalidInput where it is there no more."""
    if dataset.erased_at:
        raise Conflict("dataset_id: it was destroyed with the erasure of a person whom it held")
    if dataset.file_id is None:
        raise InvalidInput.field("dataset_id", "the data set's content is gone from storage; upload it again")
    return dataset.file_id


def check_name(name: str) -> None:
    """Raise InvalidInput for a name that no data set or adapter can have."""
    if not _NAME.fullmatch(name):
        raise InvalidInput.field("name", "use 2 to 63 lower-case letters, digits and hyphens")


def adapter_register(
    *,
    organisation: Organisation,
    folder: Path,
    job_id: UUID | None,
    name: str = "",
    origin: Origin = Origin.TRAINED,
) -> AdapterVersion:
    """Take a finished adapter folder into the registry; its files go into storage, and to their local place.

    Content that is there already, under whatever name, gives its row.
    """
    try:
        digest, card = adapter_digest(folder), read_adapter_card(folder)
        base = base_card()
        if base is None or card.base_fingerprint != base.fingerprint:
            raise InvalidInput.field("base_fingerprint", "the adapter was made for another base model")
        kept = _card(card, folder, base)
    except AdapterError as error:
        raise InvalidInput(str(error)) from None
    dataset, parent = _made_from(organisation, job_id)
    size = sum(f.stat().st_size for f in folder.iterdir())
    adapter_store(organisation.pk, digest, folder)
    with tenant(organisation):
        row, created = AdapterVersion.objects.get_or_create(
            organisation=organisation,
            digest=digest,
            defaults={
                "name": name or card.name,
                "base": base_registered(base),
                "origin": origin,
                "job_id": job_id,
                "dataset": dataset,
                "parent": parent,
                "card": kept,
                "bytes": size,
                "created_by": name_of(),
            },
        )
        if created:
            data = {"adapter": row.reference}
            event_emit(organisation=organisation, type="adapter.registered", data=data)
            audit_record(
                organisation=organisation,
                action="adapter.registered",
                object_type="adapter",
                object_id=row.pk,
                data={"digest": digest, "origin": origin, **data},
            )
    return row


def _card(card: AdapterCard, folder: Path, base: BaseCard) -> dict[str, Any]:
    """What is shown of a version: what its files say. People add its purpose and limits."""
    lora = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    names = ("task", "metrics", "training", "data", "licence", "description", "labels", "bidirectional")
    told = {name: getattr(card, name) for name in names}
    return told | {
        "rank": lora.rank,
        "scale": lora.scale,
        "targets": lora.targets,
        "layers": len(lora.layers),
    }


def _made_from(
    organisation: Organisation, job_id: UUID | None
) -> tuple[Dataset | None, AdapterVersion | None]:
    """The data set of a training, and the version that it went on from. Raises Conflict when a data set that it used
    was destroyed meanwhile: its adapter is not taken."""
    if job_id is None:
        return None, None
    with tenant(organisation):
        params = Job.objects.filter(pk=job_id).values_list("params", flat=True).first() or {}
        named = {role: params[role] for role in DATA_ROLES if params.get(role)}
        found = {str(row.pk): row for row in Dataset.objects.filter(pk__in=named.values())}
        if any(row.erased_at for row in found.values()):
            raise Conflict("the data set was destroyed with the erasure of a person while it was trained on")
        parent = version_named(params["start_from"], "start_from") if params.get("start_from") else None
    return found.get(named.get("dataset", "")), parent
