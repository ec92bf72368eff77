"""REST: persons, requests about their data, retention, certificates, keys."""

from typing import Any
from uuid import UUID

from django.http import FileResponse
from ninja import Router, Status

from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.paging import Page, page_of, refuse_other, take_page
from rootstock.privacy import holds, requests, retention, rotation, selectors
from rootstock.privacy.erasure import certificate_file
from rootstock.privacy.holdings import expiring_kinds
from rootstock.privacy.models import Action, ErasureCertificate, PrivacySettings, RequestState
from rootstock.privacy.schemas import (
    CertificateOut,
    MasterKeyOut,
    ReasonIn,
    RequestIn,
    RequestOut,
    RuleIn,
    RuleOut,
    SearchIn,
    SettingsIn,
    SettingsOut,
    SubjectOut,
    request_out,
    rule_out,
    subject_out,
)

router = Router(tags=["privacy"])
READ, WRITE = "privacy:read", "privacy:write"


@router.post("/subjects/search", response=list[SubjectOut], auth=scope(READ))
def search_subjects(request: ApiRequest, payload: SearchIn) -> list[SubjectOut]:
    """Persons by a reference, exactly: an account's number, a record number, a customer's reference."""
    found = selectors.subjects_find(
        organisation=request.auth.organisation, reference=payload.reference, type=payload.type
    )
    return [subject_out(one) for one in found]


@router.get("/subjects/{uuid:subject_id}", response=SubjectOut, auth=scope(READ))
def get_subject(request: ApiRequest, subject_id: UUID) -> SubjectOut:
    """One person and how much is held of them."""
    return _subject(request, subject_id)


@router.put("/subjects/{uuid:subject_id}/hold", response=SubjectOut, auth=scope(WRITE))
def place_hold(request: ApiRequest, subject_id: UUID, payload: ReasonIn) -> SubjectOut:
    """Put a person under a legal hold: nothing of them is deleted while it lasts."""
    holds.hold_place(organisation=request.auth.organisation, subject_id=subject_id, reason=payload.reason)
    return _subject(request, subject_id)


@router.delete("/subjects/{uuid:subject_id}/hold", response=SubjectOut, auth=scope(WRITE))
def release_hold(request: ApiRequest, subject_id: UUID) -> SubjectOut:
    """End a legal hold."""
    holds.hold_release(organisation=request.auth.organisation, subject_id=subject_id)
    return _subject(request, subject_id)


def _subject(request: ApiRequest, subject_id: UUID) -> SubjectOut:
    return subject_out(selectors.subject_get(organisation=request.auth.organisation, subject_id=subject_id))


@router.get("/requests", response=Page[RequestOut], auth=scope(READ))
def list_requests(
    request: ApiRequest, state: str = "", action: str = "", cursor: str | None = None, limit: int = 50
) -> dict[str, Any]:
    """Requests, the newest first."""
    refuse_other("state", state, RequestState.values)
    refuse_other("action", action, Action.values)
    wanted = {name: value for name, value in (("state", state), ("action", action)) if value}
    with tenant(request.auth.organisation):
        rows, following = take_page(selectors.requests_of().filter(**wanted), cursor=cursor, limit=limit)
    return page_of(rows, following, request_out)


@router.post("/requests", response={201: RequestOut}, auth=scope(WRITE))
def create_request(request: ApiRequest, payload: RequestIn) -> Status[RequestOut]:
    """Ask for an export, which starts at once, or an erasure, which waits for a second person."""
    made = requests.request_create(
        organisation=request.auth.organisation, created_by=request.auth.user, **payload.model_dump()
    )
    return Status(201, request_out(made))


@router.get("/requests/{uuid:request_id}", response=RequestOut, auth=scope(READ))
def get_request(request: ApiRequest, request_id: UUID) -> RequestOut:
    """One request."""
    return request_out(selectors.request_get(organisation=request.auth.organisation, request_id=request_id))


@router.post("/requests/{uuid:request_id}/confirm", response=CertificateOut, auth=scope(WRITE))
def confirm_request(request: ApiRequest, request_id: UUID) -> dict[str, Any]:
    """Erase: the person's key is destroyed now and for good. Answers with the certificate."""
    certificate = requests.request_confirm(organisation=request.auth.organisation, request_id=request_id)
    return certificate_file(certificate)


@router.post("/requests/{uuid:request_id}/refuse", response=RequestOut, auth=scope(WRITE))
def refuse_request(request: ApiRequest, request_id: UUID) -> RequestOut:
    """Do not erase."""
    requests.request_refuse(organisation=request.auth.organisation, request_id=request_id)
    return get_request(request, request_id)


@router.get("/requests/{uuid:request_id}/archive", auth=scope(WRITE), response=None)
def get_archive(request: ApiRequest, request_id: UUID) -> FileResponse:
    """The archive of an export (ZIP)."""
    return archive_response(organisation=request.auth.organisation, request_id=request_id)


def archive_response(*, organisation: Organisation, request_id: UUID) -> FileResponse:
    """The archive as a download; nobody may keep it on the way."""
    row, content = requests.archive_take(organisation=organisation, request_id=request_id)
    response = FileResponse(
        content, as_attachment=True, filename=f"export-{row.pk}.zip", content_type="application/zip"
    )
    response["Content-Length"] = str(row.archive_bytes)
    return response


@router.get("/retention", response=list[RuleOut], auth=scope(READ))
def list_rules(request: ApiRequest) -> list[RuleOut]:
    """Every kind of data that can expire, with its rule."""
    in_use = retention.kinds_in_use(request.auth.organisation)
    return [rule_out(*one, in_use) for one in retention.rules_of(request.auth.organisation)]


@router.put("/retention/{str:kind}", response=RuleOut, auth=scope(WRITE))
def set_rule(request: ApiRequest, kind: str, payload: RuleIn) -> RuleOut:
    """Keep a kind of data for so many days; null keeps it for good."""
    rule = retention.rule_set(organisation=request.auth.organisation, kind=kind, days=payload.days)
    return rule_out(expiring_kinds()[kind], rule, retention.kinds_in_use(request.auth.organisation))


@router.get("/certificates", response=Page[dict[str, Any]], auth=scope(READ))
def list_certificates(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Certificates of erasures, the newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(ErasureCertificate.objects.all(), cursor=cursor, limit=limit)
    return page_of(rows, following, certificate_file)


@router.get("/certificates/{uuid:certificate_id}", response=CertificateOut, auth=scope(READ))
def get_certificate(request: ApiRequest, certificate_id: UUID) -> dict[str, Any]:
    """One certificate; `manage.py verify_certificate` checks the file."""
    found = selectors.certificate_get(organisation=request.auth.organisation, certificate_id=certificate_id)
    return certificate_file(found)


@router.get("/settings", response=SettingsOut, auth=scope(READ))
def get_settings(request: ApiRequest) -> PrivacySettings:
    """How requests are handled."""
    return requests.settings_of(request.auth.organisation)


@router.put("/settings", response=SettingsOut, auth=scope(WRITE))
def set_settings(request: ApiRequest, payload: SettingsIn) -> PrivacySettings:
    """Change how requests are handled. To switch four_eyes off takes the scope settings:write too."""
    return requests.settings_update(
        organisation=request.auth.organisation, granted=request.auth.scopes, **payload.model_dump()
    )


@router.get("/master-keys", response=list[MasterKeyOut], auth=scope(READ))
def list_master_keys(request: ApiRequest) -> list[rotation.MasterKeyStatus]:
    """Which master keys wrap the organisation's keys. They are rotated by `manage.py master_keys`."""
    return rotation.status(request.auth.organisation)
