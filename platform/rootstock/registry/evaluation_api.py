"""REST: how well adapters do on frozen test sets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import Field

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.jobs.schemas import JobOut
from rootstock.paging import Page, page_of, take_page
from rootstock.registry import evaluation
from rootstock.registry.models import Evaluation
from rootstock.registry.selectors import version_named

router = Router(tags=["adapters"])


class EvaluateIn(Schema):
    """The frozen test set to measure on."""

    dataset_id: UUID


class SampleOut(Schema):
    """One example side by side: what was expected, what the base alone gave (chat), what the adapter gave."""

    input: str
    expected: Any
    base: Any
    adapter: Any


class EvaluationOut(Schema):
    """How a version did. `baseline` is the base alone (chat) or the commonest labels (classification)."""

    id: UUID
    adapter: str = Field(alias="version.reference")
    dataset_id: UUID
    dataset: str = Field(alias="dataset.name")
    rows: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    samples: list[SampleOut]
    job_id: UUID | None
    created_at: datetime


@router.post("/adapters/{reference}/evaluations", response={202: JobOut}, auth=scope("adapters:write"))
def evaluate_adapter(request: ApiRequest, reference: str, payload: EvaluateIn) -> Status[Job]:
    """Measure an adapter on a frozen test set of its task, as it is served; follow the job at /api/v1/jobs/{id}."""
    job = evaluation.evaluation_start(
        organisation=request.auth.organisation, reference=reference, dataset_id=payload.dataset_id,
        created_by=request.auth.user,
    )  # fmt: skip
    return Status(202, job)


@router.get("/adapters/{reference}/evaluations", response=Page[EvaluationOut], auth=scope("adapters:read"))
def list_evaluations(
    request: ApiRequest, reference: str, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """An adapter's evaluations, the newest first."""
    with tenant(request.auth.organisation):
        version = version_named(reference, "reference")
        rows = Evaluation.objects.select_related("dataset", "version").filter(version=version)
        found, following = take_page(rows, cursor=cursor, limit=limit)
    return page_of(found, following, EvaluationOut.from_orm)
