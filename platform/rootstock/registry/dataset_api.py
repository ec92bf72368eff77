"""REST: data sets, what is known of them, and what is in them."""

from typing import Any
from uuid import UUID

from django.http import FileResponse, HttpRequest
from ninja import File, Form, Router, Status
from ninja.files import UploadedFile

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.files.serving import download
from rootstock.idempotency.marks import claims_first, keeps_its_own
from rootstock.paging import Page, page_of
from rootstock.registry import selectors
from rootstock.registry.dataset_schemas import (
    DatasetOut,
    DatasetReportOut,
    ExamplesOut,
    NamesIn,
    PreviewOut,
    PruneIn,
    ReportIn,
    UsesOut,
    columns_of,
)
from rootstock.registry.datasets.contents import dataset_file, dataset_page
from rootstock.registry.datasets.names import names_of, names_start
from rootstock.registry.datasets.previews import Preview, dataset_preview
from rootstock.registry.datasets.reporting import report_of, report_start
from rootstock.registry.datasets.services import dataset_create, dataset_prune
from rootstock.registry.datasets.uses import dataset_uses
from rootstock.registry.models import Dataset

router = Router(tags=["datasets"])


@router.get("", response=Page[DatasetOut], auth=scope("adapters:read"))
def list_datasets(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Data sets, newest first."""
    rows, following = selectors.datasets_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, DatasetOut.from_orm)


@router.post("", response={201: DatasetOut, 200: DatasetOut}, auth=scope("adapters:write"))
@claims_first
def create_dataset(
    request: ApiRequest,
    name: Form[str],
    file: File[UploadedFile],
    task: Form[str] = "chat",
    is_test: Form[bool] = False,
    columns: Form[str] = "",
    subject_ids: Form[list[UUID]] = [],  # noqa: B006 (only read)
) -> Status[Dataset]:
    """Upload examples as JSON Lines, CSV or Parquet (multipart). Every line is checked; one bad line refuses the file.

    Of `chat`: `{"messages": [{"role", "content"}, …]}` that ends with the answer, or an instruction,
    `{"instruction", "input", "output"}` or `{"prompt", "completion"}`; of `classification`: `{"text", "labels": […]}`
    or `{"text", "label"}`; of `tagging`: `{"text", "spans": [[start, end, label], …]}` or `{"tokens", "tags"}`; of
    `preference`: `{"messages": […], "chosen", "rejected"}` or `{"prompt", "chosen", "rejected"}`. Where columns have
    other names, `columns` says which they are: `{"text": "body", "label": "intent"}`. With `is_test` it is a frozen
    test set: adapters are evaluated on it, and none is trained on it.

    `subject_ids` are the persons whom the examples hold (Privacy finds them): the data set is named in their
    exports, and destroyed with the erasure of any of them.

    201 with the new data set. 200 when the same examples had been uploaded before, under whatever name and in whatever
    form: the answer is the data set that is there, with the name it has.
    """
    row, created = dataset_create(
        organisation=request.auth.organisation,
        name=name,
        content=file,
        task=task,
        is_test=is_test,
        columns=columns_of(columns),
        subject_ids=subject_ids,
        created_by=request.auth.user,
    )
    return Status(201 if created else 200, row)


@router.post("/preview", response=PreviewOut, auth=scope("adapters:write"))
@keeps_its_own
def preview_dataset(
    request: HttpRequest, file: File[UploadedFile], task: Form[str] = "chat", columns: Form[str] = ""
) -> Preview:
    """Look at the first rows of a file before it is uploaded, and at the examples they become. Nothing is kept."""
    return dataset_preview(content=file, task=task, columns=columns_of(columns))


@router.get("/{uuid:dataset_id}", response=DatasetOut, auth=scope("adapters:read"))
def get_dataset(request: ApiRequest, dataset_id: UUID) -> Dataset:
    """One data set."""
    return selectors.dataset_get(organisation=request.auth.organisation, dataset_id=dataset_id)


@router.get("/{uuid:dataset_id}/report", response=DatasetReportOut, auth=scope("adapters:read"))
def get_dataset_report(request: ApiRequest, dataset_id: UUID) -> dict[str, Any]:
    """Lengths, tokens, labels, and the lines with problems."""
    row = selectors.dataset_get(organisation=request.auth.organisation, dataset_id=dataset_id)
    return _told(row)


@router.post("/{uuid:dataset_id}/report", response={202: DatasetReportOut}, auth=scope("adapters:write"))
def make_dataset_report(request: ApiRequest, dataset_id: UUID, body: ReportIn) -> Status[dict[str, Any]]:
    """Look through it again: for another base, with other limits, or after test sets came. The answer names the job."""
    row = report_start(
        organisation=request.auth.organisation,
        dataset_id=dataset_id,
        created_by=request.auth.user,
        **body.dict(),
    )
    return Status(202, _told(row))


@router.post("/{uuid:dataset_id}/names", response={202: DatasetReportOut}, auth=scope("adapters:write"))
def find_names(request: ApiRequest, dataset_id: UUID, body: NamesIn) -> Status[dict[str, Any]]:
    """Look for names of persons again, for instance in all examples. The answer names the job.

    After an upload this is done by itself in a sample of 500.
    """
    row = names_start(
        organisation=request.auth.organisation,
        dataset_id=dataset_id,
        rows=body.rows,
        created_by=request.auth.user,
    )
    return Status(202, _told(row))


@router.post(
    "/{uuid:dataset_id}/prune", response={201: DatasetOut, 200: DatasetOut}, auth=scope("adapters:write")
)
@claims_first
def prune_dataset(request: ApiRequest, dataset_id: UUID, body: PruneIn) -> Status[Dataset]:
    """Drop lines: what is left is a new data set, whose parent this one is. This one stays as it is.

    200 when what is left had been uploaded before.
    """
    row, created = dataset_prune(
        organisation=request.auth.organisation,
        dataset_id=dataset_id,
        lines=body.lines,
        created_by=request.auth.user,
    )
    return Status(201 if created else 200, row)


@router.get("/{uuid:dataset_id}/examples", response=ExamplesOut, auth=scope("adapters:write"))
def list_examples(request: ApiRequest, dataset_id: UUID, first: int = 1, limit: int = 20) -> dict[str, Any]:
    """Some examples, at most a hundred, beginning at line `first`."""
    row = selectors.dataset_get(organisation=request.auth.organisation, dataset_id=dataset_id)
    found = dataset_page(dataset=row, first=first, count=limit)
    return {"total": row.rows, "items": [{"line": line, "example": example} for line, example in found]}


@router.get("/{uuid:dataset_id}/content", auth=scope("adapters:write"))
def download_dataset(request: ApiRequest, dataset_id: UUID) -> FileResponse:
    """All of it as JSON Lines, in the one form in which it is stored and hashed."""
    row = selectors.dataset_get(organisation=request.auth.organisation, dataset_id=dataset_id)
    return download(organisation=request.auth.organisation, file_id=dataset_file(row))


@router.get("/{uuid:dataset_id}/uses", response=UsesOut, auth=scope("adapters:read"))
def list_uses(request: ApiRequest, dataset_id: UUID) -> dict[str, Any]:
    """Adapters trained on it, trainings that named it, adapters measured on it, and what it became."""
    row = selectors.dataset_get(organisation=request.auth.organisation, dataset_id=dataset_id)
    uses = dataset_uses(dataset=row)
    return {
        "adapters": [version.reference for version in uses.adapters],
        "trainings": [job.pk for job in uses.trainings],
        "evaluated": list(dict.fromkeys(one.version.reference for one in uses.evaluations)),
        "versions": [child.pk for child in uses.children],
    }


def _told(row: Dataset) -> dict[str, Any]:
    return {
        "dataset_id": row.pk,
        "reported_at": row.reported_at,
        "job_id": row.report_job_id,
        "report": report_of(row),
        "names_job_id": row.names_job_id,
        "names": names_of(row),
    }
