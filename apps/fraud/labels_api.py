"""REST: label payments, and read labels."""

from typing import Any
from uuid import UUID

from ninja import Router

from apps.fraud import labels
from apps.fraud.bodies import OneOrMany
from apps.fraud.evidence import SUBJECT
from apps.fraud.ingest import alone
from apps.fraud.labels import NewLabel, labelled
from apps.fraud.schemas import LabelIn, LabelOut, LabelsOut
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.paging import Page, page_of

router = Router(tags=["fraud"])
_LABELS = OneOrMany(LabelIn, "labels", 1000)


@router.post("", response=LabelOut | LabelsOut, auth=scope("fraud:write"), openapi_extra=_LABELS.openapi())
def label_payments(request: ApiRequest) -> Any:
    """Say of one payment, or of a list of up to 1,000, that it was fraud or genuine.

    A label takes the next place in the stream: decisions after it know of it. A later one supersedes it and changes
    nothing about it; one that says the same as the payment's newest is that one.
    """
    given, many = _LABELS.read(request.body)
    rows = labels.labels_record(
        organisation=request.auth.organisation,
        given=[NewLabel(**one.model_dump()) for one in given],
        field=labelled if many else alone,
    )
    return {"items": [LabelOut.from_orm(row) for row in rows]} if many else rows[0]


@router.get("", response=Page[LabelOut], auth=scope("fraud:read"))
def list_labels(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    external_id: str | None = None,
    fraud: bool | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Labels, newest first, superseded ones among them."""
    organisation = request.auth.organisation
    rows, following = labels.labels_page(
        organisation=organisation,
        external_id=external_id,
        fraud=fraud,
        source=source,
        cursor=cursor,
        limit=limit,
    )
    payments = [row.transaction_id for row in rows]
    list_read_record(organisation=organisation, subject_type=SUBJECT, subject_ids=payments, what="labels")
    return page_of(rows, following, LabelOut.from_orm)


@router.get("/{uuid:label_id}", response=LabelOut, auth=scope("fraud:read"))
def get_label(request: ApiRequest, label_id: UUID) -> Any:
    """One label."""
    row = labels.label_get(organisation=request.auth.organisation, label_id=label_id)
    read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_id=row.transaction_id,
        what="label",
    )
    return row
