"""REST: base models, data sets, adapters."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.idempotency.marks import claims_first
from rootstock.paging import Page, page_of
from rootstock.registry import selectors, versions
from rootstock.registry.alias_schemas import BecauseIn
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import AdapterVersion, Dataset
from rootstock.registry.schemas import AdapterOut

router = Router(tags=["adapters"])


class DatasetOut(Schema):
    """A data set. `erased_at`: its content was destroyed with the erasure of a person whom it held."""

    id: UUID
    name: str
    task: str
    is_test: bool
    sha256: str
    rows: int
    bytes: int
    subject_ids: list[UUID]
    created_at: datetime
    erased_at: datetime | None


class KeepIn(Schema):
    """Where workers keep the weights whatever else is asked for: nowhere, in memory, or on the device."""

    keep: Literal["", "warm", "pinned"]


class CardIn(Schema):
    """What a version is for, where it should not be used, and its licence."""

    purpose: str = ""
    limits: str = ""
    licence: str = ""


@router.get("/datasets", response=Page[DatasetOut], auth=scope("adapters:read"))
def list_datasets(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Data sets, newest first."""
    rows, following = selectors.datasets_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, DatasetOut.from_orm)


@router.post("/datasets", response={201: DatasetOut, 200: DatasetOut}, auth=scope("adapters:write"))
@claims_first
def create_dataset(
    request: ApiRequest,
    name: Form[str],
    file: File[UploadedFile],
    task: Form[str] = "chat",
    is_test: Form[bool] = False,
    subject_ids: Form[list[UUID]] = [],  # noqa: B006 (only read)
) -> Status[Dataset]:
    """Upload examples as JSON Lines (multipart). Every line is checked; one bad line refuses the whole file.

    Of `chat`: `{"messages": [{"role", "content"}, …]}` that ends with the answer, or an instruction,
    `{"instruction", "input", "output"}` or `{"prompt", "completion"}`; of `classification`: `{"text", "labels": […]}`;
    of `tagging`: `{"text", "spans": [[start, end, label], …]}`; of `preference`:
    `{"messages": […], "chosen", "rejected"}`. With `is_test` it is a
    frozen test set: adapters are evaluated on it, and none is trained on it.

    `subject_ids` are the persons whom the examples hold (Privacy finds them): the data set is named in their
    exports, and destroyed with the erasure of any of them.

    201 with the new data set. 200 when the same examples had been uploaded before, under whatever name: the answer
    is the data set that is there, with the name it has.
    """
    row, created = dataset_create(
        organisation=request.auth.organisation,
        name=name,
        content=file,
        task=task,
        is_test=is_test,
        subject_ids=subject_ids,
        created_by=request.auth.user,
    )
    return Status(201 if created else 200, row)


@router.get("/adapters", response=Page[AdapterOut], auth=scope("adapters:read"))
def list_adapters(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Adapters, newest first."""
    rows, following = selectors.adapters_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit
    )
    return page_of(rows, following, AdapterOut.from_orm)


@router.get("/adapters/{reference}", response=AdapterOut, auth=scope("adapters:read"))
def get_adapter(request: ApiRequest, reference: str) -> AdapterVersion:
    """One adapter, by name@digest."""
    return selectors.adapter_by_reference(
        organisation=request.auth.organisation, reference=reference, field="reference"
    )


@router.put("/adapters/{reference}/keep", response=AdapterOut, auth=scope("adapters:write"))
def keep_adapter(request: ApiRequest, reference: str, payload: KeepIn) -> AdapterVersion:
    """Say where workers keep an adapter's weights."""
    organisation = request.auth.organisation
    return versions.version_keep(organisation=organisation, reference=reference, keep=payload.keep)


@router.put("/adapters/{reference}/card", response=AdapterOut, auth=scope("adapters:write"))
def describe_adapter(request: ApiRequest, reference: str, payload: CardIn) -> AdapterVersion:
    """Say what an adapter is for, where it should not be used, and its licence."""
    organisation = request.auth.organisation
    return versions.version_describe(organisation=organisation, reference=reference, **payload.dict())


@router.post("/adapters/{reference}/retire", response=AdapterOut, auth=scope("adapters:approve"))
def retire_adapter(request: ApiRequest, reference: str, payload: BecauseIn) -> AdapterVersion:
    """Serve an adapter no longer. 409 while an alias names it or a promotion of it is open."""
    organisation = request.auth.organisation
    return versions.version_retire(organisation=organisation, reference=reference, reason=payload.reason)


@router.post("/adapters/{reference}/restore", response=AdapterOut, auth=scope("adapters:approve"))
def restore_adapter(request: ApiRequest, reference: str) -> AdapterVersion:
    """Let a retired adapter be served again."""
    return versions.version_restore(organisation=request.auth.organisation, reference=reference)
