"""REST: searches for cycles of payments, the cycles that were found, and the rings of accounts they went round in."""

from typing import Any
from uuid import UUID

from ninja import Router, Status

from apps.fraud.cycles import asking, selectors
from apps.fraud.cycles.schemas import (
    CycleSearchIn,
    CycleSearchOut,
    PaymentCycleDetailOut,
    PaymentCycleOut,
    PaymentRingOut,
    cycle_out,
    detail_out,
    ring_out,
)
from apps.fraud.evidence import RING, SUBJECT
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.jobs.models import Job
from rootstock.paging import Page, page_of

router = Router(tags=["fraud"])
READ, WRITE = "fraud:read", "fraud:write"


def _told(job: Job) -> dict[str, Any]:
    return {"job": job, "result": job.result if job.state == "succeeded" else None}


@router.post("/searches", response={202: CycleSearchOut}, auth=scope(WRITE))
def search_cycles(request: ApiRequest, payload: CycleSearchIn) -> Status[dict[str, Any]]:
    """Search the payments of the last days for cycles: money that comes back to an account over three or more others.

    Every payment of a cycle is later than the one before it and keeps a share of its amount, and no account comes
    twice. Cycles of two and three payments are seen when a payment is scored. 409 while a search runs; to search every
    day, schedule a job `fraud.find_cycles`.
    """
    job = asking.search_start(
        organisation=request.auth.organisation, wanted=payload, created_by=request.auth.user
    )
    return Status(202, _told(job))


@router.get("/searches/{uuid:job_id}", response=CycleSearchOut, auth=scope(READ))
def get_search(request: ApiRequest, job_id: UUID) -> dict[str, Any]:
    """A search: its progress, and its result when it has ended."""
    return _told(asking.search_get(organisation=request.auth.organisation, job_id=job_id))


@router.get("", response=Page[PaymentCycleOut], auth=scope(READ))
def list_cycles(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    min_hops: int | None = None,
    min_amount: float | None = None,
    min_score: float | None = None,
    search: UUID | None = None,
    ring: UUID | None = None,
) -> dict[str, Any]:
    """Cycles one by one, the last to be found first; `/rings` has those over the same accounts as one.

    `min_amount` is of the first payment, in euros; `search` is a job's id.
    """
    rows, following = selectors.cycles_page(
        organisation=request.auth.organisation,
        chosen=selectors.Filter(min_hops, min_amount, min_score, search, ring),
        cursor=cursor,
        limit=limit,
    )
    return page_of(rows, following, cycle_out)


@router.get("/rings", response=Page[PaymentRingOut], auth=scope(READ))
def list_rings(
    request: ApiRequest,
    cursor: str | None = None,
    limit: int = 50,
    min_rounds: int | None = None,
    min_amount: float | None = None,
    min_score: float | None = None,
) -> dict[str, Any]:
    """Rings of accounts, the last to be found first. `min_amount` is of all rounds together, in euros."""
    rows, following = selectors.rings_page(
        organisation=request.auth.organisation,
        chosen=selectors.RingFilter(min_rounds, min_amount, min_score),
        cursor=cursor,
        limit=limit,
    )
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=RING,
        subject_ids=[row.pk for row in rows],
        what="rings of accounts",
    )
    return page_of(rows, following, ring_out)


@router.get("/rings/{uuid:ring_id}", response=PaymentRingOut, auth=scope(READ))
def get_ring(request: ApiRequest, ring_id: UUID) -> PaymentRingOut:
    """A ring of accounts; its rounds are in `/cycles?ring=`."""
    row = selectors.ring_get(organisation=request.auth.organisation, ring_id=ring_id)
    read_record(
        organisation=request.auth.organisation,
        subject_type=RING,
        subject_id=row.pk,
        what="accounts of a ring",
    )
    return ring_out(row)


@router.get("/{uuid:cycle_id}", response=PaymentCycleDetailOut, auth=scope(READ))
def get_cycle(request: ApiRequest, cycle_id: UUID) -> PaymentCycleDetailOut:
    """A cycle with its payments in their order."""
    row, payments = selectors.cycle_get(organisation=request.auth.organisation, cycle_id=cycle_id)
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=SUBJECT,
        subject_ids=[one.pk for one in payments],
        what="payments of a cycle",
    )
    return detail_out(row, payments)
