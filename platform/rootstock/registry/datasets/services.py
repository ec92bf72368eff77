"""Writes: data sets."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, DomainError, InvalidInput
from rootstock.files.checking import file_check
from rootstock.files.models import StoredFile
from rootstock.files.services import file_open, file_remove, file_store
from rootstock.files.uploads import Upload, digest_of
from rootstock.paging import refuse_other
from rootstock.privacy.subjects import subjects_locked
from rootstock.registry.datasets.examples import EXAMPLES
from rootstock.registry.datasets.reading import canonical_upload, json_lines
from rootstock.registry.models import Dataset, DatasetPerson
from rootstock.registry.names import check_name
from rootstock.webhooks.services import event_emit


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
    received = digest_of(content)
    content, rows = canonical_upload(json_lines(cast(BinaryIO, content.file)), task, name)
    with tenant(organisation):
        subjects_locked(subject_ids, "subject_ids")
        _refuse_erased(received, digest_of(content))
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
        _refuse_erased(row.sha256)
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


def _refuse_erased(*digests: str) -> None:
    """Content is known by the hash of its stored form; what was uploaded before there was one, by its own."""
    if Dataset.objects.filter(sha256__in=digests).exclude(erased_at=None).exists():
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
        organisation=organisation,
        purpose="dataset",
        content=content,
        uploaded_by=created_by,
        checked_later=True,
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
