"""REST: the audit trail, decision records, the chain and its verification, the export."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema, Status

from rootstock.accounts.actors import act_as
from rootstock.accounts.auth import ApiRequest, Principal, ScopeAuth, principal_of, scope
from rootstock.accounts.tenancy import tenant
from rootstock.audit import selectors
from rootstock.audit.downloads import trail_download
from rootstock.audit.models import AuditRoot
from rootstock.audit.roots import roots_write
from rootstock.audit.schemas import (
    ActionIn,
    ActionOut,
    ChainOut,
    DecisionDetailOut,
    DecisionRecordOut,
    EntryDetailOut,
    EntryOut,
    RootOut,
    VerdictOut,
    VerifyingOut,
    action_out,
    chain_out,
    decision_detail,
    decision_out,
    entry_detail,
    entry_out,
    root_out,
    verdict_out,
)
from rootstock.audit.services import action_record, reasons_read
from rootstock.audit.verify import Verdict
from rootstock.audit.verifying import verify_request
from rootstock.audit.words import actor_names, actors_of
from rootstock.errors import Forbidden, NotFound
from rootstock.moments import Moment
from rootstock.paging import Page, page_of, take_page

router = Router(tags=["audit"])
READ = "audit:read"


class Window(Schema):
    """A range of time and a place in the list."""

    since: Moment | None = None
    until: Moment | None = None
    cursor: str | None = None
    limit: int = 50


class EntryQuery(Window):
    """Which entries."""

    actor_kind: str = ""
    actor: str = ""
    action: str = ""
    object_type: str = ""
    object_id: str = ""
    request_id: str = ""


class DecisionQuery(Window):
    """Which decisions."""

    vertical: str = ""
    kind: str = ""
    subject_type: str = ""
    subject_id: str = ""


class AnyVertical(ScopeAuth):
    """Callers who may write in some vertical; the endpoint then asks for the one of the decision."""

    verticals = tuple(f"{name}:write" for name in settings.VERTICALS)

    def __init__(self) -> None:
        super().__init__(self.verticals[0])

    def __call__(self, request: HttpRequest) -> Principal:
        principal = principal_of(request)
        act_as(principal.actor)
        if principal.scopes.isdisjoint(self.verticals):
            raise Forbidden(f"this needs one of the scopes {', '.join(self.verticals)}")
        return principal


@router.get("/entries", response=Page[EntryOut], auth=scope(READ))
def list_entries(request: ApiRequest, query: Query[EntryQuery]) -> dict[str, Any]:
    """What was done, newest first. `actor` and `object_id` are ids; times are exact."""
    organisation = request.auth.organisation
    wanted = selectors.EntryFilter(**query.dict(exclude={"cursor", "limit"}))
    with tenant(organisation):
        rows, following = take_page(selectors.entries(wanted), cursor=query.cursor, limit=query.limit)
    names = actor_names(organisation, actors_of(rows))
    return page_of(rows, following, lambda row: entry_out(row, names))


@router.get("/entries/{uuid:entry_id}", response=EntryDetailOut, auth=scope(READ))
def get_entry(request: ApiRequest, entry_id: UUID) -> EntryDetailOut:
    """One entry with the proof that the chain holds it."""
    organisation = request.auth.organisation
    entry = selectors.entry_get(organisation=organisation, entry_id=entry_id)
    proof = selectors.proof_of(organisation=organisation, row=entry, at=entry.at)
    return entry_detail(entry, actor_names(organisation, actors_of([entry])), proof)


@router.get("/decisions", response=Page[DecisionRecordOut], auth=scope(READ))
def list_decisions(request: ApiRequest, query: Query[DecisionQuery]) -> dict[str, Any]:
    """What models and rules decided, newest first."""
    wanted = selectors.DecisionFilter(**query.dict(exclude={"cursor", "limit"}))
    with tenant(request.auth.organisation):
        rows, following = take_page(selectors.decisions(wanted), cursor=query.cursor, limit=query.limit)
    return page_of(rows, following, decision_out)


@router.get("/decisions/{uuid:decision_id}", response=DecisionDetailOut, auth=scope(READ))
def get_decision(request: ApiRequest, decision_id: UUID) -> DecisionDetailOut:
    """One decision with what people did with it, and its proof."""
    organisation = request.auth.organisation
    record = selectors.decision_get(organisation=organisation, decision_id=decision_id)
    reasons_read(record)
    names = actor_names(organisation, actors_of(record.actions.all()))
    proof = selectors.proof_of(organisation=organisation, row=record, at=record.decided_at)
    return decision_detail(record, names, proof)


@router.post("/decisions/{uuid:decision_id}/actions", response={201: ActionOut}, auth=[AnyVertical()])
def act_on_decision(request: ApiRequest, decision_id: UUID, payload: ActionIn) -> Status[ActionOut]:
    """Confirm, override or release a decision. Needs the writing scope of its vertical, such as fraud:write."""
    organisation = request.auth.organisation
    record = selectors.decision_get(organisation=organisation, decision_id=decision_id)
    request.auth.require(f"{record.vertical}:write")
    done = action_record(
        organisation=organisation, decision_id=decision_id, action=payload.action, reason=payload.reason
    )
    return Status(201, action_out(done, actor_names(organisation, actors_of([done]))))


@router.get("/chain", response=ChainOut, auth=scope(READ))
def get_chain(request: ApiRequest) -> ChainOut:
    """The last root, how much waits for the next, and the last verification."""
    return chain_out(selectors.chain_of(organisation=request.auth.organisation))


@router.get("/roots", response=Page[RootOut], auth=scope(READ))
def list_roots(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """The roots, newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(AuditRoot.objects.defer("leaves"), cursor=cursor, limit=limit)
    return page_of(rows, following, root_out)


@router.get("/roots/{int:sequence}", response=RootOut, auth=scope(READ))
def get_root(request: ApiRequest, sequence: int) -> RootOut:
    """One root, to compare with what a witness was told."""
    with tenant(request.auth.organisation):
        root = AuditRoot.objects.defer("leaves").filter(sequence=sequence).first()
    if root is None:
        raise NotFound("no such root")
    return root_out(root)


@router.post("/roots", response=list[RootOut], auth=scope(READ))
def seal_now(request: ApiRequest) -> list[RootOut]:
    """Seal what waits, without waiting for the schedule. Empty when nothing waited."""
    return [root_out(one) for one in roots_write(organisation=request.auth.organisation)]


@router.post("/verify", response={200: VerdictOut, 202: VerifyingOut}, auth=scope(READ))
def verify(request: ApiRequest) -> Status[Any]:
    """Verify the whole chain: at once up to 10,000 rows, by a job beyond that."""
    found = verify_request(organisation=request.auth.organisation, created_by=request.auth.user)
    if isinstance(found, Verdict):
        return Status(200, verdict_out(found))
    return Status(202, {"job": found})


@router.get("/export", response=None, auth=scope(READ), openapi_extra={"responses": {200: {
    "description": "JSON Lines: each root, then its rows; at the end a manifest with every root's hash",
    "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
}}})  # fmt: skip
def export(
    request: ApiRequest, since: Moment | None = None, until: Moment | None = None
) -> StreamingHttpResponse:
    """The trail as JSON Lines, streamed; `manage.py audit_verify --file` verifies it without the database."""
    return trail_download(organisation=request.auth.organisation, since=since, until=until)
