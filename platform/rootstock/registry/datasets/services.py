"""Writes: data sets."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils import timezone

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Busy, Conflict, DomainError, InvalidInput
from rootstock.files.checking import file_check
from rootstock.files.models import StoredFile
from rootstock.files.services import file_remove, file_store
from rootstock.files.uploads import Upload, digest_of
from rootstock.paging import refuse_other
from rootstock.privacy.subjects import subjects_locked
from rootstock.registry.datasets.contents import dataset_open
from rootstock.registry.datasets.examples import EXAMPLES
from rootstock.registry.datasets.names import names_soon
from rootstock.registry.datasets.previews import upload_lines
from rootstock.registry.datasets.reading import canonical_upload, json_lines
from rootstock.registry.datasets.reporting import report_soon
from rootstock.registry.models import Dataset, DatasetPerson
from rootstock.registry.names import check_name
from rootstock.registry.selectors import dataset_get
from rootstock.webhooks.services import event_emit


def dataset_create(
    *,
    organisation: Organisation,
    name: str,
    content: Upload,
    task: str = "chat",
    is_test: bool = False,
    columns: Mapping[str, str] | None = None,
    subject_ids: Collection[UUID] = (),
    created_by: User | None = None,
) -> tuple[Dataset, bool]:
    """Store a data set, and which persons it holds: it is destroyed with the erasure of any of them.

    The file is JSON Lines, CSV or Parquet; `columns` says which column is which part of an example, where their names
    do not. A test set is frozen: nothing is trained on it. The same content again, by whatever name and in whatever
    form, gives the row that is there, with these persons too, and False; Conflict where that is for training and this
    for testing, or vice versa.
    """
    check_name(name)
    refuse_other("task", task, EXAMPLES)
    received = digest_of(content)
    lines, chosen = upload_lines(content, task, columns)
    made, rows = canonical_upload(lines, task, name, chosen)
    with tenant(organisation):
        subjects_locked(subject_ids, "subject_ids")
        _refuse_erased(received, digest_of(made))
    about = {"name": name, "task": task, "is_test": is_test, "rows": rows}
    row, created = _kept(organisation, about, made, subject_ids, created_by)
    return (_looked_at(row, created_by) if created else row), created


def dataset_prune(
    *, organisation: Organisation, dataset_id: UUID, lines: Collection[int], created_by: User | None = None
) -> tuple[Dataset, bool]:
    """A data set without some of its lines, as a new one of the same name whose parent it is.

    It holds the same persons. False: what is left is a data set that was there already.
    """
    parent = dataset_get(organisation=organisation, dataset_id=dataset_id)
    dropped = set(lines)
    if unknown := sorted(line for line in dropped if not 1 <= line <= parent.rows):
        raise InvalidInput.field("lines", f"there is no line {unknown[0]}; it has {parent.rows:,}")
    if not dropped:
        raise InvalidInput.field("lines", "name at least one line")
    if len(dropped) == parent.rows:
        raise InvalidInput.field("lines", "nothing would be left")
    content, rows = canonical_upload(_without(parent, dropped), parent.task, parent.name)
    about = {
        "name": parent.name,
        "task": parent.task,
        "is_test": parent.is_test,
        "rows": rows,
        "parent": parent,
    }
    with tenant(organisation):
        persons = parent.subject_ids
    row, created = _kept(organisation, about, content, persons, created_by)
    return (_looked_at(row, created_by) if created else row), created


def _looked_at(row: Dataset, created_by: User | None) -> Dataset:
    with suppress(Busy):  # too many jobs wait: it is stored all the same, and is looked at when somebody asks
        report_soon(row, created_by)
        names_soon(row, created_by)
    return row


def _without(dataset: Dataset, dropped: Collection[int]) -> Iterator[tuple[str, str]]:
    with dataset_open(dataset, "used") as stored:
        for line, (where, text) in enumerate(json_lines(stored), start=1):
            if line not in dropped:
                yield where, text


def _kept(
    organisation: Organisation,
    about: dict[str, Any],
    content: Upload,
    subject_ids: Collection[UUID],
    created_by: User | None,
) -> tuple[Dataset, bool]:
    file, is_new = _stored(organisation, content, created_by)
    try:
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
        held = [
            DatasetPerson(organisation_id=owner, dataset=one, subject=key)
            for one in [row, *_descendants(row)]
            for key in persons
        ]
        DatasetPerson.objects.bulk_create(held, ignore_conflicts=True)
        prefetch_related_objects([row], "persons")
        if created:
            event_emit(organisation=organisation, type="dataset.created", data={"dataset": str(row.pk)})
            audit_record(
                organisation=organisation,
                action="dataset.created",
                object_type="dataset",
                object_id=row.pk,
                data={"parent": str(row.parent_id)} if row.parent_id else {},
            )
    return row, created


def _descendants(row: Dataset) -> list[Dataset]:
    """What was made of it, by dropping lines or with others, which may hold whoever it holds."""
    made = [*row.children.all(), *Dataset.objects.filter(parts__part=row)]
    return made + [one for each in made for one in _descendants(each)]


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
    dataset.report, dataset.reported_at, dataset.names = {}, None, {}
    if done == "erased":
        dataset.erased_at = timezone.now()
    dataset.evaluations.update(samples=[])
    dataset.save(update_fields=["file", "erased_at", "report", "reported_at", "names"])
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
