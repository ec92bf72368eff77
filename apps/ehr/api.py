"""REST: FHIR Bundles in; patients, timelines, notes and scores out."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status

from apps.ehr import selectors, services
from apps.ehr.evidence import PATIENT
from apps.ehr.fhir.bundle import MAX_BYTES
from apps.ehr.schemas import (
    BundleOut,
    EventOut,
    NoteOut,
    PatientOut,
    RiskOut,
    bundle_out,
    event_out,
    note_out,
    patient_out,
    risk_out,
)
from apps.ehr.scoring import BANDS
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.audit.services import list_read_record, read_record
from rootstock.errors import InvalidInput
from rootstock.moments import Moment
from rootstock.paging import Page, refuse_other

router = Router(tags=["ehr"])
_PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1954-02-11"}
_BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _PATIENT}]}
READ, WRITE, IDENTIFIED = "ehr:read", "ehr:write", "ehr:identified"


class TimelineQuery(Schema):
    """Filters and paging of a timeline."""

    kind: str = ""
    code: str = ""
    since: Moment | None = None
    before: Moment | None = None
    cursor: str | None = None
    limit: int = 100


@router.post(
    "/bundles",
    response={202: BundleOut, 200: BundleOut},
    auth=scope(WRITE),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                media: {"schema": {"type": "object", "description": "A FHIR R4 Bundle"}, "example": _BUNDLE}
                for media in ("application/fhir+json", "application/json")
            },
        }
    },
)
def post_bundle(request: ApiRequest) -> Status[dict[str, Any]]:
    """Take a FHIR R4 Bundle (transaction, batch or collection), all of it or nothing.

    202 with the job that reads it; 200 when the same Bundle (by content or identifier) had been sent before.
    """
    accepted = services.bundle_import(
        organisation=request.auth.organisation, body=_body(request), created_by=request.auth.user
    )
    return Status(200 if accepted.replayed else 202, bundle_out(accepted.bundle, replayed=accepted.replayed))


@router.get("/bundles/{uuid:bundle_id}", response=BundleOut, auth=scope(READ))
def get_bundle(request: ApiRequest, bundle_id: UUID) -> dict[str, Any]:
    """How far a Bundle has come, and what was not read of it."""
    return bundle_out(selectors.bundle_get(organisation=request.auth.organisation, bundle_id=bundle_id))


@router.get("/patients", response=Page[PatientOut], auth=scope(READ))
def list_patients(
    request: ApiRequest, identifier: str = "", band: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Patients by risk, highest first. `identifier` is a value or `system|value`."""
    refuse_other("band", band, BANDS)
    rows, following = selectors.patient_page(
        organisation=request.auth.organisation, cursor=cursor, limit=limit, identifier=identifier, band=band
    )
    list_read_record(
        organisation=request.auth.organisation,
        subject_type=PATIENT,
        subject_ids=[row.patient.pk for row in rows],
        what="record",
    )
    return {"items": [patient_out(row) for row in rows], "next": following}


@router.get("/patients/{uuid:patient_id}", response=PatientOut, auth=scope(READ))
def get_patient(request: ApiRequest, patient_id: UUID) -> PatientOut:
    """One patient."""
    found = selectors.patient_get(organisation=request.auth.organisation, patient_id=patient_id)
    _was_read(request, patient_id, "record")
    return patient_out(found)


@router.get("/patients/{uuid:patient_id}/timeline", response=Page[EventOut], auth=scope(READ))
def get_timeline(request: ApiRequest, patient_id: UUID, query: Query[TimelineQuery]) -> dict[str, Any]:
    """Events, latest first."""
    rows, following = selectors.timeline_page(
        organisation=request.auth.organisation,
        patient_id=patient_id,
        wanted=selectors.TimelineFilter(query.kind, query.code, query.since, query.before),
        cursor=query.cursor,
        limit=query.limit,
    )
    _was_read(request, patient_id, "timeline")
    return {"items": [event_out(row) for row in rows], "next": following}


@router.get("/patients/{uuid:patient_id}/notes", response=Page[NoteOut], auth=scope(READ))
def get_notes(
    request: ApiRequest, patient_id: UUID, original: bool = False, cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Notes without identifiers. `original=true` adds the text as it came and needs the scope ehr:identified."""
    if original:
        request.auth.require(IDENTIFIED)
    organisation = request.auth.organisation
    rows, following = selectors.notes_page(
        organisation=organisation, patient_id=patient_id, cursor=cursor, limit=limit
    )
    texts = (
        selectors.originals(organisation=organisation, note_ids=[row.pk for row in rows]) if original else {}
    )
    _was_read(request, patient_id, "identified notes" if original else "notes")
    items: list[NoteOut] = [note_out(row, texts.get(row.pk)) for row in rows]
    return {"items": items, "next": following}


@router.get("/patients/{uuid:patient_id}/risk", response=list[RiskOut], auth=scope(READ))
def get_risk(request: ApiRequest, patient_id: UUID, limit: int = 60) -> list[RiskOut]:
    """The newest scores with their inputs, oldest of them first."""
    rows = selectors.risk_list(organisation=request.auth.organisation, patient_id=patient_id, limit=limit)
    _was_read(request, patient_id, "scores")
    return [risk_out(row) for row in rows]


def _was_read(request: ApiRequest, patient_id: UUID, what: str) -> None:
    read_record(
        organisation=request.auth.organisation, subject_type=PATIENT, subject_id=patient_id, what=what
    )


def _body(request: HttpRequest) -> bytes:
    length = int(request.headers.get("Content-Length") or 0)
    if length > MAX_BYTES:
        raise InvalidInput.field("Bundle", f"is {length} bytes; at most {MAX_BYTES} are taken")
    return request.body
